// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/help_dialogs.h"

#include <QCoreApplication>
#include <QMessageBox>

namespace quantscope::ui {

namespace {

void showText(QWidget* window, const QString& title, const QString& html) {
    auto* box = new QMessageBox(QMessageBox::NoIcon, title, html, QMessageBox::Close, window);
    box->setTextFormat(Qt::RichText);
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->setModal(false);
    box->show();
}

} // namespace

void showAbout(QWidget* window) {
    const QString version = QCoreApplication::applicationVersion();
    showText(window, QStringLiteral("About Quantscope"),
             QStringLiteral(
                 "<h3>Quantscope %1</h3>"
                 "<p>What does 4-bit quantization cost in HumanEval pass@1 against INT8 and FP16, and what "
                 "does it buy "
                 "in latency, on your model and your hardware?</p>"
                 "<p>The application is free software under the GNU General Public License, version 3 or "
                 "later: it "
                 "links Qt Charts. Engine, kernels and storage are under the Apache License 2.0.</p>"
                 "<p>Built with Qt %2 (LGPL 3; Qt Charts GPL 3), oneDNN, SentencePiece (Apache 2.0), "
                 "nlohmann/json, "
                 "fmt (MIT), CLI11 (BSD 3-clause), tl::expected (CC0), SQLite (public domain) and zlib. "
                 "Completions run under bubblewrap (LGPL 2).</p>")
                 .arg(version.toHtmlEscaped(), QString::fromLatin1(qVersion())));
}

void showShortcuts(QWidget* window) {
    QString rows;
    const auto add = [&rows](const char* keys, const char* what) {
        rows += QStringLiteral("<tr><td><b>%1</b>&nbsp;&nbsp;&nbsp;</td><td>%2</td></tr>")
                    .arg(QString::fromUtf8(keys), QString::fromUtf8(what));
    };
    add("Ctrl+Return", "start the campaign");
    add("Esc", "stop the campaign");
    add("Ctrl+R", "resume the campaign that is shown");
    add("Ctrl+E", "export the chart");
    add("Ctrl+Shift+E", "export the report");
    add("Ctrl+1, 2, 3", "trade-off, latency, memory");
    add("Ctrl+B", "show or hide the settings");
    add("Arrow keys in a chart", "go from run to run");
    add("Ctrl+C in the table", "copy the selected rows");
    add("Ctrl+L", "use the selected run as baseline");
    add("Ctrl+O", "show another campaign");
    add("Ctrl+Q", "quit");
    showText(window, QStringLiteral("Keyboard shortcuts"), QStringLiteral("<table>%1</table>").arg(rows));
}

} // namespace quantscope::ui
