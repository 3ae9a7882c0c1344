// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/output.h"

#include "app/campaign/errors.h"
#include "ui/numbers/visible_text.h"

#include <QJsonDocument>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace quantscope::cli {
namespace {

bool outputFailed = false;

void write(FILE* stream, const QByteArray& bytes) {
    const auto size = static_cast<std::size_t>(bytes.size());
    const bool written = std::fwrite(bytes.constData(), 1, size, stream) == size && std::fflush(stream) == 0;
    if (!written && stream == stdout && !outputFailed) {
        outputFailed = true;
        printNote(QStringLiteral("quantscope: the standard output could not be written: %1.")
                      .arg(QString::fromLocal8Bit(std::strerror(errno))));
    }
}

} // namespace

void print(const QString& text) {
    write(stdout, ui::visibleText(text).toUtf8());
}

void printNote(const QString& text) {
    write(stderr, ui::visibleText(text).toUtf8() + '\n');
}

void printJson(const QJsonObject& document) {
    write(stdout, QJsonDocument(document).toJson());
}

int exitCodeAfterOutput(int code) {
    return outputFailed && code == 0 ? exit_code(ErrorCode::io) : code;
}

int fail(const Error& error, bool json) {
    printNote(QStringLiteral("quantscope: ") + campaign::errorText(error));
    if (json) {
        printJson({{QStringLiteral("error"),
                    QJsonObject{{QStringLiteral("code"), QString::fromUtf8(to_string(error.code))},
                                {QStringLiteral("message"), QString::fromStdString(error.message)},
                                {QStringLiteral("hint"), QString::fromStdString(error.hint)}}}});
    }
    return exit_code(error.code);
}

} // namespace quantscope::cli
