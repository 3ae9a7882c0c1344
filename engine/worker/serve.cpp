// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/serve.h"

#include "engine/telemetry/nvml.h"
#include "engine/worker/event_writer.h"
#include "engine/worker/hello.h"
#include "engine/worker/request_reader.h"
#include "engine/worker/resources.h"
#include "engine/worker/run_context.h"
#include "engine/worker/ticker.h"

#include <algorithm>
#include <fmt/format.h>
#include <thread>

namespace quantscope::worker {
namespace {

using namespace protocol;

/// Under the promised 5 s, so that a busy moment does not break the promise.
constexpr std::chrono::milliseconds kHeartbeat{4000};

class Server {
  public:
    Server(EventWriter& writer, const Expected<eval::Sandbox>& sandbox,
           const eval::VerdictPoolOptions& options)
        : writer_(writer), sandbox_(sandbox), verdicts_(sandbox, options) {}

    Expected<> work(JobQueue& queue) {
        while (auto job = queue.pop()) {
            if (auto done = std::visit([&](const auto& request) { return run(request, *job); }, job->request);
                !done) {
                return done;
            }
        }
        return {};
    }

  private:
    Expected<> run(const LoadRequest& request, const Job& job) {
        if (auto loaded = guarded([&] { return load(request, job.stop.get_token()); }); !loaded) {
            writer_.send(ErrorEvent{{}, {}, loaded.error(), false});
        }
        return {};
    }

    Expected<> run(const EvalRequest& request, const Job& job) {
        Expected<> result = no_model();
        if (host_) {
            RunContext context = run_context();
            result = guarded([&] { return run_eval(context, request, job.runs.front()); });
        }
        end_run(writer_, request.run, "eval", result);
        return only_device_errors(result);
    }

    Expected<> run(const protocol::LatencyRequest& request, const Job& job) {
        if (host_) {
            RunContext context = run_context();
            return run_latency(context, request, job.runs);
        }
        for (const JobRun& cell : job.runs) {
            end_run(writer_, cell.run, "latency", no_model());
        }
        return {};
    }

    Expected<> load(const LoadRequest& request, const std::stop_token& stop);
    Expected<> open_model(const LoadRequest& request);
    void open_telemetry(const DeviceInfo& device);
    void announce_loaded();
    RunContext run_context();

    static Expected<> no_model() {
        return make_error(ErrorCode::bad_input, "No model is loaded.", "Send a load request first.");
    }

    static Expected<> only_device_errors(const Expected<>& result) {
        return !result && result.error().code == ErrorCode::device ? result : Expected<>();
    }

    EventWriter& writer_;
    const Expected<eval::Sandbox> sandbox_;
    eval::VerdictPool verdicts_;
    CheckedProblems checked_;
    LoadRequest opened_; ///< what host_ was opened for
    std::unique_ptr<ModelHost> host_;
    std::unique_ptr<const telemetry::Nvml> nvml_; ///< of host_'s device; null where there is none
};

Expected<> Server::open_model(const LoadRequest& request) {
    const bool same = host_ && opened_.model == request.model && opened_.backend == request.backend &&
                      opened_.max_batch == request.max_batch &&
                      opened_.context_length == request.context_length;
    if (same) {
        return {};
    }
    host_.reset(); // its memory must be free before another model's is counted
    const auto folder = resolve_model(request.model);
    if (!folder) {
        return tl::unexpected(folder.error());
    }
    writer_.send(PhaseEvent{{}, "load", fmt::format("Reading {}", folder->string())});
    auto host = ModelHost::open(*folder, request.backend, {request.max_batch, request.context_length});
    if (!host) {
        return tl::unexpected(host.error());
    }
    host_ = *std::move(host);
    opened_ = request;
    open_telemetry(host_->device());
    return {};
}

void Server::open_telemetry(const DeviceInfo& device) {
    nvml_.reset();
    if (device.pci_bus_id.empty()) {
        return;
    }
    auto opened = telemetry::Nvml::open(device.pci_bus_id);
    if (opened) {
        nvml_ = *std::move(opened);
    } else {
        fmt::print(stderr, "No telemetry: {}\n", opened.error().message);
    }
}

RunContext Server::run_context() {
    telemetry::ReadDevice read;
    if (nvml_) {
        read = [nvml = nvml_.get()] { return nvml->read(); };
    }
    return {writer_, *host_, verdicts_, sandbox_ ? &*sandbox_ : nullptr, checked_, std::move(read)};
}

Expected<> Server::load(const LoadRequest& request, const std::stop_token& stop) {
    if (auto opened = open_model(request); !opened) {
        return opened;
    }
    for (const std::string& scheme : request.schemes) {
        if (stop.stop_requested()) {
            return make_error(ErrorCode::cancelled, "Loading was cancelled.");
        }
        writer_.send(PhaseEvent{{}, "quantize", fmt::format("Preparing {}", scheme)});
        if (auto loaded = host_->load(scheme); !loaded) {
            writer_.send(ErrorEvent{{}, scheme, loaded.error(), false});
        }
    }
    announce_loaded();
    return {};
}

void Server::announce_loaded() {
    const ModelConfig& config = host_->checkpoint().config();
    LoadedEvent loaded;
    loaded.model_hash = host_->hash();
    loaded.model = {config.name,
                    host_->checkpoint().parameter_count(),
                    config.num_hidden_layers,
                    config.hidden_size,
                    config.vocab_size,
                    host_->context_length()};
    if (opened_.model == "demo") {
        loaded.model.name = opened_.model; // its folder is named otherwise
    }
    loaded.device = to_protocol(host_->device());
    loaded.schemes = host_->schemes();
    loaded.notices = host_->notices();
    writer_.send(std::move(loaded));
}

} // namespace

Expected<> serve(const ServeOptions& options) {
    EventWriter writer(options.out_fd, options.record_fd);
    HelloEvent hello = make_hello();
    auto sandbox = eval::Sandbox::open(options.sandbox);
    hello.sandbox.available = sandbox.has_value();
    if (!sandbox) {
        hello.sandbox.message = sandbox.error().message;
        hello.sandbox.hint = sandbox.error().hint;
    }
    writer.send(std::move(hello));
    JobQueue queue;
    const Ticker heartbeat(kHeartbeat, [&] {
        writer.send(HeartbeatEvent{});
        if (writer.broken()) {
            queue.close(); // nobody is left to work for
        }
    });
    eval::VerdictPoolOptions verdict_options;
    verdict_options.threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 16U));
    Server server(writer, sandbox, verdict_options);
    const RequestReader reader(options.in_fd, writer, queue, options.on_overdue);
    return server.work(queue);
}

} // namespace quantscope::worker
