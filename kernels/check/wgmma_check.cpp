// SPDX-License-Identifier: Apache-2.0
#include "kernels/check/support.h"
#include "kernels/gemm/multiply.h"
#include "kernels/gemm/wgmma_gemm.h"
#include "kernels/rows/row_transform.h"

#include <bit>
#include <cstring>

namespace quantscope::kernels {
namespace {

bool same_bits(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}
bool same_bits(__half a, __half b) {
    return std::bit_cast<std::uint16_t>(a) == std::bit_cast<std::uint16_t>(b);
}

struct Case {
    WeightFormat format;
    int batch;
    int rows;
    int cols;
    Epilogue epilogue;
    int variant;
    bool w4a8 = false;

    int largest_code() const { return format == WeightFormat::int4 && !w4a8 ? 7 : 127; }
};

std::string name_of(const Case& c) {
    const char* const formats[] = {"int4", "int8", "f16"};
    const char* const epilogues[] = {" -> f16", "", " + residual", ", SiLU"};
    return std::string("wgmma ") + formats[static_cast<int>(c.format)] + (c.w4a8 ? " by int8" : "") +
           epilogues[static_cast<int>(c.epilogue)] + " " + std::to_string(c.batch) + " x " +
           std::to_string(c.rows) + " x " + std::to_string(c.cols) + " variant " + std::to_string(c.variant);
}

/// The same rows in both layouts: values, which must be the same but for their places, and their scales.
struct BothLayouts {
    DeviceBuffer<std::uint8_t> rows;
    DeviceBuffer<std::uint8_t> slabs;
    DeviceBuffer<float> scales;
};

Status transform(const DeviceBuffer<float>& x, const Case& c, BothLayouts& out, CheckResult& result) {
    const bool halves = c.format == WeightFormat::f16;
    const int bytes = halves ? 2 : 1;
    const auto batch = static_cast<std::size_t>(c.batch);
    const std::size_t row_bytes = static_cast<std::size_t>(padded_cols(c.cols)) * bytes;
    const std::size_t slab_row_bytes = static_cast<std::size_t>(slabs_of(c.cols, bytes)) * slab_bytes;
    QS_TRY(poisoned(batch * row_bytes, out.rows));
    QS_TRY(poisoned(batch * slab_row_bytes, out.slabs));
    QS_TRY(poisoned(batch, out.scales));
    RowTransform t;
    t.x = x.data();
    t.rows = c.batch;
    t.cols = c.cols;
    t.store = halves ? RowStore::f16 : RowStore::codes;
    t.largest_code = c.largest_code();
    t.scales = out.scales.data();
    t.out = out.rows.data();
    QS_TRY(transform_rows(t, {}));
    t.layout = RowLayout::slabs;
    t.out = out.slabs.data();
    QS_TRY(transform_rows(t, {}));
    std::vector<std::uint8_t> rows;
    std::vector<std::uint8_t> slabs;
    QS_TRY(download(out.rows, rows, "transforming rows"));
    QS_TRY(download(out.slabs, slabs, "transforming rows to slabs"));
    const int shift = halves ? 0 : code_shift(RowLayout::slabs, c.largest_code());
    const std::uint32_t kept = 0x01010101U * (0xFFU << shift & 0xFFU);
    for (int row = 0; row < c.batch && result.passed; ++row) {
        for (std::size_t word = 0; word < slab_row_bytes / 4 && result.passed; ++word) {
            std::uint32_t expected = 0;
            if (word < row_bytes / 4)
                std::memcpy(&expected, rows.data() + static_cast<std::size_t>(row) * row_bytes + word * 4, 4);
            expected = expected << shift & kept;
            std::uint32_t stored = 0;
            std::memcpy(&stored, slabs.data() + slab_offset(c.batch, row, static_cast<int>(word), halves), 4);
            if (stored != expected) {
                result.passed = false;
                result.detail = "slabs: row " + std::to_string(row) + " word " + std::to_string(word);
            }
        }
    }
    return {};
}

Status pack(const Case& c, std::mt19937& random, PackedWeights& packed) {
    const RowOrder order = c.epilogue == Epilogue::silu_mul ? RowOrder::gate_up : RowOrder::plain;
    const std::size_t count = static_cast<std::size_t>(c.rows) * c.cols;
    if (c.format == WeightFormat::f16) {
        std::vector<__half> w(count);
        std::normal_distribution<float> normal(0.0F, 0.1F);
        for (__half& value : w)
            value = __float2half(normal(random));
        DeviceBuffer<__half> d_w;
        QS_TRY(upload(w, d_w));
        QS_TRY(pack_weights_f16(order, d_w.data(), c.rows, c.cols, packed, nullptr));
        QS_CUDA_TRY(cudaDeviceSynchronize(), "packing weights");
        return {};
    }
    const int limit = c.format == WeightFormat::int4 ? 7 : 127;
    std::uniform_int_distribution<int> weight(-limit, limit);
    std::uniform_real_distribution<float> scale(0.0001F, 0.001F);
    std::vector<std::int8_t> w(count);
    std::vector<float> scales(c.rows);
    for (auto& value : w)
        value = static_cast<std::int8_t>(weight(random));
    for (auto& value : scales)
        value = scale(random);
    DeviceBuffer<std::int8_t> d_w;
    DeviceBuffer<float> d_scales;
    QS_TRY(upload(w, d_w));
    QS_TRY(upload(scales, d_scales));
    QS_TRY(pack_weights(c.format, order, d_w.data(), d_scales.data(), c.rows, c.cols, packed, nullptr));
    QS_CUDA_TRY(cudaDeviceSynchronize(), "packing weights");
    return {};
}

/// multiply() on rows, which gemm_check.cpp holds against the CPU, against wgmma_gemm() on slabs: integers
/// bit for bit; halves nearly, and bit for bit the result of the first row alone.
Status check(const Case& c, SplitSums& sums, std::mt19937& random, CheckResult& result) {
    const bool f16 = c.format == WeightFormat::f16;
    const auto out_cols = static_cast<std::size_t>(c.epilogue == Epilogue::silu_mul ? c.rows / 2 : c.rows);
    const std::size_t count = out_cols * c.batch;
    DeviceBuffer<float> x;
    BothLayouts in;
    PackedWeights packed;
    QS_TRY(upload(normal_values(static_cast<std::size_t>(c.batch) * c.cols, random), x));
    QS_TRY(transform(x, c, in, result));
    if (!result.passed)
        return {};
    QS_TRY(pack(c, random, packed));
    DeviceBuffer<float> expected;
    DeviceBuffer<float> out;
    const std::vector<float> before = normal_values(count, random);
    if (c.epilogue == Epilogue::add_residual) {
        QS_TRY(upload(before, expected));
        QS_TRY(upload(before, out));
    } else {
        QS_TRY(poisoned(count, expected));
        QS_TRY(poisoned(count, out));
    }
    StreamGemm gemm{&packed, in.rows.data(), in.scales.data(), c.batch, expected.data(), c.epilogue};
    QS_TRY(multiply(gemm, nullptr));
    gemm.activations = in.slabs.data();
    gemm.layout = RowLayout::slabs;
    gemm.code_shift = code_shift(gemm.layout, c.largest_code());
    gemm.split_sums = &sums;
    gemm.out = out.data();
    QS_TRY(wgmma_gemm(gemm, nullptr, c.variant));
    std::vector<float> a;
    std::vector<float> b;
    QS_TRY(download(expected, a, "running multiply"));
    QS_TRY(download(out, b, "running wgmma_gemm"));
    if (!f16) { // store_f16 fills half of the buffer, the rest is poison in both
        if (std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) != 0) {
            expect_equal(b, a, "element", result);
            if (result.passed)
                result = {result.name, false, "differs"};
        }
        return {};
    }
    const std::vector<double> wide(a.begin(), a.end());
    const double error = relative_error(b, wide);
    // Tensor cores cut a sum's low bits at each of its instructions, cols / 16 of them: 1.2e-5 was measured
    // at 11008 columns, where stream_gemm's 16 shorter sums stay below gemm_check's 1e-5.
    result.passed = error < 3e-5;
    result.detail = "relative error " + figure(error);
    return {};
}

/// Halves: variants and batch sizes give a row the same bits.
Status check_invariance(std::mt19937& random, CheckResult& result) {
    const Case c{WeightFormat::f16, 300, 200, 1000, Epilogue::store_f32, 0};
    DeviceBuffer<float> x;
    PackedWeights packed;
    const std::vector<float> values = normal_values(static_cast<std::size_t>(c.batch) * c.cols, random);
    QS_TRY(upload(values, x));
    QS_TRY(pack(c, random, packed));
    std::vector<float> first;
    for (const int batch : {c.batch, 100, 33, 1}) {
        Case piece = c;
        piece.batch = batch;
        BothLayouts in;
        QS_TRY(transform(x, piece, in, result));
        for (int variant = 0; variant < wgmma_variants; ++variant) {
            DeviceBuffer<float> out;
            QS_TRY(poisoned(static_cast<std::size_t>(batch) * c.rows, out));
            StreamGemm gemm{&packed, in.slabs.data(), nullptr, batch, out.data(), c.epilogue};
            gemm.layout = RowLayout::slabs;
            QS_TRY(wgmma_gemm(gemm, nullptr, variant));
            std::vector<float> host;
            QS_TRY(download(out, host, "running wgmma_gemm"));
            if (first.empty())
                first = host;
            expect_equal(
                host,
                std::vector<float>(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(host.size())),
                ("batch " + std::to_string(batch) + " variant " + std::to_string(variant) + " element")
                    .c_str(),
                result);
        }
    }
    return {};
}

/// Rows of q, k and v, and the caches that take the last two.
struct HeadOutputs {
    DeviceBuffer<float> qkv;
    DeviceBuffer<__half> keys;
    DeviceBuffer<__half> values;

    Status make(const AttentionShape& s, int rows, int slots) {
        QS_TRY(poisoned(static_cast<std::size_t>(rows) * s.qkv_size(), qkv));
        QS_TRY(poisoned(slots * s.slot_size(), keys));
        return poisoned(slots * s.slot_size(), values);
    }
};

/// Heads written by the product itself and by a kernel of their own.
Status check_heads(WeightFormat format, int heads, std::mt19937& random, CheckResult& result) {
    const AttentionShape shape{heads, 2, 128, 200};
    const Case c{format, 331, shape.qkv_size(), 456, Epilogue::store_f32, 0};
    constexpr int slots = 3;
    std::vector<std::int32_t> row_slots;
    std::vector<std::int32_t> positions;
    for (int m = 0; m < c.batch; ++m) { // two prompts and a row that pads the batch
        row_slots.push_back(m == 170 ? -1 : m < 190 ? 2 : 0);
        positions.push_back(m < 190 ? m : (m * 7 + 3) % shape.context);
    }
    const std::size_t angles = static_cast<std::size_t>(shape.context) * shape.head_dim / 2;
    DeviceBuffer<float> x;
    DeviceBuffer<float> cosines;
    DeviceBuffer<float> sines;
    DeviceBuffer<std::int32_t> d_slots;
    DeviceBuffer<std::int32_t> d_positions;
    QS_TRY(upload(normal_values(static_cast<std::size_t>(c.batch) * c.cols, random), x));
    QS_TRY(upload(normal_values(angles, random), cosines));
    QS_TRY(upload(normal_values(angles, random), sines));
    QS_TRY(upload(row_slots, d_slots));
    QS_TRY(upload(positions, d_positions));
    BothLayouts in;
    PackedWeights packed;
    QS_TRY(transform(x, c, in, result));
    QS_TRY(pack(c, random, packed));

    HeadOutputs outputs[2];
    for (HeadOutputs& to : outputs) {
        QS_TRY(to.make(shape, c.batch, slots));
        HeadAppend append;
        append.rows.shape = shape;
        append.rows.qkv = to.qkv.data();
        append.rows.keys = to.keys.data();
        append.rows.values = to.values.data();
        append.rows.slots = d_slots.data();
        append.rows.positions = d_positions.data();
        append.rows.rows = c.batch;
        append.cosines = cosines.data();
        append.sines = sines.data();
        StreamGemm gemm{&packed, in.slabs.data(), in.scales.data(), c.batch, to.qkv.data(), c.epilogue};
        gemm.layout = RowLayout::slabs;
        gemm.code_shift = code_shift(gemm.layout, c.largest_code());
        const bool together = &to == outputs;
        if (together)
            gemm.append = &append;
        QS_TRY(wgmma_gemm(gemm, nullptr, 0));
        if (!together)
            QS_TRY(rotate_and_append(append.rows, append.cosines, append.sines, {}));
    }
    const auto compare = [&](const auto& a, const auto& b, std::size_t stride, std::size_t count,
                             const char* what) -> Status {
        std::vector<std::remove_pointer_t<decltype(a.data())>> one;
        decltype(one) other;
        QS_TRY(download(a, one, "running wgmma_gemm"));
        QS_TRY(download(b, other, "running wgmma_gemm and rotate_and_append"));
        for (std::size_t i = 0; i < one.size() && result.passed; ++i) {
            const bool padding = what[0] == 'q' && row_slots[i / stride] < 0; // rotated in one only
            if (i % stride < count && !padding && !same_bits(one[i], other[i])) {
                result.passed = false;
                result.detail = std::string(what) + " " + std::to_string(i) + " differs";
            }
        }
        return {};
    };
    const std::size_t row = shape.qkv_size();
    const auto queries = static_cast<std::size_t>(shape.heads) * shape.head_dim;
    QS_TRY(compare(outputs[0].qkv, outputs[1].qkv, row, queries, "query"));
    QS_TRY(compare(outputs[0].keys, outputs[1].keys, 1, 1, "key"));
    return compare(outputs[0].values, outputs[1].values, 1, 1, "value");
}

} // namespace

void check_wgmma(std::mt19937& random, CheckList& results) {
    const DeviceFeatures* device = nullptr;
    const Status asked = device_features(device);
    if (!asked.ok() || !device->hopper) {
        run_check(results, "wgmma", [&](CheckResult& r) {
            r.skipped = asked.ok();
            r.detail = "wgmma is for Hopper";
            return asked;
        });
        return;
    }
    SplitSums sums;
    Status room = sums.allocate(); // whichever checks are asked for
    run_check(results, "wgmma: room for split sums", [&](CheckResult&) { return room; });
    if (!room.ok())
        return;
    struct Shape {
        int batch, rows, cols;
    };
    const Shape shapes[] = {
        {1, 16, 64},      {17, 100, 200},   {300, 270, 1100}, {2048, 6000, 456},
        {64, 1040, 4096}, {33, 300, 11008}, {600, 6000, 200}}; // 141 tiles of variant 0: the last nine by
                                                               // halves, on 132
    for (const WeightFormat format : {WeightFormat::int8, WeightFormat::int4, WeightFormat::f16}) {
        for (int variant = 0; variant < wgmma_variants; ++variant)
            for (const Shape& s : shapes) {
                const Case c{format, s.batch, s.rows, s.cols, Epilogue::store_f32, variant};
                run_check(results, name_of(c), [&](CheckResult& r) { return check(c, sums, random, r); });
            }
        for (const Epilogue epilogue : {Epilogue::store_f16, Epilogue::add_residual, Epilogue::silu_mul}) {
            if (format == WeightFormat::f16 && epilogue == Epilogue::store_f16)
                continue; // halves in a buffer compared as floats
            for (int variant = 0; variant < wgmma_variants; ++variant) {
                const Case c{format, 139, 392, 1100, epilogue, variant};
                run_check(results, name_of(c), [&](CheckResult& r) { return check(c, sums, random, r); });
            }
            const Case halved{format, 600, 6016, 200, epilogue, 0};
            run_check(results, name_of(halved),
                      [&](CheckResult& r) { return check(halved, sums, random, r); });
        }
    }
    for (int variant = 0; variant < wgmma_variants; ++variant) {
        const Case c{WeightFormat::int4, 100, 1300, 1100, Epilogue::store_f32, variant, true};
        run_check(results, name_of(c), [&](CheckResult& r) { return check(c, sums, random, r); });
    }
    const Case long_shares{WeightFormat::int8, 100, 1300, 11008, Epilogue::store_f32, 1};
    run_check(results, name_of(long_shares),
              [&](CheckResult& r) { return check(long_shares, sums, random, r); });
    for (const WeightFormat format : {WeightFormat::int8, WeightFormat::int4, WeightFormat::f16})
        for (const int heads : {3, 64}) // with 64 the last tiles by halves, on 132 multiprocessors
            run_check(results,
                      "wgmma " + std::to_string(heads) + " heads: RoPE and KV cache, format " +
                          std::to_string(static_cast<int>(format)),
                      [&](CheckResult& r) { return check_heads(format, heads, random, r); });
    run_check(results, "wgmma f16: the same bits at any batch and variant",
              [&](CheckResult& r) { return check_invariance(random, r); });
}

} // namespace quantscope::kernels
