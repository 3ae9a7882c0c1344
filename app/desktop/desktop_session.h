// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/campaign/campaign_controller.h"
#include "app/desktop/host_probe.h"
#include "app/desktop/summary_service.h"
#include "ui/main_window.h"

#include <QObject>
#include <QTimer>

#include <memory>

namespace quantscope::desktop {

/// Connects the window with the campaign controller, storage and the worker: the only object that knows them
/// all. It works on the GUI thread and therefore only passes things on.
class DesktopSession : public QObject {
    Q_OBJECT

  public:
    /// `campaignId` is shown first; 0 is the newest. Without a writer the window shows what is stored in
    /// `database` and says `whyNot` where something would be run.
    DesktopSession(ui::MainWindow& window, storage::Writer& writer, storage::Id campaignId,
                   QObject* parent = nullptr);
    DesktopSession(ui::MainWindow& window, const QString& database, const storage::Error& whyNot,
                   storage::Id campaignId, QObject* parent = nullptr);
    ~DesktopSession() override; ///< stops a campaign that runs; what was measured is stored

    /// Starts a campaign, or goes on with a stored one, as the window's buttons do.
    void start(storage::CampaignSpec spec);
    void resume(storage::Id campaignId);

    [[nodiscard]] campaign::CampaignController& controller() { return *controller_; } ///< with a writer only
    /// How long a worker may be silent. A campaign behind a launcher waits for its hello until the user stops
    /// it.
    void setPatience(campaign::WorkerPatience patience);

  private:
    DesktopSession(ui::MainWindow& window, storage::Writer* writer, const QString& database,
                   storage::Id campaignId, QObject* parent);
    void connectWindow();
    void connectController(storage::Writer& writer);
    [[nodiscard]] bool canRun();
    void beginCampaign();
    void show(storage::Id campaignId, storage::Id baselineRunId);
    void markDirty();
    void refresh();
    void onFinished(const campaign::CampaignOutcome& outcome);

    ui::MainWindow& window_;
    std::unique_ptr<campaign::CampaignController> controller_; ///< none where nothing can be stored
    storage::Error whyNot_;
    SummaryService summaries_;
    HostProbe probe_;
    QTimer refreshTimer_;       ///< at most two summaries a second while samples stream in
    bool waiting_ = false;      ///< a summary is being computed
    bool dirty_ = false;        ///< and something was stored since
    bool hostAnswered_ = false; ///< since it was asked last
    storage::Id shownCampaign_ = 0;
    storage::Id shownBaseline_ = 0;
};

} // namespace quantscope::desktop
