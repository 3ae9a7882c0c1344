// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention.h"
#include "kernels/check/canonical.h"
#include "kernels/check/support.h"

#include <algorithm>

namespace quantscope::kernels {
namespace {

/// Random caches of a few slots, and rows at random positions of them; among these the first and the last.
struct Problem {
    AttentionShape shape;
    int slots = 3;
    std::vector<float> qkv;
    std::vector<__half> keys;
    std::vector<__half> values;
    std::vector<std::int32_t> row_slots;
    std::vector<std::int32_t> positions;

    DeviceBuffer<float> d_qkv;
    DeviceBuffer<__half> d_keys;
    DeviceBuffer<__half> d_values;
    DeviceBuffer<std::int32_t> d_slots;
    DeviceBuffer<std::int32_t> d_positions;

    Problem(const AttentionShape& s, int rows, std::mt19937& random) : shape(s) {
        qkv = normal_values(static_cast<std::size_t>(rows) * s.qkv_size(), random);
        for (auto* const cache : {&keys, &values})
            for (const float value : normal_values(slots * s.slot_size(), random))
                cache->push_back(__float2half(value));
        for (int m = 0; m < rows; ++m) {
            row_slots.push_back(std::uniform_int_distribution<int>(0, slots - 1)(random));
            positions.push_back(std::uniform_int_distribution<int>(0, s.context - 1)(random));
        }
        for (int m = rows / 2; m < rows; ++m) { // half of the rows are a prompt
            row_slots[m] = 1;
            positions[m] = (m - rows / 2) % s.context;
        }
        positions[0] = 0;
        positions[rows - 1] = s.context - 1;
        if (rows > 2)
            row_slots[1] = -1;
    }

    Status upload_all() {
        QS_TRY(upload(qkv, d_qkv));
        QS_TRY(upload(keys, d_keys));
        QS_TRY(upload(values, d_values));
        QS_TRY(upload(row_slots, d_slots));
        return upload(positions, d_positions);
    }

    int rows() const { return static_cast<int>(row_slots.size()); }
    AttentionRows device_rows(int first, int count) const {
        AttentionRows r;
        r.shape = shape;
        r.qkv = d_qkv.data() + static_cast<std::ptrdiff_t>(first) * shape.qkv_size();
        r.keys = d_keys.data();
        r.values = d_values.data();
        r.slots = d_slots.data() + first;
        r.positions = d_positions.data() + first;
        r.rows = count;
        return r;
    }
};

std::vector<double> reference(const Problem& p) {
    const AttentionShape& s = p.shape;
    std::vector<double> out(static_cast<std::size_t>(p.rows()) * s.heads * s.head_dim, 0.0);
    for (int m = 0; m < p.rows(); ++m) {
        for (int h = 0; h < s.heads && p.row_slots[m] >= 0; ++h) {
            const int kv_head = h / (s.heads / s.kv_heads);
            const std::size_t cache =
                p.row_slots[m] * s.slot_size() + static_cast<std::size_t>(kv_head) * s.context * s.head_dim;
            const float* const query =
                p.qkv.data() + static_cast<std::size_t>(m) * s.qkv_size() + h * s.head_dim;
            std::vector<double> scores(p.positions[m] + 1, 0.0);
            for (std::size_t t = 0; t < scores.size(); ++t)
                for (int d = 0; d < s.head_dim; ++d)
                    scores[t] +=
                        query[d] * static_cast<double>(__half2float(p.keys[cache + t * s.head_dim + d]));
            double weight = 0.0;
            const double peak = *std::max_element(scores.begin(), scores.end());
            for (double& score : scores)
                weight += score = std::exp((score - peak) / std::sqrt(static_cast<double>(s.head_dim)));
            double* const to = out.data() + (static_cast<std::size_t>(m) * s.heads + h) * s.head_dim;
            for (std::size_t t = 0; t < scores.size(); ++t)
                for (int d = 0; d < s.head_dim; ++d)
                    to[d] += scores[t] / weight *
                             static_cast<double>(__half2float(p.values[cache + t * s.head_dim + d]));
        }
    }
    return out;
}

/// The order of sums that decode has on every device.
std::vector<float> canonical_reference(const Problem& p) {
    const AttentionShape& s = p.shape;
    std::vector<float> out(static_cast<std::size_t>(p.rows()) * s.heads * s.head_dim, 0.0F);
    for (int m = 0; m < p.rows(); ++m) {
        for (int h = 0; h < s.heads && p.row_slots[m] >= 0; ++h) {
            const std::size_t cache =
                p.row_slots[m] * s.slot_size() +
                static_cast<std::size_t>(h / (s.heads / s.kv_heads)) * s.context * s.head_dim;
            const auto number = [&](const std::vector<__half>& from) {
                return [&](int t, int d) {
                    return __half2float(from[cache + static_cast<std::size_t>(t) * s.head_dim + d]);
                };
            };
            canonical::attend(p.qkv.data() + static_cast<std::size_t>(m) * s.qkv_size() + h * s.head_dim,
                              number(p.keys), number(p.values), p.positions[m] + 1, s.head_dim,
                              1.0F / std::sqrt(static_cast<float>(s.head_dim)),
                              out.data() + (static_cast<std::size_t>(m) * s.heads + h) * s.head_dim);
        }
    }
    return out;
}

/// All rows together and each alone, whole sequences and split ones, with more splits than needed.
Status check_attend(const AttentionShape& shape, int rows, bool split, std::mt19937& random,
                    CheckResult& result) {
    Problem p(shape, rows, random);
    QS_TRY(p.upload_all());
    const std::size_t out_row = static_cast<std::size_t>(shape.heads) * shape.head_dim;
    const int splits = splits_of(shape.context);
    DeviceBuffer<float> partials;
    DeviceBuffer<float> d_out;
    DeviceBuffer<float> d_alone;
    QS_TRY(poisoned(static_cast<std::size_t>(rows) * shape.heads * (splits + 3) *
                        split_part_size(shape.head_dim),
                    partials));
    QS_TRY(poisoned(rows * out_row, d_out));
    QS_TRY(poisoned(rows * out_row, d_alone));
    QS_TRY(attend(p.device_rows(0, rows), d_out.data(), split ? partials.data() : nullptr, splits + 3, {}));
    std::vector<float> out;
    QS_TRY(download(d_out, out, "running attend"));
    for (int m = 0; m < rows; ++m)
        QS_TRY(attend(p.device_rows(m, 1), d_alone.data() + m * out_row, split ? partials.data() : nullptr,
                      splits_of(p.positions[m] + 1), {}));
    std::vector<float> alone;
    QS_TRY(download(d_alone, alone, "running attend"));
    const double error = relative_error(out, reference(p));
    result.passed = error < 2e-6; // f32 sums of exact products
    result.detail = "relative error " + figure(error);
    expect_equal(out, alone, "element of a row with others", result);
    if (split)
        expect_equal(out, canonical_reference(p), "element", result);
    return {};
}

Status check_rotate(const AttentionShape& shape, int rows, std::mt19937& random, CheckResult& result) {
    Problem p(shape, rows, random);
    for (int m = 0; m < rows; ++m)
        p.positions[m] = (m * 37 + 5) % shape.context; // no two rows write one place
    QS_TRY(p.upload_all());
    const int half = shape.head_dim / 2;
    const std::vector<float> cosines = normal_values(static_cast<std::size_t>(shape.context) * half, random);
    const std::vector<float> sines = normal_values(cosines.size(), random);
    DeviceBuffer<float> d_cosines;
    DeviceBuffer<float> d_sines;
    QS_TRY(upload(cosines, d_cosines));
    QS_TRY(upload(sines, d_sines));
    QS_TRY(rotate_and_append(p.device_rows(0, rows), d_cosines.data(), d_sines.data(), {}));
    std::vector<float> qkv;
    std::vector<__half> keys;
    std::vector<__half> values;
    QS_TRY(download(p.d_qkv, qkv, "running rotate_and_append"));
    QS_TRY(download(p.d_keys, keys, "running rotate_and_append"));
    QS_TRY(download(p.d_values, values, "running rotate_and_append"));

    std::vector<float> expected = p.qkv;
    std::vector<float> expected_keys;
    std::vector<float> expected_values;
    std::vector<float> cached_keys;
    std::vector<float> cached_values;
    for (int m = 0; m < rows; ++m) {
        float* const row = expected.data() + static_cast<std::size_t>(m) * shape.qkv_size();
        const std::size_t angle = static_cast<std::size_t>(p.positions[m]) * half;
        for (int h = 0; h < shape.heads + 2 * shape.kv_heads && p.row_slots[m] >= 0; ++h) {
            float head[max_head_dim];
            std::copy_n(row + h * shape.head_dim, shape.head_dim, head);
            if (h < shape.heads + shape.kv_heads)
                canonical::rotate(head, &cosines[angle], &sines[angle], shape.head_dim);
            if (h < shape.heads) {
                std::copy_n(head, shape.head_dim, row + h * shape.head_dim);
                continue;
            }
            const bool is_key = h < shape.heads + shape.kv_heads;
            const std::size_t cache =
                p.row_slots[m] * shape.slot_size() +
                (static_cast<std::size_t>((h - shape.heads) % shape.kv_heads) * shape.context +
                 p.positions[m]) *
                    shape.head_dim;
            for (int i = 0; i < shape.head_dim; ++i) {
                (is_key ? expected_keys : expected_values).push_back(__half2float(__float2half_rn(head[i])));
                (is_key ? cached_keys : cached_values)
                    .push_back(__half2float((is_key ? keys : values)[cache + i]));
            }
        }
    }
    expect_equal(qkv, expected, "element of q, k, v", result);
    expect_equal(cached_keys, expected_keys, "cached key", result);
    expect_equal(cached_values, expected_values, "cached value", result);
    return {};
}

} // namespace

void check_attention(std::mt19937& random, CheckList& results) {
    const AttentionShape shapes[] = {{4, 1, 64, 300}, {8, 8, 128, 257}, {6, 2, 96, 100},
                                     {4, 4, 32, 64},  {16, 2, 256, 70}, {32, 32, 128, 700}};
    for (const AttentionShape& s : shapes) {
        const std::string name = " " + std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) +
                                 " heads of " + std::to_string(s.head_dim) + ", context " +
                                 std::to_string(s.context);
        run_check(results, "rotate_and_append" + name,
                  [&](CheckResult& r) { return check_rotate(s, 9, random, r); });
        run_check(results, "attend" + name,
                  [&](CheckResult& r) { return check_attend(s, 150, false, random, r); });
        run_check(results, "attend, split" + name,
                  [&](CheckResult& r) { return check_attend(s, 5, true, random, r); });
    }
}

} // namespace quantscope::kernels
