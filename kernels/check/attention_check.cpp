// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention.h"
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
    QS_TRY(poisoned(static_cast<std::size_t>(rows) * shape.heads * (splits + 3) * (shape.head_dim + 2),
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

    double worst = 0.0;
    for (int m = 0; m < rows; ++m) {
        for (int h = 0; h < shape.heads + 2 * shape.kv_heads && p.row_slots[m] >= 0; ++h) {
            const std::size_t at = static_cast<std::size_t>(m) * shape.qkv_size() + h * shape.head_dim;
            const bool rotated = h < shape.heads + shape.kv_heads;
            const std::size_t cache =
                p.row_slots[m] * shape.slot_size() +
                (static_cast<std::size_t>(std::max(0, h - shape.heads) % shape.kv_heads) * shape.context +
                 p.positions[m]) *
                    shape.head_dim;
            for (int i = 0; i < shape.head_dim; ++i) {
                const std::size_t angle = static_cast<std::size_t>(p.positions[m]) * half + i % half;
                const double other = i < half ? -p.qkv[at + i + half] : p.qkv[at + i - half];
                const double expected =
                    rotated ? p.qkv[at + i] * static_cast<double>(cosines[angle]) + other * sines[angle]
                            : p.qkv[at + i];
                const double out = h < shape.heads ? qkv[at + i]
                                   : rotated       ? __half2float(keys[cache + i])
                                                   : __half2float(values[cache + i]);
                const double allowed = (h < shape.heads ? 1e-6 : 1e-3) * (1.0 + std::fabs(expected));
                result.passed = result.passed && std::fabs(out - expected) < allowed;
                worst = std::max(worst, std::fabs(out - expected));
            }
        }
    }
    result.detail = "largest difference " + figure(worst);
    return {};
}

} // namespace

void check_attention(std::mt19937& random, CheckList& results) {
    const AttentionShape shapes[] = {
        {4, 1, 64, 300}, {8, 8, 128, 257}, {6, 2, 96, 100}, {4, 4, 32, 64}, {16, 2, 256, 70}};
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
