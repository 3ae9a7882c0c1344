// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/checkpoint.h"

#include <memory>
#include <string>

namespace quantscope::worker {

/// A model without files, for timings: bf16 weights drawn around 0, norms of 1. Tensors are views of one
/// block of random numbers, each at a place that its name draws; a backend's own copies are as large as a
/// real model's.
/// @param shape  one of random_shapes(). Errors: bad_input (another shape), oom.
Expected<std::shared_ptr<const Checkpoint>> random_checkpoint(const std::string& shape);

/// "llama-2-7b, ...": sizes of published models, and "tiny".
std::string random_shapes();

} // namespace quantscope::worker
