// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/backend.h"
#include "engine/model/tokenizer.h"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace quantscope::worker {

/// A model under one scheme, ready to run.
struct LoadedScheme {
    const Scheme* scheme = nullptr;
    std::unique_ptr<Session> session; ///< null: put away, because the schemes do not fit in memory together
    double load_s = 0.0;              ///< reading, rotating and quantizing
};

/// What a run needs of its session.
struct SessionNeed {
    int slots = 1;   ///< its batch size
    int tokens = 64; ///< of its longest sequence: prompt and output
};

/// The worker's one model on its one backend, with a session for each scheme.
///
/// Where no context length is given, sessions begin with `first_context` tokens a slot (fewer where the
/// memory or the model ends before), and one that is too short for a run is made again with what the run
/// needs: a model's whole context for every slot would take more memory than most devices have.
///
/// Schemes stay in memory together as long as they fit, so that latency runs can take turns. "Fit" means:
/// what the sessions say they hold, plus an estimate of the next one, is within 90 % of the memory that was
/// free before the first; and the backend does not report out of memory. A scheme that does not fit is put
/// away: use() loads it when its turn comes and puts all others away for it.
class ModelHost {
  public:
    static constexpr int first_context = 1024;

    /// Opens folder, tokenizer and backend. `budget_bytes` is what all sessions may hold together; 0: 90 % of
    /// what is free. Errors: those of Checkpoint, Tokenizer and make_backend().
    static Expected<std::unique_ptr<ModelHost>> open(const std::filesystem::path& folder,
                                                     const std::string& backend, const SessionLimits& limits,
                                                     std::int64_t budget_bytes = 0);

    /// Loads a scheme, or puts it away if others leave no room. Errors: bad_input (unknown id), unsupported,
    /// oom (does not fit even alone), what Backend::create() reports. Loading again does nothing.
    Expected<> load(const std::string& scheme_id);

    /// The scheme's session, loaded now if it was put away or holds less than is needed: for all slots if
    /// that fits, else for the run's. Errors: bad_input (never loaded), as load(); oom with the need.
    Expected<LoadedScheme*> use(const std::string& scheme_id, const SessionNeed& need);

    /// Has as many of these in memory together, and large enough, as fit: runs that are to take turns.
    Expected<> gather(const std::vector<std::string>& scheme_ids, const SessionNeed& need);

    /// Its session is there, and large enough.
    [[nodiscard]] bool in_memory(const std::string& scheme_id, const SessionNeed& need = {}) const;
    [[nodiscard]] std::vector<std::string> schemes() const; ///< usable ones, in the order of loading

    [[nodiscard]] const Checkpoint& checkpoint() const { return *checkpoint_; }
    [[nodiscard]] const Tokenizer& tokenizer() const { return *tokenizer_; }
    [[nodiscard]] const std::string& hash() const { return hash_; }
    [[nodiscard]] DeviceInfo device() const { return backend_->device(); }
    [[nodiscard]] int context_length() const; ///< tokens a slot may hold: as asked for, or the model's
    [[nodiscard]] int max_batch() const { return limits_.max_slots; }
    /// Any of them ends a sequence: the model's, else the tokenizer's.
    [[nodiscard]] std::vector<int> eos_token_ids() const;
    /// What a person should know about how the model's files were read; sentences.
    [[nodiscard]] std::vector<std::string> notices() const;

  private:
    ModelHost() = default;
    Expected<> create(LoadedScheme& entry, const SessionLimits& limits);
    [[nodiscard]] bool serves(const LoadedScheme& entry, const SessionNeed& need) const;
    [[nodiscard]] SessionLimits limits_for(const Scheme& scheme, const SessionNeed& need) const;
    [[nodiscard]] std::int64_t estimate_bytes(const Scheme& scheme, const SessionLimits& limits) const;
    [[nodiscard]] std::int64_t held_bytes() const;
    LoadedScheme* find(const std::string& scheme_id);

    std::shared_ptr<const Checkpoint> checkpoint_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    std::unique_ptr<Backend> backend_;
    SessionLimits limits_; ///< as asked for
    std::string hash_;
    std::int64_t budget_bytes_ = 0;
    std::vector<std::unique_ptr<LoadedScheme>> entries_;
};

} // namespace quantscope::worker
