// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/setup/spec_check.h"

#include <QFileInfo>

namespace quantscope::ui {

namespace {

void checkPaths(const storage::CampaignSpec& spec, QStringList& problems) {
    const QString demo = QStringLiteral("demo");
    if (spec.model.isEmpty())
        problems += QStringLiteral("Choose the folder of a model, or the demo model.");
    else if (spec.model != demo && spec.launcher.isEmpty() && !QFileInfo(spec.model).isDir())
        problems +=
            QStringLiteral("There is no folder %1: choose one that holds config.json and *.safetensors.")
                .arg(spec.model);
    if (!spec.evalEnabled)
        return;
    if (spec.problems.isEmpty())
        problems += QStringLiteral("Choose a problem file, or the demo problems.");
    else if (spec.problems != demo && spec.launcher.isEmpty() && !QFileInfo(spec.problems).isFile())
        problems += QStringLiteral("There is no file %1: choose a HumanEval file, .jsonl or .jsonl.gz.")
                        .arg(spec.problems);
}

} // namespace

QStringList specProblems(const storage::CampaignSpec& spec, const QStringList& unknownSchemes) {
    QStringList problems;
    checkPaths(spec, problems);
    if (spec.schemes.isEmpty())
        problems += QStringLiteral("Tick at least one scheme.");
    if (!unknownSchemes.isEmpty())
        problems += QStringLiteral("This engine does not know %1: untick it.")
                        .arg(unknownSchemes.join(QStringLiteral(", ")));
    if (spec.batchSizes.isEmpty())
        problems += QStringLiteral("Tick at least one batch size.");
    if (!spec.evalEnabled && !spec.latency.enabled)
        problems += QStringLiteral("Tick pass@1, latency or both: there is nothing to measure.");
    if (spec.evalEnabled && spec.sampling.samplesPerProblem > 1 && spec.sampling.temperature == 0.0)
        problems += QStringLiteral(
            "Greedy samples of a problem are all alike: raise the temperature (Sampling), or draw "
            "one sample a problem.");
    return problems;
}

} // namespace quantscope::ui
