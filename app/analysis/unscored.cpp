// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/unscored.h"

#include "engine/eval/verdict.h"

#include <algorithm>

namespace quantscope::analysis {
namespace {

/// Without the worker's opening words and the line of the program, which differs from problem to problem.
QString essence(const QString& detail) {
    const QString opening = QString::fromStdString(eval::unjudged_detail({}));
    const QString reason = detail.startsWith(opening) ? detail.mid(opening.size()) : detail;
    return reason.left(reason.indexOf(QLatin1String(" (line ")));
}

} // namespace

QString unscoredSentence(const QList<storage::UnscoredReason>& reasons) {
    QMap<QString, int> byEssence;
    int problems = 0;
    for (const storage::UnscoredReason& reason : reasons) {
        byEssence[essence(reason.detail)] += reason.problems;
        problems += reason.problems;
    }
    if (problems == 0) {
        return {};
    }
    const auto commonest = std::max_element(byEssence.begin(), byEssence.end());
    return QStringLiteral("%1 cannot be judged here: %2%3.")
        .arg(problems == 1 ? QStringLiteral("1 problem") : QStringLiteral("%1 problems").arg(problems),
             commonest.key(), byEssence.size() > 1 ? QStringLiteral(", and other reasons") : QString());
}

} // namespace quantscope::analysis
