// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/random_checkpoint.h"

#include <algorithm>
#include <fmt/format.h>
#include <new>

namespace quantscope::worker {
namespace {

constexpr std::size_t places = 1U << 20U; ///< elements by which tensors' views are shifted at most

class RandomCheckpoint final : public Checkpoint {
  public:
    explicit RandomCheckpoint(ModelConfig config)
        : config_(std::move(config)), folder_("(random weights)"),
          values_(places +
                  static_cast<std::size_t>(config_.hidden_size) *
                      static_cast<std::size_t>(std::max(config_.vocab_size, config_.intermediate_size))),
          ones_(static_cast<std::size_t>(config_.hidden_size), 0x3F80) {
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
        const std::int64_t hidden = config_.hidden_size;
        const std::int64_t attention =
            hidden * config_.head_dim * 2 *
            (std::int64_t{config_.num_attention_heads} + config_.num_key_value_heads);
        const std::int64_t layer = attention + 3 * hidden * config_.intermediate_size + 2 * hidden;
        return layer * config_.num_hidden_layers + 2 * hidden * config_.vocab_size + hidden;
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

ModelConfig llama(std::string name, int hidden, int intermediate, int layers, int heads, int vocab) {
    ModelConfig config;
    config.name = std::move(name);
    config.architecture = "LlamaForCausalLM";
    config.hidden_size = hidden;
    config.intermediate_size = intermediate;
    config.num_hidden_layers = layers;
    config.num_attention_heads = heads;
    config.num_key_value_heads = heads;
    config.head_dim = hidden / heads;
    config.vocab_size = vocab;
    config.max_position_embeddings = 4096;
    return config;
}

} // namespace

Expected<std::shared_ptr<const Checkpoint>> random_checkpoint(const std::string& shape) {
    ModelConfig config;
    if (shape == "llama-2-7b") {
        config = llama(shape, 4096, 11008, 32, 32, 32000);
    } else if (shape == "llama-2-13b") {
        config = llama(shape, 5120, 13824, 40, 40, 32000);
    } else if (shape == "tiny") {
        config = llama(shape, 256, 704, 2, 4, 1000);
    } else {
        return make_error(ErrorCode::bad_input, fmt::format("There is no shape \"{}\".", shape),
                          "Known are llama-2-7b, llama-2-13b and tiny.");
    }
    try {
        return std::make_shared<const RandomCheckpoint>(std::move(config));
    } catch (const std::bad_alloc&) {
        return make_error(ErrorCode::out_of_memory, "The memory ran out while random weights were drawn.");
    }
}

} // namespace quantscope::worker
