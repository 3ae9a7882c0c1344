// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/decode_attention.h"
#include "kernels/attention/prefill.cuh"
#include "kernels/check/canonical.h"
#include "kernels/check/support.h"

#include <algorithm>
#include <cstring>

namespace quantscope::kernels {
namespace {

/// What a cache holds: halves, or codes and scales.
struct HostCache {
    std::vector<__half> halves;
    std::vector<std::int8_t> codes;
    std::vector<float> scales;

    float number(std::size_t at) const {
        return codes.empty() ? __half2float(halves[at]) : static_cast<float>(codes[at]);
    }
    /// Of tokens from `token` on; null for halves.
    const float* scales_from(std::size_t token) const { return codes.empty() ? nullptr : &scales[token]; }

    void fill(std::size_t numbers, int head_dim, bool with_codes, std::mt19937& random) {
        std::uniform_int_distribution<int> code(-127, 127);
        std::uniform_real_distribution<float> scale(0.003F, 0.03F);
        for (const float value : normal_values(with_codes ? 0 : numbers, random))
            halves.push_back(__float2half(value));
        for (std::size_t i = 0; i < numbers && with_codes; ++i)
            codes.push_back(static_cast<std::int8_t>(code(random)));
        for (std::size_t i = 0; i < numbers / head_dim && with_codes; ++i)
            scales.push_back(scale(random));
    }
};

struct DeviceCache {
    DeviceBuffer<__half> halves;
    DeviceBuffer<std::int8_t> codes;
    DeviceBuffer<float> scales;

    Status set(const HostCache& from) {
        QS_TRY(upload(from.halves, halves));
        QS_TRY(upload(from.codes, codes));
        return upload(from.scales, scales);
    }
    Status get(HostCache& to) const {
        QS_TRY(download(halves, to.halves, "reading a cache"));
        QS_TRY(download(codes, to.codes, "reading a cache"));
        return download(scales, to.scales, "reading a cache");
    }
};

/// Random caches of a few slots, and rows at random positions of them; among these the first and the last.
struct Problem {
    AttentionShape shape;
    int slots;
    std::vector<float> qkv;
    HostCache keys;
    HostCache values;
    std::vector<std::int32_t> row_slots;
    std::vector<std::int32_t> positions;

    DeviceBuffer<float> d_qkv;
    DeviceCache d_keys;
    DeviceCache d_values;
    DeviceBuffer<std::int32_t> d_slots;
    DeviceBuffer<std::int32_t> d_positions;

    Problem(const AttentionShape& s, int rows, bool codes, std::mt19937& random, int slot_count = 3)
        : shape(s), slots(slot_count) {
        qkv = normal_values(static_cast<std::size_t>(rows) * s.qkv_size(), random);
        for (HostCache* const cache : {&keys, &values})
            cache->fill(slots * s.slot_size(), s.head_dim, codes, random);
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
        QS_TRY(d_keys.set(keys));
        QS_TRY(d_values.set(values));
        QS_TRY(upload(row_slots, d_slots));
        return upload(positions, d_positions);
    }

    int rows() const { return static_cast<int>(row_slots.size()); }
    AttentionRows device_rows(int first, int count) const {
        AttentionRows r;
        r.shape = shape;
        r.qkv = d_qkv.data() + static_cast<std::ptrdiff_t>(first) * shape.qkv_size();
        r.keys = d_keys.halves.data();
        r.values = d_values.halves.data();
        r.key_codes = d_keys.codes.data();
        r.value_codes = d_values.codes.data();
        r.key_scales = d_keys.scales.data();
        r.value_scales = d_values.scales.data();
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
            const float* const key_scales = p.keys.scales_from(cache / s.head_dim);
            const float* const value_scales = p.values.scales_from(cache / s.head_dim);
            for (std::size_t t = 0; t < scores.size(); ++t)
                for (int d = 0; d < s.head_dim; ++d)
                    scores[t] += query[d] * static_cast<double>(p.keys.number(cache + t * s.head_dim + d)) *
                                 (key_scales != nullptr ? key_scales[t] : 1.0F);
            double weight = 0.0;
            const double peak = *std::max_element(scores.begin(), scores.end());
            for (double& score : scores)
                weight += score = std::exp((score - peak) / std::sqrt(static_cast<double>(s.head_dim)));
            double* const to = out.data() + (static_cast<std::size_t>(m) * s.heads + h) * s.head_dim;
            for (std::size_t t = 0; t < scores.size(); ++t)
                for (int d = 0; d < s.head_dim; ++d)
                    to[d] += scores[t] / weight *
                             static_cast<double>(p.values.number(cache + t * s.head_dim + d)) *
                             (value_scales != nullptr ? value_scales[t] : 1.0F);
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
            const auto at = [&](int t, int d) {
                return cache + static_cast<std::size_t>(t) * s.head_dim + d;
            };
            canonical::attend(
                p.qkv.data() + static_cast<std::size_t>(m) * s.qkv_size() + h * s.head_dim,
                [&](int t, int d) { return p.keys.number(at(t, d)); },
                [&](int t, int d) { return p.values.number(at(t, d)); }, p.positions[m] + 1, s.head_dim,
                1.0F / std::sqrt(static_cast<float>(s.head_dim)),
                out.data() + (static_cast<std::size_t>(m) * s.heads + h) * s.head_dim,
                p.keys.scales_from(cache / s.head_dim), p.values.scales_from(cache / s.head_dim));
        }
    }
    return out;
}

enum class Form {
    whole,    ///< a block takes a sequence: prefill
    portable, ///< prefill as on devices without wgmma
    split,    ///< decode
};

/// All rows together and each alone; split sequences with more splits than needed.
Status check_attend(const AttentionShape& shape, int rows, Form form, bool codes, std::mt19937& random,
                    CheckResult& result) {
    Problem p(shape, rows, codes, random);
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
    const auto run = [&](const AttentionRows& of, int most_splits, float* to) {
        return form == Form::portable
                   ? attend_prefill_mma(of, to, {})
                   : attend(of, to, form == Form::split ? partials.data() : nullptr, most_splits, {});
    };
    QS_TRY(run(p.device_rows(0, rows), splits + 3, d_out.data()));
    std::vector<float> out;
    QS_TRY(download(d_out, out, "running attend"));
    for (int m = 0; m < rows; ++m)
        QS_TRY(run(p.device_rows(m, 1), splits_of(p.positions[m] + 1), d_alone.data() + m * out_row));
    std::vector<float> alone;
    QS_TRY(download(d_alone, alone, "running attend"));
    const double error = relative_error(out, reference(p));
    result.passed = error < 2e-6; // f32 sums of exact products
    result.detail = "relative error " + figure(error);
    expect_equal(out, alone, "element of a row with others", result);
    if (form == Form::split) {
        expect_equal(out, canonical_reference(p), "element", result);
        result.detail += result.passed ? ", bit for bit" : "";
    }
    return {};
}

/// What a head of k or v is in the cache: numbers, and the scale of codes.
std::vector<float> cached(const float* head, int head_dim, bool codes) {
    std::vector<float> out;
    out.reserve(static_cast<std::size_t>(head_dim) + 1);
    float scale = 0.0F;
    for (int i = 0; i < head_dim; ++i)
        scale = std::fmax(scale, std::fabs(head[i]) / 127.0F);
    for (int i = 0; i < head_dim; ++i)
        out.push_back(codes ? std::nearbyint(head[i] / scale) : __half2float(__float2half_rn(head[i])));
    if (codes)
        out.push_back(scale);
    return out;
}

Status check_rotate(const AttentionShape& shape, int rows, bool codes, std::mt19937& random,
                    CheckResult& result) {
    Problem p(shape, rows, codes, random);
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
    QS_TRY(download(p.d_qkv, qkv, "running rotate_and_append"));
    HostCache keys;
    HostCache values;
    QS_TRY(p.d_keys.get(keys));
    QS_TRY(p.d_values.get(values));

    std::vector<float> expected = p.qkv;
    std::vector<float> expected_cache;
    std::vector<float> cache;
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
            const HostCache& from = h < shape.heads + shape.kv_heads ? keys : values;
            const std::size_t token = (static_cast<std::size_t>(p.row_slots[m]) * shape.kv_heads +
                                       (h - shape.heads) % shape.kv_heads) *
                                          shape.context +
                                      p.positions[m];
            for (const float number : cached(head, shape.head_dim, codes))
                expected_cache.push_back(number);
            for (int i = 0; i < shape.head_dim; ++i)
                cache.push_back(from.number(token * shape.head_dim + i));
            if (codes)
                cache.push_back(from.scales[token]);
        }
    }
    expect_equal(qkv, expected, "element of q, k, v", result);
    expect_equal(cache, expected_cache, "cached number", result);
    return {};
}

/// attend_decode() against rotate_and_append() and attend(): a slot a row.
Status check_decode(const AttentionShape& shape, int rows, bool codes, std::mt19937& random,
                    CheckResult& result) {
    Problem p(shape, rows, codes, random, rows);
    const int edges[] = {0, split_keys - 1, split_keys, split_keys + 1, shape.context - 1};
    for (int m = 0; m < rows; ++m) {
        p.row_slots[m] = m == 5 ? -1 : rows - 1 - m;
        p.positions[m] = m < 5 ? std::min(edges[m], shape.context - 1)
                               : std::uniform_int_distribution<int>(0, shape.context - 1)(random);
    }
    p.positions[5] = 0;
    const std::size_t table = static_cast<std::size_t>(shape.context) * shape.head_dim / 2;
    const std::size_t out_size = static_cast<std::size_t>(rows) * shape.heads * shape.head_dim;
    const int splits = splits_of(shape.context);
    DeviceBuffer<float> cosines;
    DeviceBuffer<float> sines;
    DeviceBuffer<float> partials;
    QS_TRY(upload(normal_values(table, random, 0.5F), cosines));
    QS_TRY(upload(normal_values(table, random, 0.5F), sines));
    QS_TRY(poisoned(static_cast<std::size_t>(rows) * shape.heads * splits * split_part_size(shape.head_dim),
                    partials));
    struct Result {
        std::vector<float> out;
        HostCache keys;
        HostCache values;
    };
    const auto run = [&](bool separately, Result& to) -> Status {
        DeviceBuffer<float> out;
        QS_TRY(p.upload_all());
        QS_TRY(poisoned(out_size, out));
        const AttentionRows r = p.device_rows(0, rows);
        if (separately) {
            QS_TRY(rotate_and_append(r, cosines.data(), sines.data(), {}));
            QS_TRY(attend(r, out.data(), partials.data(), splits, {}));
        } else {
            QS_TRY(attend_decode(r, cosines.data(), sines.data(), out.data(), partials.data(), splits, {}));
        }
        QS_TRY(download(out, to.out, "running attend_decode"));
        QS_TRY(p.d_keys.get(to.keys));
        return p.d_values.get(to.values);
    };
    Result expected;
    Result together;
    QS_TRY(run(true, expected));
    QS_TRY(run(false, together));
    expect_equal(together.out, expected.out, "element", result);
    for (const auto cache : {&Result::keys, &Result::values}) {
        expect_equal((together.*cache).codes, (expected.*cache).codes, "code", result);
        expect_equal((together.*cache).scales, (expected.*cache).scales, "scale of codes", result);
        for (std::size_t i = 0; i < (expected.*cache).halves.size() && result.passed; ++i)
            if (std::memcmp(&(expected.*cache).halves[i], &(together.*cache).halves[i], sizeof(__half)) != 0)
                result = {result.name, false, "cache differs at " + std::to_string(i)};
    }
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
        for (const bool codes : {false, true}) {
            const std::string kind = (codes ? " int8" : "") + name;
            const auto check = [&](const char* what, int rows, Form form) {
                run_check(results, what + kind,
                          [&](CheckResult& r) { return check_attend(s, rows, form, codes, random, r); });
            };
            run_check(results, "rotate_and_append" + kind,
                      [&](CheckResult& r) { return check_rotate(s, 9, codes, random, r); });
            check("attend", 150, Form::whole);
            if (prefill_takes(s.head_dim))
                check("attend, portable", 150, Form::portable);
            check("attend, split", 5, Form::split);
        }
    }
    const AttentionShape few_rows{2, 1, 64, 300};
    for (const bool codes : {false, true})
        for (const auto& [form, what] : {std::pair{Form::whole, "attend, few rows"},
                                         std::pair{Form::portable, "attend, portable, few rows"}})
            run_check(results, std::string(what) + (codes ? " int8" : ""), [&, form = form](CheckResult& r) {
                return check_attend(few_rows, 20, form, codes, random, r);
            });
    const AttentionShape decoded[] = {{32, 32, 128, 200}, {32, 32, 128, 700}, {16, 8, 128, 130},
                                      {16, 16, 64, 600},  {32, 8, 64, 65},    {4, 4, 64, 200}};
    for (const AttentionShape& s : decoded)
        for (const bool codes : {false, true})
            run_check(results,
                      std::string("attend_decode ") + (codes ? "int8 " : "") + std::to_string(s.heads) + "/" +
                          std::to_string(s.kv_heads) + " heads of " + std::to_string(s.head_dim) +
                          ", context " + std::to_string(s.context),
                      [&](CheckResult& r) { return check_decode(s, 29, codes, random, r); });
}

} // namespace quantscope::kernels
