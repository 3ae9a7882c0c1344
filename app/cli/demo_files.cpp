// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/demo_files.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>

namespace quantscope::cli {
namespace {

QString resourceFolder() {
    QString chosen = qEnvironmentVariable("QUANTSCOPE_RESOURCES");
    if (!chosen.isEmpty()) {
        return chosen;
    }
    return QDir::cleanPath(
        QDir(QCoreApplication::applicationDirPath()).filePath(QStringLiteral("../share/quantscope")));
}

} // namespace

Expected<QString> problemFile(const QString& nameOrPath) {
    const bool isDemo = nameOrPath == QLatin1String("demo");
    const QString path = isDemo ? resourceFolder() + QStringLiteral("/demo/problems.jsonl") : nameOrPath;
    if (!QFileInfo(path).isFile()) {
        return make_error(ErrorCode::bad_input,
                          QStringLiteral("There is no problem file %1.").arg(path).toStdString(),
                          isDemo ? "Set QUANTSCOPE_RESOURCES to the folder that holds demo/."
                                 : "Give a HumanEval file (.jsonl or .jsonl.gz), or demo.");
    }
    return path;
}

Expected<> checkModelFolder(const QString& nameOrPath) {
    if (nameOrPath == QLatin1String("demo")) {
        return {};
    }
    if (!QFileInfo(nameOrPath).isDir()) {
        return make_error(ErrorCode::bad_input,
                          QStringLiteral("There is no model folder %1.").arg(nameOrPath).toStdString(),
                          "Give a Hugging Face folder with config.json, *.safetensors and tokenizer.model or "
                          "tokenizer.json, or demo.");
    }
    return {};
}

Expected<QString> interpreterFile(const QString& path) {
    const QFileInfo file(path);
    if (!file.isFile() || !file.isExecutable()) {
        return make_error(ErrorCode::bad_input,
                          QStringLiteral("--python: there is no program %1.").arg(path).toStdString(),
                          "Give the file of a Python interpreter, e.g. /usr/bin/python3.");
    }
    return file.absoluteFilePath();
}

} // namespace quantscope::cli
