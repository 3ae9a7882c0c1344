// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/ui/synthetic_campaign.h"
#include "ui/charts/chart_theme.h"
#include "ui/report/html_report.h"

#include <QFile>
#include <QImage>
#include <QProcess>
#include <QRegularExpression>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>

using namespace quantscope;
using namespace quantscope::ui;

namespace {

QString findBrowser() {
    for (const char* name : {"chromium-headless-shell", "chromium", "google-chrome"}) {
        QString path = QStandardPaths::findExecutable(QString::fromLatin1(name));
        if (!path.isEmpty())
            return path;
    }
    return {};
}

/// Runs the browser on a page without a screen; its standard output.
QByteArray browse(const QString& browser, const QTemporaryDir& home, const QStringList& arguments) {
    QProcess process;
    process.setProcessChannelMode(QProcess::SeparateChannels);
    process.start(browser,
                  QStringList{QStringLiteral("--headless"), QStringLiteral("--no-sandbox"),
                              QStringLiteral("--disable-gpu"), QStringLiteral("--disable-dev-shm-usage"),
                              QStringLiteral("--hide-scrollbars"),
                              QStringLiteral("--user-data-dir=") + home.filePath(QStringLiteral("profile"))} +
                      arguments);
    if (!process.waitForFinished(60000))
        process.kill();
    return process.readAllStandardOutput();
}

int pixelsLike(const QImage& image, const QColor& colour) {
    int count = 0;
    for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x)
            if (image.pixelColor(x, y) == colour)
                ++count;
    return count;
}

} // namespace

class TestReport : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void hasAPapersShape();
    void numbersComeFromTheCampaign();
    void tellsThePromptsForm();
    void demoIsCalledDemoEverywhere();
    void realProblemsAreNotCalledDemo();
    void nothingFromOutside();
    void hostileNamesAreEscaped();
    void partialAndFailedRunsAreLimitations();
    void emptyCampaignMakesAPage();
    void unwritableFolderIsASentence();
    void browserShowsTheCharts();
};

void TestReport::hasAPapersShape() {
    const QString html = htmlReport(test::syntheticCampaign());
    qsizetype last = -1;
    for (const char* id :
         {"abstract", "question", "method", "results", "comparisons", "limitations", "reproduce"}) {
        const qsizetype at = html.indexOf(QStringLiteral("<section id=\"%1\">").arg(QString::fromLatin1(id)));
        QVERIFY2(at > last, id);
        last = at;
    }
    QCOMPARE(html.count(QStringLiteral("<svg")), 4);
    QCOMPARE(html.count(QStringLiteral("<figure")), 4);
    QCOMPARE(html.count(QStringLiteral("<?xml")), 0);
    QCOMPARE(html.count(QStringLiteral("<table")), 5);
}

void TestReport::numbersComeFromTheCampaign() {
    auto campaign = test::syntheticCampaign();
    const QString html = htmlReport(campaign, {QStringLiteral("/data/q.sqlite"), {}});
    QVERIFY(html.contains(campaign.headline.toHtmlEscaped()));
    for (const char* expected :
         {"118 of 164", "5f1d0c9be2a7744e8d0f", "Intel Xeon Platinum 8481C", "quantscope run --model demo",
          "/data/q.sqlite", "TPOT p99 ≤ 8", "Demo/41", "not distinguishable on these problems"})
        QVERIFY2(html.contains(QString::fromUtf8(expected)), expected);
    campaign.runs[0].samplesPassed = 99;
    QVERIFY(htmlReport(campaign).contains(QStringLiteral("99 of 164")));
    QVERIFY(html.contains(QStringLiteral("J/token")));
    for (auto& run : campaign.runs)
        run.metrics.remove(QStringLiteral("energy_per_token_j"));
    QVERIFY(!htmlReport(campaign).contains(QStringLiteral("J/token")));
}

void TestReport::demoIsCalledDemoEverywhere() {
    const QString html = htmlReport(test::syntheticCampaign());
    const QRegularExpression title(QStringLiteral("<title>[^<]*not HumanEval[^<]*</title>"));
    QVERIFY(title.match(html).hasMatch());
    for (const char* id : {"abstract", "question", "limitations"}) {
        const qsizetype from =
            html.indexOf(QStringLiteral("<section id=\"%1\">").arg(QString::fromLatin1(id)));
        const QString section = html.mid(from, html.indexOf(QStringLiteral("</section>"), from) - from);
        QVERIFY2(section.contains(QStringLiteral("not HumanEval")), id);
    }
    const QRegularExpression caption(QStringLiteral("<figcaption>[^<]*not HumanEval[^<]*</figcaption>"));
    auto captions = caption.globalMatch(html);
    int count = 0;
    for (; captions.hasNext(); captions.next())
        ++count;
    QCOMPARE(count, 4);
}

void TestReport::realProblemsAreNotCalledDemo() {
    auto campaign = test::syntheticCampaign();
    campaign.campaign.spec.problems = QStringLiteral("/data/HumanEval.jsonl.gz");
    campaign.campaign.spec.model = QStringLiteral("/models/Llama-2-7b-hf/");
    campaign.campaign.spec.name = QStringLiteral("Llama");
    campaign.headline.clear();
    const QString html = htmlReport(campaign);
    QVERIFY(!html.contains(QStringLiteral("not HumanEval")));
    QVERIFY(html.contains(QStringLiteral("Llama-2-7b-hf on HumanEval.jsonl.gz")));
    QVERIFY(html.contains(
        QStringLiteral("We compare FP16, INT8 (W8A8), W4A8, W4A4 round-to-nearest and W4A4 rotated on "
                       "Llama-2-7b-hf at batch 1 and 8, on 164 problems of HumanEval.jsonl.gz")));
}

void TestReport::nothingFromOutside() {
    const QString html = htmlReport(test::syntheticCampaign());
    QVERIFY(!html.contains(QStringLiteral("<script")));
    QVERIFY(!html.contains(QStringLiteral("<link")));
    QVERIFY(!html.contains(QRegularExpression(QStringLiteral("(src|href)=\"https?:"))));
    QVERIFY(!html.contains(QStringLiteral("url(http")));
}

void TestReport::hostileNamesAreEscaped() {
    auto campaign = test::syntheticCampaign();
    const QString attack = QStringLiteral("<script>alert(1)</script>\"&");
    campaign.campaign.spec.name = campaign.campaign.spec.model = campaign.campaign.deviceName = attack;
    campaign.headline = attack;
    campaign.runs[1].run.schemeLabel = attack;
    campaign.runs[2].run.error = attack;
    campaign.runs[2].comparison->lostTasks = {attack};
    const QString html = htmlReport(campaign);
    QVERIFY(!html.contains(QStringLiteral("<script")));
    QVERIFY(html.contains(QStringLiteral("&lt;script&gt;")));
}

void TestReport::partialAndFailedRunsAreLimitations() {
    auto campaign = test::syntheticCampaignAfter(4);
    campaign.campaign.spec.limit = 20;
    campaign.runs[9].run.error = QStringLiteral("out of memory");
    campaign.runs[0].samplesScored = 160;
    const QString html = htmlReport(campaign);
    const QString limits = html.mid(html.indexOf(QStringLiteral("id=\"limitations\"")));
    QVERIFY(
        limits.contains(QStringLiteral("W4A8, batch 1 is partial: 71 samples are stored of 164 problems.")));
    QVERIFY(limits.contains(QStringLiteral("W4A4 rotated, batch 8 failed: out of memory")));
    QVERIFY(limits.contains(QStringLiteral("first 20 problems")));
    QVERIFY(limits.contains(QStringLiteral("FP16, batch 1 has 4 samples without a verdict")));
}

void TestReport::tellsThePromptsForm() {
    storage::CampaignSummary summary = test::syntheticCampaign();
    QVERIFY(htmlReport(summary).contains(
        QStringLiteral("new tokens. The prompt is kept as it is in the file; a")));
    QMap<QString, double>& metrics = summary.runs.first().metrics;
    metrics[QStringLiteral("prompt_boundaries")] = 164.0;
    metrics[QStringLiteral("prompt_boundaries_kept")] = 163.0;
    metrics[QStringLiteral("prompt_stripped")] = 1.0;
    const QString good = htmlReport(summary);
    QVERIFY(good.contains(
        QStringLiteral("The prompt goes without the white space at its end, with which 163 of "
                       "164 prompts end where a token of prompt and solution ends; a completion")));
    QVERIFY(!good.contains(QStringLiteral("prompted off its own tokens")));
    metrics[QStringLiteral("prompt_boundaries_kept")] = 81.0;
    QVERIFY(htmlReport(summary).contains(QStringLiteral("Warning: only 81 of 164 prompts end where")));
}

void TestReport::emptyCampaignMakesAPage() {
    const QString html = htmlReport({});
    QVERIFY(html.contains(QStringLiteral("</html>")));
    QVERIFY(html.contains(QStringLiteral("No run can be compared with a baseline yet.")));
}

void TestReport::unwritableFolderIsASentence() {
    const QTemporaryDir folder;
    const QString error =
        saveHtmlReport(folder.filePath(QStringLiteral("no/report.html")), test::syntheticCampaign());
    QVERIFY(error.contains(QStringLiteral("no/report.html: cannot be written: No such file")));
}

void TestReport::browserShowsTheCharts() {
    const QString browser = findBrowser();
    if (browser.isEmpty())
        QSKIP("no headless browser: install Debian's chromium-headless-shell");
    const QTemporaryDir folder;
    const QString page = folder.filePath(QStringLiteral("report.html"));
    QCOMPARE(saveHtmlReport(page, test::syntheticCampaign()), QString());
    const QString url = QStringLiteral("file://") + page;

    const QString dom = QString::fromUtf8(browse(browser, folder, {QStringLiteral("--dump-dom"), url}));
    // The parsed page, written out again by the browser: drawings that it could not parse would not be inside
    // figures.
    QCOMPARE(dom.count(QRegularExpression(QStringLiteral("<figure[^>]*>\\s*<svg"))), 4);
    QVERIFY(dom.contains(QRegularExpression(QStringLiteral("<text[^>]*>\\s*W4A4 rotated"))));
    QVERIFY(dom.contains(QStringLiteral("118 of 164")));

    const QString shot = folder.filePath(QStringLiteral("shot.png"));
    browse(browser, folder,
           {QStringLiteral("--screenshot=") + shot, QStringLiteral("--window-size=1100,5200"), url});
    const QImage image(shot);
    QVERIFY(!image.isNull());
    for (int scheme = 0; scheme < 5; ++scheme) // each scheme's memory bars alone are larger than this
        QVERIFY2(pixelsLike(image, ChartTheme::light().scheme(scheme)) > 1000,
                 qPrintable(QString::number(scheme)));
}

QTEST_MAIN(TestReport)
#include "tst_report.moc"
