// SPDX-License-Identifier: Apache-2.0
#include "storage/words.h"

#include <array>
#include <utility>

namespace quantscope::storage {
namespace {

constexpr std::array<std::pair<RunStatus, const char*>, 6> kStatuses{{
    {RunStatus::Planned, "planned"},
    {RunStatus::Running, "running"},
    {RunStatus::Done, "done"},
    {RunStatus::Partial, "partial"},
    {RunStatus::Failed, "failed"},
    {RunStatus::Cancelled, "cancelled"},
}};

constexpr std::array<std::pair<Verdict, const char*>, 5> kVerdicts{{
    {Verdict::Passed, "passed"},
    {Verdict::Failed, "failed"},
    {Verdict::TimedOut, "timed_out"},
    {Verdict::Error, "error"},
    {Verdict::Unscored, "unscored"},
}};

template<class Table, class Value>
QString wordOf(const Table& table, Value value) {
    for (const auto& [enumerator, text] : table)
        if (enumerator == value)
            return QString::fromLatin1(text);
    return {};
}

template<class Value, class Table>
std::optional<Value> fromWord(const Table& table, const QString& word) {
    for (const auto& [enumerator, text] : table)
        if (word == QLatin1String(text))
            return enumerator;
    return std::nullopt;
}

} // namespace

QString word(RunStatus status) {
    return wordOf(kStatuses, status);
}
QString word(Verdict verdict) {
    return wordOf(kVerdicts, verdict);
}
std::optional<RunStatus> statusFromWord(const QString& word) {
    return fromWord<RunStatus>(kStatuses, word);
}
std::optional<Verdict> verdictFromWord(const QString& word) {
    return fromWord<Verdict>(kVerdicts, word);
}

QString timeText(const QDateTime& time) {
    return time.toUTC().toString(Qt::ISODateWithMs);
}
QDateTime timeFromText(const QString& text) {
    return QDateTime::fromString(text, Qt::ISODateWithMs);
}

} // namespace quantscope::storage
