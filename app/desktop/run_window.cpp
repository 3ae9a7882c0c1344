// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/run_window.h"

#include "app/campaign/errors.h"
#include "app/cli/output.h"
#include "app/cli/stored_campaign.h"
#include "app/desktop/demo_campaign.h"
#include "app/desktop/desktop_session.h"
#include "storage/reader.h"

#include <QApplication>
#include <QFileInfo>
#include <QMessageBox>

#include <memory>
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
    auto writer = storage::Writer::open(options.database);
    const bool onlyLook = !writer && writer.error().kind == storage::ErrorKind::ReadOnly &&
                          storage::Reader::open(options.database).has_value();
    if (!writer && !onlyLook) {
        return refuse(campaign::appError(writer.error()));
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
    const storage::Id shown = demo ? demo->id : options.campaignId;
    const auto session =
        onlyLook ? std::make_unique<DesktopSession>(window, options.database, writer.error(), shown)
                 : std::make_unique<DesktopSession>(window, **writer, shown);
    window.show();
    if (options.demo) {
        window.setCampaignSpec(demoSpec());
        if (!demo) {
            session->start(demoSpec());
        } else if (demo->status != storage::RunStatus::Done) {
            session->resume(demo->id);
        }
    }
    return QApplication::exec();
}

} // namespace quantscope::desktop
