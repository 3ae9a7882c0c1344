// SPDX-License-Identifier: Apache-2.0
#include "kernels/check/step_model.h"
#include "kernels/check/support.h"

#include <cstring>
#include <tuple>

namespace quantscope::kernels {
namespace {

struct Outputs {
    std::vector<float> residual;
    std::vector<float> logits;
    std::vector<__half> keys;
    std::vector<__half> values;

    Status take(const StepModel& model, const char* doing) {
        QS_TRY(download(model.residual, residual, doing));
        QS_TRY(download(model.logits, logits, doing));
        QS_TRY(download(model.keys, keys, doing));
        return download(model.values, values, doing);
    }
};

bool same_bits(const std::vector<__half>& a, const std::vector<__half>& b) {
    return std::memcmp(a.data(), b.data(), a.size() * sizeof(__half)) == 0;
}

/// The step kernel against the separate kernels, all outputs bit for bit; twice, as tags must differ from
/// launch to launch.
Status check_one(const StepShape& shape, WeightFormat format, int hadamard_block,
                 const std::vector<std::int32_t>& positions, unsigned seed, CheckResult& result) {
    StepModel model;
    QS_TRY(model.make(shape, format, hadamard_block, positions, seed));
    bool fits = false;
    QS_TRY(decode_step_fits(model.step, fits));
    if (!fits) {
        result.detail = "not taken on this device";
        return {};
    }
    Outputs separate;
    QS_TRY(model.run_separately(nullptr));
    QS_TRY(separate.take(model, "running the separate kernels"));
    for (int round = 0; round < 2 && result.passed; ++round) {
        Outputs whole;
        QS_TRY(model.reset());
        QS_TRY(model.run_step(nullptr));
        QS_TRY(whole.take(model, "running decode_step"));
        expect_equal(whole.residual, separate.residual, "residual", result);
        expect_equal(whole.logits, separate.logits, "logit", result);
        if (result.passed &&
            (!same_bits(whole.keys, separate.keys) || !same_bits(whole.values, separate.values))) {
            result.passed = false;
            result.detail = "the KV cache differs";
        }
    }
    return {};
}

} // namespace

void check_step(std::mt19937& random, CheckList& results) {
    StepShape small;
    small.layers = 3;
    small.hidden = 256;
    small.intermediate = 768;
    small.vocab = 1000;
    small.attention = {4, 2, 64, 300};
    const StepShape llama = llama_2_7b(2, 256);
    struct Case {
        const char* name;
        const StepShape* shape;
        std::vector<std::int32_t> positions;
    };
    const Case cases[] = {{"small, 1 row", &small, {7}},
                          {"small, 1 row, position 0", &small, {0}},
                          {"small, 1 row, position 299", &small, {299}},
                          {"small, 8 rows", &small, {0, 64, 63, 5, 128, 299, 130, 1}},
                          {"small, 4 rows, one padding", &small, {70, -1, 3, 129}},
                          {"llama, 1 row", &llama, {140}},
                          {"llama, 8 rows", &llama, {140, 3, 64, 127, 128, 200, 255, 0}}};
    for (const auto& [format, format_name, hadamard] :
         {std::tuple{WeightFormat::int4, "int4, Hadamard", 256}, std::tuple{WeightFormat::int4, "int4", 1},
          std::tuple{WeightFormat::int8, "int8", 1}, std::tuple{WeightFormat::f16, "f16", 1}})
        for (const Case& one : cases)
            run_check(results, std::string("decode_step ") + format_name + " " + one.name,
                      [&, format = format, hadamard = hadamard](CheckResult& r) {
                          return check_one(*one.shape, format, hadamard, one.positions, random(), r);
                      });
}

} // namespace quantscope::kernels
