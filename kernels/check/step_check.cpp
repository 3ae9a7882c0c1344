// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/features.h"
#include "kernels/check/step_model.h"
#include "kernels/check/support.h"
#include "kernels/tokens/tokens.h"

#include <algorithm>
#include <cstring>

namespace quantscope::kernels {
namespace {

struct Outputs {
    std::vector<float> residual;
    std::vector<float> logits;
    std::vector<__half> keys;
    std::vector<__half> values;
    std::vector<std::int32_t> id;

    Status take(const StepModel& model, const char* doing) {
        QS_TRY(download(model.residual, residual, doing));
        QS_TRY(download(model.logits, logits, doing));
        QS_TRY(download(model.id, id, doing));
        QS_TRY(download(model.keys, keys, doing));
        return download(model.values, values, doing);
    }
};

bool same_bits(const std::vector<__half>& a, const std::vector<__half>& b) {
    return std::memcmp(a.data(), b.data(), a.size() * sizeof(__half)) == 0;
}

struct Scheme {
    const char* name;
    WeightFormat format;
    int hadamard_block;
    int largest_code; ///< of activations
};

/// Of logits that are all the same the first is the largest; where they are NaN, the step says so.
Status check_ties(StepModel& model, CheckResult& result) {
    const StepShape& shape = model.step.shape;
    DeviceBuffer<std::uint8_t> tiles;
    QS_TRY(tiles.allocate(static_cast<std::size_t>((shape.vocab + 15) / 16) * (shape.hidden / 64) *
                          tile_bytes(WeightFormat::f16)));
    model.step.head_tiles = tiles.data();
    for (const int byte : {0x00, 0xFF}) {
        QS_CUDA_TRY(cudaMemset(tiles.data(), byte, tiles.bytes()), "filling lm_head");
        QS_TRY(model.reset());
        QS_CUDA_TRY(cudaMemset(model.id.data(), 0xFF, model.id.bytes()), "poisoning");
        QS_TRY(model.run_step(nullptr));
        Outputs outputs;
        QS_TRY(outputs.take(model, "running decode_step"));
        const std::int32_t expected = byte == 0 ? 0 : not_finite_id;
        if (result.passed && outputs.id[0] != expected) {
            result.passed = false;
            result.detail = "of equal logits number " + std::to_string(outputs.id[0]) +
                            " is the largest, not " + std::to_string(expected);
        }
    }
    return {};
}

/// The step kernel against the separate kernels, all outputs bit for bit; several times, as tags and the
/// places of plain values differ from launch to launch.
Status check_one(const StepShape& shape, const Scheme& scheme, const std::vector<std::int32_t>& positions,
                 unsigned seed, CheckResult& result) {
    StepModel model;
    QS_TRY(model.make(shape, scheme.format, scheme.hadamard_block, positions, seed));
    model.step.largest_code = scheme.largest_code;
    QS_TRY(model.find_kernel());
    if (model.kernel.function == nullptr) {
        // The shapes below all fit a Hopper GPU: there a kernel that does not take them is a fault.
        const DeviceFeatures* device = nullptr;
        QS_TRY(device_features(device));
        result.passed = !device->hopper;
        result.skipped = !device->hopper;
        result.detail = device->hopper ? "decode_step did not take this model on a Hopper GPU"
                                       : "decode_step is for Hopper";
        return {};
    }
    Outputs separate;
    QS_TRY(model.run_separately(nullptr));
    QS_TRY(separate.take(model, "running the separate kernels"));
    for (int round = 0; round < 4 && result.passed; ++round) {
        Outputs whole;
        QS_TRY(model.reset());
        QS_CUDA_TRY(cudaMemset(model.residual.data(), 0xFF, model.residual.bytes()), "poisoning");
        QS_TRY(model.run_step(nullptr));
        QS_TRY(whole.take(model, "running decode_step"));
        expect_equal(whole.residual, separate.residual, "residual", result);
        expect_equal(whole.logits, separate.logits, "logit", result);
        if (result.passed &&
            (!same_bits(whole.keys, separate.keys) || !same_bits(whole.values, separate.values))) {
            result.passed = false;
            result.detail = "the KV cache differs";
        }
        const auto best = std::max_element(whole.logits.begin(), whole.logits.end()) - whole.logits.begin();
        if (result.passed && whole.id[0] != best) {
            result.passed = false;
            result.detail = "the largest logit is number " + std::to_string(best) + ", not " +
                            std::to_string(whole.id[0]);
        }
    }
    return result.passed ? check_ties(model, result) : Status{};
}

} // namespace

void check_step(std::mt19937& random, CheckList& results) {
    StepShape small;
    small.layers = 4; // four launches take all places of plain values, and some twice
    small.hidden = 256;
    small.intermediate = 768;
    small.vocab = 1000;
    small.attention = {4, 2, 64, 300};
    StepShape far = small; // more splits than a warp has lanes
    far.layers = 2;
    far.attention.context = 2300;
    StepShape wide = small; // more splits of all heads than multiprocessors: blocks attend to two
    wide.layers = 2;
    wide.attention = {16, 16, 64, 640};
    const StepShape llama = llama_2_7b(2, 640);
    struct Case {
        const char* name;
        const StepShape* shape;
        std::vector<std::int32_t> positions;
    };
    const Case cases[] = {{"small", &small, {7}},
                          {"small, position 0", &small, {0}},
                          {"small, position 299", &small, {299}},
                          {"small, a row that pads", &small, {-1}},
                          {"small, position 2047", &far, {2047}},
                          {"small, position 2048", &far, {2048}},
                          {"small, position 2299", &far, {2299}},
                          {"small, 16 heads, position 590", &wide, {590}},
                          {"llama", &llama, {140}},
                          {"llama, position 255", &llama, {255}},
                          {"llama, position 600", &llama, {600}}};
    const Scheme schemes[] = {{"int4, Hadamard", WeightFormat::int4, 256, 7},
                              {"int4", WeightFormat::int4, 1, 7},
                              {"int4, codes of 8 bits", WeightFormat::int4, 1, 127},
                              {"int8", WeightFormat::int8, 1, 127},
                              {"f16", WeightFormat::f16, 1, 127}};
    for (const Scheme& scheme : schemes)
        for (const Case& one : cases)
            run_check(
                results, std::string("decode_step ") + scheme.name + " " + one.name,
                [&](CheckResult& r) { return check_one(*one.shape, scheme, one.positions, random(), r); });
}

} // namespace quantscope::kernels
