// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/head_transform.h"
#include "kernels/check/canonical.h"
#include "kernels/check/support.h"
#include "kernels/rows/biased_rows.h"

namespace quantscope::kernels {
namespace {

struct Extras {
    const char* name;
    bool bias;
    bool norm;
};

Status check_heads(const AttentionShape& s, const Extras& extras, int rows, std::mt19937& random,
                   CheckResult& result) {
    const auto dim = static_cast<std::size_t>(s.head_dim);
    std::vector<float> x = normal_values(static_cast<std::size_t>(rows) * s.qkv_size(), random, 3.0F);
    const std::vector<float> bias = normal_values(s.qkv_size(), random);
    const std::vector<float> q_gamma = normal_values(dim, random);
    const std::vector<float> k_gamma = normal_values(dim, random);
    constexpr float eps = 1e-6F;
    DeviceBuffer<float> d_x;
    DeviceBuffer<float> d_bias;
    DeviceBuffer<float> d_q_gamma;
    DeviceBuffer<float> d_k_gamma;
    QS_TRY(upload(x, d_x));
    QS_TRY(upload(bias, d_bias));
    QS_TRY(upload(q_gamma, d_q_gamma));
    QS_TRY(upload(k_gamma, d_k_gamma));
    HeadTransform transform;
    transform.shape = s;
    transform.qkv = d_x.data();
    transform.rows = rows;
    transform.bias = extras.bias ? d_bias.data() : nullptr;
    transform.q_gamma = extras.norm ? d_q_gamma.data() : nullptr;
    transform.k_gamma = extras.norm ? d_k_gamma.data() : nullptr;
    transform.eps = eps;
    QS_TRY(transform_heads(transform, {}));
    std::vector<float> out;
    QS_TRY(download(d_x, out, "running transform_heads"));

    for (int m = 0; m < rows; ++m)
        for (int h = 0; h < s.heads + 2 * s.kv_heads; ++h) {
            float* const head = x.data() + static_cast<std::size_t>(m) * s.qkv_size() + h * s.head_dim;
            for (int i = 0; i < s.head_dim && extras.bias; ++i)
                head[i] += bias[static_cast<std::size_t>(h) * dim + i];
            if (!extras.norm || h >= s.heads + s.kv_heads)
                continue;
            const float inverse = canonical::inverse_rms(head, s.head_dim, eps);
            for (int i = 0; i < s.head_dim; ++i)
                head[i] = head[i] * inverse * (h < s.heads ? q_gamma : k_gamma)[i];
        }
    expect_equal(out, x, "element of q, k, v", result);
    return {};
}

Status check_mlp(int rows, int inner, std::mt19937& random, CheckResult& result) {
    const std::vector<float> gate_up =
        normal_values(static_cast<std::size_t>(rows) * 2 * inner, random, 2.0F);
    const std::vector<float> bias = normal_values(2 * static_cast<std::size_t>(inner), random);
    DeviceBuffer<float> d_gate_up;
    DeviceBuffer<float> d_bias;
    DeviceBuffer<float> d_out;
    QS_TRY(upload(gate_up, d_gate_up));
    QS_TRY(upload(bias, d_bias));
    QS_TRY(poisoned(static_cast<std::size_t>(rows) * inner, d_out));
    QS_TRY(silu_multiply_biased(d_gate_up.data(), d_bias.data(), rows, inner, d_out.data(), {}));
    std::vector<float> out;
    QS_TRY(download(d_out, out, "running silu_multiply_biased"));
    std::vector<float> expected;
    for (int m = 0; m < rows; ++m)
        for (int i = 0; i < inner; ++i) {
            const float* const row = &gate_up[static_cast<std::size_t>(m) * 2 * inner];
            expected.push_back(canonical::silu_times(row[i] + bias[i], row[inner + i] + bias[inner + i]));
        }
    expect_equal(out, expected, "element", result);

    std::vector<float> sum = gate_up;
    QS_TRY(add_bias(d_gate_up.data(), d_bias.data(), rows, 2 * inner, {}));
    QS_TRY(download(d_gate_up, out, "running add_bias"));
    for (std::size_t i = 0; i < sum.size(); ++i)
        sum[i] += bias[i % bias.size()];
    expect_equal(out, sum, "sum", result);
    return {};
}

} // namespace

void check_bias(std::mt19937& random, CheckList& results) {
    const AttentionShape shapes[] = {{14, 2, 64, 1}, {16, 8, 128, 1}, {3, 1, 96, 1},
                                     {5, 5, 32, 1},  {2, 1, 256, 1},  {3, 3, 160, 1}};
    for (const Extras& extras :
         {Extras{"bias", true, false}, {"norm", false, true}, {"bias, norm", true, true}})
        for (const AttentionShape& s : shapes)
            run_check(results,
                      std::string("transform_heads ") + extras.name + " " + std::to_string(s.heads) + "/" +
                          std::to_string(s.kv_heads) + " heads of " + std::to_string(s.head_dim),
                      [&](CheckResult& r) { return check_heads(s, extras, 7, random, r); });
    for (const auto& [rows, inner] : {std::pair{1, 64}, {9, 300}, {33, 4864}})
        run_check(
            results, "silu_multiply_biased, add_bias " + std::to_string(rows) + " x " + std::to_string(inner),
            [&, rows = rows, inner = inner](CheckResult& r) { return check_mlp(rows, inner, random, r); });
}

} // namespace quantscope::kernels
