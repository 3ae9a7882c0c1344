// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/ui/synthetic_campaign.h"
#include "ui/charts/chart_scene.h"
#include "ui/charts/chart_view.h"
#include "ui/main_window.h"
#include "ui/results/chart_tabs.h"
#include "ui/results/message_banner.h"
#include "ui/runs/runs_view.h"
#include "ui/settings/spec_settings.h"
#include "ui/window/export_actions.h"

#include <QAction>
#include <QCheckBox>
#include <QComboBox>
#include <QFile>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

using namespace quantscope;
using namespace quantscope::ui;
using storage::CampaignSpec;

namespace {

/// Every field away from its default.
CampaignSpec unusualSpec() {
    CampaignSpec spec;
    spec.name = QStringLiteral("Night run");
    spec.model = QStringLiteral("/");
    spec.problems = QStringLiteral("/dev/null/none.jsonl");
    spec.backend = QStringLiteral("cuda");
    spec.launcher = {QStringLiteral("ssh"), QStringLiteral("-o"), QStringLiteral("Some Option"),
                     QStringLiteral("gpu")};
    spec.schemes = {QStringLiteral("int8"), QStringLiteral("w4a4-rtn")};
    spec.batchSizes = {2, 24, 64};
    spec.limit = 17;
    spec.sampling = {3, 0.7, 0.95, 1234567890123456789ULL, 99, QStringLiteral("stripped")};
    spec.latency = {true, 77, 9, 11};
    spec.budget = {QStringLiteral("Custom"), 300.0, 25.5, 900.0, 12};
    return spec;
}

void compareSpecs(const CampaignSpec& a, const CampaignSpec& b) {
    QCOMPARE(a.name, b.name);
    QCOMPARE(a.model, b.model);
    QCOMPARE(a.problems, b.problems);
    QCOMPARE(a.backend, b.backend);
    QCOMPARE(a.launcher, b.launcher);
    QCOMPARE(a.schemes, b.schemes);
    QCOMPARE(a.batchSizes, b.batchSizes);
    QCOMPARE(a.limit, b.limit);
    QCOMPARE(a.evalEnabled, b.evalEnabled);
    QCOMPARE(a.sampling.samplesPerProblem, b.sampling.samplesPerProblem);
    QCOMPARE(a.sampling.temperature, b.sampling.temperature);
    QCOMPARE(a.sampling.topP, b.sampling.topP);
    QCOMPARE(a.sampling.seed, b.sampling.seed);
    QCOMPARE(a.sampling.maxNewTokens, b.sampling.maxNewTokens);
    QCOMPARE(a.sampling.promptForm, b.sampling.promptForm);
    QCOMPARE(a.latency.enabled, b.latency.enabled);
    QCOMPARE(a.latency.promptTokens, b.latency.promptTokens);
    QCOMPARE(a.latency.outputTokens, b.latency.outputTokens);
    QCOMPARE(a.latency.requests, b.latency.requests);
    QCOMPARE(a.budget.name, b.budget.name);
    QCOMPARE(a.budget.ttftP99Ms, b.budget.ttftP99Ms);
    QCOMPARE(a.budget.tpotP99Ms, b.budget.tpotP99Ms);
    QCOMPARE(a.budget.e2eP99Ms, b.budget.e2eP99Ms);
    QCOMPARE(a.budget.e2eTokens, b.budget.e2eTokens);
}

template<typename T>
T* child(const MainWindow& window, const char* name) {
    auto* found = window.findChild<T*>(QString::fromLatin1(name));
    if (found == nullptr)
        qFatal("the window has no %s", name);
    return found;
}

QString messages(const MainWindow& window) {
    return child<QLabel>(window, "messages")->text();
}

} // namespace

class TestMainWindow : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void init();
    void specRoundTripsThroughTheForm();
    void settingsRoundTrip();
    void brokenSettingsFallBack();
    void startEmitsWhatIsTicked();
    void startIsRefusedWithASentence();
    void unknownSchemeIsNamed();
    void runningLocksTheForm();
    void shortcutsWork();
    void progressIsShown();
    void hostIsShownAndAskedAgain();
    void headlineAndDemoNote();
    void chartClickSelectsTheRow();
    void axisChoiceReachesTheChart();
    void campaignsCanBeChosen();
    void resumeIsOfferedForUnfinished();
    void bannerShowsMessageAndHint();
    void exportsWriteFiles();
    void paletteChangeIsFollowed();
    void smallWindowFits();

  private:
    QTemporaryDir home_;
};

void TestMainWindow::initTestCase() {
    QSettings::setPath(QSettings::NativeFormat, QSettings::UserScope, home_.path());
    QCoreApplication::setOrganizationName(QStringLiteral("quantscope-test"));
    QCoreApplication::setApplicationName(QStringLiteral("tst_main_window"));
}

void TestMainWindow::init() {
    QSettings().clear();
}

void TestMainWindow::specRoundTripsThroughTheForm() {
    MainWindow window;
    window.setCampaignSpec(unusualSpec());
    compareSpecs(window.campaignSpec(), unusualSpec()); // before the engine has answered …
    window.setHostInfo(test::syntheticHost());
    compareSpecs(window.campaignSpec(), unusualSpec()); // … and after
    window.setCampaignSpec(defaultSpec());
    compareSpecs(window.campaignSpec(), defaultSpec());
}

void TestMainWindow::settingsRoundTrip() {
    {
        MainWindow window;
        compareSpecs(window.campaignSpec(), defaultSpec()); // the first start
        window.setCampaignSpec(unusualSpec());
        window.findChild<ChartTabs*>()->setAxis(XMetric::Memory, true);
        window.resize(1111, 777);
        window.show();
        window.close();
    }
    const MainWindow window;
    compareSpecs(window.campaignSpec(), unusualSpec());
    QCOMPARE(window.findChild<ChartTabs*>()->xMetric(), XMetric::Memory);
    QVERIFY(window.findChild<ChartTabs*>()->logX());
    QCOMPARE(window.size(), QSize(1111, 777));
}

void TestMainWindow::brokenSettingsFallBack() {
    QSettings settings;
    settings.setValue(QStringLiteral("campaign/temperature"), QStringLiteral("hot"));
    settings.setValue(QStringLiteral("campaign/maxNewTokens"), -4);
    settings.setValue(QStringLiteral("campaign/batchSizes"),
                      QStringList{QStringLiteral("8"), QStringLiteral("x"), QStringLiteral("-1")});
    settings.setValue(QStringLiteral("campaign/ttftP99Ms"), QStringLiteral("nan"));
    settings.setValue(QStringLiteral("window/version"), 1);
    settings.setValue(QStringLiteral("window/geometry"), QByteArray("nonsense"));
    settings.setValue(QStringLiteral("window/xMetric"), 4711);
    const MainWindow window;
    const CampaignSpec spec = window.campaignSpec();
    QCOMPARE(spec.sampling.temperature, 0.0);
    QCOMPARE(spec.sampling.maxNewTokens, 512);
    QCOMPARE(spec.batchSizes, QList<int>{8});
    QVERIFY(!spec.budget.ttftP99Ms);
}

void TestMainWindow::startEmitsWhatIsTicked() {
    MainWindow window;
    window.setHostInfo(test::syntheticHost());
    child<QCheckBox>(window, "scheme-w4a8")->click();
    child<QCheckBox>(window, "scheme-int8")->click();
    child<QCheckBox>(window, "batch-8")->click();
    child<QCheckBox>(window, "batch-4")->click();
    QSignalSpy started(&window, &MainWindow::startRequested);
    QTest::mouseClick(child<QPushButton>(window, "start"), Qt::LeftButton);
    QCOMPARE(started.size(), 1);
    const auto spec = started[0][0].value<CampaignSpec>();
    QCOMPARE(spec.schemes,
             (QStringList{QStringLiteral("fp16"), QStringLiteral("w4a8"), QStringLiteral("w4a4-rot")}));
    QCOMPARE(spec.batchSizes, (QList<int>{1, 4}));
    compareSpecs(spec, window.campaignSpec());
    compareSpecs(loadSpec(QSettings()), spec); // a crash from here on does not lose it
}

void TestMainWindow::startIsRefusedWithASentence() {
    MainWindow window;
    window.setHostInfo(test::syntheticHost());
    auto* start = child<QPushButton>(window, "start");
    QVERIFY(start->isEnabled());
    QVERIFY(messages(window).isEmpty());
    CampaignSpec spec = defaultSpec();
    spec.schemes.clear();
    spec.batchSizes.clear();
    window.setCampaignSpec(spec);
    QVERIFY(!start->isEnabled());
    QVERIFY(messages(window).contains(QStringLiteral("at least one scheme")));
    QVERIFY(messages(window).contains(QStringLiteral("at least one batch size")));
    spec = defaultSpec();
    spec.model = QStringLiteral("/no/such/model");
    spec.sampling.samplesPerProblem = 5;
    window.setCampaignSpec(spec);
    QVERIFY(messages(window).contains(QStringLiteral("/no/such/model")));
    QVERIFY(messages(window).contains(QStringLiteral("temperature")));
    spec.launcher = {QStringLiteral("ssh"), QStringLiteral("gpu")}; // its folders are not ours to look up
    window.setCampaignSpec(spec);
    QVERIFY(!messages(window).contains(QStringLiteral("/no/such/model")));
    spec = defaultSpec();
    spec.evalEnabled = spec.latency.enabled = false;
    window.setCampaignSpec(spec);
    QVERIFY(messages(window).contains(QStringLiteral("nothing to measure")));
}

void TestMainWindow::unknownSchemeIsNamed() {
    MainWindow window;
    CampaignSpec spec = defaultSpec();
    spec.schemes += QStringLiteral("w1a1-hope");
    window.setCampaignSpec(spec);
    QVERIFY(messages(window).isEmpty()); // nobody knows before the engine has answered
    window.setHostInfo(test::syntheticHost());
    QVERIFY(messages(window).contains(QStringLiteral("w1a1-hope")));
    child<QCheckBox>(window, "scheme-w1a1-hope")->click();
    QVERIFY(messages(window).isEmpty());
    QCOMPARE(window.campaignSpec().schemes, defaultSpec().schemes);
}

void TestMainWindow::runningLocksTheForm() {
    MainWindow window;
    window.setHostInfo(test::syntheticHost());
    QSignalSpy stopped(&window, &MainWindow::stopRequested);
    auto* stop = child<QPushButton>(window, "stop");
    QVERIFY(!stop->isEnabled());
    window.setRunning(true);
    QVERIFY(!child<QPushButton>(window, "start")->isEnabled());
    QVERIFY(!child<QCheckBox>(window, "scheme-fp16")->isEnabled());
    QTest::mouseClick(stop, Qt::LeftButton);
    QCOMPARE(stopped.size(), 1);
    window.setRunning(false);
    QVERIFY(child<QPushButton>(window, "start")->isEnabled());
    QVERIFY(child<QCheckBox>(window, "scheme-fp16")->isEnabled());
}

void TestMainWindow::shortcutsWork() {
    MainWindow window;
    window.setHostInfo(test::syntheticHost());
    window.show();
    window.activateWindow();
    QVERIFY(QTest::qWaitForWindowActive(&window));
    QSignalSpy started(&window, &MainWindow::startRequested);
    QSignalSpy stopped(&window, &MainWindow::stopRequested);
    QTest::keyClick(&window, Qt::Key_Escape);
    QCOMPARE(stopped.size(), 0);
    QTest::keyClick(&window, Qt::Key_Return, Qt::ControlModifier);
    QCOMPARE(started.size(), 1);
    window.setRunning(true);
    QTest::keyClick(&window, Qt::Key_Return, Qt::ControlModifier);
    QCOMPARE(started.size(), 1);
    QTest::keyClick(&window, Qt::Key_Escape);
    QCOMPARE(stopped.size(), 1);
    QTest::keyClick(&window, Qt::Key_2, Qt::ControlModifier);
    QCOMPARE(window.findChild<ChartTabs*>()->currentIndex(), 1);
}

void TestMainWindow::progressIsShown() {
    MainWindow window;
    window.setRunning(true);
    window.setProgress({7, 101, QStringLiteral("Problems, int8, batch 8"), 30, 120, 75.0, 42.0});
    window.flushUpdates();
    QCOMPARE(child<QLabel>(window, "phase")->text(), QStringLiteral("Problems, int8, batch 8"));
    QCOMPARE(window.findChild<QProgressBar*>()->value(), 30);
    QCOMPARE(window.findChild<QProgressBar*>()->maximum(), 120);
    QVERIFY(child<QLabel>(window, "eta")->text().contains(QStringLiteral("1 min 15 s left")));
    window.setHostInfo(test::syntheticHost());
    const QString device = child<QLabel>(window, "device")->text();
    storage::Progress hot{7, 101, QStringLiteral("Problems"), 31, 120, 74.0, 42.0};
    hot.device = {{QStringLiteral("power_w"), 611.7}, {QStringLiteral("temperature_c"), 54.0}};
    window.setProgress(hot);
    window.flushUpdates();
    QCOMPARE(child<QLabel>(window, "device")->text(), QStringLiteral("612 W · 54 °C"));
    QVERIFY(child<QLabel>(window, "device")->toolTip().startsWith(device));
    window.setProgress(
        {7, 101, QStringLiteral("Loading"), 9, 0, std::nullopt, 0.0}); // a total of zero is no crash
    window.flushUpdates();
    QCOMPARE(child<QLabel>(window, "device")->text(), device);
    window.setRunning(false);
    QCOMPARE(child<QLabel>(window, "phase")->text(), QStringLiteral("Ready"));
}

void TestMainWindow::hostIsShownAndAskedAgain() {
    MainWindow window;
    auto host = test::syntheticHost();
    host.sandboxAvailable = false;
    host.sandboxMessage =
        QStringLiteral("User namespaces are off: sysctl kernel.unprivileged_userns_clone=1");
    window.setHostInfo(host);
    QVERIFY(child<QLabel>(window, "sandbox")->text().contains(QStringLiteral("off")));
    QCOMPARE(child<QLabel>(window, "sandbox")->toolTip(), host.sandboxMessage);
    QCOMPARE(child<QLabel>(window, "device")->text(), QStringLiteral("Intel Xeon Platinum 8481C"));
    QSignalSpy asked(&window, &MainWindow::refreshHostRequested);
    child<QComboBox>(window, "backend")->setCurrentIndex(1);
    QCOMPARE(asked.size(), 1);
    QCOMPARE(asked[0][0].toString(), QStringLiteral("cpu"));
    QCOMPARE(asked[0][1].toStringList(), QStringList());
}

void TestMainWindow::headlineAndDemoNote() {
    MainWindow window;
    auto* headline = child<QLabel>(window, "headline");
    QVERIFY(headline->text().endsWith(u'?'));
    auto campaign = test::syntheticCampaign();
    window.setSummary(campaign);
    window.flushUpdates();
    QCOMPARE(headline->text(), campaign.headline);
    QVERIFY(!child<QLabel>(window, "demoNote")->isHidden());
    campaign.campaign.spec.problems = QStringLiteral("/x/HumanEval.jsonl");
    window.setSummary(campaign);
    window.flushUpdates();
    QVERIFY(child<QLabel>(window, "demoNote")->isHidden());
    window.setSummary(test::syntheticCampaignAfter(1));
    window.setRunning(true);
    window.flushUpdates();
    QVERIFY(headline->text().startsWith(QStringLiteral("Measuring.")));
}

void TestMainWindow::chartClickSelectsTheRow() {
    MainWindow window;
    window.resize(1400, 900);
    window.show();
    window.setSummary(test::syntheticCampaign());
    window.flushUpdates();
    auto* chart = window.findChild<ChartTabs*>()->currentChart();
    chart->setFocus();
    QTest::keyClick(chart, Qt::Key_Right); // the leftmost point: W4A4-rtn at batch 1
    QCOMPARE(window.findChild<RunsView*>()->currentRun(), storage::Id(107));
    QPoint hit;
    for (int y = 0; y < chart->viewport()->height() && hit.isNull(); y += 4)
        for (int x = 0; x < chart->viewport()->width() && hit.isNull(); x += 4)
            if (chart->chartScene()->layer()->runAt(chart->mapToScene(x, y)) == 102)
                hit = {x, y};
    QVERIFY(!hit.isNull());
    QTest::mouseClick(chart->viewport(), Qt::LeftButton, {}, hit);
    QCOMPARE(window.findChild<RunsView*>()->currentRun(), storage::Id(102));
}

void TestMainWindow::axisChoiceReachesTheChart() {
    MainWindow window;
    window.setSummary(test::syntheticCampaign());
    window.flushUpdates();
    auto* tabs = window.findChild<ChartTabs*>();
    child<QComboBox>(window, "xMetric")->setCurrentIndex(3);
    child<QCheckBox>(window, "logX")->click();
    QCOMPARE(tabs->currentChart()->options().xMetric, XMetric::Memory);
    QVERIFY(tabs->currentChart()->options().logX);
    for (int tab = 0; tab < tabs->count(); ++tab) {
        tabs->setCurrentIndex(tab);
        QCOMPARE(tabs->currentChart()->chartScene()->emptyText(), QString()); // every tab truly shows data
        QCOMPARE(tabs->currentChart()->chartScene()->layer()->runOrder().size(), 10);
    }
}

void TestMainWindow::campaignsCanBeChosen() {
    MainWindow window;
    auto first = test::syntheticCampaign().campaign;
    auto second = first;
    second.id = 8;
    second.spec.name = QStringLiteral("Second");
    window.setCampaigns({second, first});
    window.setSummary(test::syntheticCampaign());
    window.flushUpdates();
    auto* box = child<QComboBox>(window, "campaigns");
    QCOMPARE(box->currentData().toLongLong(), 7);
    QSignalSpy chosen(&window, &MainWindow::campaignSelected);
    Q_EMIT box->activated(0); // as a user's choice does
    QCOMPARE(chosen.size(), 1);
    QCOMPARE(chosen[0][0].toLongLong(), 8);
}

void TestMainWindow::resumeIsOfferedForUnfinished() {
    MainWindow window;
    QAction* resume = nullptr;
    for (QAction* action : window.findChildren<QAction*>())
        if (action->text() == QLatin1String("&Resume"))
            resume = action;
    if (resume == nullptr)
        QFAIL("the menus have no Resume");
    QVERIFY(!resume->isEnabled());
    auto campaign = test::syntheticCampaignAfter(3);
    campaign.campaign.status = storage::RunStatus::Cancelled;
    window.setSummary(campaign);
    window.flushUpdates();
    QVERIFY(resume->isEnabled());
    QSignalSpy resumed(&window, &MainWindow::resumeRequested);
    resume->trigger();
    QCOMPARE(resumed.size(), 1);
    QCOMPARE(resumed[0][0].toLongLong(), 7);
    window.setSummary(test::syntheticCampaign());
    window.flushUpdates();
    QVERIFY(!resume->isEnabled());
}

void TestMainWindow::bannerShowsMessageAndHint() {
    MainWindow window;
    window.show();
    window.showError(QStringLiteral("The worker <b>stopped</b>."), QStringLiteral("Start it again."));
    auto* banner = window.findChild<MessageBanner*>();
    QCOMPARE(banner->message(), QStringLiteral("The worker <b>stopped</b>."));
    const QString text = child<QLabel>(window, "bannerText")->text();
    QVERIFY(text.contains(QStringLiteral("&lt;b&gt;")) && text.contains(QStringLiteral("Start it again.")));
    window.setHostInfo(test::syntheticHost());
    QTest::mouseClick(child<QPushButton>(window, "start"),
                      Qt::LeftButton); // a new start clears the old trouble
    QCOMPARE(banner->message(), QString());
}

void TestMainWindow::exportsWriteFiles() {
    const QTemporaryDir folder;
    MainWindow window;
    window.setSummary(test::syntheticCampaign());
    window.flushUpdates();
    auto* exports = window.findChild<ExportActions*>();
    for (int tab = 0; tab < 3; ++tab) {
        window.findChild<ChartTabs*>()->setCurrentIndex(tab);
        for (const char* ending : {"png", "svg", "pdf", "csv"})
            QVERIFY(exports->saveChartTo(
                folder.filePath(QStringLiteral("%1.%2").arg(tab).arg(QString::fromLatin1(ending)))));
    }
    QVERIFY(window.findChild<MessageBanner*>()->message().startsWith(QStringLiteral("Saved ")));
    QVERIFY(exports->saveReportTo(folder.filePath(QStringLiteral("report.html"))));
    QVERIFY(QFile(folder.filePath(QStringLiteral("report.html"))).size() > 50000);
    QVERIFY(!exports->saveChartTo(folder.filePath(QStringLiteral("none/c.png"))));
    QCOMPARE(window.findChild<MessageBanner*>()->message(), QStringLiteral("The export failed."));
    QVERIFY(child<QLabel>(window, "bannerText")->text().contains(QStringLiteral("none/c.png")));
}

void TestMainWindow::paletteChangeIsFollowed() {
    MainWindow window;
    window.show();
    window.setSummary(test::syntheticCampaign());
    window.flushUpdates();
    auto* chart = window.findChild<ChartTabs*>()->currentChart();
    QVERIFY(!chart->options().dark);
    const QPalette light = QApplication::palette();
    QPalette dark;
    dark.setColor(QPalette::Base, QColor(0x1e2227));
    dark.setColor(QPalette::Text, Qt::white);
    QApplication::setPalette(dark);
    QTRY_VERIFY(chart->options().dark);
    QCOMPARE(chart->chartScene()->backgroundBrush().color(), QColor(0x1e2227));
    QApplication::setPalette(light);
    QTRY_VERIFY(!chart->options().dark);
}

void TestMainWindow::smallWindowFits() {
    MainWindow window;
    window.setHostInfo(test::syntheticHost());
    window.setSummary(test::syntheticCampaign());
    window.resize(1024, 700);
    window.show();
    window.flushUpdates();
    QCOMPARE(window.size(), QSize(1024, 700)); // no part's minimum pushes it open
    auto* start = child<QPushButton>(window, "start");
    QVERIFY(window.rect().contains(QRect(start->mapTo(&window, QPoint()), start->size())));
    window.setCampaignSpec({}); // four messages above the buttons
    QCOMPARE(window.size(), QSize(1024, 700));
}

QTEST_MAIN(TestMainWindow)
#include "tst_main_window.moc"
