// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"
#include "storage/reader.h"

#include <QStringList>

/// Files made of a campaign. Each function returns the paths written; those that draw need a QApplication.
namespace quantscope::cli {

/// trade-off, latency and memory in one format: "png", "svg", "pdf" or "csv".
Expected<QStringList> writeCharts(const storage::CampaignSummary& summary, const QString& folder,
                                  const QString& format);

Expected<> writeHtmlReport(const storage::CampaignSummary& summary, const QString& file,
                           const QString& database);

/// samples-SCHEME-bBATCH.jsonl for each run with samples; with results, ..._results.jsonl.
Expected<QStringList> writeSamples(storage::Reader& reader, const storage::CampaignSummary& summary,
                                   const QString& folder, bool results);

/// results.csv, latency.csv or latency.jsonl: all runs in one file.
Expected<QStringList> writeTable(storage::Reader& reader, storage::Id campaignId, const QString& folder,
                                 const QString& what, const QString& format);

/// Everything at once, into one folder: report, charts as PNG and SVG, samples, results, latencies,
/// summary.json.
Expected<QStringList> writeAll(storage::Reader& reader, const storage::CampaignSummary& summary,
                               const QString& folder);

} // namespace quantscope::cli
