// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace quantscope {

/// How RoPE frequencies are changed for long contexts ("rope_scaling" in config.json).
struct RopeScaling {
    enum class Kind { none, linear, llama3, yarn };
    Kind kind = Kind::none;
    double factor = 1.0;
    double low_freq_factor = 1.0;             ///< llama3
    double high_freq_factor = 4.0;            ///< llama3
    int original_max_position_embeddings = 0; ///< llama3, yarn
    double beta_fast = 32.0;       ///< yarn: turns in the original context above which nothing changes
    double beta_slow = 1.0;        ///< yarn: below which a frequency is divided by `factor`
    bool truncate = true;          ///< yarn: the dimensions between are whole numbers
    double attention_factor = 1.0; ///< yarn: of cosines and sines
};

/// The parts of a Hugging Face config.json that the Llama graph needs. All sizes are > 0 and consistent
/// after read_model_config() succeeded.
struct ModelConfig {
    std::string name; ///< of the folder, or of the repository whose snapshot it is
    std::string
        architecture; ///< "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"
    int hidden_size = 0;
    int intermediate_size = 0;
    int num_hidden_layers = 0;
    int num_attention_heads = 0;
    int num_key_value_heads = 0;
    int head_dim = 0;
    int vocab_size = 0;
    int max_position_embeddings = 0; ///< at most the sliding window, where there is one
    double rms_norm_eps = 1e-5;
    double rope_theta = 10000.0;
    RopeScaling rope_scaling;
    bool tie_word_embeddings = false;
    bool qkv_bias = false; ///< q_proj, k_proj and v_proj have a bias
    bool o_bias = false;   ///< o_proj has one
    bool mlp_bias = false; ///< gate_proj, up_proj and down_proj have one
    bool qk_norm = false;  ///< RMSNorm of each head of q and k before RoPE
    int bos_token_id = -1; ///< -1: none is named
    /// Any of them ends a sequence. From generation_config.json where that names some, as in transformers'
    /// generate(); empty where no file names one (the tokenizer may).
    std::vector<int> eos_token_ids;
    /// What a person should know about how the files were read; sentences.
    std::vector<std::string> notices;
};

/// Reads and checks `folder/config.json`, and generation_config.json where there is one. Errors: io,
/// bad_input, unsupported; each names file, key, expected, found.
Expected<ModelConfig> read_model_config(const std::filesystem::path& folder);

/// The text of `folder/config.json`. Errors: io, bad_input (far too large).
Expected<std::string> read_model_config_text(const std::filesystem::path& folder);

/// The text of `folder/generation_config.json`; "" where there is none. Errors: io, bad_input.
Expected<std::string> read_generation_config_text(const std::filesystem::path& folder);

/// Takes over what this text of a generation_config.json says ("": nothing). Errors: bad_input.
Expected<> apply_generation_config(std::string_view text, const std::filesystem::path& folder,
                                   ModelConfig& config);

/// As read_model_config(), from config.json's text alone; `folder` serves the name and the messages.
Expected<ModelConfig> parse_model_config(std::string_view text, const std::filesystem::path& folder);

} // namespace quantscope
