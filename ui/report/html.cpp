// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/html.h"

#include "ui/numbers/visible_text.h"

namespace quantscope::ui::html {

namespace {

const char* const styleSheet = R"(
:root { color-scheme: light; }
body { font: 16px/1.5 "DejaVu Sans", "Noto Sans", Arial, sans-serif; color: #1f2328; background: #fff;
       max-width: 66rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin-bottom: .25rem; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #d0d7de; padding-bottom: .2rem; }
.facts { color: #57606a; margin-top: 0; }
.demo { background: #fff4e0; border-left: 4px solid #b35900; padding: .6rem 1rem; }
.abstract { background: #f6f8fa; padding: .8rem 1.1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-size: .8rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: #57606a; padding-bottom: .4rem; }
th, td { padding: .28rem .45rem; border-bottom: 1px solid #d8dee4; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #8c959f; font-weight: 600; }
th.n, td.n { text-align: right; white-space: nowrap; }
td:first-child { white-space: nowrap; }
figure { margin: 1.2rem 0; }
figure svg { width: 100%; height: auto; display: block; border: 1px solid #d8dee4; }
figcaption { color: #57606a; font-size: .9rem; margin-top: .4rem; }
pre { background: #f6f8fa; padding: .8rem 1rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
code { font-size: .9rem; overflow-wrap: anywhere; }
details { margin: .5rem 0; }
@media print { body { max-width: none; margin: 0; } h2, figure, table { break-inside: avoid; } }
)";

QString cell(const QString& tag, const QString& text, bool number) {
    const QString scope = tag == QLatin1String("th") ? QStringLiteral(" scope=\"col\"") : QString();
    return QStringLiteral("<%1%2%3>%4</%1>")
        .arg(tag, scope, number ? QStringLiteral(" class=\"n\"") : QString(), escaped(text));
}

QString row(const QString& tag, const QStringList& cells, int firstNumber) {
    QString line;
    for (qsizetype i = 0; i < cells.size(); ++i)
        line += cell(tag, cells[i], i >= firstNumber);
    return QStringLiteral("<tr>%1</tr>\n").arg(line);
}

} // namespace

QString escaped(const QString& text) {
    return visibleText(text).toHtmlEscaped();
}

QString paragraph(const QString& text) {
    return QStringLiteral("<p>%1</p>\n").arg(escaped(text));
}

QString section(const QString& id, const QString& title, const QString& content) {
    return QStringLiteral("<section id=\"%1\"><h2>").arg(id) + escaped(title) + QStringLiteral("</h2>\n") +
           content + QStringLiteral("</section>\n");
}

QString table(const QString& caption, const QStringList& headers, const QList<QStringList>& rows,
              int firstNumber) {
    QString html = QStringLiteral("<div class=\"wide\"><table><caption>") + escaped(caption) +
                   QStringLiteral("</caption>\n<thead>") + row(QStringLiteral("th"), headers, firstNumber) +
                   QStringLiteral("</thead>\n<tbody>\n");
    for (const QStringList& cells : rows)
        html += row(QStringLiteral("td"), cells, firstNumber);
    return html + QStringLiteral("</tbody></table></div>\n");
}

QString figure(const QByteArray& svg, const QString& id, const QString& caption) {
    // Inside HTML the drawing starts at its element: no XML declaration, no document type.
    const QString drawing = QString::fromUtf8(svg.mid(std::max<qsizetype>(0, svg.indexOf("<svg"))));
    return QStringLiteral("<figure id=\"%1\" role=\"img\" aria-label=\"").arg(id) + escaped(caption) +
           QStringLiteral("\">\n") + drawing + QStringLiteral("\n<figcaption>") + escaped(caption) +
           QStringLiteral("</figcaption></figure>\n");
}

QString page(const QString& title, const QString& body) {
    return QStringLiteral("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                          "<meta http-equiv=\"Content-Security-Policy\" "
                          "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>") +
           escaped(title) + QStringLiteral("</title>\n<style>") + QString::fromLatin1(styleSheet) +
           QStringLiteral("</style>\n</head>\n<body>\n") + body + QStringLiteral("</body>\n</html>\n");
}

} // namespace quantscope::ui::html
