// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/desktop_session.h"

#include "app/campaign/errors.h"

#include <QEventLoop>
#include <QFileInfo>

namespace quantscope::desktop {
namespace {

constexpr int refreshMs = 500;
constexpr int stopPatienceMs = 5000;

} // namespace

DesktopSession::DesktopSession(ui::MainWindow& window, storage::Writer& writer, storage::Id campaignId,
                               QObject* parent)
    : DesktopSession(window, &writer, writer.path(), campaignId, parent) {}

DesktopSession::DesktopSession(ui::MainWindow& window, const QString& database, const storage::Error& whyNot,
                               storage::Id campaignId, QObject* parent)
    : DesktopSession(window, nullptr, database, campaignId, parent) {
    whyNot_ = whyNot;
    window_.showNotice(
        QStringLiteral("Nothing can be run here, only looked at. %1 %2").arg(whyNot.message, whyNot.hint));
}

DesktopSession::DesktopSession(ui::MainWindow& window, storage::Writer* writer, const QString& database,
                               storage::Id campaignId, QObject* parent)
    : QObject(parent), window_(window), summaries_(database), shownCampaign_(campaignId) {
    if (writer != nullptr) {
        controller_ = std::make_unique<campaign::CampaignController>(*writer);
        connectController(*writer);
    }
    refreshTimer_.setSingleShot(true);
    refreshTimer_.setInterval(refreshMs);
    connect(&refreshTimer_, &QTimer::timeout, this, &DesktopSession::refresh);
    setPatience({});
    connectWindow();
    connect(&summaries_, &SummaryService::campaignsReady, &window_, &ui::MainWindow::setCampaigns);
    connect(&summaries_, &SummaryService::summaryReady, this,
            [this](const storage::CampaignSummary& summary) {
                waiting_ = false;
                if (shownCampaign_ == 0) {
                    shownCampaign_ = summary.campaign.id;
                }
                if (summary.campaign.id == shownCampaign_) { // else another was chosen meanwhile
                    window_.setSummary(summary);
                }
                if (dirty_) {
                    markDirty();
                }
            });
    connect(&summaries_, &SummaryService::summaryMissing, this,
            [this](const QString& message, const QString& hint) {
                waiting_ = false;
                if (!message.isEmpty()) {
                    window_.showError(message, hint);
                }
            });
    summaries_.requestCampaigns();
    refresh();
    probe_.probe({});
}

DesktopSession::~DesktopSession() {
    if (!controller_ || !controller_->isRunning()) {
        return;
    }
    QEventLoop loop;
    connect(controller_.get(), &campaign::CampaignController::finished, &loop, &QEventLoop::quit);
    QTimer::singleShot(stopPatienceMs, &loop, &QEventLoop::quit);
    controller_->cancel();
    controller_->cancel(); // at once: nobody watches any more
    loop.exec();
}

void DesktopSession::setPatience(campaign::WorkerPatience patience) {
    probe_.setPatience(patience);
    patience.remoteHelloMs = 0;
    if (controller_) {
        controller_->setPatience(patience);
    }
}

void DesktopSession::connectWindow() {
    using ui::MainWindow;
    connect(&window_, &MainWindow::startRequested, this, &DesktopSession::start);
    if (controller_) {
        connect(&window_, &MainWindow::stopRequested, controller_.get(),
                &campaign::CampaignController::cancel);
    }
    connect(&window_, &MainWindow::resumeRequested, this, &DesktopSession::resume);
    connect(&window_, &MainWindow::campaignSelected, this,
            [this](storage::Id campaignId) { show(campaignId, 0); });
    connect(&window_, &MainWindow::baselineSelected, this,
            [this](storage::Id runId) { show(shownCampaign_, runId); });
    connect(&window_, &MainWindow::refreshHostRequested, this,
            [this](const QString&, const QStringList& launcher) {
                hostAnswered_ = false;
                probe_.probe(launcher);
            });
    connect(&window_, &MainWindow::cancelHostRequested, this, [this] {
        probe_.cancel();
        window_.setHostUnknown(QStringLiteral("The host was not waited for. Refresh asks it again."));
    });
    connect(&probe_, &HostProbe::awaiting, &window_, &MainWindow::setHostAwaited);
    connect(&probe_, &HostProbe::failed, this, [this](const QString& message, const QString& hint) {
        window_.setHostUnknown(message);
        window_.showError(message, hint);
    });
}

void DesktopSession::connectController(storage::Writer& writer) {
    using campaign::CampaignController;
    const auto showHost = [this](const storage::HostInfo& host) {
        hostAnswered_ = true;
        window_.setHostInfo(host);
    };
    connect(&probe_, &HostProbe::hostKnown, this, showHost);
    connect(controller_.get(), &CampaignController::hostKnown, this, showHost);
    connect(controller_.get(), &CampaignController::awaiting, &window_, &ui::MainWindow::showAwaited);
    connect(controller_.get(), &CampaignController::progressed, &window_, &ui::MainWindow::setProgress);
    connect(controller_.get(), &CampaignController::notice, &window_, &ui::MainWindow::showNotice);
    connect(controller_.get(), &CampaignController::finished, this, &DesktopSession::onFinished);
    connect(controller_.get(), &CampaignController::campaignStarted, this, [this](storage::Id campaignId) {
        summaries_.requestCampaigns();
        show(campaignId, campaignId == shownCampaign_ ? shownBaseline_ : 0);
    });
    // From the storage thread, hence queued: what is shown is on the disk.
    connect(&writer, &storage::Writer::sampleStored, this, &DesktopSession::markDirty);
    connect(&writer, &storage::Writer::latencyStored, this, &DesktopSession::markDirty);
    connect(&writer, &storage::Writer::metricsStored, this, &DesktopSession::markDirty);
    connect(&writer, &storage::Writer::statusStored, this, &DesktopSession::markDirty);
    connect(&writer, &storage::Writer::statusStored, &summaries_, &SummaryService::requestCampaigns);
}

bool DesktopSession::canRun() {
    if (!controller_) {
        window_.showError(whyNot_.message, whyNot_.hint);
    }
    return controller_ != nullptr;
}

void DesktopSession::start(storage::CampaignSpec spec) {
    if (!canRun()) {
        return;
    }
    const QString demo = QStringLiteral("demo");
    if (spec.launcher.isEmpty()) { // a resume may come from another working folder
        spec.model = spec.model == demo ? demo : QFileInfo(spec.model).absoluteFilePath();
        spec.problems = spec.problems == demo || spec.problems.isEmpty()
                            ? spec.problems
                            : QFileInfo(spec.problems).absoluteFilePath();
    }
    if (spec.name.isEmpty()) {
        spec.name = campaign::defaultCampaignName(spec);
    }
    beginCampaign();
    controller_->start(spec);
}

void DesktopSession::resume(storage::Id campaignId) {
    if (!canRun()) {
        return;
    }
    beginCampaign();
    controller_->resume(campaignId);
}

void DesktopSession::beginCampaign() {
    probe_.cancel(); // the campaign's own worker tells the same, and a queue is not asked twice
    window_.setRunning(true);
}

void DesktopSession::show(storage::Id campaignId, storage::Id baselineRunId) {
    shownCampaign_ = campaignId;
    shownBaseline_ = baselineRunId;
    refresh();
}

void DesktopSession::markDirty() {
    dirty_ = true;
    if (!waiting_ && !refreshTimer_.isActive()) {
        refreshTimer_.start();
    }
}

void DesktopSession::refresh() {
    dirty_ = false;
    waiting_ = true;
    summaries_.requestSummary(shownCampaign_, shownBaseline_);
}

void DesktopSession::onFinished(const campaign::CampaignOutcome& outcome) {
    window_.setRunning(false);
    if (!hostAnswered_) {
        window_.setHostUnknown(QStringLiteral("The host has not answered. Refresh asks it again."));
    }
    if (outcome.error && outcome.error->code != ErrorCode::cancelled) {
        window_.showError(QString::fromStdString(outcome.error->message),
                          QString::fromStdString(outcome.error->hint));
    }
    summaries_.requestCampaigns();
    refresh();
}

} // namespace quantscope::desktop
