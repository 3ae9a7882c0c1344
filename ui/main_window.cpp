// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/main_window.h"

#include "ui/results/chart_tabs.h"
#include "ui/results/message_banner.h"
#include "ui/results/results_panel.h"
#include "ui/runs/runs_view.h"
#include "ui/settings/spec_settings.h"
#include "ui/setup/host_form.h"
#include "ui/setup/setup_panel.h"
#include "ui/window/export_actions.h"
#include "ui/window/help_dialogs.h"
#include "ui/window/status_panel.h"

#include <QAction>
#include <QCloseEvent>
#include <QComboBox>
#include <QMenuBar>
#include <QScreen>
#include <QSettings>
#include <QSplitter>
#include <QStatusBar>
#include <QTimer>

namespace quantscope::ui {

namespace {

constexpr int refreshIntervalMs = 100; // ten times a second is as much as a person reads
constexpr int settingsVersion = 1;     // of geometry and splitters

bool mayResume(const storage::Campaign& campaign) {
    return campaign.id != 0 && campaign.status != storage::RunStatus::Done;
}

} // namespace

class MainWindow::Private {
  public:
    explicit Private(MainWindow* window);

    void makeLayout();
    void makeFileMenu();
    void makeCampaignMenu();
    void makeViewMenu();
    void makeHelpMenu();
    void connectPanels();
    void updateActions();
    void scheduleRefresh();
    void refresh();
    void restore();
    void save() const;

    MainWindow* q;
    SetupPanel* setup;
    ResultsPanel* results;
    StatusPanel* status;
    ExportActions* exports;
    QSplitter* sides;
    QTimer* refreshTimer;
    QAction* startAction = nullptr;
    QAction* stopAction = nullptr;
    QAction* resumeAction = nullptr;
    QAction* exportChartAction = nullptr;
    QAction* exportReportAction = nullptr;
    bool running = false;
    std::optional<storage::CampaignSummary> pendingSummary;
    std::optional<storage::Progress> pendingProgress;
    QString awaited; ///< what the banner says while something is awaited
};

MainWindow::Private::Private(MainWindow* window)
    : q(window), setup(new SetupPanel), results(new ResultsPanel), status(new StatusPanel),
      exports(new ExportActions(results, window)), sides(new QSplitter(Qt::Horizontal)),
      refreshTimer(new QTimer(window)) {
    makeLayout();
    makeFileMenu();
    makeCampaignMenu();
    makeViewMenu();
    makeHelpMenu();
    connectPanels();
    restore();
    updateActions();
}

void MainWindow::Private::makeLayout() {
    sides->addWidget(setup);
    sides->addWidget(results);
    sides->setStretchFactor(0, 0);
    sides->setStretchFactor(1, 1);
    sides->setCollapsible(0, true);
    sides->setCollapsible(1, false);
    q->setCentralWidget(sides);
    q->statusBar()->addWidget(status, 1);
    q->setWindowTitle(QStringLiteral("Quantscope"));
    q->setWindowIcon(QIcon::fromTheme(QStringLiteral("org.quantscope.Quantscope"),
                                      QIcon(QStringLiteral(":/icons/org.quantscope.Quantscope.svg"))));
}

void MainWindow::Private::makeFileMenu() {
    QMenu* menu = q->menuBar()->addMenu(QStringLiteral("&File"));
    exportChartAction =
        menu->addAction(QStringLiteral("Export &chart…"), QKeySequence(QStringLiteral("Ctrl+E")), exports,
                        &ExportActions::askForChart);
    exportReportAction =
        menu->addAction(QStringLiteral("Export &report…"), QKeySequence(QStringLiteral("Ctrl+Shift+E")),
                        exports, &ExportActions::askForReport);
    menu->addSeparator();
    menu->addAction(QStringLiteral("&Quit"), QKeySequence(QStringLiteral("Ctrl+Q")), q, &QWidget::close);
}

void MainWindow::Private::makeCampaignMenu() {
    QMenu* menu = q->menuBar()->addMenu(QStringLiteral("&Campaign"));
    startAction = menu->addAction(QStringLiteral("&Start"), QKeySequence(QStringLiteral("Ctrl+Return")),
                                  setup, &SetupPanel::start);
    stopAction = menu->addAction(QStringLiteral("S&top"), QKeySequence(QStringLiteral("Esc")), setup,
                                 &SetupPanel::stop);
    resumeAction = menu->addAction(QStringLiteral("&Resume"), QKeySequence(QStringLiteral("Ctrl+R")), q,
                                   [this] { Q_EMIT q->resumeRequested(results->summary().campaign.id); });
    resumeAction->setToolTip(QStringLiteral("Measures what the campaign that is shown still lacks."));
    menu->addSeparator();
    menu->addAction(QStringLiteral("Use the selected run as &baseline"),
                    QKeySequence(QStringLiteral("Ctrl+L")), results->runs(), &RunsView::useCurrentAsBaseline);
    menu->addAction(QStringLiteral("Use these se&ttings again"), q, [this] {
        if (results->summary().campaign.id != 0)
            setup->setSpec(results->summary().campaign.spec);
    });
    menu->addAction(QStringLiteral("Show &another campaign"), QKeySequence(QStringLiteral("Ctrl+O")), q,
                    [this] {
                        results->campaignBox()->setFocus(Qt::ShortcutFocusReason);
                        results->campaignBox()->showPopup();
                    });
}

void MainWindow::Private::makeViewMenu() {
    QMenu* menu = q->menuBar()->addMenu(QStringLiteral("&View"));
    for (int tab = 0; tab < results->charts()->count(); ++tab)
        menu->addAction(results->charts()->tabText(tab), QKeySequence(QStringLiteral("Ctrl+%1").arg(tab + 1)),
                        q, [this, tab] { results->charts()->setCurrentIndex(tab); });
    menu->addSeparator();
    QAction* panel = menu->addAction(QStringLiteral("&Settings panel"));
    panel->setCheckable(true);
    panel->setChecked(true);
    panel->setShortcut(QKeySequence(QStringLiteral("Ctrl+B")));
    QObject::connect(panel, &QAction::toggled, setup, &QWidget::setVisible);
}

void MainWindow::Private::makeHelpMenu() {
    QMenu* menu = q->menuBar()->addMenu(QStringLiteral("&Help"));
    menu->addAction(QStringLiteral("&Keyboard shortcuts"), QKeySequence(QStringLiteral("F1")), q,
                    [this] { showShortcuts(q); });
    menu->addAction(QStringLiteral("&About Quantscope and its licences"), q, [this] { showAbout(q); });
}

void MainWindow::Private::connectPanels() {
    QObject::connect(setup, &SetupPanel::startRequested, q, [this](const storage::CampaignSpec& spec) {
        save();
        results->banner()->hide();
        Q_EMIT q->startRequested(spec);
    });
    QObject::connect(setup, &SetupPanel::stopRequested, q, &MainWindow::stopRequested);
    QObject::connect(setup, &SetupPanel::refreshHostRequested, q, &MainWindow::refreshHostRequested);
    QObject::connect(setup->host(), &HostForm::cancelRequested, q, &MainWindow::cancelHostRequested);
    QObject::connect(setup, &SetupPanel::stateChanged, q, [this] { updateActions(); });
    QObject::connect(results, &ResultsPanel::campaignSelected, q, &MainWindow::campaignSelected);
    QObject::connect(results, &ResultsPanel::baselineSelected, q, &MainWindow::baselineSelected);
    QObject::connect(exports, &ExportActions::saved, q, &MainWindow::showNotice);
    QObject::connect(exports, &ExportActions::failed, q, &MainWindow::showError);
    refreshTimer->setSingleShot(true);
    refreshTimer->setInterval(refreshIntervalMs);
    QObject::connect(refreshTimer, &QTimer::timeout, q, [this] { refresh(); });
}

void MainWindow::Private::updateActions() {
    const bool shown = results->summary().campaign.id != 0;
    startAction->setEnabled(!running && setup->problems().isEmpty());
    stopAction->setEnabled(running);
    resumeAction->setEnabled(!running && mayResume(results->summary().campaign));
    exportChartAction->setEnabled(shown);
    exportReportAction->setEnabled(shown);
}

void MainWindow::Private::scheduleRefresh() {
    if (!refreshTimer->isActive())
        refreshTimer->start();
}

void MainWindow::Private::refresh() {
    refreshTimer->stop();
    if (pendingProgress)
        status->setProgress(*pendingProgress);
    pendingProgress.reset();
    if (pendingSummary) {
        results->setSummary(*pendingSummary, running);
        pendingSummary.reset();
        updateActions();
    }
}

void MainWindow::Private::restore() {
    QSettings settings;
    setup->setSpec(loadSpec(settings));
    q->resize(QSize(1440, 900).boundedTo(q->screen()->availableSize()));
    sides->setSizes({320, 1120});
    results->splitter()->setSizes({470, 310});
    if (settings.value(QStringLiteral("window/version")).toInt() != settingsVersion)
        return;
    q->restoreGeometry(settings.value(QStringLiteral("window/geometry")).toByteArray());
    sides->restoreState(settings.value(QStringLiteral("window/sides")).toByteArray());
    results->splitter()->restoreState(settings.value(QStringLiteral("window/results")).toByteArray());
    results->charts()->setAxis(static_cast<XMetric>(settings.value(QStringLiteral("window/xMetric")).toInt()),
                               settings.value(QStringLiteral("window/logX")).toBool());
}

void MainWindow::Private::save() const {
    QSettings settings;
    saveSpec(settings, setup->spec());
    settings.setValue(QStringLiteral("window/version"), settingsVersion);
    settings.setValue(QStringLiteral("window/geometry"), q->saveGeometry());
    settings.setValue(QStringLiteral("window/sides"), sides->saveState());
    settings.setValue(QStringLiteral("window/results"), results->splitter()->saveState());
    settings.setValue(QStringLiteral("window/xMetric"), static_cast<int>(results->charts()->xMetric()));
    settings.setValue(QStringLiteral("window/logX"), results->charts()->logX());
}

MainWindow::MainWindow(QWidget* parent) : QMainWindow(parent), d_(std::make_unique<Private>(this)) {}

MainWindow::~MainWindow() = default;

storage::CampaignSpec MainWindow::campaignSpec() const {
    return d_->setup->spec();
}

void MainWindow::setCampaignSpec(const storage::CampaignSpec& spec) {
    d_->setup->setSpec(spec);
}

void MainWindow::flushUpdates() {
    d_->refresh();
}

void MainWindow::setHostInfo(const storage::HostInfo& host) {
    d_->setup->setHost(host);
    d_->status->setHost(host);
}

void MainWindow::setHostAwaited(const QString& sentence) {
    d_->setup->host()->setAwaited(sentence);
}

void MainWindow::setHostUnknown(const QString& reason) {
    d_->setup->host()->setUnknown(reason);
    d_->status->setHost({});
}

void MainWindow::setCampaigns(const QList<storage::Campaign>& campaigns) {
    d_->results->setCampaigns(campaigns);
}

void MainWindow::setSummary(const storage::CampaignSummary& summary) {
    d_->pendingSummary = summary;
    d_->scheduleRefresh();
}

void MainWindow::setProgress(const storage::Progress& progress) {
    d_->pendingProgress = progress;
    d_->scheduleRefresh();
}

void MainWindow::setRunning(bool running) {
    d_->running = running;
    d_->pendingProgress.reset();
    d_->setup->setRunning(running);
    d_->status->setRunning(running);
    if (!d_->pendingSummary)
        d_->pendingSummary = d_->results->summary(); // the headline depends on whether it runs
    d_->scheduleRefresh();
    d_->updateActions();
}

void MainWindow::showError(const QString& message, const QString& hint) {
    d_->results->banner()->showMessage(MessageBanner::Error, message, hint);
}

void MainWindow::showNotice(const QString& message) {
    d_->results->banner()->showMessage(MessageBanner::Notice, message);
}

void MainWindow::showAwaited(const QString& sentence) {
    MessageBanner* banner = d_->results->banner();
    if (!sentence.isEmpty())
        banner->showMessage(MessageBanner::Notice, sentence);
    else if (!d_->awaited.isEmpty() && banner->message() == d_->awaited)
        banner->hide();
    d_->awaited = sentence;
}

void MainWindow::closeEvent(QCloseEvent* event) {
    d_->save();
    if (d_->running)
        Q_EMIT stopRequested(); // what was measured is stored; the campaign can be resumed
    QMainWindow::closeEvent(event);
}

} // namespace quantscope::ui
