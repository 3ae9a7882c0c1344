// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"
#include "storage/values.h"

#include <QList>
#include <QString>

namespace quantscope::campaign {

/// One run of the matrix, before it has a row in storage.
struct Cell {
    QString schemeId;
    int batchSize = 1;
    friend bool operator==(const Cell&, const Cell&) = default;
};

enum class Measure { Latency, Eval };

/// One request to the worker: the latency of several cells that take turns, or the eval of one cell.
struct Step {
    Measure measure = Measure::Eval;
    int batchSize = 1;
    QList<int> cells; ///< indices into Plan::cells
    friend bool operator==(const Step&, const Step&) = default;
};

/// The matrix schemes x batch sizes in the order in which it is worked.
struct Plan {
    QList<Cell> cells; ///< batch size by batch size, schemes in the order asked for
    QList<Step> steps;
};

/// Per batch size: first the latency of all schemes, interleaved, which takes seconds and gives every point
/// of the trade-off chart its place, then the evals, scheme by scheme, which move the points up.
Plan planCampaign(const storage::CampaignSpec& spec);

/// "Llama-2-7b-hf: fp16, int8": the name of a campaign that was given none.
QString defaultCampaignName(const storage::CampaignSpec& spec);

/// What is wrong with a spec before anything is started, as a bad_input error; the known schemes are those of
/// the worker's hello (empty: not known yet, ids are not judged).
Expected<> checkSpec(const storage::CampaignSpec& spec, const QList<storage::SchemeInfo>& known = {});

/// Numbers such as "1,8" or "1, 8"; duplicates and everything outside 1..4096 are refused.
Expected<QList<int>> parseBatchSizes(const QString& text);

/// "fp16,int8": trimmed, not empty, without duplicates.
Expected<QStringList> parseSchemes(const QString& text);

} // namespace quantscope::campaign
