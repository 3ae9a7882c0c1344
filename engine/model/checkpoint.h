// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/config.h"
#include "engine/model/tensor.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quantscope {

/// A Hugging Face Llama folder: config.json and memory-mapped safetensors (single file or sharded index).
class Checkpoint {
  public:
    /// Opens and validates headers, offsets, dtypes and the shapes that the config demands.
    /// Tensors that the graph does not need (rotary_emb.inv_freq, a tied lm_head) are ignored.
    /// Weight values are not read here (NaN is found by to_f32's callers through check_finite()).
    /// Errors: io, bad_input, unsupported; each names file, tensor or key, expected, found, and a remedy.
    static Expected<std::shared_ptr<const Checkpoint>> open(const std::filesystem::path& folder);

    virtual ~Checkpoint() = default;
    virtual const ModelConfig& config() const = 0;
    virtual const std::filesystem::path& folder() const = 0;

    /// The named tensor. Errors: bad_input (missing, other shape than `shape`), each naming file and tensor.
    virtual Expected<TensorView> tensor(std::string_view name, std::span<const std::int64_t> shape) const = 0;

    /// Hash of config.json, generation_config.json, tokenizer.model and tokenizer.json with the settings
    /// beside it, and the weight files: the model's identity for resume. Hex, 32 digits. Weight files up to
    /// 256 MiB are hashed whole, larger ones by sample (see model_hash.h). Computed at the first call, which
    /// reads at most that much of the files; safe to call from several threads.
    virtual std::string hash() const = 0;
    /// Weights of the graph; tied embeddings count once.
    virtual std::int64_t parameter_count() const = 0;
};

} // namespace quantscope
