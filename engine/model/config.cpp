// SPDX-License-Identifier: Apache-2.0
#include "engine/model/config.h"

#include "engine/model/json_reader.h"
#include "engine/model/mapped_file.h"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

namespace quantscope {

namespace {

using nlohmann::json;

constexpr std::size_t max_config_bytes = 16U << 20U;
// Far beyond any published model, and small enough that no product of two of them overflows 64 bits.
constexpr int max_width = 1 << 22;
constexpr int max_layers = 4096;
constexpr int max_heads = 1 << 14;
constexpr int max_head_dim = 4096;
constexpr int max_positions = 1 << 28;

const char* const unsupported_model_hint = "Quantscope runs LlamaForCausalLM and MistralForCausalLM folders "
                                           "(Llama 2/3, Code Llama, Mistral 7B, ...).";

/// What transformers assumes when config.json leaves a key out.
struct Defaults {
    const char* architecture;
    const char* model_type;
    int num_key_value_heads; ///< 0: as many as attention heads
    int max_position_embeddings;
    int sliding_window; ///< 0: none
};
constexpr std::array<Defaults, 2> architectures = {{
    {"LlamaForCausalLM", "llama", 0, 2048, 0},
    {"MistralForCausalLM", "mistral", 8, 4096 * 32, 4096},
}};

const Defaults* find_architecture(const json& document, JsonFields& fields) {
    std::string found = "nothing";
    const auto list = document.find("architectures");
    const bool listed = list != document.end() && list->is_array() && !list->empty();
    if (listed && list->front().is_string()) {
        found = list->front().get<std::string>();
    }
    const std::string model_type = listed ? "" : fields.string_or("model_type", "");
    for (const Defaults& defaults : architectures) {
        if (found == defaults.architecture || model_type == defaults.model_type) {
            return &defaults;
        }
    }
    fields.fail(ErrorCode::unsupported, "architectures", "LlamaForCausalLM or MistralForCausalLM",
                found == "nothing" && !model_type.empty() ? "model type " + describe(model_type)
                                                          : describe(found),
                unsupported_model_hint);
    return nullptr;
}

void read_sizes(JsonFields& fields, const Defaults& defaults, ModelConfig& config) {
    const auto size = [&](const char* key, int max) { return static_cast<int>(fields.integer(key, 1, max)); };
    config.hidden_size = size("hidden_size", max_width);
    config.intermediate_size = size("intermediate_size", max_width);
    config.num_hidden_layers = size("num_hidden_layers", max_layers);
    config.num_attention_heads = size("num_attention_heads", max_heads);
    config.vocab_size = size("vocab_size", max_width);
    config.max_position_embeddings = static_cast<int>(
        fields.integer_or("max_position_embeddings", defaults.max_position_embeddings, 1, max_positions));

    const int heads = config.num_attention_heads;
    const int default_kv_heads = defaults.num_key_value_heads == 0 ? heads : defaults.num_key_value_heads;
    config.num_key_value_heads =
        static_cast<int>(fields.integer_or("num_key_value_heads", default_kv_heads, 1, max_heads));
    if (heads % config.num_key_value_heads != 0) {
        fields.fail(ErrorCode::bad_input, "num_key_value_heads",
                    fmt::format("a divisor of num_attention_heads ({})", heads),
                    std::to_string(config.num_key_value_heads));
    }
    if (!fields.has("head_dim") && config.hidden_size % heads != 0) {
        fields.fail(ErrorCode::bad_input, "num_attention_heads",
                    fmt::format("a divisor of hidden_size ({}), as there is no head_dim", config.hidden_size),
                    std::to_string(heads));
    }
    config.head_dim = static_cast<int>(
        fields.integer_or("head_dim", std::max(config.hidden_size / heads, 1), 1, max_head_dim));
    if (config.head_dim % 2 != 0) {
        fields.fail(ErrorCode::bad_input, "head_dim", "an even number (RoPE turns pairs)",
                    std::to_string(config.head_dim));
    }
}

/// null switches a thing off, whereas a missing key means transformers' default.
bool has_null(const json& document, const char* key) {
    const auto found = document.find(key);
    return found != document.end() && found->is_null();
}

void check_rotary_factor(JsonFields& fields) {
    const double rotary = fields.number_or("partial_rotary_factor", 1.0, 0.0, 1.0);
    if (rotary != 1.0) {
        fields.fail(ErrorCode::unsupported, "partial_rotary_factor", "1", fmt::format("{}", rotary),
                    unsupported_model_hint);
    }
}

/// The graph's fixed parts: what another value would change in the arithmetic.
void check_graph(const json& document, JsonFields& fields, const Defaults& defaults,
                 const ModelConfig& config) {
    const std::string activation = fields.string_or("hidden_act", "silu");
    if (activation != "silu") {
        fields.fail(ErrorCode::unsupported, "hidden_act", "\"silu\"", describe(activation),
                    unsupported_model_hint);
    }
    for (const char* key : {"attention_bias", "mlp_bias"}) {
        if (fields.boolean_or(key, false)) {
            fields.fail(ErrorCode::unsupported, key, "false", "true",
                        "Linears with a bias are not implemented: choose another model.");
        }
    }
    if (fields.has("quantization_config")) {
        fields.fail(ErrorCode::unsupported, "quantization_config", "none", "one",
                    "Quantscope quantizes by itself: choose the model's F32, F16 or BF16 folder.");
    }
    check_rotary_factor(fields);
    if (defaults.sliding_window != 0 && !has_null(document, "sliding_window")) {
        const auto window = fields.integer_or("sliding_window", defaults.sliding_window, 1, max_positions);
        if (window < config.max_position_embeddings) {
            fields.fail(
                ErrorCode::unsupported, "sliding_window",
                fmt::format("null, or at least max_position_embeddings ({})", config.max_position_embeddings),
                std::to_string(window),
                fmt::format("Sliding-window attention is not implemented. For contexts up to {0} tokens the "
                            "graph is the same: set max_position_embeddings to {0} in a copy of the folder.",
                            window));
        }
    }
}

void read_scaling(const json& object, const std::string& where, const char* key, ModelConfig& config,
                  JsonFields& parent) {
    JsonFields fields(object, where, std::string(key) + ".");
    RopeScaling& scaling = config.rope_scaling;
    const std::string kind = fields.string_or("rope_type", fields.string_or("type", "default"));
    if (kind == "linear") {
        scaling.kind = RopeScaling::Kind::linear;
        scaling.factor = fields.number("factor", 1.0, 1e6);
    } else if (kind == "llama3") {
        scaling.kind = RopeScaling::Kind::llama3;
        scaling.factor = fields.number("factor", 1.0, 1e6);
        scaling.low_freq_factor = fields.number("low_freq_factor", 1e-6, 1e6);
        scaling.high_freq_factor = fields.number("high_freq_factor", 1e-6, 1e6);
        scaling.original_max_position_embeddings = static_cast<int>(fields.integer_or(
            "original_max_position_embeddings", config.max_position_embeddings, 1, max_positions));
        if (scaling.high_freq_factor <= scaling.low_freq_factor) {
            fields.fail(ErrorCode::bad_input, "high_freq_factor",
                        fmt::format("a number above low_freq_factor ({})", scaling.low_freq_factor),
                        fmt::format("{}", scaling.high_freq_factor));
        }
    } else if (kind != "default") {
        fields.fail(ErrorCode::unsupported, fields.has("rope_type") ? "rope_type" : "type",
                    "\"default\", \"linear\" or \"llama3\"", describe(kind), unsupported_model_hint);
    }
    config.rope_theta = fields.number_or("rope_theta", config.rope_theta, 1e-3, 1e12);
    check_rotary_factor(fields);
    parent.merge(fields);
}

/// transformers 4 writes `rope_theta` and `rope_scaling`; transformers 5 puts both into `rope_parameters`.
/// Where both are there, it lets `rope_scaling` win.
void read_rope(const json& document, const std::string& where, JsonFields& fields, ModelConfig& config) {
    config.rope_theta = fields.number_or("rope_theta", 10000.0, 1e-3, 1e12);
    for (const char* key : {"rope_scaling", "rope_parameters"}) {
        if (!fields.has(key)) {
            continue;
        }
        if (!document[key].is_object()) {
            fields.fail(ErrorCode::bad_input, key, "an object or null", describe(document[key]));
            return;
        }
        if (!document[key].empty()) {
            read_scaling(document[key], where, key, config, fields);
            return;
        }
    }
}

void read_token_ids(const json& document, JsonFields& fields, ModelConfig& config) {
    const int last = config.vocab_size - 1;
    const auto single = [&](const char* key, int fallback) {
        const int missing = has_null(document, key) || fallback > last ? -1 : fallback;
        return static_cast<int>(fields.integer_or(key, missing, -1, last));
    };
    config.bos_token_id = single("bos_token_id", 1);
    const auto eos = document.find("eos_token_id");
    if (eos == document.end() || !eos->is_array()) {
        config.eos_token_id = single("eos_token_id", 2);
        return;
    }
    for (const json& id : *eos) {
        if (!id.is_number_unsigned() || id.get<std::uint64_t>() > static_cast<std::uint64_t>(last)) {
            fields.fail(ErrorCode::bad_input, "eos_token_id", fmt::format("token ids from 0 to {}", last),
                        describe(id));
            return;
        }
        if (config.eos_token_id < 0) {
            config.eos_token_id = id.get<int>();
        } else {
            config.more_eos_token_ids.push_back(id.get<int>());
        }
    }
}

} // namespace

bool ModelConfig::is_eos(int token_id) const {
    return token_id >= 0 &&
           (token_id == eos_token_id || std::find(more_eos_token_ids.begin(), more_eos_token_ids.end(),
                                                  token_id) != more_eos_token_ids.end());
}

Expected<std::string> read_model_config_text(const std::filesystem::path& folder) {
    auto text = read_small_file(folder / "config.json", max_config_bytes);
    if (!text && text.error().code == ErrorCode::io) {
        text.error().hint =
            "Choose a Hugging Face model folder: one with config.json, *.safetensors and tokenizer.model.";
    }
    return text;
}

Expected<ModelConfig> read_model_config(const std::filesystem::path& folder) {
    return read_model_config_text(folder).and_then(
        [&](const std::string& text) { return parse_model_config(text, folder); });
}

Expected<ModelConfig> parse_model_config(std::string_view text, const std::filesystem::path& folder) {
    const std::string where = (folder / "config.json").string();
    const auto document = parse_json_object(text, where);
    if (!document) {
        return tl::unexpected(document.error());
    }
    JsonFields fields(*document, where);
    ModelConfig config;
    const Defaults* defaults = find_architecture(*document, fields);
    if (defaults == nullptr) {
        return tl::unexpected(fields.result().error());
    }
    config.name = std::filesystem::absolute(folder).lexically_normal().filename().string();
    config.architecture = defaults->architecture;
    read_sizes(fields, *defaults, config);
    config.rms_norm_eps = fields.number_or("rms_norm_eps", 1e-6, 0.0, 1.0);
    config.tie_word_embeddings = fields.boolean_or("tie_word_embeddings", false);
    check_graph(*document, fields, *defaults, config);
    read_rope(*document, where, fields, config);
    read_token_ids(*document, fields, config);
    if (!fields.result()) {
        return tl::unexpected(fields.result().error());
    }
    return config;
}

} // namespace quantscope
