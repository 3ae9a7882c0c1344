// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/canonical_check.h"

#include "engine/files/output_file.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <map>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace quantscope::eval {
namespace {

std::string hash_of(std::string_view text) {
    const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

/// Of what decides whether the canonical solution passes.
std::string key_of(const Problem& problem) {
    return hash_of(problems_hash(std::span(&problem, 1)) + problem.canonical_solution);
}

bool is_blank(const std::string& text) {
    return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

/// The passes of one sandbox configuration: lines of a problem's key and how it is judged. Several processes
/// may write; the last one's lines stay, and what is lost is only checked again.
class Remembered {
  public:
    Remembered(const std::filesystem::path& folder, const Sandbox& sandbox) {
        if (folder.empty())
            return;
        file_ = folder / ("canonical-" + hash_of(sandbox.identity()) + ".txt");
        std::ifstream in(file_);
        std::string key;
        std::string word;
        while (in >> key >> word) {
            if (const auto judging = judging_of(word))
                passes_[key] = *judging;
        }
    }

    [[nodiscard]] std::optional<Judging> find(const std::string& key) const {
        const auto known = passes_.find(key);
        return known == passes_.end() ? std::nullopt : std::optional(known->second);
    }

    void add(const std::string& key, Judging judging) {
        changed_ = true;
        passes_[key] = judging;
    }

    /// A cache that cannot be written is no error: the next check takes longer.
    void save() const {
        if (file_.empty() || !changed_)
            return;
        std::error_code ec;
        std::filesystem::create_directories(file_.parent_path(), ec);
        auto file = OutputFile::create(file_);
        if (!file)
            return;
        for (const auto& [key, judging] : passes_) {
            if (!file->write(fmt::format("{} {}\n", key, to_string(judging))))
                return;
        }
        [[maybe_unused]] const auto committed = file->commit();
    }

  private:
    std::filesystem::path file_;
    std::map<std::string, Judging> passes_;
    bool changed_ = false;
};

struct Trial {
    ProblemCheck check;
    bool lasting = true; ///< may be remembered: not where a limit of time had a say
    void take(const Verdict& verdict) {
        check = {};
        if (verdict.kind == VerdictKind::passed) {
            check.judging = verdict.proven ? Judging::apart : Judging::together;
            return;
        }
        check = {std::nullopt, verdict.detail};
        lasting = false;
    }
};

/// Apart from its test if that passes, else together with it.
void try_solution(VerdictPool& pool, const Problem& problem, Trial& trial) {
    const auto together = [&pool, &problem, &trial] {
        pool.submit(problem, problem.canonical_solution,
                    [&trial](const Verdict& verdict) { trial.take(verdict); });
    };
    pool.submit(problem, problem.canonical_solution,
                [&trial, together](const Verdict& verdict) {
                    if (verdict.kind == VerdictKind::passed || verdict.kind == VerdictKind::unscored) {
                        trial.take(verdict);
                        return;
                    }
                    trial.lasting = verdict.kind == VerdictKind::failed;
                    together();
                },
                {Judging::apart, {}});
}

std::string without_line(const std::string& reason) {
    return reason.substr(0, reason.find(" (line "));
}

} // namespace

std::filesystem::path canonical_check_cache() {
    const auto value_of = [](const char* name) {
        const char* value = std::getenv(name);
        return std::filesystem::path(value != nullptr ? value : "");
    };
    if (const auto cache = value_of("XDG_CACHE_HOME"); cache.is_absolute())
        return cache / "quantscope";
    const auto home = value_of("HOME");
    return home.is_absolute() ? home / ".cache" / "quantscope" : std::filesystem::path();
}

Expected<std::vector<ProblemCheck>> check_canonical_solutions(VerdictPool& pool, const Sandbox& sandbox,
                                                              std::span<const Problem> problems,
                                                              const CanonicalCheckOptions& options) {
    Remembered remembered(options.cache, sandbox);
    std::vector<Trial> trials(problems.size());
    std::vector<std::size_t> unknown;
    for (std::size_t i = 0; i < problems.size(); ++i) {
        if (const auto judging = remembered.find(key_of(problems[i])))
            trials[i] = {{judging, {}}, false};
        else
            unknown.push_back(i);
    }
    for (const std::size_t i : unknown) {
        Trial& trial = trials[i];
        if (is_blank(problems[i].canonical_solution))
            pool.submit_program(problems[i].test, [&trial](const Verdict& verdict) { trial.take(verdict); });
        else
            try_solution(pool, problems[i], trial);
    }
    const int total = static_cast<int>(unknown.size());
    while (!pool.wait_idle(std::chrono::milliseconds(100))) {
        if (options.cancelled && options.cancelled()) {
            pool.cancel();
            pool.wait_idle();
            return make_error(ErrorCode::cancelled, "Checking the canonical solutions was cancelled.");
        }
        if (options.on_progress)
            options.on_progress(total - static_cast<int>(pool.pending()), total);
    }
    std::vector<ProblemCheck> checks;
    for (std::size_t i = 0; i < problems.size(); ++i) {
        if (trials[i].lasting)
            remembered.add(key_of(problems[i]), *trials[i].check.judging);
        checks.push_back(std::move(trials[i].check));
    }
    remembered.save();
    return checks;
}

std::string unjudged_sentence(std::span<const ProblemCheck> checks) {
    std::map<std::string, int> reasons;
    int count = 0;
    for (const ProblemCheck& check : checks) {
        if (!check.judging) {
            ++count;
            ++reasons[without_line(check.reason)];
        }
    }
    if (count == 0)
        return {};
    const auto commonest = std::max_element(reasons.begin(), reasons.end(),
                                            [](const auto& a, const auto& b) { return a.second < b.second; });
    return fmt::format("{} problem{} cannot be judged here: {}{}", count, count == 1 ? "" : "s",
                       commonest->first, reasons.size() > 1 ? ", and other reasons" : "");
}

} // namespace quantscope::eval
