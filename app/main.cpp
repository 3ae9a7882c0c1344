// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/command_line.h"
#include "app/cli/output.h"
#include "app/desktop/run_window.h"

#include <QApplication>

#include <cstdio>

namespace {

void setNames() {
    QCoreApplication::setOrganizationName(QStringLiteral("Quantscope"));
    QCoreApplication::setApplicationName(QStringLiteral("Quantscope"));
    QCoreApplication::setApplicationVersion(QStringLiteral(QUANTSCOPE_VERSION));
}

/// Qt's remarks about the desktop it does not find are no news to who asked for a file or a table.
void keepQtQuiet(QtMsgType type, const QMessageLogContext& /*context*/, const QString& message) {
    if (type == QtCriticalMsg || type == QtFatalMsg) {
        quantscope::cli::printNote(message);
    }
}

bool hasDisplay() {
    return qEnvironmentVariableIsSet("DISPLAY") || qEnvironmentVariableIsSet("WAYLAND_DISPLAY") ||
           qEnvironmentVariableIsSet("QT_QPA_PLATFORM");
}

int openWindow(int argc, char** argv, const quantscope::cli::WindowOptions& options) {
    if (!hasDisplay()) {
        quantscope::cli::printNote(
            QStringLiteral("quantscope: There is no display to open a window on. Use the "
                           "subcommands, such as `quantscope run`; see --help."));
        return 2;
    }
    const QApplication app(argc, argv);
    setNames();
    return quantscope::desktop::runWindow(options);
}

} // namespace

int main(int argc, char** argv) {
    const quantscope::cli::ParsedArguments parsed = quantscope::cli::parseArguments(argc, argv);
    if (!parsed.command) {
        std::fputs(parsed.text.toUtf8().constData(), parsed.textIsError ? stderr : stdout);
        return parsed.exitCode;
    }
    if (const auto* window = std::get_if<quantscope::cli::WindowOptions>(&*parsed.command)) {
        return openWindow(argc, argv, *window);
    }
    if (!qEnvironmentVariableIsSet("QT_LOGGING_RULES")) {
        qInstallMessageHandler(keepQtQuiet);
    }
    if (quantscope::cli::drawsCharts(*parsed.command)) {
        qputenv("QT_QPA_PLATFORM", "offscreen"); // files only: no window, no display needed
        const QApplication app(argc, argv);
        setNames();
        return quantscope::cli::execute(*parsed.command);
    }
    const QCoreApplication app(argc, argv);
    setNames();
    return quantscope::cli::execute(*parsed.command);
}
