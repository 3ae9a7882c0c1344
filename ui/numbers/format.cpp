// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/numbers/format.h"

#include <QStringList>

#include <array>
#include <cmath>

namespace quantscope::ui {

namespace {

constexpr QChar minusSign{0x2212};
constexpr QChar noBreakSpace{0x00A0};

QString withUnit(const QString& number, const QString& unit) {
    return number + noBreakSpace + unit;
}

} // namespace

QString formatNumber(double value) {
    if (!std::isfinite(value))
        return QStringLiteral("–");
    const double size = std::abs(value);
    int decimals = 0;
    if (size < 0.9995)
        decimals = 3;
    else if (size < 9.995)
        decimals = 2;
    else if (size < 99.95)
        decimals = 1;
    return QString::number(value, 'f', decimals);
}

QString formatMs(double milliseconds) {
    return withUnit(formatNumber(milliseconds), QStringLiteral("ms"));
}

QString formatLimit(double milliseconds) {
    return withUnit(QString::number(milliseconds, 'g', 6), QStringLiteral("ms"));
}

ByteUnit byteUnitFor(double largest) {
    constexpr double kib = 1024.0;
    static const std::array<ByteUnit, 4> units{{{kib * kib * kib, QStringLiteral("GiB")},
                                                {kib * kib, QStringLiteral("MiB")},
                                                {kib, QStringLiteral("KiB")},
                                                {1.0, QStringLiteral("B")}}};
    for (const ByteUnit& unit : units)
        if (largest >= unit.bytes)
            return unit;
    return units.back();
}

QString formatBytes(double bytes) {
    const ByteUnit unit = byteUnitFor(bytes);
    return withUnit(unit.bytes == 1.0 ? QString::number(bytes, 'f', 0) : formatNumber(bytes / unit.bytes),
                    unit.name);
}

QString formatPercent(double fraction) {
    return withUnit(QString::number(fraction * 100.0, 'f', 1), QStringLiteral("%"));
}

QString formatInterval(const storage::Interval& fractions) {
    return withUnit(QStringLiteral("%1 to %2")
                        .arg(QString::number(fractions.low * 100.0, 'f', 1),
                             QString::number(fractions.high * 100.0, 'f', 1)),
                    QStringLiteral("%"));
}

QString formatPoints(double fraction) {
    QString digits = QString::number(std::abs(fraction) * 100.0, 'f', 1);
    if (digits == QLatin1String("0.0"))
        return digits;
    return (fraction < 0 ? minusSign : QChar(u'+')) + digits;
}

QString formatPointsInterval(const storage::Interval& fractions) {
    return QStringLiteral("%1 to %2").arg(formatPoints(fractions.low), formatPoints(fractions.high));
}

QString formatP(double p) {
    return p < 0.001 ? QStringLiteral("< 0.001") : QString::number(std::min(p, 1.0), 'f', p < 0.1 ? 3 : 2);
}

QString formatDuration(double seconds) {
    const auto whole = static_cast<qint64>(std::llround(std::max(0.0, seconds)));
    if (whole < 60)
        return QStringLiteral("%1 s").arg(whole);
    if (whole < 3600)
        return QStringLiteral("%1 min %2 s").arg(whole / 60).arg(whole % 60);
    return QStringLiteral("%1 h %2 min").arg(whole / 3600).arg(whole % 3600 / 60);
}

QString formatDateTime(const QDateTime& time) {
    return time.isValid() ? time.toLocalTime().toString(QStringLiteral("yyyy-MM-dd HH:mm"))
                          : QStringLiteral("–");
}

QString statusWord(storage::RunStatus status) {
    switch (status) {
    case storage::RunStatus::Planned: return QStringLiteral("planned");
    case storage::RunStatus::Running: return QStringLiteral("running");
    case storage::RunStatus::Done: return QStringLiteral("done");
    case storage::RunStatus::Partial: return QStringLiteral("partial");
    case storage::RunStatus::Failed: return QStringLiteral("failed");
    case storage::RunStatus::Cancelled: return QStringLiteral("cancelled");
    }
    return QStringLiteral("unknown");
}

bool hasLimits(const storage::Budget& budget) {
    return budget.ttftP99Ms || budget.tpotP99Ms || budget.e2eP99Ms;
}

QString budgetLimits(const storage::Budget& budget) {
    QStringList limits;
    if (budget.ttftP99Ms)
        limits += QStringLiteral("TTFT p99 ≤ %1").arg(formatLimit(*budget.ttftP99Ms));
    if (budget.tpotP99Ms)
        limits += QStringLiteral("TPOT p99 ≤ %1").arg(formatLimit(*budget.tpotP99Ms));
    if (budget.e2eP99Ms)
        limits += QStringLiteral("prompt and %1 tokens p99 ≤ %2")
                      .arg(budget.e2eTokens)
                      .arg(formatLimit(*budget.e2eP99Ms));
    return limits.join(QStringLiteral(", "));
}

} // namespace quantscope::ui
