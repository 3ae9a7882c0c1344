// SPDX-License-Identifier: Apache-2.0
#include "engine/model/weight_files.h"

#include <algorithm>
#include <array>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace quantscope {

namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

/// "model-00001-of-00002.safetensors", in order.
std::vector<fs::path> shards_in(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code failed;
    for (auto it = fs::directory_iterator(folder, failed); !failed && it != fs::directory_iterator();
         it.increment(failed)) {
        const std::string name = it->path().filename().string();
        if (name.starts_with("model-") && name.ends_with(".safetensors")) {
            found.push_back(it->path());
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

/// Weights that are there in another format, and what makes safetensors of them.
struct OtherFormat {
    const char* file;
    const char* name;
    const char* hint; ///< {0}: the folder
};
constexpr const char* from_pytorch =
    "Convert it: python3 -c \"from transformers import AutoModelForCausalLM as M; "
    "M.from_pretrained('{0}', dtype='auto').save_pretrained('{0}-safetensors')\" && cp {0}/*token* "
    "{0}-safetensors (needs the Python packages transformers and torch; load only pickles that you trust).";
constexpr const char* from_meta =
    "Download the same model's folder in the Hugging Face format (its name there ends in -hf, or it has "
    "*.safetensors beside config.json).";
constexpr std::array<OtherFormat, 6> other_formats = {{
    {"pytorch_model.bin", "PyTorch pickle", from_pytorch},
    {"pytorch_model.bin.index.json", "PyTorch pickle", from_pytorch},
    {"consolidated.00.pth", "Meta's own format", from_meta},
    {"consolidated.safetensors", "Mistral's own names of tensors", from_meta},
    {"tf_model.h5", "TensorFlow", from_meta},
    {"flax_model.msgpack", "Flax", from_meta},
}};

tl::unexpected<Error> no_weights(const fs::path& folder) {
    for (const OtherFormat& other : other_formats) {
        if (is_there(folder / other.file)) {
            return make_error(
                ErrorCode::unsupported,
                fmt::format("{}: expected model.safetensors or model.safetensors.index.json, found {} ({}).",
                            folder.string(), other.file, other.name),
                fmt::format(fmt::runtime(other.hint), folder.string()));
        }
    }
    return make_error(
        ErrorCode::bad_input,
        fmt::format("{}: expected model.safetensors or model.safetensors.index.json, found none of them.",
                    folder.string()),
        "Download the model's *.safetensors files into the folder.");
}

} // namespace

Expected<> WeightFiles::open_file(const fs::path& path) {
    auto file = SafetensorsFile::open(path);
    if (!file) {
        return tl::unexpected(file.error());
    }
    files_.push_back(std::move(*file));
    return {};
}

Expected<> WeightFiles::open_shards(const fs::path& index_path) {
    auto index = read_safetensors_index(index_path);
    if (!index) {
        return tl::unexpected(index.error());
    }
    std::set<std::string> names;
    for (const auto& [tensor, file] : *index) {
        names.insert(file);
    }
    for (const std::string& name : names) {
        const fs::path path = index_path.parent_path() / name;
        if (!is_there(path)) {
            return make_error(ErrorCode::bad_input,
                              fmt::format("{}: expected {} shards, found no file '{}'.", index_path.string(),
                                          names.size(), name),
                              "Download the missing shard into the same folder.");
        }
        if (auto opened = open_file(path); !opened) {
            return opened;
        }
    }
    index_ = std::move(*index);
    return {};
}

Expected<> WeightFiles::open_unlisted_shards() {
    for (const fs::path& path : index_ ? shards_in(described_by_.parent_path()) : std::vector<fs::path>()) {
        if (file_named(path.filename().string()) != nullptr) {
            continue;
        }
        if (auto opened = open_file(path); !opened) {
            return opened;
        }
    }
    return {};
}

Expected<WeightFiles> WeightFiles::open(const fs::path& folder) {
    const fs::path single = folder / "model.safetensors";
    const fs::path index = folder / "model.safetensors.index.json";
    const std::vector<fs::path> shards = shards_in(folder);
    WeightFiles weights;
    Expected<> opened;
    if (is_there(single)) {
        weights.described_by_ = single;
        opened = weights.open_file(single);
    } else if (is_there(index)) {
        weights.described_by_ = index;
        opened = weights.open_shards(index);
    } else if (!shards.empty()) {
        weights.described_by_ = folder;
        for (const fs::path& path : shards) {
            opened = opened ? weights.open_file(path) : opened;
        }
    } else {
        opened = no_weights(folder);
    }
    if (!opened) {
        return tl::unexpected(opened.error());
    }
    const auto any_has = [&](const char* name) {
        return std::any_of(weights.files_.begin(), weights.files_.end(),
                           [&](const SafetensorsFile& file) { return file.tensors().contains(name); });
    };
    weights.without_prefix_ = !any_has("model.embed_tokens.weight") && any_has("embed_tokens.weight");
    return weights;
}

const SafetensorsFile* WeightFiles::file_named(const std::string& name) const {
    const auto found = std::find_if(files_.begin(), files_.end(), [&](const SafetensorsFile& file) {
        return file.path().filename() == name;
    });
    return found == files_.end() ? nullptr : &*found;
}

WeightFiles::Found WeightFiles::find(std::string_view name) const {
    constexpr std::string_view prefix = "model.";
    if (without_prefix_ && name.starts_with(prefix)) {
        name.remove_prefix(prefix.size());
    }
    Found found{nullptr, described_by_, false};
    const auto ask = [&](const SafetensorsFile& file) {
        const auto entry = file.tensors().find(name);
        if (entry != file.tensors().end()) {
            found = {&entry->second, file.path(), false};
        }
        return found.entry != nullptr;
    };
    if (index_) {
        const auto entry = index_->find(name);
        const SafetensorsFile* const file = entry == index_->end() ? nullptr : file_named(entry->second);
        if (file != nullptr) {
            found.searched = file->path();
            if (ask(*file)) {
                return found;
            }
        }
    }
    found.against_index = std::any_of(files_.begin(), files_.end(), ask) && index_;
    return found;
}

} // namespace quantscope
