// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"
#include "storage/values.h"

namespace quantscope::storage {

class Database;

struct Imported {
    Run run;
    int samples = 0;
    int scored = 0;
};

/// Adds a samples or results file to a campaign as a run of its own, in one transaction. Its scheme id is
/// "imported:NAME", where NAME is `name`, or the scheme the file names, or the file's own name; whatever it
/// is, it is kept as text. Errors: BadInput (the file, or a second import of that name), NotFound (the
/// campaign), database's.
[[nodiscard]] Expected<Imported> importSampleFile(Database& database, Id campaignId, const QString& path,
                                                  const QString& name = {});

} // namespace quantscope::storage
