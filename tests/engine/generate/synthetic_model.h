// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QTemporaryDir>
#include <bit>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace quantscope::test {

/// Sizes of a random bf16 Llama that is written for one test: larger than what belongs into the repository.
struct SyntheticModel {
    int hidden = 512;
    int intermediate = 1536;
    int layers = 4;
    int heads = 8;
    int kv_heads = 8;
    int vocab = 1024;
    int context = 512;
};

/// bf16 values of a uniform distribution around 0 (around 1 for norms), a pure function of the index.
inline std::vector<std::uint16_t> synthetic_values(std::int64_t count, float centre, float spread,
                                                   std::uint32_t stream) {
    std::vector<std::uint16_t> values(static_cast<std::size_t>(count));
    std::uint32_t state = stream * 2654435761U + 1U;
    for (std::uint16_t& bits : values) {
        state = state * 1664525U + 1013904223U;
        const float unit = static_cast<float>(state >> 8U) * 0x1.0p-23F - 1.0F;
        bits = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(centre + spread * unit) >> 16U);
    }
    return values;
}

/// Writes config.json and model.safetensors into `folder`. `edit` may change a tensor's bf16 values.
inline void
write_synthetic_model(const std::string& folder, const SyntheticModel& model,
                      const std::function<void(const std::string&, std::vector<std::uint16_t>&)>& edit = {}) {
    const int head_dim = 64;
    nlohmann::json config = {{"architectures", {"LlamaForCausalLM"}},
                             {"model_type", "llama"},
                             {"hidden_act", "silu"},
                             {"hidden_size", model.hidden},
                             {"intermediate_size", model.intermediate},
                             {"num_hidden_layers", model.layers},
                             {"num_attention_heads", model.heads},
                             {"num_key_value_heads", model.kv_heads},
                             {"head_dim", head_dim},
                             {"vocab_size", model.vocab},
                             {"max_position_embeddings", model.context},
                             {"rms_norm_eps", 1e-5},
                             {"rope_theta", 10000.0},
                             {"tie_word_embeddings", false},
                             {"bos_token_id", 1},
                             {"eos_token_id", 2}};
    std::ofstream(folder + "/config.json") << config.dump(2);

    std::vector<std::pair<std::string, std::vector<int>>> tensors;
    tensors.push_back({"model.embed_tokens.weight", {model.vocab, model.hidden}});
    tensors.push_back({"lm_head.weight", {model.vocab, model.hidden}});
    tensors.push_back({"model.norm.weight", {model.hidden}});
    for (int i = 0; i < model.layers; ++i) {
        const std::string at = "model.layers." + std::to_string(i) + ".";
        tensors.push_back({at + "input_layernorm.weight", {model.hidden}});
        tensors.push_back({at + "post_attention_layernorm.weight", {model.hidden}});
        tensors.push_back({at + "self_attn.q_proj.weight", {model.heads * head_dim, model.hidden}});
        tensors.push_back({at + "self_attn.k_proj.weight", {model.kv_heads * head_dim, model.hidden}});
        tensors.push_back({at + "self_attn.v_proj.weight", {model.kv_heads * head_dim, model.hidden}});
        tensors.push_back({at + "self_attn.o_proj.weight", {model.hidden, model.heads * head_dim}});
        tensors.push_back({at + "mlp.gate_proj.weight", {model.intermediate, model.hidden}});
        tensors.push_back({at + "mlp.up_proj.weight", {model.intermediate, model.hidden}});
        tensors.push_back({at + "mlp.down_proj.weight", {model.hidden, model.intermediate}});
    }
    nlohmann::json header;
    std::vector<std::uint16_t> data;
    for (const auto& [name, shape] : tensors) {
        const bool norm = shape.size() == 1;
        std::int64_t count = 1;
        for (const int size : shape) {
            count *= size;
        }
        const float spread = norm ? 0.1F : 1.7F / std::sqrt(static_cast<float>(shape.back()));
        auto values =
            synthetic_values(count, norm ? 1.0F : 0.0F, spread, static_cast<std::uint32_t>(header.size()));
        if (edit) {
            edit(name, values);
        }
        const std::size_t start = data.size() * 2;
        data.insert(data.end(), values.begin(), values.end());
        header[name] = {{"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {start, data.size() * 2}}};
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    const std::uint64_t length = text.size();
    std::ofstream out(folder + "/model.safetensors", std::ios::binary);
    out.write(reinterpret_cast<const char*>(&length), sizeof length);
    out << text;
    out.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size() * 2));
}

} // namespace quantscope::test
