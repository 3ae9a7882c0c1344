// SPDX-License-Identifier: Apache-2.0
#include "storage/sample_files.h"

#include "storage/json_fields.h"

#include <QFile>
#include <QHash>
#include <QJsonDocument>
#include <QSet>
#include <cmath>

namespace quantscope::storage {
namespace {

constexpr qint64 kMaxLineBytes = 16 * 1024 * 1024;

const QString kOriginalTools = QStringLiteral(
    "Expected is one JSON object a line with task_id and completion, as the HumanEval tools write them.");

struct Place {
    QString file;
    int line;
};

tl::unexpected<Error> badLine(const Place& place, const QString& what) {
    return makeError(ErrorKind::BadInput,
                     QStringLiteral("%1, line %2: %3").arg(place.file, QString::number(place.line), what),
                     kOriginalTools);
}

Expected<QJsonObject> parseLine(const QByteArray& line, const Place& place) {
    QJsonParseError error;
    const QJsonDocument document = QJsonDocument::fromJson(line, &error);
    if (error.error != QJsonParseError::NoError)
        return badLine(place, QStringLiteral("expected a JSON object, found %1 at byte %2.")
                                  .arg(error.errorString(), QString::number(error.offset)));
    if (!document.isObject())
        return badLine(place, QStringLiteral("expected a JSON object, found an array."));
    return document.object();
}

/// `result` and `passed` are both optional, but must agree: a file that contradicts itself is not scored by
/// guessing.
Expected<> readVerdict(const QJsonObject& json, Sample& sample, const Place& place) {
    const QJsonValue result = json.value(QLatin1String("result"));
    const QJsonValue passed = json.value(QLatin1String("passed"));
    if (!(result.isUndefined() || result.isNull() || result.isString()))
        return badLine(place,
                       QStringLiteral("field result: expected a text, found %1.").arg(describe(result)));
    if (!(passed.isUndefined() || passed.isNull() || passed.isBool()))
        return badLine(
            place, QStringLiteral("field passed: expected true or false, found %1.").arg(describe(passed)));
    if (result.isString())
        setResultText(sample, result.toString());
    else if (passed.isBool())
        sample.verdict = passed.toBool() ? Verdict::Passed : Verdict::Failed;
    if (passed.isBool() && passed.toBool() != (sample.verdict == Verdict::Passed))
        return badLine(
            place, QStringLiteral("passed is %1, but result is %2.").arg(describe(passed), describe(result)));
    return {};
}

Expected<Sample> readSample(const QJsonObject& json, const Place& place) {
    for (const char* required : {"task_id", "completion"})
        if (!json.value(QLatin1String(required)).isString())
            return badLine(place,
                           QStringLiteral("field %1: expected a text, found %2.")
                               .arg(QLatin1String(required), describe(json.value(QLatin1String(required)))));
    Sample sample;
    sample.sampleIndex = -1;
    JsonFields fields(json, {});
    fields.read("task_id", sample.taskId);
    fields.read("completion", sample.completion);
    fields.read("sample_index", sample.sampleIndex);
    fields.read("stop_reason", sample.stopReason);
    fields.read("prompt_tokens", sample.promptTokens);
    fields.read("completion_tokens", sample.completionTokens);
    fields.read("ttft_ms", sample.ttftMs);
    fields.read("total_ms", sample.totalMs);
    if (fields.error())
        return badLine(place, fields.error()->message);
    if (sample.taskId.isEmpty())
        return badLine(place, QStringLiteral("field task_id: expected a name, found an empty text."));
    if (json.contains(QLatin1String("sample_index")) && sample.sampleIndex < 0)
        return badLine(
            place,
            QStringLiteral("field sample_index: expected 0 or more, found %1.").arg(sample.sampleIndex));
    return readVerdict(json, sample, place).map([&] { return sample; });
}

/// Hands out the sample indices of a file and refuses a key that comes twice.
class Indices {
  public:
    Expected<> assign(Sample& sample, const Place& place) {
        if (sample.sampleIndex < 0)
            sample.sampleIndex = next_[sample.taskId]++;
        const auto key = std::make_pair(sample.taskId, sample.sampleIndex);
        if (seen_.contains(key))
            return badLine(place, QStringLiteral("expected each sample once, found %1 #%2 again.")
                                      .arg(sample.taskId, QString::number(sample.sampleIndex)));
        seen_ << key;
        return {};
    }

  private:
    QHash<QString, int> next_;
    QSet<std::pair<QString, int>> seen_;
};

void readProvenance(const QJsonObject& json, SampleFile& file) {
    if (file.scheme.isEmpty() && json.value(QLatin1String("scheme")).isString()) {
        file.scheme = json.value(QLatin1String("scheme")).toString();
        file.batchSize = std::max(1, wholeNumber(json.value(QLatin1String("batch_size"))).value_or(1));
    }
}

} // namespace

QString resultText(const Sample& sample) {
    const QString detail = sample.detail.isEmpty() ? QString() : QStringLiteral(": ") + sample.detail;
    switch (sample.verdict) {
    case Verdict::Passed: return QStringLiteral("passed");
    case Verdict::TimedOut: return QStringLiteral("timed out");
    case Verdict::Failed: return QStringLiteral("failed") + detail;
    case Verdict::Error: return QStringLiteral("error") + detail;
    case Verdict::Unscored: break;
    }
    return QStringLiteral("unscored") + detail;
}

void setResultText(Sample& sample, const QString& result) {
    static const std::pair<const char*, Verdict> words[] = {{"passed", Verdict::Passed},
                                                            {"timed out", Verdict::TimedOut},
                                                            {"failed", Verdict::Failed},
                                                            {"error", Verdict::Error},
                                                            {"unscored", Verdict::Unscored}};
    for (const auto& [text, verdict] : words) {
        const QLatin1String prefix(text);
        if (result == prefix || result.startsWith(prefix + QLatin1String(": "))) {
            sample.verdict = verdict;
            sample.detail = result.mid(prefix.size() + 2);
            return;
        }
    }
    sample.verdict = Verdict::Failed;
    sample.detail = result;
}

QJsonObject sampleLine(const Sample& sample, const Run& run, const Campaign& campaign) {
    return {{QStringLiteral("task_id"), sample.taskId},
            {QStringLiteral("completion"), sample.completion},
            {QStringLiteral("sample_index"), sample.sampleIndex},
            {QStringLiteral("stop_reason"), sample.stopReason},
            {QStringLiteral("prompt_tokens"), sample.promptTokens},
            {QStringLiteral("completion_tokens"), sample.completionTokens},
            {QStringLiteral("ttft_ms"), sample.ttftMs},
            {QStringLiteral("total_ms"), sample.totalMs},
            {QStringLiteral("scheme"), run.schemeId},
            {QStringLiteral("batch_size"), run.batchSize},
            {QStringLiteral("campaign"), campaign.spec.name},
            {QStringLiteral("model"), campaign.spec.model},
            {QStringLiteral("model_hash"), campaign.modelHash},
            {QStringLiteral("problems_hash"), campaign.problemsHash},
            {QStringLiteral("protocol"), campaign.protocolId},
            {QStringLiteral("engine_version"), campaign.workerVersion},
            {QStringLiteral("device"), campaign.deviceName}};
}

QJsonObject resultLine(const Sample& sample, const Run& run, const Campaign& campaign) {
    QJsonObject line = sampleLine(sample, run, campaign);
    line.insert(QStringLiteral("result"), resultText(sample));
    line.insert(QStringLiteral("passed"), sample.verdict == Verdict::Unscored
                                              ? QJsonValue(QJsonValue::Null)
                                              : QJsonValue(sample.verdict == Verdict::Passed));
    return line;
}

Expected<SampleFile> readSampleFile(const QString& path) {
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly))
        return makeError(
            ErrorKind::Io,
            QStringLiteral("The sample file %1 cannot be read: %2.").arg(path, file.errorString()),
            QStringLiteral("Check the name and the permissions."));
    SampleFile found;
    Indices indices;
    for (Place place{path, 1}; !file.atEnd(); ++place.line) {
        const QByteArray line = file.readLine(kMaxLineBytes + 1);
        if (line.size() > kMaxLineBytes)
            return badLine(place,
                           QStringLiteral("expected at most %1 MiB, found more.").arg(kMaxLineBytes >> 20));
        if (line.trimmed().isEmpty())
            continue;
        const auto json = parseLine(line, place);
        if (!json)
            return tl::unexpected(json.error());
        auto sample = readSample(*json, place);
        if (!sample)
            return tl::unexpected(sample.error());
        if (auto assigned = indices.assign(*sample, place); !assigned)
            return tl::unexpected(assigned.error());
        readProvenance(*json, found);
        found.samples << *sample;
    }
    if (file.error() != QFileDevice::NoError)
        return makeError(
            ErrorKind::Io,
            QStringLiteral("The sample file %1 cannot be read: %2.").arg(path, file.errorString()));
    if (found.samples.isEmpty())
        return makeError(ErrorKind::BadInput,
                         QStringLiteral("The sample file %1 holds no samples.").arg(path), kOriginalTools);
    return found;
}

} // namespace quantscope::storage
