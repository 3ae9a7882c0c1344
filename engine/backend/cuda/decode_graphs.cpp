// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/decode_graphs.h"

namespace quantscope::cuda {
namespace {

using kernels::Status;

Status capture(const Forward& forward, const Pass& pass, cudaStream_t stream, cudaGraphExec_t& exec) {
    cudaGraph_t graph = nullptr;
    QS_CUDA_TRY(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "capturing a decode step");
    const Status enqueued = forward.enqueue(pass, stream);
    const cudaError_t ended = cudaStreamEndCapture(stream, &graph);
    QS_TRY(enqueued);
    QS_CUDA_TRY(ended, "capturing a decode step");
    const cudaError_t made = cudaGraphInstantiate(&exec, graph, 0);
    static_cast<void>(cudaGraphDestroy(graph));
    QS_CUDA_TRY(made, "instantiating a decode step");
    return {};
}

} // namespace

DecodeGraphs::~DecodeGraphs() {
    for (const auto& [size, exec] : graphs_) {
        static_cast<void>(cudaGraphExecDestroy(exec));
    }
}

Status DecodeGraphs::launch(const Forward& forward, const Pass& pass, cudaStream_t stream) {
    const std::tuple size(pass.rows, pass.splits, pass.greedy);
    auto found = graphs_.find(size);
    if (found == graphs_.end()) {
        cudaGraphExec_t exec = nullptr;
        QS_TRY(capture(forward, pass, stream, exec));
        found = graphs_.emplace(size, exec).first;
    }
    QS_CUDA_TRY(cudaGraphLaunch(found->second, stream), "launching a decode step");
    return {};
}

} // namespace quantscope::cuda
