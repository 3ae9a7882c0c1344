// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/run_window.h"

#include "app/campaign/errors.h"
#include "app/cli/output.h"
#include "app/cli/stored_campaign.h"
#include "app/desktop/demo_campaign.h"
#include "app/desktop/desktop_session.h"

#include <QApplication>
#include <QFileInfo>
#include <QMessageBox>

#include <optional>

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
    std::optional<storage::Campaign> demo;
    if (options.demo) {
        const auto stored = storedDemo(options.database);
        if (!stored) {
            return refuse(stored.error());
        }
        demo = *stored;
    }
    ui::MainWindow window;
    DesktopSession session(window, **writer, demo ? demo->id : options.campaignId);
    window.show();
    if (options.demo) {
        window.setCampaignSpec(demoSpec());
        if (!demo) {
            session.start(demoSpec());
        } else if (demo->status != storage::RunStatus::Done) {
            session.resume(demo->id);
        }
    }
    return QApplication::exec();
}

} // namespace quantscope::desktop
