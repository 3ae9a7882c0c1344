// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/bench.h"

#include "engine/stats/percentile.h"
#include "engine/telemetry/nvml.h"
#include "engine/worker/bench_generation.h"
#include "engine/worker/random_checkpoint.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

namespace quantscope::worker {
namespace {

double percentile_or_zero(const std::vector<double>& values, double percent) {
    return stats::percentile(values, percent).value_or(0.0);
}

/// The times of a cell's rounds.
struct Times {
    std::vector<double> ttft, gaps, rates, bytes;

    void add(const LatencyRound& round) {
        const LatencyRequest& request = round.requests.front(); // the slots share its times
        ttft.push_back(request.ttft_ms);
        gaps.insert(gaps.end(), request.itl_ms.begin(), request.itl_ms.end());
        rates.push_back(round.tokens_per_s);
        bytes.push_back(round.decode_bytes_per_s);
    }
};

/// A scheme in memory.
struct Entry {
    const Scheme* scheme = nullptr;
    std::unique_ptr<Session> session;
    double load_s = 0.0;
};

class Bench {
  public:
    Bench(const BenchOptions& options, const std::function<void(const BenchCell&)>& on_cell)
        : options_(options), on_cell_(on_cell) {}

    Expected<> open(const std::function<void(const BenchHeader&)>& on_start);
    Expected<> run();

  private:
    Expected<> find_schemes();
    Expected<> open_model();
    void open_telemetry(BenchHeader& header);
    Expected<Entry> load(const Scheme& scheme, int slots);
    Expected<Entry> load_alone(const Scheme& scheme);
    Expected<> measure(std::vector<Entry>& group);
    Expected<> measure_rounds(std::span<Entry* const> entries, int batch_size);
    Expected<> measure_generation(Entry& entry, int batch_size);
    LatencyPlan plan(int batch_size) const;
    static BenchCell cell_of(const Entry& entry, int batch_size);

    const BenchOptions& options_;
    const std::function<void(const BenchCell&)>& on_cell_;
    std::unique_ptr<Backend> backend_;
    std::shared_ptr<const Checkpoint> checkpoint_;
    std::vector<const Scheme*> schemes_;
    std::vector<GenerationRequest> requests_;
    std::optional<DeviceCeilings> ceilings_;
    std::unique_ptr<const telemetry::Nvml> nvml_;
    telemetry::ReadDevice read_device_; ///< empty: no energy
};

Expected<> Bench::find_schemes() {
    for (const std::string& id : options_.schemes) {
        const Scheme* const scheme = find_scheme(id);
        if (scheme == nullptr) {
            return make_error(ErrorCode::bad_input, fmt::format("There is no scheme \"{}\".", id));
        }
        if (!backend_->supports(*scheme)) {
            return make_error(ErrorCode::unsupported,
                              fmt::format("Scheme {} does not run on {}.", id, backend_->device().name));
        }
        schemes_.push_back(scheme);
    }
    return {};
}

Expected<> Bench::open_model() {
    auto checkpoint =
        options_.model.empty() ? random_checkpoint(options_.shape) : Checkpoint::open(options_.model);
    if (!checkpoint) {
        return tl::unexpected(checkpoint.error());
    }
    checkpoint_ = *std::move(checkpoint);
    if (options_.requests > 0) {
        auto requests = bench_requests(options_, checkpoint_->config().vocab_size);
        if (!requests) {
            return tl::unexpected(requests.error());
        }
        requests_ = *std::move(requests);
    }
    return {};
}

void Bench::open_telemetry(BenchHeader& header) {
    if (header.device.pci_bus_id.empty()) {
        header.no_telemetry = "Only NVIDIA GPUs report power and energy.";
        return;
    }
    auto opened = telemetry::Nvml::open(header.device.pci_bus_id);
    if (!opened) {
        header.no_telemetry = opened.error().message;
        return;
    }
    nvml_ = *std::move(opened);
    if (options_.energy_seconds > 0.0) {
        read_device_ = [this] { return nvml_->read(); };
    }
}

Expected<> Bench::open(const std::function<void(const BenchHeader&)>& on_start) {
    auto backend = make_backend(options_.backend);
    if (!backend) {
        return tl::unexpected(backend.error());
    }
    backend_ = *std::move(backend);
    if (auto ready = find_schemes().and_then([&] { return open_model(); }); !ready) {
        return ready;
    }
    BenchHeader header;
    header.device = backend_->device();
    header.model = checkpoint_->config().name;
    if (header.device.backend == "cuda") {
        const auto ceilings = measure_cuda_ceilings();
        if (!ceilings) {
            return tl::unexpected(ceilings.error());
        }
        ceilings_ = *ceilings;
        header.ceilings = ceilings_;
    }
    open_telemetry(header);
    on_start(header);
    return {};
}

Expected<Entry> Bench::load(const Scheme& scheme, int slots) {
    const int context =
        requests_.empty() ? options_.prompt_tokens + options_.output_tokens : context_of(requests_);
    const auto start = std::chrono::steady_clock::now();
    auto session = backend_->create(*checkpoint_, scheme, {slots, context});
    if (!session) {
        return tl::unexpected(session.error());
    }
    const double load_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return Entry{&scheme, *std::move(session), load_s};
}

/// With as many slots as fit; batch sizes beyond them are answered here.
Expected<Entry> Bench::load_alone(const Scheme& scheme) {
    std::vector<int> sizes = options_.batch_sizes;
    std::sort(sizes.begin(), sizes.end());
    for (;; sizes.pop_back()) {
        auto entry = load(scheme, sizes.back());
        if (entry || entry.error().code != ErrorCode::out_of_memory) {
            return entry;
        }
        BenchCell cell;
        cell.scheme = scheme.id;
        cell.batch_size = sizes.back();
        cell.error = entry.error();
        on_cell_(cell);
        if (sizes.size() == 1) {
            return Entry{}; // not even the smallest
        }
    }
}

LatencyPlan Bench::plan(int batch_size) const {
    LatencyPlan plan;
    plan.batch_size = batch_size;
    plan.prompt_tokens = options_.prompt_tokens;
    plan.output_tokens = options_.output_tokens;
    plan.rounds = options_.rounds;
    return plan;
}

BenchCell Bench::cell_of(const Entry& entry, int batch_size) {
    BenchCell cell;
    cell.scheme = entry.scheme->id;
    cell.batch_size = batch_size;
    cell.load_s = entry.load_s;
    cell.memory = entry.session->memory();
    return cell;
}

Expected<> Bench::measure_rounds(std::span<Entry* const> entries, int batch_size) {
    std::vector<Session*> sessions;
    for (Entry* const entry : entries) {
        sessions.push_back(entry->session.get());
    }
    std::vector<Times> times(entries.size());
    const LatencyPlan rounds = plan(batch_size);
    auto measured = measure_latency(sessions, rounds,
                                    [&](std::size_t i, const LatencyRound& round) { times[i].add(round); });
    if (!measured) {
        return measured;
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
        BenchCell cell = cell_of(*entries[i], batch_size);
        cell.ttft_ms = percentile_or_zero(times[i].ttft, 50);
        cell.tpot_p50_ms = percentile_or_zero(times[i].gaps, 50);
        cell.tpot_p90_ms = percentile_or_zero(times[i].gaps, 90);
        cell.tpot_p99_ms = percentile_or_zero(times[i].gaps, 99);
        cell.tokens_per_s = percentile_or_zero(times[i].rates, 50);
        cell.bytes_per_s = percentile_or_zero(times[i].bytes, 50);
        if (ceilings_) {
            cell.fraction_of_read_ceiling = cell.bytes_per_s / ceilings_->read_bytes_per_s;
        }
        auto energy = measure_energy(*sessions[i], rounds, read_device_, options_.energy_seconds);
        if (!energy) {
            return tl::unexpected(energy.error());
        }
        cell.energy = *energy;
        on_cell_(cell);
    }
    return {};
}

Expected<> Bench::measure_generation(Entry& entry, int batch_size) {
    BenchCell cell = cell_of(entry, batch_size);
    telemetry::EnergyMeter meter;
    if (read_device_) {
        meter.add(read_device_());
    }
    auto generation = time_generation(*entry.session, requests_, batch_size);
    if (!generation) {
        return tl::unexpected(generation.error());
    }
    if (read_device_) {
        meter.add(read_device_());
        if (const auto joules = meter.joules(); joules && meter.seconds() >= telemetry::min_energy_seconds) {
            cell.energy = EnergyFigures{*joules / static_cast<double>(generation->new_tokens), meter.mean(),
                                        meter.seconds()};
        }
    }
    cell.generation = *generation;
    on_cell_(cell);
    return {};
}

/// The entries take turns; requests are generated by one after the other.
Expected<> Bench::measure(std::vector<Entry>& group) {
    for (const int batch_size : options_.batch_sizes) {
        std::vector<Entry*> entries;
        for (Entry& entry : group) {
            if (entry.session && batch_size <= entry.session->max_slots()) {
                entries.push_back(&entry);
            }
        }
        if (requests_.empty()) {
            if (auto measured = measure_rounds(entries, batch_size); !measured) {
                return measured;
            }
            continue;
        }
        for (Entry* const entry : entries) {
            if (auto measured = measure_generation(*entry, batch_size); !measured) {
                return measured;
            }
        }
    }
    group.clear();
    return {};
}

Expected<> Bench::run() {
    const int slots = *std::max_element(options_.batch_sizes.begin(), options_.batch_sizes.end());
    std::vector<Entry> group;
    for (const Scheme* const scheme : schemes_) {
        auto entry = load(*scheme, slots);
        if (!entry && entry.error().code == ErrorCode::out_of_memory) {
            if (auto measured = measure(group); !measured) {
                return measured;
            }
            entry = load_alone(*scheme);
        }
        if (!entry) {
            return tl::unexpected(entry.error());
        }
        group.push_back(*std::move(entry));
    }
    return measure(group);
}

} // namespace

std::int64_t BenchCell::final_bytes() const {
    return memory.linear_weight_bytes + memory.other_weight_bytes + memory.kv_cache_bytes +
           memory.workspace_bytes;
}

Expected<> run_bench(const BenchOptions& options, const std::function<void(const BenchHeader&)>& on_start,
                     const std::function<void(const BenchCell&)>& on_cell) {
    Bench bench(options, on_cell);
    return bench.open(on_start).and_then([&] { return bench.run(); });
}

} // namespace quantscope::worker
