// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/run_context.h"

#include <exception>
#include <fmt/format.h>
#include <new>

namespace quantscope::worker {

Expected<LoadedScheme*> begin_run(RunContext& context, const JobRun& run, const SessionNeed& need) {
    if (need.slots > context.host.max_batch()) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format("Run {} asks for a batch size of {}, but the model was loaded for at most {}.",
                        run.run, need.slots, context.host.max_batch()),
            "Load it with a larger max_batch.");
    }
    if (!context.host.in_memory(run.scheme, need)) {
        context.writer.send(protocol::PhaseEvent{
            run.run, "quantize",
            fmt::format("Preparing {} for {} sequences of {} tokens", run.scheme, need.slots, need.tokens)});
    }
    auto entry = context.host.use(run.scheme, need);
    if (!entry) {
        return entry;
    }
    const MemoryReport memory = (*entry)->session->memory();
    protocol::MetricEvent metric{run.run, {}};
    metric.values = {
        {"linear_weight_bytes", static_cast<double>(memory.linear_weight_bytes)},
        {"linear_weight_count", static_cast<double>(memory.linear_weight_count)},
        {"other_weight_bytes", static_cast<double>(memory.other_weight_bytes)},
        // slots are equal parts of the cache: this run's share is exact
        {"kv_cache_bytes",
         static_cast<double>(memory.kv_cache_bytes) * need.slots / (*entry)->session->max_slots()},
        {"workspace_bytes", static_cast<double>(memory.workspace_bytes)},
        {"load_s", (*entry)->load_s},
        {"context_length", static_cast<double>((*entry)->session->context_length())},
    };
    if (memory.peak_load_bytes > 0) {
        metric.values.emplace("peak_load_bytes", static_cast<double>(memory.peak_load_bytes));
    }
    context.writer.send(std::move(metric));
    return entry;
}

Expected<> guarded(const std::function<Expected<>()>& work) {
    try {
        return work();
    } catch (const std::bad_alloc&) {
        return make_error(ErrorCode::out_of_memory, "Memory ran out during the run.",
                          "Use a smaller batch, a shorter context or fewer schemes at once.");
    } catch (const std::exception& defect) {
        return make_error(ErrorCode::internal,
                          fmt::format("The worker met an unexpected fault: {}.", defect.what()));
    }
}

void end_run(EventWriter& writer, const std::string& run, const char* measure, const Expected<>& result) {
    if (result) {
        writer.send(protocol::DoneEvent{run, measure, "ok"});
    } else if (result.error().code == ErrorCode::cancelled) {
        writer.send(protocol::DoneEvent{run, measure, "cancelled"});
    } else {
        writer.send(protocol::ErrorEvent{run, {}, result.error(), result.error().code == ErrorCode::device});
        writer.send(protocol::DoneEvent{run, measure, "failed"});
    }
}

} // namespace quantscope::worker
