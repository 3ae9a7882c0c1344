// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QString>

/// Numbers as people read them. The point is the decimal sign everywhere, so that what is copied can be
/// pasted.
namespace quantscope::ui {

/// Three significant figures: "0.412", "4.12", "41.2", "412", "4120".
QString formatNumber(double value);

QString formatLimit(double milliseconds);                   ///< as it was set: "8 ms", "62.5 ms"
QString formatMs(double milliseconds);                      ///< "41.2 ms"
QString formatBytes(double bytes);                          ///< "12.6 GiB"
QString formatPercent(double fraction);                     ///< 0.128 -> "12.8 %"
QString formatInterval(const storage::Interval& fractions); ///< "8.5 to 18.8 %"
QString formatPoints(double fraction); ///< a difference of fractions, with its sign: "−1.2", "+0.6", "0.0"
QString formatPointsInterval(const storage::Interval& fractions); ///< "−3.7 to +1.2"
QString formatP(double p);                                        ///< "0.034", "< 0.001"
QString formatDuration(double seconds);                           ///< "45 s", "3 min 10 s", "2 h 5 min"
QString formatDateTime(const QDateTime& time);                    ///< "2026-11-23 14:20"

QString statusWord(storage::RunStatus status);

/// The limits of a budget in words: "TTFT p99 ≤ 450 ms, TPOT p99 ≤ 40 ms"; empty without limits.
QString budgetLimits(const storage::Budget& budget);
bool hasLimits(const storage::Budget& budget);

/// The unit that keeps numbers up to `largest` bytes short, as {bytes in a unit, "MiB"}.
struct ByteUnit {
    double bytes;
    QString name;
};
ByteUnit byteUnitFor(double largest);

} // namespace quantscope::ui
