// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QStringList>

namespace quantscope::storage {

/// The statements that make version 1 of the schema in an empty file.
[[nodiscard]] QStringList schemaV1();

} // namespace quantscope::storage
