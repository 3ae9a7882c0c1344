// SPDX-License-Identifier: Apache-2.0
#include "engine/model/checkpoint.h"

#include "engine/model/graph.h"
#include "engine/model/mapped_file.h"
#include "engine/model/model_hash.h"
#include "engine/model/safetensors.h"
#include "engine/model/safetensors_index.h"
#include "engine/model/tokenizer_settings.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace quantscope {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_tokenizer_file_bytes = std::size_t{128} << 20U;

/// The weight files of a folder, and for sharded ones which of them holds which tensor.
struct WeightFiles {
    std::vector<SafetensorsFile> files;
    std::optional<SafetensorsIndex> index;
    fs::path described_by; ///< the index, or the single file

    const SafetensorsFile* file_named(const std::string& name) const {
        const auto found = std::find_if(files.begin(), files.end(), [&](const SafetensorsFile& file) {
            return file.path().filename() == name;
        });
        return found == files.end() ? nullptr : &*found;
    }
};

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

tl::unexpected<Error> no_weights(const fs::path& folder) {
    std::string found = "none of them";
    for (const char* other : {"pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"}) {
        if (is_there(folder / other)) {
            found = other;
        }
    }
    return make_error(
        found == "none of them" ? ErrorCode::io : ErrorCode::unsupported,
        fmt::format("{}: expected model.safetensors or model.safetensors.index.json, found {}.",
                    folder.string(), found),
        "Quantscope reads safetensors only: download the model's *.safetensors files, or save it with "
        "transformers' save_pretrained().");
}

Expected<WeightFiles> open_shards(const fs::path& index_path) {
    WeightFiles weights;
    weights.described_by = index_path;
    auto index = read_safetensors_index(index_path);
    if (!index) {
        return tl::unexpected(index.error());
    }
    std::vector<std::string> names;
    for (const auto& [tensor, file] : *index) {
        names.push_back(file);
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    for (const std::string& name : names) {
        const fs::path path = index_path.parent_path() / name;
        if (!is_there(path)) {
            return make_error(ErrorCode::io,
                              fmt::format("{}: expected {} shards, found no file '{}'.", index_path.string(),
                                          names.size(), name),
                              "Download the missing shard into the same folder.");
        }
        auto file = SafetensorsFile::open(path);
        if (!file) {
            return tl::unexpected(file.error());
        }
        weights.files.push_back(std::move(*file));
    }
    weights.index = std::move(*index);
    return weights;
}

Expected<WeightFiles> open_weights(const fs::path& folder) {
    const fs::path single = folder / "model.safetensors";
    const fs::path index = folder / "model.safetensors.index.json";
    if (!is_there(single)) {
        return is_there(index) ? open_shards(index) : Expected<WeightFiles>(no_weights(folder));
    }
    auto file = SafetensorsFile::open(single);
    if (!file) {
        return tl::unexpected(file.error());
    }
    WeightFiles weights;
    weights.described_by = single;
    weights.files.push_back(std::move(*file));
    return weights;
}

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
    Expected<const SafetensorsFile*> file_of(std::string_view name) const;

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

Expected<const SafetensorsFile*> MappedCheckpoint::file_of(std::string_view name) const {
    if (!weights_.index) {
        return &weights_.files.front();
    }
    const auto entry = weights_.index->find(name);
    if (entry == weights_.index->end()) {
        return missing(weights_.described_by, name);
    }
    return weights_.file_named(entry->second);
}

Expected<TensorView> MappedCheckpoint::tensor(std::string_view name,
                                              std::span<const std::int64_t> shape) const {
    const auto file = file_of(name);
    if (!file) {
        return tl::unexpected(file.error());
    }
    const std::string path = (*file)->path().string();
    const auto found = (*file)->tensors().find(name);
    if (found == (*file)->tensors().end()) {
        return missing(path, name);
    }
    const SafetensorsEntry& entry = found->second;
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

Expected<> MappedCheckpoint::check_graph() {
    for (const GraphTensor& requirement : graph_tensors(config_)) {
        const auto view = tensor(requirement.name, requirement.shape);
        if (!view) {
            return tl::unexpected(view.error());
        }
        parameter_count_ += view->element_count();
    }
    return {};
}

std::string MappedCheckpoint::hash() const {
    std::call_once(hash_once_, [this] {
        ModelHash hash;
        hash.add(config_text_);
        hash.add(tokenizer_bytes_);
        for (const SafetensorsFile& file : weights_.files) {
            hash.add_weights(file.bytes(), file.header_size());
        }
        hash_ = hash.hex();
    });
    return hash_;
}

} // namespace

Expected<std::shared_ptr<const Checkpoint>> Checkpoint::open(const fs::path& folder) {
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
    for (const char* const name : {"tokenizer.model", "tokenizer.json"}) {
        if (!is_there(folder / name)) {
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
    auto weights = open_weights(folder);
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
