// SPDX-License-Identifier: Apache-2.0
#include "engine/model/checkpoint.h"

#include "engine/model/graph.h"
#include "engine/model/mapped_file.h"
#include "engine/model/model_folder.h"
#include "engine/model/model_hash.h"
#include "engine/model/tokenizer_settings.h"
#include "engine/model/weight_files.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace quantscope {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_tokenizer_file_bytes = std::size_t{128} << 20U;

class MappedCheckpoint final : public Checkpoint {
  public:
    MappedCheckpoint(fs::path folder, std::string config_text, std::string tokenizer_bytes,
                     ModelConfig config, WeightFiles weights)
        : folder_(std::move(folder)), config_text_(std::move(config_text)),
          tokenizer_bytes_(std::move(tokenizer_bytes)), config_(std::move(config)),
          weights_(std::move(weights)) {}

    const ModelConfig& config() const override { return config_; }
    const fs::path& folder() const override { return folder_; }
    std::int64_t parameter_count() const override { return parameter_count_; }

    Expected<TensorView> tensor(std::string_view name, std::span<const std::int64_t> shape) const override;
    std::string hash() const override;
    /// Looks every tensor of the graph up once, and counts its weights.
    Expected<> check_graph();

  private:
    void take_stored_head();

    fs::path folder_;
    std::string config_text_;
    std::string tokenizer_bytes_;
    ModelConfig config_;
    WeightFiles weights_;
    std::int64_t parameter_count_ = 0;
    mutable std::once_flag hash_once_;
    mutable std::string hash_;
};

tl::unexpected<Error> missing(const fs::path& where, std::string_view name) {
    return make_error(
        ErrorCode::bad_input,
        fmt::format("{}: expected a tensor '{}', found none of that name.", where.string(), name),
        name == "lm_head.weight"
            ? "If the model shares its embedding, set \"tie_word_embeddings\": true in config.json; else "
              "download the folder again."
            : "config.json and the weights do not belong together, or a file is incomplete: download "
              "the folder again.");
}

Expected<TensorView> MappedCheckpoint::tensor(std::string_view name,
                                              std::span<const std::int64_t> shape) const {
    const WeightFiles::Found found = weights_.find(name);
    if (found.entry == nullptr) {
        return missing(found.searched, name);
    }
    const std::string path = found.searched.string();
    const SafetensorsEntry& entry = *found.entry;
    const auto dtype = entry.float_dtype();
    if (!dtype) {
        return make_error(ErrorCode::unsupported,
                          fmt::format("{}: tensor '{}': expected dtype F32, F16 or BF16, found {}.", path,
                                      name, entry.dtype),
                          "Choose the model's unquantized folder, or save it as bfloat16.");
    }
    if (!std::equal(shape.begin(), shape.end(), entry.shape.begin(), entry.shape.end())) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: tensor '{}': expected shape [{}], found [{}].", path, name,
                                      fmt::join(shape, ", "), fmt::join(entry.shape, ", ")),
                          "config.json and the weights do not belong together: download the folder again.");
    }
    return TensorView{std::string(name), *dtype, entry.shape, entry.data, path};
}

/// A tied configuration beside a table of its own that differs: transformers 5 keeps the stored one, too.
void MappedCheckpoint::take_stored_head() {
    const std::array<std::int64_t, 2> shape{config_.vocab_size, config_.hidden_size};
    const auto head = tensor("lm_head.weight", shape);
    const auto embedding = tensor("model.embed_tokens.weight", shape);
    if (!config_.tie_word_embeddings || !head || !embedding || same_values(*head, *embedding)) {
        return;
    }
    config_.tie_word_embeddings = false;
    config_.notices.push_back(fmt::format(
        "{}: config.json ties the output table to the embedding, but 'lm_head.weight' is stored and "
        "differs from it; the stored one is used.",
        head->file));
}

Expected<> MappedCheckpoint::check_graph() {
    take_stored_head();
    const std::vector<GraphTensor> requirements = graph_tensors(config_);
    const auto is_missing = [&](const GraphTensor& wanted) {
        return weights_.find(wanted.name).entry == nullptr;
    };
    if (std::any_of(requirements.begin(), requirements.end(), is_missing)) {
        if (auto opened = weights_.open_unlisted_shards(); !opened) {
            return opened;
        }
    }
    int against_index = 0;
    for (const GraphTensor& requirement : requirements) {
        const auto view = tensor(requirement.name, requirement.shape);
        if (!view) {
            return tl::unexpected(view.error());
        }
        parameter_count_ += view->element_count();
        against_index += weights_.find(requirement.name).against_index ? 1 : 0;
    }
    if (against_index > 0) {
        config_.notices.push_back(fmt::format(
            "{}: {} of the model's tensors are in the folder's files, but not where the index says; "
            "they are used.",
            weights_.described_by().string(), against_index));
    }
    return {};
}

std::string MappedCheckpoint::hash() const {
    std::call_once(hash_once_, [this] {
        ModelHash hash;
        hash.add(config_text_);
        hash.add(tokenizer_bytes_);
        for (const SafetensorsFile& file : weights_.files()) {
            hash.add_weights(file.bytes(), file.header_size());
        }
        hash_ = hash.hex();
    });
    return hash_;
}

} // namespace

Expected<std::shared_ptr<const Checkpoint>> Checkpoint::open(const fs::path& given) {
    const auto resolved = model_folder(given);
    if (!resolved) {
        return tl::unexpected(resolved.error());
    }
    const fs::path& folder = *resolved;
    auto config_text = read_model_config_text(folder);
    if (!config_text) {
        return tl::unexpected(config_text.error());
    }
    auto config = parse_model_config(*config_text, folder);
    if (!config) {
        return tl::unexpected(config.error());
    }
    const auto generation_text = read_generation_config_text(folder);
    if (!generation_text) {
        return tl::unexpected(generation_text.error());
    }
    if (auto applied = apply_generation_config(*generation_text, folder, *config); !applied) {
        return tl::unexpected(applied.error());
    }
    *config_text += *generation_text;
    std::string tokenizer_bytes; // a folder without a tokenizer can still be measured
    std::error_code ignored;
    for (const char* const name : {"tokenizer.model", "tokenizer.json"}) {
        if (!fs::exists(folder / name, ignored)) {
            continue;
        }
        auto bytes = read_small_file(folder / name, max_tokenizer_file_bytes);
        if (!bytes) {
            return tl::unexpected(bytes.error());
        }
        tokenizer_bytes += fmt::format("{} {}\n", name, bytes->size()) + *bytes;
    }
    auto tokenizer_settings = read_tokenizer_settings_text(folder);
    if (!tokenizer_settings) {
        return tl::unexpected(tokenizer_settings.error());
    }
    tokenizer_bytes += *tokenizer_settings;
    auto weights = WeightFiles::open(folder);
    if (!weights) {
        return tl::unexpected(weights.error());
    }
    auto checkpoint = std::make_shared<MappedCheckpoint>(
        folder, std::move(*config_text), std::move(tokenizer_bytes), std::move(*config), std::move(*weights));
    if (auto checked = checkpoint->check_graph(); !checked) {
        return tl::unexpected(checked.error());
    }
    return checkpoint;
}

} // namespace quantscope
