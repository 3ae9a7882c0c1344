// SPDX-License-Identifier: Apache-2.0
#include "kernels/check/support.h"
#include "kernels/tokens/tokens.h"

#include <algorithm>
#include <cuda_fp16.h>

namespace quantscope::kernels {
namespace {

Status check_embedding(int vocab, int hidden, std::mt19937& random, CheckResult& result) {
    std::vector<__half> table(static_cast<std::size_t>(vocab) * hidden);
    for (__half& value : table)
        value = __float2half(std::normal_distribution<float>()(random));
    std::vector<std::int32_t> tokens{0, vocab - 1, vocab / 2};
    for (int i = 0; i < 30; ++i)
        tokens.push_back(std::uniform_int_distribution<int>(0, vocab - 1)(random));
    DeviceBuffer<__half> d_table;
    DeviceBuffer<std::int32_t> d_tokens;
    DeviceBuffer<float> d_out;
    PackedWeights packed;
    QS_TRY(upload(table, d_table));
    QS_TRY(upload(tokens, d_tokens));
    QS_TRY(poisoned(tokens.size() * hidden, d_out));
    QS_TRY(pack_weights_f16(RowOrder::plain, d_table.data(), vocab, hidden, packed, nullptr));
    // Two lists of a pass, of which its rows' part is copied: tokens, and tokens backwards.
    const std::size_t capacity = tokens.size() + 3;
    std::vector<std::int32_t> lists(2 * capacity, -1);
    std::copy(tokens.begin(), tokens.end(), lists.begin());
    std::copy(tokens.rbegin(), tokens.rend(), lists.begin() + static_cast<std::ptrdiff_t>(capacity));
    DeviceBuffer<std::int32_t> d_lists;
    DeviceBuffer<std::int32_t> d_copied;
    QS_TRY(upload(lists, d_lists));
    QS_TRY(upload(std::vector<std::int32_t>(lists.size(), -1), d_copied));
    QS_TRY(embed_tokens(packed, d_tokens.data(), static_cast<int>(tokens.size()), d_out.data(), {},
                        {d_lists.data(), d_copied.data(), static_cast<int>(capacity), 2}));
    std::vector<std::int32_t> copied;
    QS_TRY(download(d_copied, copied, "copying a pass's lists"));
    if (copied != lists) {
        result.passed = false;
        result.detail = "the lists of a pass were not copied as they are";
        return {};
    }
    std::vector<float> out;
    QS_TRY(download(d_out, out, "running embed_tokens"));
    std::vector<float> expected(out.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
        expected[i] = __half2float(table[static_cast<std::size_t>(tokens[i / hidden]) * hidden + i % hidden]);
    expect_equal(out, expected, "element", result);
    return {};
}

Status check_largest(int rows, int count, std::mt19937& random, CheckResult& result) {
    std::vector<float> logits = normal_values(static_cast<std::size_t>(rows) * count, random);
    for (int i = 0; i < count; ++i) {
        logits[i] = std::nanf("");                     // row 0: nothing but NaN
        logits[count + i] = static_cast<float>(i % 3); // row 1: many ties
        logits[3 * count + i] = -INFINITY;             // row 3
    }
    logits[2 * count + count / 2] = std::nanf(""); // row 2: one NaN
    logits[4 * count + count - 1] = -INFINITY;     // row 4: one that could not win
    std::vector<std::int32_t> expected(rows, 0);
    for (int r = 0; r < rows; ++r) {
        float best = -INFINITY;
        for (int i = 0; i < count; ++i) {
            const float value = logits[static_cast<std::size_t>(r) * count + i];
            if (value > best) {
                best = value;
                expected[r] = i;
            }
        }
        expected[r] = r == 1 || r > 4 ? expected[r] : not_finite_id;
    }
    DeviceBuffer<float> d_logits;
    DeviceBuffer<std::int32_t> d_ids;
    QS_TRY(upload(logits, d_logits));
    QS_TRY(poisoned(rows, d_ids));
    QS_TRY(largest_logits(d_logits.data(), rows, count, d_ids.data(), {}));
    std::vector<std::int32_t> ids;
    QS_TRY(download(d_ids, ids, "running largest_logits"));
    expect_equal(ids, expected, "id", result);
    return {};
}

} // namespace

void check_tokens(std::mt19937& random, CheckList& results) {
    run_check(results, "embed_tokens 100 x 72",
              [&](CheckResult& r) { return check_embedding(100, 72, random, r); });
    run_check(results, "embed_tokens 1280 x 256",
              [&](CheckResult& r) { return check_embedding(1280, 256, random, r); });
    run_check(results, "largest_logits 5 x 7",
              [&](CheckResult& r) { return check_largest(5, 7, random, r); });
    run_check(results, "largest_logits 33 x 32000",
              [&](CheckResult& r) { return check_largest(33, 32000, random, r); });
}

} // namespace quantscope::kernels
