// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/numbers/visible_text.h"

namespace quantscope::ui {
namespace {

bool isHidden(QChar c) {
    const char16_t code = c.unicode();
    const bool control = (code < 0x20 && code != u'\n' && code != u'\t') || (code >= 0x7F && code < 0xA0);
    const bool direction = code == 0x061C || code == 0x200E || code == 0x200F ||
                           (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
    return control || direction || code == 0x2028 || code == 0x2029 || code == 0xFEFF;
}

} // namespace

QString visibleText(const QString& text) {
    QString visible;
    for (qsizetype i = 0; i < text.size(); ++i) {
        const bool lineEnd = text[i] == u'\r' && i + 1 < text.size() && text[i + 1] == u'\n';
        if (isHidden(text[i]) && !lineEnd)
            visible += QStringLiteral("\\u") + QString::number(text[i].unicode(), 16).rightJustified(4, u'0');
        else
            visible += text[i];
    }
    return visible;
}

} // namespace quantscope::ui
