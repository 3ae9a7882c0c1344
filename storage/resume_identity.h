// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"
#include "storage/values.h"

namespace quantscope::storage {

/// What must be the same for stored samples to be continued. An empty field is "not known" and is not
/// compared.
struct ResumeIdentity {
    QString modelHash;
    QStringList schemes; ///< order does not matter
    QString problemsHash;
    QString protocolId;
    QString engineVersion;
    QString deviceName; ///< latencies of two devices must not end in one run
};

[[nodiscard]] ResumeIdentity identityOf(const Campaign& campaign);

/// One sentence a difference ("The model is another one: stored hash ..., found ..."); empty when the same.
[[nodiscard]] QStringList differences(const ResumeIdentity& stored, const ResumeIdentity& found);

/// BadInput, saying all that differs, when the campaign cannot be resumed.
[[nodiscard]] Expected<> checkResume(const Campaign& campaign, const ResumeIdentity& found);

} // namespace quantscope::storage
