// SPDX-License-Identifier: Apache-2.0
#include "engine/model/config.h"

#include "engine/json/json_fields.h"
#include "engine/model/eos_ids.h"
#include "engine/model/mapped_file.h"
#include "engine/model/model_folder.h"

#include <algorithm>
#include <array>
#include <cmath>
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

const char* const architecture_names =
    "LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM or Qwen3ForCausalLM";
const char* const unsupported_model_hint =
    "Quantscope runs LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM and Qwen3ForCausalLM folders "
    "(Llama 2/3, "
    "Code Llama, SmolLM2, DeepSeek-Coder 1.3B/6.7B, Mistral 7B, Qwen2.5, Qwen2.5-Coder, Qwen3, ...).";

enum class Biased { never, always, by_attention_bias };

/// An architecture: its parts that differ from the Llama graph, and what transformers assumes when
/// config.json leaves a key out.
struct Architecture {
    const char* name;
    const char* alias; ///< as older folders spell it; null: none
    const char* model_type;
    int num_key_value_heads; ///< 0: as many as attention heads
    int max_position_embeddings;
    int head_dim;            ///< 0: hidden_size / heads
    int sliding_window;      ///< 0: none
    bool window_is_switched; ///< by use_sliding_window, and for the layers from max_window_layers on
    Biased qkv;
    Biased o;
    bool may_have_mlp_bias;
    bool qk_norm;
};
constexpr std::array<Architecture, 4> architectures = {{
    {"LlamaForCausalLM", "LLaMAForCausalLM", "llama", 0, 2048, 0, 0, false, Biased::by_attention_bias,
     Biased::by_attention_bias, true, false},
    {"MistralForCausalLM", nullptr, "mistral", 8, 4096 * 32, 0, 4096, false, Biased::never, Biased::never,
     false, false},
    {"Qwen2ForCausalLM", nullptr, "qwen2", 32, 32768, 0, 4096, true, Biased::always, Biased::never, false,
     false},
    {"Qwen3ForCausalLM", nullptr, "qwen3", 32, 32768, 128, 4096, true, Biased::by_attention_bias,
     Biased::by_attention_bias, false, true},
}};

/// What a name that is not in the table stands for, where it is known: the reason in words.
struct Foreign {
    std::string_view part; ///< of the architecture's name
    const char* reason;
};
constexpr std::array<Foreign, 10> foreign_architectures = {{
    {"Moe", "a mixture of experts"},
    {"Mixtral", "a mixture of experts"},
    {"DeepseekV", "multi-head latent attention and a mixture of experts"},
    {"ConditionalGeneration", "a model of images, sound or two halves beside the decoder"},
    {"ForSequenceClassification", "a classifier, which generates no text"},
    {"Gemma", "scaled embeddings, norms of another form and GELU"},
    {"Phi3", "q, k, v and gate, up stored as one matrix each"},
    {"Starcoder2", "LayerNorm and GELU"},
    {"GPT", "LayerNorm, GELU and other positions than RoPE's"},
    {"Mamba", "state spaces instead of attention"},
}};

const Architecture* find_architecture(const json& document, JsonFields& fields) {
    std::string found = "nothing";
    const auto list = document.find("architectures");
    const bool listed = list != document.end() && list->is_array() && !list->empty();
    if (listed && list->front().is_string()) {
        found = list->front().get<std::string>();
    }
    const std::string model_type = listed ? "" : fields.string_or("model_type", "");
    for (const Architecture& architecture : architectures) {
        const bool older = architecture.alias != nullptr && found == architecture.alias;
        if (found == architecture.name || older || model_type == architecture.model_type) {
            return &architecture;
        }
    }
    std::string said =
        found == "nothing" && !model_type.empty() ? "model type " + describe(model_type) : describe(found);
    for (const Foreign& foreign : foreign_architectures) {
        if (found.find(foreign.part) != std::string::npos) {
            said += fmt::format(" ({})", foreign.reason);
            break;
        }
    }
    fields.fail(ErrorCode::unsupported, "architectures", architecture_names, said, unsupported_model_hint);
    return nullptr;
}

void read_sizes(JsonFields& fields, const Architecture& architecture, ModelConfig& config) {
    const auto size = [&](const char* key, int max) { return static_cast<int>(fields.integer(key, 1, max)); };
    config.hidden_size = size("hidden_size", max_width);
    config.intermediate_size = size("intermediate_size", max_width);
    config.num_hidden_layers = size("num_hidden_layers", max_layers);
    config.num_attention_heads = size("num_attention_heads", max_heads);
    config.vocab_size = size("vocab_size", max_width);
    config.max_position_embeddings = static_cast<int>(
        fields.integer_or("max_position_embeddings", architecture.max_position_embeddings, 1, max_positions));

    const int heads = config.num_attention_heads;
    const int default_kv_heads =
        architecture.num_key_value_heads == 0 ? heads : architecture.num_key_value_heads;
    config.num_key_value_heads =
        static_cast<int>(fields.integer_or("num_key_value_heads", default_kv_heads, 1, max_heads));
    if (heads % config.num_key_value_heads != 0) {
        fields.fail(ErrorCode::bad_input, "num_key_value_heads",
                    fmt::format("a divisor of num_attention_heads ({})", heads),
                    std::to_string(config.num_key_value_heads));
    }
    const bool divides = architecture.head_dim == 0 && !fields.has("head_dim");
    if (divides && config.hidden_size % heads != 0) {
        fields.fail(ErrorCode::bad_input, "num_attention_heads",
                    fmt::format("a divisor of hidden_size ({}), as there is no head_dim", config.hidden_size),
                    std::to_string(heads));
    }
    config.head_dim = static_cast<int>(fields.integer_or(
        "head_dim", divides ? std::max(config.hidden_size / heads, 1) : std::max(architecture.head_dim, 1), 1,
        max_head_dim));
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

/// Attention that sees the last tokens only, in all layers or in some, is not implemented: contexts go up to
/// that window, where it makes no difference, and a notice says so.
void read_window(const json& document, JsonFields& fields, const std::string& where,
                 const Architecture& architecture, ModelConfig& config) {
    if (architecture.sliding_window == 0 || has_null(document, "sliding_window")) {
        return;
    }
    if (architecture.window_is_switched &&
        (!fields.boolean_or("use_sliding_window", false) ||
         fields.integer_or("max_window_layers", 28, 0, max_layers) >= config.num_hidden_layers)) {
        return;
    }
    const auto window =
        static_cast<int>(fields.integer_or("sliding_window", architecture.sliding_window, 1, max_positions));
    if (window < config.max_position_embeddings) {
        config.notices.push_back(fmt::format(
            "{}: attention sees the last {} tokens ('sliding_window'); sequences of up to so many, "
            "for which that changes nothing, are run, and longer ones are refused.",
            where, window));
        config.max_position_embeddings = window;
    }
}

/// The graph's fixed parts: what another value would change in the arithmetic.
void check_graph(JsonFields& fields, const Architecture& architecture, ModelConfig& config) {
    const std::string activation = fields.string_or("hidden_act", "silu");
    if (activation != "silu") {
        fields.fail(ErrorCode::unsupported, "hidden_act", "\"silu\"", describe(activation),
                    unsupported_model_hint);
    }
    const auto biased = [&](Biased rule) {
        return rule == Biased::always ||
               (rule == Biased::by_attention_bias && fields.boolean_or("attention_bias", false));
    };
    config.qkv_bias = biased(architecture.qkv);
    config.o_bias = biased(architecture.o);
    config.mlp_bias = architecture.may_have_mlp_bias && fields.boolean_or("mlp_bias", false);
    config.qk_norm = architecture.qk_norm;
    if (fields.has("quantization_config")) {
        fields.fail(ErrorCode::unsupported, "quantization_config", "none", "one",
                    "Quantscope quantizes by itself: choose the model's F32, F16 or BF16 folder.");
    }
    check_rotary_factor(fields);
}

/// "YaRN: Efficient Context Window Extension of Large Language Models" (arXiv 2309.00071), in transformers'
/// keys.
void read_yarn(JsonFields& fields, ModelConfig& config) {
    RopeScaling& scaling = config.rope_scaling;
    scaling.kind = RopeScaling::Kind::yarn;
    scaling.original_max_position_embeddings = static_cast<int>(fields.integer_or(
        "original_max_position_embeddings", config.max_position_embeddings, 1, max_positions));
    scaling.factor = fields.number_or("factor",
                                      static_cast<double>(config.max_position_embeddings) /
                                          scaling.original_max_position_embeddings,
                                      1.0, 1e6);
    scaling.beta_fast = fields.number_or("beta_fast", 32.0, 1e-6, 1e6);
    scaling.beta_slow = fields.number_or("beta_slow", 1.0, 1e-6, 1e6);
    scaling.truncate = fields.boolean_or("truncate", true);
    const double mscale = fields.number_or("mscale", 0.0, 0.0, 1e6);
    const double mscale_all_dim = fields.number_or("mscale_all_dim", 0.0, 0.0, 1e6);
    const auto magnitude = [&](double weight) {
        return scaling.factor <= 1.0 ? 1.0 : 0.1 * weight * std::log(scaling.factor) + 1.0;
    };
    const double usual =
        mscale > 0.0 && mscale_all_dim > 0.0 ? magnitude(mscale) / magnitude(mscale_all_dim) : magnitude(1.0);
    scaling.attention_factor = fields.number_or("attention_factor", usual, 1e-6, 1e6);
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
    } else if (kind == "yarn") {
        read_yarn(fields, config);
    } else if (kind == "dynamic") {
        // It changes frequencies only beyond max_position_embeddings, where no context of ours goes.
        static_cast<void>(fields.number("factor", 1.0, 1e6));
    } else if (kind != "default") {
        fields.fail(ErrorCode::unsupported, fields.has("rope_type") ? "rope_type" : "type",
                    "\"default\", \"linear\", \"dynamic\", \"yarn\" or \"llama3\"", describe(kind),
                    unsupported_model_hint);
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
    config.bos_token_id = static_cast<int>(fields.integer_or("bos_token_id", -1, -1, last));
    config.eos_token_ids = read_eos_ids(document, fields, last);
}

} // namespace

Expected<std::string> read_model_config_text(const std::filesystem::path& folder) {
    auto text = read_small_file(folder / "config.json", max_config_bytes);
    if (!text && text.error().code == ErrorCode::io) {
        std::error_code ignored;
        text.error().code =
            std::filesystem::exists(folder / "config.json", ignored) ? ErrorCode::io : ErrorCode::bad_input;
        text.error().hint =
            "Choose a Hugging Face model folder: one with config.json, *.safetensors and tokenizer.model or "
            "tokenizer.json.";
    }
    return text;
}

Expected<ModelConfig> read_model_config(const std::filesystem::path& folder) {
    auto config = read_model_config_text(folder).and_then(
        [&](const std::string& text) { return parse_model_config(text, folder); });
    const auto generation = read_generation_config_text(folder);
    if (!config || !generation) {
        return config ? tl::unexpected(generation.error()) : std::move(config);
    }
    if (auto applied = apply_generation_config(*generation, folder, *config); !applied) {
        return tl::unexpected(applied.error());
    }
    return config;
}

Expected<ModelConfig> parse_model_config(std::string_view text, const std::filesystem::path& folder) {
    const std::string where = (folder / "config.json").string();
    const auto document = parse_json_object(text, where);
    if (!document) {
        return tl::unexpected(document.error());
    }
    JsonFields fields(*document, where);
    ModelConfig config;
    const Architecture* architecture = find_architecture(*document, fields);
    if (architecture == nullptr) {
        return tl::unexpected(fields.result().error());
    }
    config.name = model_name(folder);
    config.architecture = architecture->name;
    read_sizes(fields, *architecture, config);
    config.rms_norm_eps = fields.number_or("rms_norm_eps", 1e-6, 0.0, 1.0);
    config.tie_word_embeddings = fields.boolean_or("tie_word_embeddings", false);
    check_graph(fields, *architecture, config);
    read_rope(*document, where, fields, config);
    read_window(*document, fields, where, *architecture, config); // whose scaling is of the whole context
    read_token_ids(*document, fields, config);
    if (!fields.result()) {
        return tl::unexpected(fields.result().error());
    }
    return config;
}

} // namespace quantscope
