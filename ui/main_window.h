// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QMainWindow>

#include <memory>

namespace quantscope::ui {

/// The window. It shows values and asks for things by signal; it knows no process, no database and no engine,
/// so whoever owns it (the app, a test) connects the signals and feeds the slots from the GUI thread.
/// Slots may be called as often as events arrive: what they bring is shown at most ten times a second.
/// Settings (geometry, splitters, last campaign settings) are kept in the default QSettings.
class MainWindow : public QMainWindow {
    Q_OBJECT

  public:
    explicit MainWindow(QWidget* parent = nullptr);
    ~MainWindow() override;

    /// What Start would run now.
    [[nodiscard]] storage::CampaignSpec campaignSpec() const;
    void setCampaignSpec(const storage::CampaignSpec& spec);

    /// Shows what waits for the next repaint at once (tests, screenshots).
    void flushUpdates();

  Q_SIGNALS:
    void startRequested(const quantscope::storage::CampaignSpec& spec);
    void stopRequested();
    void resumeRequested(quantscope::storage::Id campaignId);
    void campaignSelected(quantscope::storage::Id campaignId);
    void baselineSelected(quantscope::storage::Id runId);
    /// The user chose another backend or host, or pressed Refresh: probe it and call setHostInfo.
    void refreshHostRequested(const QString& backend, const QStringList& launcher);
    /// The user no longer waits for the answer to that.
    void cancelHostRequested();

  public Q_SLOTS:
    void setHostInfo(const quantscope::storage::HostInfo& host);
    /// The host has not answered yet; the sentence says what came so far.
    void setHostAwaited(const QString& sentence);
    /// It will not answer any more: why, in words.
    void setHostUnknown(const QString& reason);
    /// Newest first; the one shown is that of the last setSummary.
    void setCampaigns(const QList<quantscope::storage::Campaign>& campaigns);
    void setSummary(const quantscope::storage::CampaignSummary& summary);
    void setProgress(const quantscope::storage::Progress& progress);
    void setRunning(bool running);
    /// A banner above the answer, until dismissed or replaced. The hint says what to do; may be empty.
    void showError(const QString& message, const QString& hint = {});
    void showNotice(const QString& message);
    /// A notice for as long as something is awaited; empty takes it away.
    void showAwaited(const QString& sentence);

  protected:
    void closeEvent(QCloseEvent* event) override;

  private:
    class Private;
    std::unique_ptr<Private> d_;
};

} // namespace quantscope::ui
