// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/bench.h"

#include "engine/backend/backend.h"
#include "engine/backend/read_ceiling.h"
#include "engine/generate/latency.h"
#include "engine/stats/percentile.h"
#include "engine/worker/random_checkpoint.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

namespace quantscope::worker {
namespace {

double percentile_or_zero(const std::vector<double>& values, double percent) {
    return stats::percentile(values, percent).value_or(0.0);
}

Expected<BenchCell> time_cell(Session& session, const BenchOptions& options, int batch_size) {
    LatencyPlan plan;
    plan.batch_size = batch_size;
    plan.prompt_tokens = options.prompt_tokens;
    plan.output_tokens = options.output_tokens;
    plan.rounds = options.rounds;
    std::vector<double> ttft;
    std::vector<double> gaps;
    std::vector<double> rates;
    std::vector<double> bytes;
    Session* const only = &session;
    auto measured = measure_latency(std::span(&only, 1), plan, [&](std::size_t, const LatencyRound& round) {
        const LatencyRequest& request = round.requests.front(); // the slots share its times
        ttft.push_back(request.ttft_ms);
        gaps.insert(gaps.end(), request.itl_ms.begin(), request.itl_ms.end());
        rates.push_back(round.tokens_per_s);
        bytes.push_back(round.decode_bytes_per_s);
    });
    if (!measured) {
        return tl::unexpected(measured.error());
    }
    BenchCell cell;
    cell.batch_size = batch_size;
    cell.ttft_ms = percentile_or_zero(ttft, 50);
    cell.tpot_p50_ms = percentile_or_zero(gaps, 50);
    cell.tpot_p90_ms = percentile_or_zero(gaps, 90);
    cell.tpot_p99_ms = percentile_or_zero(gaps, 99);
    cell.tokens_per_s = percentile_or_zero(rates, 50);
    cell.bytes_per_s = percentile_or_zero(bytes, 50);
    cell.weight_bytes = session.memory().linear_weight_bytes + session.memory().other_weight_bytes;
    return cell;
}

Expected<std::vector<const Scheme*>> find_schemes(const BenchOptions& options, const Backend& backend) {
    std::vector<const Scheme*> schemes;
    for (const std::string& id : options.schemes) {
        const Scheme* const scheme = find_scheme(id);
        if (scheme == nullptr) {
            return make_error(ErrorCode::bad_input, fmt::format("There is no scheme \"{}\".", id));
        }
        if (!backend.supports(*scheme)) {
            return make_error(ErrorCode::unsupported,
                              fmt::format("Scheme {} does not run on {}.", id, backend.device().name));
        }
        schemes.push_back(scheme);
    }
    return schemes;
}

} // namespace

Expected<> run_bench(const BenchOptions& options, const std::function<void(const BenchHeader&)>& on_start,
                     const std::function<void(const BenchCell&)>& on_cell) {
    auto backend = make_backend(options.backend);
    if (!backend) {
        return tl::unexpected(backend.error());
    }
    const auto schemes = find_schemes(options, **backend);
    if (!schemes) {
        return tl::unexpected(schemes.error());
    }
    BenchHeader header{(*backend)->device().name, std::nullopt};
    if ((*backend)->device().backend == "cuda") {
        const auto ceiling = measure_cuda_read_ceiling();
        if (!ceiling) {
            return tl::unexpected(ceiling.error());
        }
        header.read_ceiling_bytes_per_s = *ceiling;
    }
    on_start(header);
    const auto checkpoint = random_checkpoint(options.shape);
    if (!checkpoint) {
        return tl::unexpected(checkpoint.error());
    }
    const SessionLimits limits{*std::max_element(options.batch_sizes.begin(), options.batch_sizes.end()),
                               options.prompt_tokens + options.output_tokens};
    for (const Scheme* scheme : *schemes) {
        const auto start = std::chrono::steady_clock::now();
        auto session = (*backend)->create(**checkpoint, *scheme, limits);
        if (!session) {
            return tl::unexpected(session.error());
        }
        const double load_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        for (const int batch_size : options.batch_sizes) {
            auto cell = time_cell(**session, options, batch_size);
            if (!cell) {
                return tl::unexpected(cell.error());
            }
            cell->scheme = scheme->id;
            cell->load_s = load_s;
            if (header.read_ceiling_bytes_per_s) {
                cell->fraction_of_read_ceiling = cell->bytes_per_s / *header.read_ceiling_bytes_per_s;
            }
            on_cell(*cell);
        }
    }
    return {};
}

} // namespace quantscope::worker
