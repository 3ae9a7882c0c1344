// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/output.h"

#include "app/campaign/errors.h"

#include <QJsonDocument>

#include <cstdio>

namespace quantscope::cli {
namespace {

void write(FILE* stream, const QByteArray& bytes) {
    std::fwrite(bytes.constData(), 1, static_cast<std::size_t>(bytes.size()), stream);
    std::fflush(stream);
}

} // namespace

void print(const QString& text) {
    write(stdout, text.toUtf8());
}

void printNote(const QString& text) {
    write(stderr, text.toUtf8() + '\n');
}

void printJson(const QJsonObject& document) {
    write(stdout, QJsonDocument(document).toJson());
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
