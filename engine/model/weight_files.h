// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/safetensors.h"
#include "engine/model/safetensors_index.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quantscope {

/// The weight files of a folder: model.safetensors, the shards of an index, or shards that have lost theirs.
class WeightFiles {
  public:
    /// Errors: io, bad_input (none, or a shard is missing), unsupported (weights in another format, named
    /// with the command that converts them).
    static Expected<WeightFiles> open(const std::filesystem::path& folder);

    /// A tensor, and the file that it is or should be in.
    struct Found {
        const SafetensorsEntry* entry = nullptr; ///< null: there is none of that name
        std::filesystem::path searched;
        bool against_index = false; ///< it is not where the index says
    };
    /// @param name  as LlamaForCausalLM has it; "model." may be missing in the files
    /// The index says where it is; where it does not, or errs, every file is asked.
    Found find(std::string_view name) const;

    /// Opens the folder's other shards, of which the index does not know. Errors: as open().
    Expected<> open_unlisted_shards();

    const std::vector<SafetensorsFile>& files() const { return files_; }
    /// The index, the single file, or the folder.
    const std::filesystem::path& described_by() const { return described_by_; }

  private:
    Expected<> open_shards(const std::filesystem::path& index_path);
    Expected<> open_file(const std::filesystem::path& path);
    const SafetensorsFile* file_named(const std::string& name) const;

    std::vector<SafetensorsFile> files_;
    std::optional<SafetensorsIndex> index_;
    std::filesystem::path described_by_;
    bool without_prefix_ = false; ///< "embed_tokens.weight"
};

} // namespace quantscope
