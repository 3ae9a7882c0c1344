// SPDX-License-Identifier: Apache-2.0
#include "storage/model_name.h"

#include <QDir>
#include <QFileInfo>
#include <QRegularExpression>

namespace quantscope::storage {

QString modelFolderName(const QString& path) {
    const QString clean = QDir::cleanPath(path);
    static const QRegularExpression cached(QStringLiteral("(?:^|/)models--([^/]+?)(/snapshots/[^/]+)?$"));
    const auto match = cached.match(clean);
    if (!match.hasMatch()) {
        const QString name = QFileInfo(clean).fileName();
        return name.isEmpty() ? path : name;
    }
    QString repository = match.captured(1);
    const qsizetype dashes = repository.indexOf(QStringLiteral("--"));
    return dashes < 0 ? repository : repository.replace(dashes, 2, QStringLiteral("/"));
}

} // namespace quantscope::storage
