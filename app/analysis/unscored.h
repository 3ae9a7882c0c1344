// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/sample_repository.h"

#include <QString>

namespace quantscope::analysis {

/// "3 problems cannot be judged here: ModuleNotFoundError: No module named 'numpy'.", with the commonest of
/// the reasons; empty when every sample has a verdict.
QString unscoredSentence(const QList<storage::UnscoredReason>& reasons);

} // namespace quantscope::analysis
