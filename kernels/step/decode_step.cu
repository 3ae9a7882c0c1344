// SPDX-License-Identifier: Apache-2.0
#include "kernels/step/decode_step.h"

#include "kernels/step/grid_barrier.cuh"
#include "kernels/step/step_linear.cuh"
#include "kernels/step/step_rows.cuh"

#include <algorithm>

namespace quantscope::kernels {
namespace {

constexpr int row_vectors = 2;  ///< hidden and attended up to 4096
constexpr int inner_blocks = 3; ///< intermediate up to 12288

/// One block's walk through the step: phases that end with arrive() and begin with wait().
template<WeightFormat format, int row_slots>
class Walk {
  public:
    using Map = SharedMap<format, row_slots>;

    static __device__ void run(const DecodeStep& step) {
        StepState& all = state();
        if (threadIdx.x == 0) {
            all.step = step;
            all.barrier.init(step.counters);
            all.buffer = 0;
            all.ring_stage = 0;
            all.ring_parity = 0;
            Map::ring().init();
        }
        if (threadIdx.x < step_threads) {
            plan().fill(step);
            for (int i = threadIdx.x; i < Map::sums_bytes / 4; i += step_threads)
                Map::template at<int>(Map::sums)[i] = 0;
        }
        __syncthreads();
        if (threadIdx.x >= step_threads) {
            if (threadIdx.x == step_threads)
                Map::ring().fill(plan(), Map::most_in_flight);
            return;
        }
        const int layers = step.shape.layers;
        const bool wide = step.shape.attention.head_dim == 128;
        prepare_norm<false>(0);
        for (int layer = 0; layer < layers; ++layer) {
            const int first = layer * linears_a_layer;
            multiply(first, Epilogue::store_f32, step.qkv, step.shape.attention.qkv_size());
            if (wide) {
                attend<128>(layer);
                prepare_attended<128>(first + 1);
            } else {
                attend<64>(layer);
                prepare_attended<64>(first + 1);
            }
            multiply(first + 1, Epilogue::add_residual, step.residual, step.shape.hidden);
            prepare_norm<false>(first + 2);
            multiply(first + 2, Epilogue::silu_mul, step.inner, step.shape.intermediate);
            prepare_inner(first + 3);
            multiply(first + 3, Epilogue::add_residual, step.residual, step.shape.hidden);
            if (layer + 1 < layers)
                prepare_norm<false>(first + 4);
        }
        prepare_norm<true>(layers * linears_a_layer);
        multiply_linear<WeightFormat::f16, Map, row_slots>(
            {layers * linears_a_layer, Epilogue::store_f32, step.rows, step.logits, step.shape.vocab});
        all.barrier.leave();
    }

  private:
    static __device__ StepState& state() { return *Map::template at<StepState>(Map::state); }
    static __device__ const DecodeStep& step() { return state().step; }
    static __device__ StepPlan& plan() { return *Map::template at<StepPlan>(Map::plan); }
    static __device__ float* scratch(int which) { return Map::template at<float>(Map::scratch) + which * 32; }
    static __device__ RowCoding coding() {
        return {format == WeightFormat::f16 ? 0 : step().largest_code, step().clip};
    }

    static __device__ void multiply(int linear, Epilogue epilogue, float* out, int out_cols) {
        multiply_linear<format, Map, row_slots>({linear, epilogue, step().rows, out, out_cols});
    }

    template<int head_dim>
    static __device__ __noinline__ void attend(int layer) {
        StepAttention<head_dim> attention(step(), layer, step_shared() + Map::codes);
        attention.run([] { state().barrier.wait(); });
        state().barrier.arrive();
    }

    /// The norm before a linear, or before lm_head.
    template<bool halves>
    static __device__ __noinline__ void prepare_norm(int linear) {
        const float* const gamma = gamma_before(linear);
        if (gamma != nullptr && static_cast<int>(threadIdx.x) * 32 < step().shape.hidden)
            asm volatile("prefetch.global.L2 [%0];" ::"l"(gamma + threadIdx.x * 32));
        const float weight_scale = own_weight_scale(linear);
        if (linear > 0)
            state().barrier.wait();
        const RowCoding how = halves ? RowCoding{0, 1.0F} : coding();
        const int hidden = step().shape.hidden;
        make_rows(hidden, how, [&](int row, void* out, float* scale) {
            BlockRow<row_vectors> x;
            x.load(step().residual + static_cast<std::size_t>(row) * hidden, hidden);
            x.normalize(gamma, hidden, step().eps, scratch(0));
            x.store(how, hidden, out, scale, scratch(1));
        });
        hand_over(weight_scale, 0.0F);
    }

    template<int head_dim>
    static __device__ __noinline__ void prepare_attended(int linear) {
        const float weight_scale = own_weight_scale(linear);
        const int own_row = row_slots == 1 ? 0 : min(static_cast<int>(blockIdx.x), step().rows - 1);
        const int splits = step().slots[own_row] < 0 ? 0 : splits_of(step().positions[own_row] + 1);
        state().barrier.wait();
        const float residual = own_residual(linear);
        const int cols = step().shape.attended();
        make_rows(cols, coding(), [&](int row, void* out, float* scale) {
            BlockRow<row_vectors> x;
            const std::size_t size = static_cast<std::size_t>(step().splits) * split_part_size(head_dim);
            const float* const parts = step().partials + row * step().shape.attention.heads * size;
#pragma unroll
            for (int i = 0; i < row_vectors; ++i) {
                x.v[i] = {0.0F, 0.0F, 0.0F, 0.0F};
                if (x.column(i) < cols)
                    x.v[i] = join_four<head_dim>(parts + x.column(i) / head_dim * size, splits,
                                                 x.column(i) % head_dim);
            }
            x.store(coding(), cols, out, scale, scratch(0));
        });
        hand_over(weight_scale, residual);
    }

    static __device__ __noinline__ void prepare_inner(int linear) {
        const float weight_scale = own_weight_scale(linear);
        state().barrier.wait();
        const float residual = own_residual(linear);
        const int cols = step().shape.intermediate;
        make_rows(cols, coding(), [&](int row, void* out, float* scale) {
            WarpBlocksRow<inner_blocks> x;
            x.load(step().inner + static_cast<std::size_t>(row) * cols, cols);
            if (step().hadamard_block > 1)
                x.transform(cols);
            x.store(coding(), cols, out, scale, scratch(0));
        });
        hand_over(weight_scale, residual);
    }

    /// Brings the rows, coded by make(row, out, scale), into shared memory. One row is made by every block
    /// for itself; of several each is made by one block, and all meet.
    template<class Make>
    static __device__ void make_rows(int cols, const RowCoding& coding, const Make& make) {
        auto* const scales = Map::template at<float>(Map::scales);
        char* const codes = step_shared() + Map::codes;
        if constexpr (row_slots == 1) {
            make(0, codes, scales);
        } else {
            const DecodeStep& s = step();
            const bool halves = coding.largest_code == 0;
            const int row_bytes = padded_cols(cols) * (halves ? 2 : 1);
            const int stride = Map::code_stride(cols, halves);
            auto* const everyone = static_cast<char*>(s.codes);
            if (static_cast<int>(blockIdx.x) < s.rows)
                make(static_cast<int>(blockIdx.x), everyone + static_cast<int>(blockIdx.x) * row_bytes,
                     s.code_scales + blockIdx.x);
            state().barrier.arrive();
            state().barrier.wait();
#pragma unroll 1
            for (int row = 0; row < s.rows; ++row)
#pragma unroll 4
                for (int i = static_cast<int>(threadIdx.x) * 16; i < row_bytes; i += step_threads * 16)
                    *reinterpret_cast<uint4*>(codes + row * stride + i) =
                        __ldcg(reinterpret_cast<const uint4*>(everyone + row * row_bytes + i));
            if (threadIdx.x < s.rows && !halves)
                scales[threadIdx.x] = __ldcg(s.code_scales + threadIdx.x);
        }
    }

    /// Gives the block what its threads hold for the linear's row tiles. Ends with a barrier.
    static __device__ void hand_over(float weight_scale, float residual) {
        Map::template at<float>(Map::weight_scales)[threadIdx.x] = weight_scale;
        Map::template at<float>(Map::residual)[threadIdx.x] = residual;
        StepBarrier()();
    }

    /// This thread's share of the weight scales that the block's tiles of a linear need: [tile][16].
    static __device__ float own_weight_scale(int linear) {
        if (format == WeightFormat::f16 || linear >= plan().last)
            return 0.0F;
        const int row_tile = plan().row_tile(linear, static_cast<int>(threadIdx.x) / 16);
        const float* const scales = step().layers[linear / linears_a_layer].scales[linear % linears_a_layer];
        return row_tile >= 0 ? scales[row_tile * 16 + threadIdx.x % 16] : 0.0F;
    }

    /// This thread's share of the residual that the block's tiles of a linear add to: [tile][row][16].
    static __device__ float own_residual(int linear) {
        const DecodeStep& s = step();
        const int rows = row_slots == 1 ? 1 : s.rows;
        const int row = static_cast<int>(threadIdx.x) / 16 % rows;
        const int row_tile = plan().row_tile(linear, static_cast<int>(threadIdx.x) / 16 / rows);
        const int channel = row_tile * 16 + static_cast<int>(threadIdx.x) % 16;
        return row_tile >= 0 && channel < s.shape.hidden
                   ? __ldcg(s.residual + static_cast<std::size_t>(row) * s.shape.hidden + channel)
                   : 0.0F;
    }

    static __device__ const float* gamma_before(int linear) {
        if (linear == plan().last)
            return step().final_gamma;
        const StepLayer& layer = step().layers[linear / linears_a_layer];
        return linear % linears_a_layer == 0 ? layer.input_gamma : layer.mlp_gamma;
    }
};

template<WeightFormat format, int row_slots>
__global__ void __launch_bounds__(step_threads + 32, 1)
    decode_step_kernel(const __grid_constant__ DecodeStep step) {
#if __CUDA_ARCH__ >= 900 // bulk copies
    Walk<format, row_slots>::run(step);
#endif
}

struct Kernel {
    void (*function)(DecodeStep) = nullptr; ///< null where there is none
    std::size_t shared_bytes = 0;
};

template<WeightFormat format, int row_slots>
Kernel kernel_with(const StepShape& shape) {
    return {decode_step_kernel<format, row_slots>, SharedMap<format, row_slots>::total(shape)};
}

Kernel kernel_of(const DecodeStep& step) {
    const bool one = step.rows == 1;
    switch (step.format) {
    case WeightFormat::int4:
        return one ? kernel_with<WeightFormat::int4, 1>(step.shape)
                   : kernel_with<WeightFormat::int4, max_step_rows>(step.shape);
    case WeightFormat::int8:
        return one ? kernel_with<WeightFormat::int8, 1>(step.shape)
                   : kernel_with<WeightFormat::int8, max_step_rows>(step.shape);
    case WeightFormat::f16: return one ? kernel_with<WeightFormat::f16, 1>(step.shape) : Kernel{};
    }
    return {};
}

struct Device {
    int blocks = 0; ///< one a multiprocessor
    int shared_bytes = 0;
    int cooperative = 0;
    int capability = 0; ///< major

    Status ask() {
        int device = 0;
        QS_CUDA_TRY(cudaGetDevice(&device), "asking for the current device");
        QS_CUDA_TRY(cudaDeviceGetAttribute(&blocks, cudaDevAttrMultiProcessorCount, device),
                    "asking for the multiprocessor count");
        QS_CUDA_TRY(cudaDeviceGetAttribute(&shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
                    "asking for a block's shared memory");
        QS_CUDA_TRY(cudaDeviceGetAttribute(&capability, cudaDevAttrComputeCapabilityMajor, device),
                    "asking for the compute capability");
        QS_CUDA_TRY(cudaDeviceGetAttribute(&cooperative, cudaDevAttrCooperativeLaunch, device),
                    "asking for cooperative launches");
        return {};
    }
};

bool shape_fits(const DecodeStep& step, int blocks) {
    using Map = SharedMap<WeightFormat::int4, 1>;
    const StepShape& s = step.shape;
    const AttentionShape& a = s.attention;
    const auto tiles_a_block = [&](int rows) { return ((rows + 15) / 16 + blocks - 1) / blocks; };
    const int most_rows = std::max({a.qkv_size(), 2 * s.intermediate, s.hidden});
    return (a.head_dim == 64 || a.head_dim == 128) && a.heads / a.kv_heads <= 8 &&
           std::max(s.hidden, s.attended()) <= BlockRow<row_vectors>::max_cols &&
           s.intermediate <= WarpBlocksRow<inner_blocks>::max_cols && s.hidden % 64 == 0 &&
           s.attended() % 64 == 0 && s.intermediate % 64 == 0 &&
           (step.hadamard_block == 1 || step.hadamard_block == 256) && s.linears() <= max_step_linears &&
           tiles_a_block(most_rows) * 16 <= Map::max_weight_scales &&
           tiles_a_block(s.hidden) * 16 * step.rows <= Map::max_residuals;
}

} // namespace

Status decode_step_fits(const DecodeStep& step, bool& fits) {
    Device device;
    QS_TRY(device.ask());
    const Kernel kernel = kernel_of(step);
    fits = step.rows >= 1 && step.rows <= max_step_rows && kernel.function != nullptr &&
           device.cooperative != 0 && device.capability >= 9 && shape_fits(step, device.blocks) &&
           kernel.shared_bytes <= static_cast<std::size_t>(device.shared_bytes);
    return {};
}

Status decode_step(const DecodeStep& step, cudaStream_t stream) {
    bool fits = false;
    QS_TRY(decode_step_fits(step, fits));
    if (!fits)
        return {Status::Kind::unsupported, "decode_step does not take this model and batch on this device"};
    Device device;
    QS_TRY(device.ask());
    const Kernel kernel = kernel_of(step);
    QS_CUDA_TRY(cudaFuncSetAttribute(kernel.function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     static_cast<int>(kernel.shared_bytes)),
                "reserving shared memory for decode_step");
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(device.blocks);
    config.blockDim = dim3(step_threads + 32);
    config.dynamicSmemBytes = kernel.shared_bytes;
    config.stream = stream;
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeCooperative; // its blocks wait for one another
    attribute.val.cooperative = 1;
    config.attrs = &attribute;
    config.numAttrs = 1;
    QS_CUDA_TRY(cudaLaunchKernelEx(&config, kernel.function, step), "launching decode_step");
    return {};
}

} // namespace quantscope::kernels
