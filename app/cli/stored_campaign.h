// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/analysis/campaign_analysis.h"
#include "engine/base/error.h"
#include "storage/reader.h"

#include <memory>

namespace quantscope::cli {

/// An existing database, opened for reading. Errors: bad_input naming the file when it is not there or not
/// ours.
Expected<std::unique_ptr<storage::Reader>> openDatabase(const QString& path);

/// A campaign's rows; id 0 is the newest. Errors: bad_input when there is none.
Expected<analysis::CampaignData> loadCampaign(storage::Reader& reader, storage::Id campaignId);

/// Both at once, summarized against `baselineScheme` (empty: the default). Errors: bad_input for a scheme
/// that the campaign has no run of, naming those it has.
Expected<storage::CampaignSummary> loadSummary(const QString& database, storage::Id campaignId,
                                               const QString& baselineScheme = {});

/// Makes a folder and those above it. Errors: io, naming it.
Expected<> makeFolder(const QString& path);

} // namespace quantscope::cli
