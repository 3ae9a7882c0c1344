// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QString>

namespace quantscope::storage {

/// What the model of this folder is called: as the folder, or "ORG/NAME" where that is a snapshot in the
/// Hugging Face cache (models--ORG--NAME/snapshots/HASH). The path need not exist here: the model may be on
/// another host.
QString modelFolderName(const QString& path);

} // namespace quantscope::storage
