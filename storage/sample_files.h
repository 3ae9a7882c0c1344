// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"
#include "storage/values.h"

#include <QJsonObject>

namespace quantscope::storage {

// The sample files of the HumanEval tools (github.com/openai/human-eval): one JSON object a line.
//   samples.jsonl                {task_id, completion}
//   samples.jsonl_results.jsonl  the same with result ("passed", "timed out", "failed: ...") and passed
// Other keys carry provenance; the original tools leave them alone.

/// One line of samples.jsonl: the sample and where it comes from.
[[nodiscard]] QJsonObject sampleLine(const Sample& sample, const Run& run, const Campaign& campaign);

/// The same with `result` and `passed`; `passed` is null for an unscored sample, which neither passed nor
/// failed.
[[nodiscard]] QJsonObject resultLine(const Sample& sample, const Run& run, const Campaign& campaign);

/// The result text of the original tools for a verdict, and back. Unknown texts are failures with that
/// detail.
[[nodiscard]] QString resultText(const Sample& sample);
void setResultText(Sample& sample, const QString& result);

/// What a samples or results file says. `runId` of the samples is 0.
struct SampleFile {
    QList<Sample> samples;
    QString scheme;    ///< of the first line that names one, else empty
    int batchSize = 1; ///< likewise
    QStringList notes; ///< sentences: lines set aside and why, tasks that are not among `tasks`
};

/// Reads either file, in any format of engine/samples/samples_reader.h. The index of a sample is its
/// `sample_index`, or else its place among the samples of its task. Lines that are no samples are set aside;
/// with `strict`, they are BadInput, as is a file without any sample.
/// @param tasks  the campaign's problems in their order, where they are known
[[nodiscard]] Expected<SampleFile> readSampleFile(const QString& path, const QStringList& tasks = {},
                                                  bool strict = false);

} // namespace quantscope::storage
