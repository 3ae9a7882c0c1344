// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"
#include "storage/values.h"

namespace quantscope::storage {

struct Repositories;

// Each writes one file whole or not at all (a file of that name stays as it was until the new one is
// complete), and returns how many lines of data it has. Errors: NotFound, DiskFull or Io naming the file,
// database's.

/// One run as samples.jsonl or samples.jsonl_results.jsonl; see sample_files.h.
[[nodiscard]] Expected<int> exportSamples(Repositories& repositories, Id runId, const QString& path);
[[nodiscard]] Expected<int> exportResults(Repositories& repositories, Id runId, const QString& path);

/// All runs of a campaign, one line a sample or a timed request. RFC 4180; `itl_ms` holds the gaps joined by
/// ";".
[[nodiscard]] Expected<int> exportResultsCsv(Repositories& repositories, Id campaignId, const QString& path);
[[nodiscard]] Expected<int> exportLatencyCsv(Repositories& repositories, Id campaignId, const QString& path);
[[nodiscard]] Expected<int> exportLatencyJsonl(Repositories& repositories, Id campaignId,
                                               const QString& path);

} // namespace quantscope::storage
