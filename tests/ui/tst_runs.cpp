// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/ui/synthetic_campaign.h"
#include "ui/runs/run_columns.h"
#include "ui/runs/runs_model.h"
#include "ui/runs/runs_view.h"

#include <QAbstractItemModelTester>
#include <QClipboard>
#include <QGuiApplication>
#include <QSignalSpy>
#include <QTest>

using namespace quantscope;
using namespace quantscope::ui;

namespace {

int columnOf(const char* header) {
    const QString wanted = QString::fromUtf8(header);
    for (int column = 0; column < runColumns().size(); ++column)
        if (QString(runColumns()[column].header).replace(u'\n', u' ') == wanted)
            return column;
    return -1;
}

QString cell(const QAbstractItemModel& model, int row, const char* header) {
    return model.index(row, columnOf(header)).data().toString();
}

QList<storage::Id> shownOrder(const RunsView& view) {
    QList<storage::Id> ids;
    for (int row = 0; row < view.model()->rowCount(); ++row)
        ids += view.model()->index(row, 0).data(RunsModel::RunIdRole).toLongLong();
    return ids;
}

} // namespace

class TestRuns : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void modelKeepsItsPromises();
    void cellsSayTheNumbers();
    void nothingComparedShowsNoDifference();
    void unknownSchemeStillRenders();
    void failedRunSaysWhy();
    void sameRunsKeepTheSelection();
    void sortsByNumberWithMissingLast();
    void copiesAsTabSeparated();
    void energyIsShownWhereThereIsAny();
    void baselineIsAskedFor();
};

void TestRuns::modelKeepsItsPromises() {
    RunsModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    QSignalSpy resets(&model, &QAbstractItemModel::modelReset);
    QSignalSpy changes(&model, &QAbstractItemModel::dataChanged);
    model.setSummary(test::syntheticCampaignAfter(0));
    model.setSummary(test::syntheticCampaignAfter(3));
    model.setSummary(test::syntheticCampaign());
    QCOMPARE(resets.size(), 1);
    QCOMPARE(changes.size(), 2);
    model.setDark(true);
    model.setSummary({});
    QCOMPARE(resets.size(), 2);
    QCOMPARE(model.rowCount(), 0);
}

void TestRuns::cellsSayTheNumbers() {
    RunsModel model;
    model.setSummary(test::syntheticCampaign());
    QCOMPARE(model.rowCount(), 10);
    QCOMPARE(cell(model, 0, "Base"), QStringLiteral("●"));
    QCOMPARE(cell(model, 1, "Base"), QStringLiteral("●")); // that of batch 8
    QCOMPARE(cell(model, 2, "Base"), QString());
    QCOMPARE(cell(model, 0, "Samples"), QStringLiteral("164 / 164"));
    QCOMPARE(cell(model, 0, "pass@1, % [95 % interval]"), QStringLiteral("72.0 [64.6, 78.3]"));
    QCOMPARE(cell(model, 0, "Δ points [95 % interval]"),
             QString()); // the baseline has no difference to itself
    QVERIFY(cell(model, 2, "Δ points [95 % interval]").startsWith(QStringLiteral("−0.6 [")));
    QCOMPARE(cell(model, 2, "p (Holm)"), QStringLiteral("1.00"));
    QCOMPARE(cell(model, 0, "TPOT p50, ms"), QStringLiteral("4.78"));
    QCOMPARE(cell(model, 0, "Bytes per weight"), QStringLiteral("2.000"));
    QCOMPARE(cell(model, 4, "Bytes per weight"), QStringLiteral("0.504"));
    QCOMPARE(cell(model, 1, "Budget"), QStringLiteral("outside"));
    const QModelIndex number = model.index(0, columnOf("TPOT p50, ms"));
    QVERIFY(number.data(Qt::TextAlignmentRole).toInt() & Qt::AlignRight);
    QCOMPARE(model.index(0, 0).data(Qt::AccessibleTextRole).toString(), QStringLiteral("baseline"));
}

void TestRuns::nothingComparedShowsNoDifference() {
    storage::CampaignSummary summary = test::syntheticCampaign();
    QVERIFY(summary.runs[2].comparison);
    summary.runs[2].comparison->problemsCompared = 0; // planned, or unscored
    RunsModel model;
    model.setSummary(summary);
    QCOMPARE(cell(model, 2, "Δ points [95 % interval]"), QString());
    QCOMPARE(cell(model, 2, "p (Holm)"), QString());
}

void TestRuns::unknownSchemeStillRenders() {
    auto campaign = test::syntheticCampaign();
    campaign.runs[3].run.schemeId = QStringLiteral("w2a2-dream");
    campaign.runs[3].run.schemeLabel.clear();
    RunsModel model;
    model.setSummary(campaign);
    QCOMPARE(cell(model, 3, "Scheme"), QStringLiteral("w2a2-dream"));
    QVERIFY(model.index(3, 1).data(Qt::DecorationRole).isValid());
}

void TestRuns::failedRunSaysWhy() {
    auto campaign = test::syntheticCampaign();
    campaign.runs[2].run.evalStatus = storage::RunStatus::Failed;
    campaign.runs[2].run.error = QStringLiteral("INT8 needs 9 GiB, 4 are free: untick FP16.");
    RunsModel model;
    model.setSummary(campaign);
    QCOMPARE(cell(model, 2, "Status"), QStringLiteral("failed"));
    QCOMPARE(model.index(2, columnOf("Status")).data(Qt::ToolTipRole).toString(), campaign.runs[2].run.error);
}

void TestRuns::sameRunsKeepTheSelection() {
    RunsView view;
    view.setSummary(test::syntheticCampaignAfter(2));
    QSignalSpy selected(&view, &RunsView::runSelected);
    view.selectRun(104);
    QCOMPARE(selected.size(), 0); // told, not chosen by the user
    view.setSummary(test::syntheticCampaign());
    QCOMPARE(view.currentRun(), storage::Id(104));
    QTest::keyClick(&view, Qt::Key_Down);
    QCOMPARE(selected.size(), 1);
    QCOMPARE(selected[0][0].toLongLong(), 105);
}

void TestRuns::sortsByNumberWithMissingLast() {
    RunsView view;
    view.setSummary(test::syntheticCampaignAfter(6)); // the last three have no data
    view.sortByColumn(columnOf("TPOT p50, ms"), Qt::AscendingOrder);
    QCOMPARE(shownOrder(view).first(), storage::Id(107)); // 1.88 ms: by number, not by text
    QCOMPARE(shownOrder(view)[6], storage::Id(102));      // 9.6 ms
    view.sortByColumn(columnOf("TPOT p50, ms"), Qt::DescendingOrder);
    QCOMPARE(shownOrder(view).first(), storage::Id(102));
    QCOMPARE(shownOrder(view)[6], storage::Id(107));
}

void TestRuns::copiesAsTabSeparated() {
    RunsView view;
    view.setSummary(test::syntheticCampaign());
    QCOMPARE(view.tabSeparated().count(u'\n'), 11);
    view.selectRun(103);
    QTest::keyClick(&view, Qt::Key_C, Qt::ControlModifier);
    const QStringList lines = QGuiApplication::clipboard()->text().split(u'\n', Qt::SkipEmptyParts);
    QCOMPARE(lines.size(), 2);
    QCOMPARE(lines[0].count(u'\t'), runColumns().size() - 1);
    QCOMPARE(lines[1].count(u'\t'), runColumns().size() - 1);
    QVERIFY(lines[1].contains(QStringLiteral("INT8 (W8A8)\t1\tdone\t164 / 164\t71.3 [64.0, 77.7]")));
}

void TestRuns::energyIsShownWhereThereIsAny() {
    RunsView view;
    auto campaign = test::syntheticCampaign();
    view.setSummary(campaign);
    const int column = columnOf("Energy J/token");
    QVERIFY(!view.isColumnHidden(column));
    QVERIFY(view.tabSeparated().contains(QStringLiteral("Energy J/token")));
    QVERIFY(view.columnWidth(column) > 0);
    for (auto& run : campaign.runs)
        run.metrics.remove(QStringLiteral("energy_per_token_j"));
    view.setSummary(campaign);
    QVERIFY(view.isColumnHidden(column));
    QVERIFY(!view.tabSeparated().contains(QStringLiteral("Energy")));
    campaign.runs[0].metrics.insert(QStringLiteral("energy_per_token_j"), 2.1);
    view.setSummary(campaign);
    QVERIFY(!view.isColumnHidden(column) && view.columnWidth(column) > 0);
}

void TestRuns::baselineIsAskedFor() {
    RunsView view;
    view.setSummary(test::syntheticCampaign());
    QSignalSpy asked(&view, &RunsView::baselineRequested);
    view.selectRun(105);
    view.useCurrentAsBaseline();
    QCOMPARE(asked.size(), 1);
    QCOMPARE(asked[0][0].toLongLong(), 105);
    view.selectRun(101); // is the baseline already
    view.useCurrentAsBaseline();
    QCOMPARE(asked.size(), 1);
}

QTEST_MAIN(TestRuns)
#include "tst_runs.moc"
