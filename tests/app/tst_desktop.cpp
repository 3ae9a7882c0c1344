// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/demo_campaign.h"
#include "app/desktop/desktop_session.h"
#include "app/desktop/summary_service.h"
#include "storage/writer.h"
#include "ui/results/message_banner.h"

#include <QDir>
#include <QElapsedTimer>
#include <QFileInfo>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>

#include <ctime>
#include <optional>
#include <unistd.h>

using namespace quantscope;

namespace {

/// The longest stretch of work of this thread between two turns of its event loop, in CPU time, so that a
/// loaded machine does not count.
class LongestTurn : public QObject {
  public:
    LongestTurn() {
        connect(&timer_, &QTimer::timeout, this, [this] {
            const double now = cpuMs();
            longestMs = std::max(longestMs, now - last_);
            last_ = now;
        });
        timer_.start(1);
    }
    double longestMs = 0.0;

  private:
    static double cpuMs() {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
    }
    QTimer timer_;
    double last_ = cpuMs();
};

/// Permissions do not stop root.
class AsNobody {
  public:
    AsNobody() : wasRoot_(geteuid() == 0 && seteuid(65534) == 0) {}
    ~AsNobody() {
        if (wasRoot_ && seteuid(0) != 0) {
            qFatal("root is not root again");
        }
    }
    Q_DISABLE_COPY_MOVE(AsNobody)

  private:
    bool wasRoot_;
};

} // namespace

/// The window with the real controller, storage and worker on the demo model: what a user does on the first
/// start.
class DesktopTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void init();
    void cleanup();
    void startShowsRunsAsTheyCome();
    void stopEndsTheCampaign();
    void aStoredCampaignIsShownAgain();
    void closingTheWindowStopsTheWorker();
    void aReadOnlyFolderIsLookedAt();
    void theDemoIsFoundAgain();
    void aHostThatDoesNotAnswerIsShownAndCanBeLeft();
    void aHostThatRefusesIsShown();
    void aCampaignWaitsForItsHostAndCanBeStopped();

  private:
    void choose(const char* launcher) {
        auto* line = window_->findChild<QLineEdit*>(QStringLiteral("launcher"));
        line->setText(QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/launchers/") +
                      QLatin1String(launcher));
        Q_EMIT line->editingFinished();
    }
    [[nodiscard]] QString devices() const {
        return window_->findChild<QLabel*>(QStringLiteral("devices"))->text();
    }
    [[nodiscard]] QString banner() const { return window_->findChild<ui::MessageBanner*>()->message(); }
    [[nodiscard]] QPushButton* cancelButton() const {
        return window_->findChild<QPushButton*>(QStringLiteral("cancelHost"));
    }

    [[nodiscard]] storage::CampaignSpec spec() const;
    [[nodiscard]] QString headline() const {
        return window_->findChild<QLabel*>(QStringLiteral("headline"))->text();
    }
    void click(const char* button) {
        auto* widget = window_->findChild<QPushButton*>(QLatin1String(button));
        QVERIFY2(widget != nullptr && widget->isEnabled(), button);
        QTest::mouseClick(widget, Qt::LeftButton);
    }

    std::unique_ptr<QTemporaryDir> folder_;
    std::unique_ptr<storage::Writer> writer_;
    std::unique_ptr<ui::MainWindow> window_;
    std::unique_ptr<desktop::DesktopSession> session_;
};

void DesktopTest::initTestCase() {
    qputenv("QUANTSCOPE_WORKER", QUANTSCOPE_BIN_DIR "/quantscope-worker");
    QCoreApplication::setOrganizationName(QStringLiteral("Quantscope"));
    QCoreApplication::setApplicationName(QStringLiteral("QuantscopeTest"));
}

void DesktopTest::init() {
    folder_ = std::make_unique<QTemporaryDir>();
    qputenv("XDG_CONFIG_HOME", folder_->path().toUtf8());
    auto writer = storage::Writer::open(folder_->filePath(QStringLiteral("test.db")));
    QVERIFY(writer);
    writer_ = *std::move(writer);
    window_ = std::make_unique<ui::MainWindow>();
    session_ = std::make_unique<desktop::DesktopSession>(*window_, *writer_, 0);
    window_->show();
    // Schemes can be ticked once the worker has said hello.
    QTRY_VERIFY_WITH_TIMEOUT(window_->findChild<QWidget*>(QStringLiteral("scheme-int8")) != nullptr, 20'000);
    window_->setCampaignSpec(spec());
}

void DesktopTest::cleanup() {
    session_.reset();
    window_.reset();
    writer_.reset();
}

storage::CampaignSpec DesktopTest::spec() const {
    storage::CampaignSpec spec;
    spec.name = QStringLiteral("desktop test");
    spec.model = QStringLiteral("demo");
    spec.problems = QStringLiteral("demo");
    spec.schemes = {QStringLiteral("fp16"), QStringLiteral("int8")};
    spec.batchSizes = {8};
    spec.limit = 8;
    spec.sampling.maxNewTokens = 96;
    spec.latency = {true, 16, 8, 2};
    return spec;
}

void DesktopTest::startShowsRunsAsTheyCome() {
    QSignalSpy finished(&session_->controller(), &campaign::CampaignController::finished);
    const auto* table = window_->findChild<QTableView*>();
    QVERIFY(table != nullptr);
    click("start");
    QVERIFY(session_->controller().isRunning());
    const LongestTurn turn;
    QTRY_VERIFY_WITH_TIMEOUT(table->model()->rowCount() == 2, 30'000); // both runs, while they are measured
    QTRY_VERIFY_WITH_TIMEOUT(!finished.isEmpty(), 60'000);
    const auto outcome = finished.first().first().value<campaign::CampaignOutcome>();
    QVERIFY2(!outcome.error, outcome.error ? outcome.error->message.c_str() : "");
    QCOMPARE(outcome.status, storage::RunStatus::Done);
    QTRY_VERIFY_WITH_TIMEOUT(headline().contains(QStringLiteral("INT8")), 10'000);
    qInfo("longest turn of the GUI thread: %.1f ms", turn.longestMs);
    QVERIFY2(turn.longestMs < 50.0, "the window must not compute");
}

void DesktopTest::stopEndsTheCampaign() {
    storage::CampaignSpec longer = spec();
    longer.limit = 0;
    window_->setCampaignSpec(longer);
    QSignalSpy finished(&session_->controller(), &campaign::CampaignController::finished);
    QSignalSpy stored(writer_.get(), &storage::Writer::sampleStored);
    click("start");
    QTRY_VERIFY_WITH_TIMEOUT(stored.size() >= 2, 60'000);
    click("stop");
    QTRY_VERIFY_WITH_TIMEOUT(!finished.isEmpty(), 30'000);
    QCOMPARE(finished.first().first().value<campaign::CampaignOutcome>().status,
             storage::RunStatus::Cancelled);
    QTRY_VERIFY_WITH_TIMEOUT(window_->findChild<QPushButton*>(QStringLiteral("start"))->isEnabled(), 5'000);
}

void DesktopTest::aStoredCampaignIsShownAgain() {
    storage::CampaignSpec stored = spec();
    const auto created = writer_->call([&](storage::Repositories& repositories) {
        return repositories.campaigns.create(stored, {{QStringLiteral("int8"), QStringLiteral("INT8")}});
    });
    QVERIFY(created);
    session_ = std::make_unique<desktop::DesktopSession>(*window_, *writer_, 0);
    const auto* table = window_->findChild<QTableView*>();
    QTRY_VERIFY_WITH_TIMEOUT(table->model()->rowCount() == 2, 10'000);
    QTRY_COMPARE_WITH_TIMEOUT(headline(), QStringLiteral("There are no results yet."), 10'000);
}

void DesktopTest::closingTheWindowStopsTheWorker() {
    storage::CampaignSpec longer = spec();
    longer.limit = 0;
    window_->setCampaignSpec(longer);
    QSignalSpy stored(writer_.get(), &storage::Writer::sampleStored);
    click("start");
    QTRY_VERIFY_WITH_TIMEOUT(stored.size() >= 2, 60'000);
    const qint64 worker = session_->controller().workerProcessId();
    QVERIFY(worker > 0);
    QElapsedTimer clock;
    clock.start();
    session_.reset();
    QVERIFY(clock.elapsed() < 6'000);
    QTRY_VERIFY_WITH_TIMEOUT(!QFileInfo::exists(QStringLiteral("/proc/%1").arg(worker)), 5'000);
    const auto campaigns =
        writer_->call([](storage::Repositories& repositories) { return repositories.campaigns.list(); });
    QCOMPARE(campaigns->first().status, storage::RunStatus::Cancelled);
}

void DesktopTest::aReadOnlyFolderIsLookedAt() {
    session_.reset();
    const QString folder = folder_->filePath(QStringLiteral("shared"));
    QVERIFY(QDir().mkpath(folder));
    const QString database = folder + QStringLiteral("/test.db");
    {
        auto writer = storage::Writer::open(database);
        QVERIFY(writer);
        QVERIFY(
            (*writer)->call([&](storage::Repositories& stored) { return stored.campaigns.create(spec()); }));
    }
    const auto reading = QFileDevice::ReadOwner | QFileDevice::ExeOwner | QFileDevice::ReadGroup |
                         QFileDevice::ExeGroup | QFileDevice::ReadOther | QFileDevice::ExeOther;
    QVERIFY(QFile::setPermissions(folder_->path(), reading | QFileDevice::WriteOwner));
    QVERIFY(QFile::setPermissions(folder, reading));
    std::optional<AsNobody> nobody(std::in_place);
    const auto writer = storage::Writer::open(database);
    if (!writer) {
        session_ = std::make_unique<desktop::DesktopSession>(*window_, database, writer.error(), 0);
        auto* table = window_->findChild<QTableView*>();
        QTRY_COMPARE_WITH_TIMEOUT(table->model()->rowCount(), spec().schemes.size(), 10'000);
        QVERIFY2(banner().contains(QStringLiteral("only looked at")), qPrintable(banner()));
        session_->start(spec());
        QVERIFY2(banner().contains(QStringLiteral("cannot be")), qPrintable(banner()));
        session_.reset();
    }
    nobody.reset();
    QVERIFY(QFile::setPermissions(folder, reading | QFileDevice::WriteOwner));
    QVERIFY(!writer && writer.error().kind == storage::ErrorKind::ReadOnly);
}

void DesktopTest::theDemoIsFoundAgain() {
    const QString database = folder_->filePath(QStringLiteral("test.db"));
    const auto before = desktop::storedDemo(database);
    QVERIFY(before && !*before);
    session_->start(spec()); // another campaign is not the demo
    QTRY_VERIFY_WITH_TIMEOUT(!session_->controller().isRunning(), 60'000);
    const auto other = desktop::storedDemo(database);
    QVERIFY(other && !*other);

    session_->start(desktop::demoSpec());
    QTRY_VERIFY_WITH_TIMEOUT(desktop::storedDemo(database)->has_value(), 20'000);
    session_->controller().cancel();
    QTRY_VERIFY_WITH_TIMEOUT(!session_->controller().isRunning(), 60'000);
    const auto stored = desktop::storedDemo(database);
    QVERIFY(stored && *stored);
    QCOMPARE((*stored)->spec.schemes, desktop::demoSpec().schemes);
    QVERIFY((*stored)->status != storage::RunStatus::Done); // to be resumed by the next start
}

void DesktopTest::aHostThatDoesNotAnswerIsShownAndCanBeLeft() {
    QVERIFY(!cancelButton()->isVisible()); // this machine has answered
    campaign::WorkerPatience patience;
    patience.noticeMs = 100;
    session_->setPatience(patience);
    choose("never-answers");
    QVERIFY(devices().startsWith(QStringLiteral("Asking the engine")));
    QTRY_VERIFY_WITH_TIMEOUT(devices().contains(QStringLiteral("\"Password:\"")), 10'000);
    QVERIFY2(devices().contains(QStringLiteral("has not said hello after")), qPrintable(devices()));
    QVERIFY2(devices().contains(QStringLiteral("job 7 queued")), qPrintable(devices()));
    QVERIFY(cancelButton()->isVisible() && cancelButton()->isEnabled());
    QTest::mouseClick(cancelButton(), Qt::LeftButton);
    QVERIFY2(devices().contains(QStringLiteral("Refresh asks it again")), qPrintable(devices()));
    QVERIFY(!cancelButton()->isVisible());
    QTest::qWait(300);
    QVERIFY2(devices().contains(QStringLiteral("Refresh asks it again")), qPrintable(devices()));
}

void DesktopTest::aHostThatRefusesIsShown() {
    choose("denied");
    QTRY_VERIFY_WITH_TIMEOUT(devices().contains(QStringLiteral("Permission denied (publickey).")), 10'000);
    QVERIFY2(banner().contains(QStringLiteral("exit code 255")), qPrintable(banner()));
    QVERIFY(!cancelButton()->isVisible());
}

void DesktopTest::aCampaignWaitsForItsHostAndCanBeStopped() {
    campaign::WorkerPatience patience;
    patience.noticeMs = 100;
    patience.remoteHelloMs = 300; // the window waits on: only the probe has a limit
    session_->setPatience(patience);
    choose("never-answers");
    QSignalSpy finished(&session_->controller(), &campaign::CampaignController::finished);
    storage::CampaignSpec remote = spec();
    remote.launcher = {QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/launchers/never-answers")};
    window_->setCampaignSpec(remote);
    click("start");
    QTRY_VERIFY_WITH_TIMEOUT(banner().contains(QStringLiteral("has not said hello after 1 s")), 10'000);
    QVERIFY2(banner().contains(QStringLiteral("\"Password:\"")), qPrintable(banner()));
    QTRY_VERIFY_WITH_TIMEOUT(window_->findChild<QLabel*>(QStringLiteral("phase"))
                                 ->text()
                                 .startsWith(QStringLiteral("Waiting for the worker's hello")),
                             5'000);
    QVERIFY(finished.isEmpty());
    click("stop");
    QTRY_VERIFY_WITH_TIMEOUT(!finished.isEmpty(), 10'000);
    QCOMPARE(finished.first().first().value<campaign::CampaignOutcome>().status,
             storage::RunStatus::Cancelled);
    QVERIFY2(banner().isEmpty(), qPrintable(banner()));
}

QTEST_MAIN(DesktopTest)
#include "tst_desktop.moc"
