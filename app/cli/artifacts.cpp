// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/artifacts.h"

#include "app/campaign/errors.h"
#include "app/cli/stored_campaign.h"
#include "app/cli/summary_json.h"
#include "storage/export.h"
#include "ui/charts/chart_export.h"
#include "ui/files/save_file.h"
#include "ui/report/html_report.h"

#include <QDir>
#include <QJsonDocument>
#include <QSet>

#include <array>

namespace quantscope::cli {
namespace {

/// The ui's way to report an error: a sentence, or nothing.
Expected<> written(const QString& problem) {
    if (problem.isEmpty()) {
        return {};
    }
    return make_error(ErrorCode::io, problem.toStdString());
}

/// A scheme id as part of a file name: "imported:x/y" must not leave the folder, nor be longer than a name
/// may.
QString fileNamePart(const QString& id) {
    constexpr qsizetype longest = 50; // of up to four bytes each
    QString name;
    for (const QChar c : id.left(longest)) {
        const bool safe = (c.isLetterOrNumber() && !c.isSurrogate()) || c == QLatin1Char('-') ||
                          c == QLatin1Char('+') || c == QLatin1Char('_');
        name += safe ? c : QLatin1Char('_');
    }
    return name;
}

/// `name`, or with a number where another id's file has it already ("a/b" and "a_b" are written alike).
QString unusedName(const QString& name, QSet<QString>& used) {
    QString unused = name;
    for (int number = 2; used.contains(unused); ++number) {
        unused = name + QLatin1Char('-') + QString::number(number);
    }
    used.insert(unused);
    return unused;
}

struct NamedChart {
    ui::ChartKind kind;
    const char* name;
};
constexpr std::array charts{NamedChart{ui::ChartKind::TradeOff, "trade-off"},
                            NamedChart{ui::ChartKind::Latency, "latency"},
                            NamedChart{ui::ChartKind::Memory, "memory"}};

} // namespace

Expected<QStringList> writeCharts(const storage::CampaignSummary& summary, const QString& folder,
                                  const QString& format) {
    QStringList files;
    for (const NamedChart& chart : charts) {
        // The requests behind the latency chart are exported as latency.csv.
        const bool taken = chart.kind == ui::ChartKind::Latency && format == QLatin1String("csv");
        const QString file = QDir(folder).filePath(
            QLatin1String(chart.name) + (taken ? QStringLiteral("-chart.") : QStringLiteral(".")) + format);
        if (const auto saved = written(ui::saveChart(file, summary, chart.kind)); !saved) {
            return tl::unexpected(saved.error());
        }
        files << file;
    }
    return files;
}

Expected<> writeHtmlReport(const storage::CampaignSummary& summary, const QString& file,
                           const QString& database) {
    ui::ReportOptions options;
    options.databasePath = database;
    return written(ui::saveHtmlReport(file, summary, options));
}

Expected<QStringList> writeSamples(storage::Reader& reader, const storage::CampaignSummary& summary,
                                   const QString& folder, bool results) {
    QStringList files;
    QSet<QString> used;
    for (const storage::RunSummary& run : summary.runs) {
        if (run.samplesStored == 0) {
            continue;
        }
        const QString name =
            unusedName(QStringLiteral("samples-%1-b%2")
                           .arg(fileNamePart(run.run.schemeId), QString::number(run.run.batchSize)),
                       used) +
            QStringLiteral(".jsonl") + (results ? QStringLiteral("_results.jsonl") : QString());
        const QString file = QDir(folder).filePath(name);
        const auto lines = results ? storage::exportResults(reader.repositories, run.run.id, file)
                                   : storage::exportSamples(reader.repositories, run.run.id, file);
        if (!lines) {
            return tl::unexpected(campaign::appError(lines.error()));
        }
        files << file;
    }
    return files;
}

Expected<QStringList> writeTable(storage::Reader& reader, storage::Id campaignId, const QString& folder,
                                 const QString& what, const QString& format) {
    const QString file = QDir(folder).filePath(what + QLatin1Char('.') + format);
    const auto lines =
        what == QLatin1String("results") ? storage::exportResultsCsv(reader.repositories, campaignId, file)
        : format == QLatin1String("csv") ? storage::exportLatencyCsv(reader.repositories, campaignId, file)
                                         : storage::exportLatencyJsonl(reader.repositories, campaignId, file);
    if (!lines) {
        return tl::unexpected(campaign::appError(lines.error()));
    }
    return QStringList{file};
}

Expected<QStringList> writeAll(storage::Reader& reader, const storage::CampaignSummary& summary,
                               const QString& folder) {
    QStringList files;
    std::optional<Error> error;
    const auto take = [&](Expected<QStringList> more) {
        if (!more && !error) {
            error = more.error();
        }
        if (more) {
            files << *more;
        }
    };
    const QString report = QDir(folder).filePath(QStringLiteral("report.html"));
    const QString json = QDir(folder).filePath(QStringLiteral("summary.json"));
    take(makeFolder(folder).map([] { return QStringList(); }));
    take(writeHtmlReport(summary, report, reader.database().path()).map([&] { return QStringList{report}; }));
    take(writeCharts(summary, folder, QStringLiteral("png")));
    take(writeCharts(summary, folder, QStringLiteral("svg")));
    take(writeSamples(reader, summary, folder, false));
    take(writeSamples(reader, summary, folder, true));
    take(writeTable(reader, summary.campaign.id, folder, QStringLiteral("latency"), QStringLiteral("csv")));
    take(written(ui::saveFile(json, QJsonDocument(summaryJson(summary)).toJson())).map([&] {
        return QStringList{json};
    }));
    if (error) {
        return tl::unexpected(*error);
    }
    return files;
}

} // namespace quantscope::cli
