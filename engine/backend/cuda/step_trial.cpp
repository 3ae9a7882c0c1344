// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/step_trial.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <vector>

namespace quantscope::cuda {
namespace {

using kernels::Status;

/// Logits of `rows` tokens at one position.
Status run(const FreshSession& session, const Forward& forward, const Pass& pass, int position,
           std::vector<float>& logits) {
    const RowLists& lists = session.workspace.rows;
    for (int row = 0; row < pass.rows; ++row) {
        lists.host_list(RowLists::tokens)[row] = (31 * position + 7 * row + 1) % session.config.vocab_size;
        lists.host_list(RowLists::slots)[row] = row < session.max_slots ? row : -1;
        lists.host_list(RowLists::positions)[row] = position;
        lists.host_list(RowLists::logits_rows)[row] = row;
    }
    logits.resize(static_cast<std::size_t>(pass.rows) * static_cast<std::size_t>(session.config.vocab_size));
    QS_TRY(forward.enqueue(pass, session.stream));
    QS_CUDA_TRY(cudaMemcpyAsync(logits.data(), session.workspace.logits.data(), logits.size() * sizeof(float),
                                cudaMemcpyDeviceToHost, session.stream),
                "copying logits from the device");
    QS_CUDA_TRY(cudaStreamSynchronize(session.stream), "waiting for the device");
    return {};
}

Status same_both_ways(const FreshSession& session, const Forward& forward, int rows, int position,
                      bool& same) {
    Pass pass;
    pass.rows = rows;
    pass.logits_rows = rows;
    pass.splits = kernels::splits_of(position + 1);
    same = true;
    if (!forward.one_kernel(pass)) {
        return {};
    }
    std::vector<float> whole;
    std::vector<float> separate;
    QS_TRY(run(session, forward, pass, position, whole));
    pass.separate = true;
    QS_TRY(run(session, forward, pass, position, separate));
    same = std::memcmp(whole.data(), separate.data(), whole.size() * sizeof(float)) == 0;
    return {};
}

} // namespace

Status try_whole_steps(const FreshSession& session, Forward& forward) {
    const int decode_rows = session.workspace.decode_rows;
    Pass smallest;
    smallest.rows = 1;
    smallest.splits = 1;
    if (!forward.one_kernel(smallest)) {
        return {};
    }
    // Positions that no token was written to are read too.
    QS_CUDA_TRY(
        cudaMemsetAsync(session.workspace.keys.data(), 0, session.workspace.keys.bytes(), session.stream),
        "clearing the KV cache");
    QS_CUDA_TRY(
        cudaMemsetAsync(session.workspace.values.data(), 0, session.workspace.values.bytes(), session.stream),
        "clearing the KV cache");
    for (const int rows : {1, 2}) {
        for (const int wanted : {0, 1, 70}) {
            bool same = true;
            const int position = std::min(wanted, session.context_length - 1);
            if (rows <= decode_rows) {
                QS_TRY(same_both_ways(session, forward, rows, position, same));
            }
            if (!same) {
                forward.use_separate_kernels();
                fmt::print(
                    stderr,
                    "The decode kernel of few rows gave other logits than the separate kernels on this "
                    "device ({} rows, position {}); the separate ones are used.\n",
                    rows, position);
                return {};
            }
        }
    }
    return {};
}

} // namespace quantscope::cuda
