// SPDX-License-Identifier: GPL-3.0-or-later
// The GUI thread must not work longer than 50 ms at a stretch while a campaign runs. Measured is the thread's
// own CPU time for each event, so that a busy machine, which only delays events, does not fail the test.
#include "tests/ui/synthetic_campaign.h"
#include "ui/main_window.h"
#include "ui/results/chart_tabs.h"

#include <QApplication>
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>
#include <QThread>

#include <ctime>

using namespace quantscope;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr double limitMs = 500.0; // sanitizers cost a factor, which is not the window's
#else
constexpr double limitMs = 50.0;
#endif
constexpr int updates = 2000;

double threadCpuMs() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

/// Notes the longest time that one event took, from the event loop's call to its return.
class MeasuringApplication : public QApplication {
  public:
    using QApplication::QApplication;
    double longestMs = 0.0;

    bool notify(QObject* receiver, QEvent* event) override {
        if (depth_ > 0 || QThread::currentThread() != thread())
            return QApplication::notify(receiver, event);
        ++depth_;
        const double start = threadCpuMs();
        const bool handled = QApplication::notify(receiver, event);
        longestMs = std::max(longestMs, threadCpuMs() - start);
        --depth_;
        return handled;
    }

  private:
    int depth_ = 0;
};

} // namespace

class TestResponsiveness : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void eventsStayShortWhileUpdatesPourIn();
};

void TestResponsiveness::eventsStayShortWhileUpdatesPourIn() {
    ui::MainWindow window;
    window.setHostInfo(test::syntheticHost());
    window.resize(1440, 900);
    window.show();
    QVERIFY(QTest::qWaitForWindowExposed(&window));
    window.setRunning(true);
    window.setSummary(test::syntheticCampaignAfter(0));
    QTest::qWait(200); // fonts are loaded and the window is laid out: what counts is the campaign

    auto* app = static_cast<MeasuringApplication*>(QCoreApplication::instance());
    app->longestMs = 0.0;
    QList<storage::CampaignSummary> stages;
    for (int done = 0; done <= 10; ++done)
        stages += test::syntheticCampaignAfter(done);
    QThread* source = QThread::create([&window, &stages] {
        for (int i = 0; i < updates; ++i) {
            QMetaObject::invokeMethod(&window, [&window, &stages, i] {
                window.setSummary(stages[i * 11 / updates]);
                window.setProgress({7, 101, QStringLiteral("Problems"), i, updates, 1.0, 10.0});
            });
            if (i % 10 == 0)
                QThread::msleep(10); // 1,000 updates a second
        }
    });
    source->start();
    int tab = 0;
    while (!source->isFinished()) {
        QTest::qWait(250);
        window.findChild<ui::ChartTabs*>()->setCurrentIndex(++tab % 3); // every chart has its turn
    }
    source->wait();
    delete source;
    QTest::qWait(200);
    qInfo("the longest event took %.1f ms of CPU time", app->longestMs);
    QVERIFY2(app->longestMs > 0.1, "nothing was measured");
    QVERIFY2(app->longestMs < limitMs, qPrintable(QStringLiteral("%1 ms").arg(app->longestMs)));
}

int main(int argc, char** argv) {
    MeasuringApplication app(argc, argv);
    const QTemporaryDir home;
    QSettings::setPath(QSettings::NativeFormat, QSettings::UserScope, home.path());
    QCoreApplication::setOrganizationName(QStringLiteral("quantscope-test"));
    TestResponsiveness test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_responsiveness.moc"
