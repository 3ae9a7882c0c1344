// SPDX-License-Identifier: Apache-2.0
#include "kernels/bench/cublaslt.h"

#ifdef QUANTSCOPE_HAVE_CUBLASLT

#include "kernels/bench/measure.h"

#include <algorithm>
#include <cublasLt.h>
#include <dlfcn.h>
#include <string>

namespace quantscope::kernels {
namespace {

constexpr std::size_t workspace_bytes = std::size_t{64} << 20U;
constexpr int max_algorithms = 32;

Status lt_status(cublasStatus_t status, const char* doing) {
    if (status == CUBLAS_STATUS_SUCCESS)
        return {};
    return {Status::Kind::failed,
            std::string("cuBLASLt, ") + doing + ": status " + std::to_string(static_cast<int>(status))};
}

} // namespace

struct CublasLt::State {
    void* library = nullptr;
    decltype(&cublasLtCreate) create = nullptr;
    decltype(&cublasLtDestroy) destroy = nullptr;
    decltype(&cublasLtMatmul) matmul = nullptr;
    decltype(&cublasLtMatmulDescCreate) desc_create = nullptr;
    decltype(&cublasLtMatmulDescDestroy) desc_destroy = nullptr;
    decltype(&cublasLtMatmulDescSetAttribute) desc_set = nullptr;
    decltype(&cublasLtMatrixLayoutCreate) layout_create = nullptr;
    decltype(&cublasLtMatrixLayoutDestroy) layout_destroy = nullptr;
    decltype(&cublasLtMatmulPreferenceCreate) preference_create = nullptr;
    decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy = nullptr;
    decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set = nullptr;
    decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;

    cublasLtHandle_t handle = nullptr;
    cublasLtMatmulDesc_t desc = nullptr;
    cublasLtMatrixLayout_t w = nullptr;
    cublasLtMatrixLayout_t x = nullptr;
    cublasLtMatrixLayout_t out = nullptr;
    cublasLtMatmulAlgo_t algorithm{};
    bool integers = false;
    DeviceBuffer<std::byte> workspace;

    ~State() {
        forget();
        if (handle != nullptr)
            static_cast<void>(destroy(handle));
        if (library != nullptr)
            dlclose(library);
    }
    void forget() {
        for (cublasLtMatrixLayout_t* const layout : {&w, &x, &out}) {
            if (*layout != nullptr)
                static_cast<void>(layout_destroy(*layout));
            *layout = nullptr;
        }
        if (desc != nullptr)
            static_cast<void>(desc_destroy(desc));
        desc = nullptr;
    }

    template<class Function>
    bool find(const char* name, Function& function) const {
        function = reinterpret_cast<Function>(dlsym(library, name));
        return function != nullptr;
    }

    Status multiply(const void* from_w, const void* from_x, void* to, cudaStream_t stream) {
        const float one = 1.0F;
        const float zero = 0.0F;
        const int int_one = 1;
        const int int_zero = 0;
        return lt_status(matmul(handle, desc, integers ? static_cast<const void*>(&int_one) : &one, from_w, w,
                                from_x, x, integers ? static_cast<const void*>(&int_zero) : &zero, to, out,
                                to, out, &algorithm, workspace.data(), workspace.bytes(), stream),
                         "multiplying");
    }
};

CublasLt::CublasLt() : state_(std::make_unique<State>()) {}
CublasLt::~CublasLt() = default;

Status CublasLt::open() {
    State& s = *state_;
    const std::string name = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);
    s.library = dlopen(name.c_str(), RTLD_NOW);
    if (s.library == nullptr)
        return {Status::Kind::unsupported, std::string("no cuBLASLt: ") + dlerror()};
    const bool found = s.find("cublasLtCreate", s.create) && s.find("cublasLtDestroy", s.destroy) &&
                       s.find("cublasLtMatmul", s.matmul) &&
                       s.find("cublasLtMatmulDescCreate", s.desc_create) &&
                       s.find("cublasLtMatmulDescDestroy", s.desc_destroy) &&
                       s.find("cublasLtMatmulDescSetAttribute", s.desc_set) &&
                       s.find("cublasLtMatrixLayoutCreate", s.layout_create) &&
                       s.find("cublasLtMatrixLayoutDestroy", s.layout_destroy) &&
                       s.find("cublasLtMatmulPreferenceCreate", s.preference_create) &&
                       s.find("cublasLtMatmulPreferenceDestroy", s.preference_destroy) &&
                       s.find("cublasLtMatmulPreferenceSetAttribute", s.preference_set) &&
                       s.find("cublasLtMatmulAlgoGetHeuristic", s.heuristic);
    if (!found)
        return {Status::Kind::unsupported, name + " lacks functions that the benchmark calls"};
    QS_TRY(lt_status(s.create(&s.handle), "opening"));
    return s.workspace.allocate(workspace_bytes);
}

Status CublasLt::choose(Type type, int rows, int cols, int batch, const void* w, const void* x, void* out,
                        cudaStream_t stream) {
    State& s = *state_;
    s.forget();
    s.integers = type == Type::int8;
    const cudaDataType in_type = s.integers ? CUDA_R_8I : CUDA_R_16F;
    const cudaDataType out_type = s.integers ? CUDA_R_32I : CUDA_R_32F;
    // Column-major, as cuBLASLt has it: out [rows x batch] = w^T [rows x cols] x [cols x batch].
    QS_TRY(lt_status(s.desc_create(&s.desc, s.integers ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F,
                                   s.integers ? CUDA_R_32I : CUDA_R_32F),
                     "describing a product"));
    const cublasOperation_t transposed = CUBLAS_OP_T;
    QS_TRY(lt_status(s.desc_set(s.desc, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed),
                     "describing a product"));
    const auto k = static_cast<std::uint64_t>(cols);
    const auto m = static_cast<std::uint64_t>(rows);
    const auto n = static_cast<std::uint64_t>(batch);
    QS_TRY(lt_status(s.layout_create(&s.w, in_type, k, m, cols), "describing weights"));
    QS_TRY(lt_status(s.layout_create(&s.x, in_type, k, n, cols), "describing rows"));
    QS_TRY(lt_status(s.layout_create(&s.out, out_type, m, n, rows), "describing the output"));
    cublasLtMatmulPreference_t preference = nullptr;
    QS_TRY(lt_status(s.preference_create(&preference), "asking for algorithms"));
    QS_TRY(lt_status(s.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes,
                                      sizeof workspace_bytes),
                     "asking for algorithms"));
    cublasLtMatmulHeuristicResult_t found[max_algorithms];
    int count = 0;
    const cublasStatus_t asked =
        s.heuristic(s.handle, s.desc, s.w, s.x, s.out, s.out, preference, max_algorithms, found, &count);
    static_cast<void>(s.preference_destroy(preference));
    QS_TRY(lt_status(asked, "asking for algorithms"));
    float best_ms = 0;
    cublasLtMatmulAlgo_t best{};
    for (int i = 0; i < count; ++i) {
        s.algorithm = found[i].algo;
        float ms = 0;
        const Status timed = median_ms(
            3, stream, [&] { return s.multiply(w, x, out, stream); }, ms);
        if (timed.ok() && (best_ms == 0 || ms < best_ms)) {
            best_ms = ms;
            best = found[i].algo;
        }
    }
    if (best_ms == 0)
        return {Status::Kind::unsupported, "cuBLASLt offers no algorithm for this product"};
    s.algorithm = best;
    return {};
}

Status CublasLt::run(const void* w, const void* x, void* out, cudaStream_t stream) {
    return state_->multiply(w, x, out, stream);
}

} // namespace quantscope::kernels

#else

namespace quantscope::kernels {

struct CublasLt::State {};
CublasLt::CublasLt() = default;
CublasLt::~CublasLt() = default;
Status CublasLt::open() {
    return {Status::Kind::unsupported, "built without cublasLt.h"};
}
Status CublasLt::choose(Type /*type*/, int /*rows*/, int /*cols*/, int /*batch*/, const void* /*w*/,
                        const void* /*x*/, void* /*out*/, cudaStream_t /*stream*/) {
    return open();
}
Status CublasLt::run(const void* /*w*/, const void* /*x*/, void* /*out*/, cudaStream_t /*stream*/) {
    return open();
}

} // namespace quantscope::kernels

#endif
