// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"
#include "ui/charts/chart_options.h"

#include <QByteArray>
#include <QImage>
#include <QString>

/// Charts as files. Needs a QApplication (the "offscreen" platform will do) and the GUI thread.
namespace quantscope::ui {

enum class ChartFormat { Png, Svg, Pdf, Csv };

/// The format that a file name's ending asks for; nullopt when it is none of png, svg, pdf, csv.
std::optional<ChartFormat> chartFormatOf(const QString& fileName);

/// The chart's bytes in a format. Csv ignores size and colours. Never empty for a campaign with or without
/// data: without data the chart says so.
QByteArray renderChart(const storage::CampaignSummary& summary, ChartKind kind, ChartFormat format,
                       const ChartOptions& options = {});

/// The chart as an image, at `options.size` times `scale` pixels.
QImage chartImage(const storage::CampaignSummary& summary, ChartKind kind, const ChartOptions& options = {},
                  qreal scale = 1.0);

/// The chart's table twin: one line a run with every number that the chart shows; RFC 4180, units in the
/// column names, numbers with a point whatever the locale, empty where there is no data.
QString chartCsv(const storage::CampaignSummary& summary, ChartKind kind);

/// Writes atomically (an existing file stays as it was when something fails).
/// Returns an empty string, or the sentence that says what went wrong.
[[nodiscard]] QString saveChart(const QString& fileName, const storage::CampaignSummary& summary,
                                ChartKind kind, const ChartOptions& options = {});

} // namespace quantscope::ui
