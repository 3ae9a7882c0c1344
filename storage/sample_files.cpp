// SPDX-License-Identifier: Apache-2.0
#include "storage/sample_files.h"

#include "engine/files/input_file.h"
#include "engine/json/json_fields.h"
#include "engine/samples/samples_reader.h"
#include "storage/engine_error.h"

#include <QHash>
#include <QSet>
#include <limits>

namespace quantscope::storage {
namespace {

QString fromUtf8(const std::string& text) {
    return QString::fromStdString(text);
}

tl::unexpected<quantscope::Error> badLine(const samples::FileSample& line, const std::string& what) {
    return make_error(ErrorCode::bad_input, line.where + ": " + what);
}

/// `result` and `passed` are both optional, but must agree: a file that contradicts itself is not scored by
/// guessing. A completion of null has failed, whatever else the line says.
quantscope::Expected<> readVerdict(JsonFields& fields, Sample& sample, const samples::FileSample& line) {
    const bool judged = fields.has("passed");
    const bool passed = fields.boolean_or("passed", false);
    const QString result = fromUtf8(fields.string_or("result", {}));
    if (fields.has("result"))
        setResultText(sample, result);
    else if (judged)
        sample.verdict = passed ? Verdict::Passed : Verdict::Failed;
    if (judged && passed != (sample.verdict == Verdict::Passed))
        return badLine(line, (passed ? "'passed' is true, but 'result' is \""
                                     : "'passed' is false, but 'result' is \"") +
                                 result.toStdString() + "\".");
    if (line.missing && sample.verdict != Verdict::Failed) {
        sample.verdict = Verdict::Failed;
        sample.detail = QStringLiteral("no completion: the samples file says null");
    }
    return {};
}

quantscope::Expected<Sample> readSample(const samples::FileSample& line, const nlohmann::json& object) {
    Sample sample;
    sample.taskId = fromUtf8(line.task_id);
    sample.completion = fromUtf8(line.code);
    JsonFields fields(object, line.where);
    const auto count = [&](const char* key, int fallback) {
        return static_cast<int>(fields.integer_or(key, fallback, 0, JsonFields::int_max));
    };
    const auto milliseconds = [&](const char* key) {
        return fields.number_or(key, 0.0, 0.0, std::numeric_limits<double>::max());
    };
    sample.sampleIndex = count("sample_index", -1);
    sample.stopReason = fromUtf8(fields.string_or("stop_reason", {}));
    sample.promptTokens = count("prompt_tokens", 0);
    sample.completionTokens = count("completion_tokens", 0);
    sample.ttftMs = milliseconds("ttft_ms");
    sample.totalMs = milliseconds("total_ms");
    auto verdict = readVerdict(fields, sample, line);
    if (!fields.result())
        return tl::unexpected(fields.result().error());
    if (!verdict)
        return tl::unexpected(verdict.error());
    return sample;
}

/// Hands out the sample indices of a file and refuses a key that comes twice.
class Indices {
  public:
    quantscope::Expected<> assign(Sample& sample, const samples::FileSample& line) {
        if (sample.sampleIndex < 0)
            sample.sampleIndex = next_[sample.taskId]++;
        const auto key = std::make_pair(sample.taskId, sample.sampleIndex);
        if (seen_.contains(key))
            return badLine(line, "expected each sample once, found " + line.task_id + " #" +
                                     std::to_string(sample.sampleIndex) + " again.");
        seen_ << key;
        return {};
    }

  private:
    QHash<QString, int> next_;
    QSet<std::pair<QString, int>> seen_;
};

void readProvenance(const nlohmann::json& object, SampleFile& file) {
    JsonFields fields(object, {});
    if (file.scheme.isEmpty() && fields.has("scheme")) {
        file.scheme = fromUtf8(fields.string_or("scheme", {}));
        file.batchSize = static_cast<int>(fields.integer_or("batch_size", 1, 1, JsonFields::int_max));
    }
}

samples::TaskNames namesOf(const QStringList& tasks) {
    std::vector<std::string> names;
    for (const QString& task : tasks)
        names.push_back(task.toStdString());
    return samples::TaskNames(std::move(names));
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

Expected<SampleFile> readSampleFile(const QString& path, const QStringList& tasks, bool strict) {
    const std::string name = path.toStdString();
    const auto text = read_text_file(name, samples::max_samples_bytes);
    if (!text)
        return tl::unexpected(storageError(text.error()));
    SampleFile found;
    Indices indices;
    QSet<QString> foreign;
    const auto report = samples::read_samples(
        *text, name, namesOf(tasks),
        [&](const samples::FileSample& line, const nlohmann::json& object) -> quantscope::Expected<> {
            auto sample = readSample(line, object);
            if (!sample)
                return tl::unexpected(sample.error());
            if (auto assigned = indices.assign(*sample, line); !assigned)
                return assigned;
            readProvenance(object, found);
            if (!line.task && !tasks.isEmpty())
                foreign << sample->taskId;
            found.samples << *std::move(sample);
            return {};
        });
    if (!report)
        return tl::unexpected(storageError(report.error()));
    const QString aside = fromUtf8(samples::set_aside_sentence(report->set_aside, name));
    if (strict && !aside.isEmpty())
        return makeError(ErrorKind::BadInput, aside,
                         QStringLiteral("Mend these lines, or leave out --strict."));
    if (!aside.isEmpty())
        found.notes << aside;
    for (const std::string& note : report->notes)
        found.notes << QStringLiteral("%1: %2").arg(path, fromUtf8(note));
    if (!foreign.isEmpty())
        found.notes
            << QStringLiteral("%1 of its tasks are not among the campaign's problems.").arg(foreign.size());
    return found;
}

} // namespace quantscope::storage
