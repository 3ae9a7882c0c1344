// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/run_window.h"

#include "app/campaign/errors.h"
#include "app/cli/output.h"
#include "app/cli/stored_campaign.h"
#include "app/desktop/desktop_session.h"

#include <QApplication>
#include <QFileInfo>
#include <QMessageBox>

namespace quantscope::desktop {
namespace {

int refuse(const Error& error) {
    QMessageBox::critical(nullptr, QStringLiteral("Quantscope"), campaign::errorText(error));
    return cli::fail(error);
}

} // namespace

int runWindow(const cli::WindowOptions& options) {
    if (const auto made = cli::makeFolder(QFileInfo(options.database).absolutePath()); !made) {
        return refuse(made.error());
    }
    auto writer = campaign::appExpected(storage::Writer::open(options.database));
    if (!writer) {
        return refuse(writer.error());
    }
    ui::MainWindow window;
    const DesktopSession session(window, **writer, options.campaignId);
    window.show();
    return QApplication::exec();
}

} // namespace quantscope::desktop
