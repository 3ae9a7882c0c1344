// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

/// The messages of the wire protocol (README.md in this folder) as value types. Field names are those on
/// the wire; text is UTF-8. `run` is chosen by the client and comes back untouched; empty means "no run".
namespace quantscope::protocol {

inline constexpr int kVersion = 1;                        ///< what this build speaks
inline constexpr std::size_t kMaxLineBytes = 1024 * 1024; ///< a line with its '\n'
inline constexpr std::size_t kMaxBannerBytes = 64 * 1024; ///< what may precede `hello`
inline constexpr std::size_t kMaxProblemsPerEvent = 32;   ///< batches of `problems`
inline constexpr double kHeartbeatSeconds = 5.0;          ///< the worker is heard at least this often
inline constexpr double kLostSeconds = 20.0;              ///< silence after which it counts as lost

// ---- parts of events ----

struct Device {
    std::string id;      ///< "cpu", "cuda:0"
    std::string backend; ///< "cpu" | "cuda"
    std::string name;
    std::int64_t memory_bytes = 0;
    std::string detail;
};

struct SchemeInfo {
    std::string id, label, summary;
    int weight_bits = 16, activation_bits = 16, kv_bits = 16;
    std::vector<std::string> backends; ///< which can run it here: "cpu", "cuda"
};

struct SandboxState {
    bool available = false;
    std::string message; ///< why not
    std::string hint;    ///< what to do
};

struct Host {
    std::string os, cpu;
};

struct ModelInfo {
    std::string name;
    std::int64_t parameters = 0;
    int layers = 0, hidden_size = 0, vocab_size = 0, context_length = 0;
};

struct ProblemText {
    std::string task_id, prompt, entry_point;
};

struct LatencyTimes {
    int request = 0; ///< slot within the batch
    int prompt_tokens = 0, output_tokens = 0;
    double ttft_ms = 0.0, e2e_ms = 0.0;
    std::vector<double> itl_ms; ///< every gap between tokens: output_tokens - 1 of them
};

// ---- events, worker to client ----

struct HelloEvent {
    int protocol = kVersion;
    std::string version; ///< engine version: part of a resume's identity
    std::string git;
    std::vector<Device> devices;
    std::vector<SchemeInfo> schemes;
    SandboxState sandbox;
    Host host;
};

struct LoadedEvent {
    std::string model_hash;
    ModelInfo model;
    Device device;
    std::vector<std::string> schemes; ///< usable from now on
    std::vector<std::string> notices; ///< sentences on how the model's files were read
};

struct PhaseEvent {
    std::string run;
    std::string phase; ///< "load", "quantize", "warmup", "check", "generate", "verdict", "latency"
    std::string text;
};

struct ProgressEvent {
    std::string run;
    std::string measure; ///< "eval" | "latency"
    int done = 0, total = 0;
    std::optional<double> eta_s;
    double tokens_per_s = 0.0;
};

struct ProblemsEvent {
    std::string run;
    std::string problems_hash;
    int count = 0;  ///< problems of the run, over all batches
    int offset = 0; ///< of this batch's first
    std::vector<ProblemText> problems;
    std::string notice; ///< "3 problems cannot be judged here: ..."; in the first batch, if at all
};

struct SampleEvent {
    std::string run, task_id;
    int sample_index = 0;
    std::string completion;
    std::string verdict; ///< "passed" | "failed" | "timed_out" | "error" | "unscored"
    std::string detail;
    std::string stop_reason; ///< "stop" | "eos" | "length"
    int prompt_tokens = 0, completion_tokens = 0;
    double ttft_ms = 0.0, total_ms = 0.0;
};

struct LatencyEvent {
    std::string run;
    int round = 0;
    std::vector<LatencyTimes> requests;
};

struct MetricEvent {
    std::string run;
    std::map<std::string, double> values;
};

struct TelemetryEvent {
    std::map<std::string, double> values;
};

struct ErrorEvent {
    std::string run;    ///< the run that it ends, if any
    std::string scheme; ///< the scheme that could not be loaded, if any
    Error error;
    bool fatal = false; ///< the worker ends
};

struct DoneEvent {
    std::string run;
    std::string measure; ///< "eval" | "latency"
    std::string status;  ///< "ok" | "cancelled" | "failed"
};

struct PongEvent {};
struct HeartbeatEvent {};

/// An event of this protocol version that this build does not know: to be ignored.
struct UnknownEvent {
    std::string name;
};

using EventBody =
    std::variant<HelloEvent, LoadedEvent, PhaseEvent, ProgressEvent, ProblemsEvent, SampleEvent, LatencyEvent,
                 MetricEvent, TelemetryEvent, ErrorEvent, DoneEvent, PongEvent, HeartbeatEvent, UnknownEvent>;

struct Event {
    std::int64_t seq = 0; ///< 1 is `hello`
    EventBody body;
};

// ---- requests, client to worker ----

struct Sampling {
    int samples = 1;
    double temperature = 0.0; ///< 0 is greedy
    double top_p = 1.0;
    std::uint64_t seed = 0;
    int max_new_tokens = 512;
    std::string prompt_form = "raw"; ///< or "stripped" (no white space at its end), or "auto"
};

struct SampleKey {
    std::string task_id;
    int sample_index = 0;
    friend bool operator==(const SampleKey&, const SampleKey&) = default;
    friend bool operator<(const SampleKey& a, const SampleKey& b) {
        return std::tie(a.task_id, a.sample_index) < std::tie(b.task_id, b.sample_index);
    }
};

struct LatencyCell {
    std::string run, scheme;
};

struct LoadRequest {
    std::string model; ///< folder, or "demo"
    std::vector<std::string> schemes;
    std::string backend = "auto";
    int max_batch = 1;
    int context_length = 0; ///< 0: what each run needs, up to the model's
};

struct EvalRequest {
    std::string run, scheme;
    std::string problems; ///< file, or "demo"
    int limit = 0;        ///< first N problems; 0 is all
    int batch_size = 1;
    Sampling sampling;
    std::vector<SampleKey> skip; ///< stored already
};

struct LatencyRequest {
    std::vector<LatencyCell> cells;
    int batch_size = 1;
    int prompt_tokens = 128, output_tokens = 32;
    int requests = 5;    ///< rounds in all
    int first_round = 0; ///< resume: rounds before it are stored
};

struct CancelRequest {
    std::string run; ///< empty: everything queued and running
};

struct PingRequest {};
struct ShutdownRequest {};

using Request =
    std::variant<LoadRequest, EvalRequest, LatencyRequest, CancelRequest, PingRequest, ShutdownRequest>;

} // namespace quantscope::protocol
