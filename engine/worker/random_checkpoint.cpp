// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/random_checkpoint.h"

#include "engine/model/graph.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <functional>
#include <new>
#include <numeric>

namespace quantscope::worker {
namespace {

constexpr std::size_t places = 1U << 20U; ///< elements by which tensors' views are shifted at most

std::size_t longest_vector(const ModelConfig& config) {
    std::int64_t longest = 0;
    for (const GraphTensor& tensor : graph_tensors(config)) {
        longest = tensor.shape.size() == 1 ? std::max(longest, tensor.shape.front()) : longest;
    }
    return static_cast<std::size_t>(longest);
}

class RandomCheckpoint final : public Checkpoint {
  public:
    explicit RandomCheckpoint(ModelConfig config)
        : config_(std::move(config)), folder_("(random weights)"),
          values_(places +
                  static_cast<std::size_t>(config_.hidden_size) *
                      static_cast<std::size_t>(std::max(config_.vocab_size, config_.intermediate_size))),
          ones_(longest_vector(config_), 0x3F80) {
        std::uint32_t state = 0x9E3779B9U;
        for (std::uint16_t& value :
             values_) { // xorshift32 (Marsaglia 2003); sign, exponents of 2^-7 .. 2^-6, 7 bits
            state ^= state << 13U;
            state ^= state >> 17U;
            state ^= state << 5U;
            value = static_cast<std::uint16_t>(0x3C00U | (state >> 16U & 0x80FFU));
        }
    }

    const ModelConfig& config() const override { return config_; }
    const std::filesystem::path& folder() const override { return folder_; }
    std::string hash() const override { return std::string(32, '0'); }

    std::int64_t parameter_count() const override {
        std::int64_t count = 0;
        for (const GraphTensor& tensor : graph_tensors(config_)) {
            count += std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1},
                                     std::multiplies<>());
        }
        return count;
    }

    Expected<TensorView> tensor(std::string_view name, std::span<const std::int64_t> shape) const override {
        TensorView view{std::string(name), DType::bf16, {shape.begin(), shape.end()}, {}, "(random weights)"};
        const auto count = static_cast<std::size_t>(view.element_count());
        if (shape.size() == 1 ? count > ones_.size() : count + places > values_.size()) {
            return make_error(ErrorCode::internal,
                              fmt::format("Tensor {} is larger than the random weights.", name));
        }
        const std::size_t place = std::hash<std::string_view>{}(name) % places;
        view.data = std::as_bytes(shape.size() == 1 ? std::span(ones_).first(count)
                                                    : std::span(values_).subspan(place, count));
        return view;
    }

  private:
    ModelConfig config_;
    std::filesystem::path folder_;
    std::vector<std::uint16_t> values_;
    std::vector<std::uint16_t> ones_;
};

/// A published model's sizes.
struct Shape {
    std::string_view name;
    std::string_view architecture;
    int hidden;
    int intermediate;
    int layers;
    int heads;
    int kv_heads;
    int head_dim;
    int vocab;
    bool tied = false;
    bool qkv_bias = false;
    bool qk_norm = false;
};
constexpr std::array<Shape, 8> shapes = {{
    {"llama-2-7b", "LlamaForCausalLM", 4096, 11008, 32, 32, 32, 128, 32000},
    {"llama-2-13b", "LlamaForCausalLM", 5120, 13824, 40, 40, 40, 128, 32000},
    {"llama-2-70b", "LlamaForCausalLM", 8192, 28672, 80, 64, 8, 128, 32000},
    {"llama-3-8b", "LlamaForCausalLM", 4096, 14336, 32, 32, 8, 128, 128256},
    {"qwen2.5-coder-7b", "Qwen2ForCausalLM", 3584, 18944, 28, 28, 4, 128, 152064, false, true},
    {"qwen3-8b", "Qwen3ForCausalLM", 4096, 12288, 36, 32, 8, 128, 151936, false, false, true},
    {"smollm2-135m", "LlamaForCausalLM", 576, 1536, 30, 9, 3, 64, 49152, true},
    {"tiny", "LlamaForCausalLM", 256, 704, 2, 4, 4, 64, 1000},
}};

ModelConfig config_of(const Shape& shape) {
    ModelConfig config;
    config.name = shape.name;
    config.architecture = shape.architecture;
    config.hidden_size = shape.hidden;
    config.intermediate_size = shape.intermediate;
    config.num_hidden_layers = shape.layers;
    config.num_attention_heads = shape.heads;
    config.num_key_value_heads = shape.kv_heads;
    config.head_dim = shape.head_dim;
    config.vocab_size = shape.vocab;
    config.max_position_embeddings = 4096;
    config.tie_word_embeddings = shape.tied;
    config.qkv_bias = shape.qkv_bias;
    config.qk_norm = shape.qk_norm;
    return config;
}

} // namespace

std::string random_shapes() {
    std::string names;
    for (const Shape& shape : shapes) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", shape.name);
    }
    return names;
}

Expected<std::shared_ptr<const Checkpoint>> random_checkpoint(const std::string& shape) {
    const auto found =
        std::find_if(shapes.begin(), shapes.end(), [&](const Shape& known) { return known.name == shape; });
    if (found == shapes.end()) {
        return make_error(ErrorCode::bad_input, fmt::format("There is no shape \"{}\".", shape),
                          fmt::format("Known are {}.", random_shapes()));
    }
    ModelConfig config = config_of(*found);
    try {
        return std::make_shared<const RandomCheckpoint>(std::move(config));
    } catch (const std::bad_alloc&) {
        return make_error(ErrorCode::out_of_memory, "The memory ran out while random weights were drawn.");
    }
}

} // namespace quantscope::worker
