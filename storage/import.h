// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"
#include "storage/values.h"

#include <QStringList>

namespace quantscope::storage {

class Database;

struct Imported {
    Run run;
    int samples = 0;
    int scored = 0;
    QStringList notes; ///< sentences: lines set aside and why, tasks that the campaign does not have
};

struct ImportSettings {
    QString name;        ///< of the run; empty: the scheme that the file names, or the file's own name
    bool strict = false; ///< a line that is no sample is an error
};

/// Adds a samples or results file to a campaign as a run of its own, in one transaction. Its scheme id is
/// "imported:NAME"; whatever the name is, it is kept as text. Samples of tasks that the campaign does not
/// have count for that run alone. Errors: BadInput (the file, or a second import of that name), NotFound (the
/// campaign), database's.
[[nodiscard]] Expected<Imported> importSampleFile(Database& database, Id campaignId, const QString& path,
                                                  const ImportSettings& settings = {});

} // namespace quantscope::storage
