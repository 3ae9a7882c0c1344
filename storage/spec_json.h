// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"
#include "storage/values.h"

#include <QJsonObject>

namespace quantscope::storage {

/// A spec as JSON, as the database keeps it and as `--json` prints it. The seed is a decimal string, because
/// a JSON number cannot hold 64 bits.
[[nodiscard]] QJsonObject specToJson(const CampaignSpec& spec);

/// The reverse, of what specToText() writes. Absent fields get their defaults, unknown ones are ignored; a
/// field of the wrong type or out of range is BadInput, naming the field, what was expected and what was
/// found.
[[nodiscard]] Expected<CampaignSpec> specFromText(const QByteArray& utf8);
[[nodiscard]] QByteArray specToText(const CampaignSpec& spec);

/// BadInput when the spec cannot be run or stored: a scheme or batch size named twice or empty, numbers out
/// of range.
[[nodiscard]] Expected<> checkSpec(const CampaignSpec& spec);

} // namespace quantscope::storage
