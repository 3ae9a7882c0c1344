// SPDX-License-Identifier: Apache-2.0
#include "kernels/step/decode_step.h"

#include "kernels/step/step_linear.cuh"
#include "kernels/step/step_rows.cuh"

#include <algorithm>
#include <type_traits>

namespace quantscope::kernels {
namespace {

constexpr int row_vectors = 2;                   ///< hidden and attended up to 4096
constexpr int inner_vectors = 6;                 ///< intermediate up to 12288
[[maybe_unused]] constexpr int inner_blocks = 3; ///< likewise

/// One block's walk through the step. Blocks wait for one another's values only; a block without a share in a
/// linear does not wait for its input either, as nobody would know when it has read it.
/// @tparam turned  down_proj's input is Hadamard-transformed in blocks of 256
template<WeightFormat format, int row_slots, int head_dim, bool turned>
class Walk {
  public:
    using Map = SharedMap<format, row_slots>;

    static __device__ void run(const DecodeStep& step) {
        open(step);
        if (threadIdx.x >= step_threads) {
            if (threadIdx.x == step_threads)
                Map::ring().fill(plan(), state().pace);
            return;
        }
#pragma unroll 1
        for (int linear = 0; linear < plan().last; ++linear) {
            switch (static_cast<StepLinear>(linear % linears_a_layer)) {
            case StepLinear::qkv:
            case StepLinear::gate_up: prepare_norm<false>(linear); break;
            case StepLinear::o_proj:
                attend(linear);
                join(linear);
                prepare_attended(linear);
                break;
            case StepLinear::down_proj: prepare_inner(linear); break;
            }
            multiply<format>(linear);
        }
        prepare_norm<true>(plan().last);
        multiply<WeightFormat::f16>(plan().last);
        leave();
    }

  private:
    static __device__ StepState& state() {
        return *Map::template at<StepState>(Map::state);
    }
    static __device__ const DecodeStep& step() {
        return state().step;
    }
    static __device__ StepPlan& plan() {
        return *Map::template at<StepPlan>(Map::plan);
    }
    static __device__ float* scratch(int which) {
        return Map::template at<float>(Map::scratch) + which * 32;
    }
    static __device__ RowCoding coding() {
        return {format == WeightFormat::f16 ? 0 : step().largest_code, step().clip};
    }

    /// All threads. Ends with a barrier.
    static __device__ void open(const DecodeStep& step) {
        StepState& all = state();
        if (threadIdx.x < step.rows) {
            all.slots[threadIdx.x] = step.slots[threadIdx.x];
            all.positions[threadIdx.x] = step.positions[threadIdx.x];
        }
        if (threadIdx.x <= linears_a_layer)
            all.outputs[threadIdx.x].set(step, ExchangeMap(step.shape, step.rows, step.splits), threadIdx.x);
        if (threadIdx.x == 0) {
            all.step = step;
            all.map = ExchangeMap(step.shape, step.rows, step.splits);
            all.first_tag = __ldcg(&step.counters->launches) * step.shape.linears() + 1;
            all.first_item = AttentionItem(step, step.slots, step.positions, static_cast<int>(blockIdx.x));
            all.first_joiner = AttentionItem::number_of(step) % static_cast<int>(gridDim.x);
            all.pace = chunks_between;
            all.positions_before[0] = {0, 0, 0, 0};
            Map::ring().init();
        }
        if (threadIdx.x < step_threads) {
            plan().fill(step);
            for (int i = threadIdx.x; i < Map::sums_bytes / 4; i += step_threads)
                Map::template at<int>(Map::sums)[i] = 0;
        }
        __syncthreads();
    }

    /// The last block counts the launch.
    static __device__ void leave() {
        StepCounters& counters = *step().counters;
        if (threadIdx.x == 0 && atomicAdd(&counters.left, 1U) + 1 == gridDim.x) {
            counters.left = 0;
            ++counters.launches;
        }
    }

    template<WeightFormat weights>
    static __device__ void multiply(int linear) {
        set_pace(chunks_while_multiplying);
        multiply_linear<weights, Map, row_slots>(linear);
        set_pace(chunks_between);
    }
    static __device__ void set_pace(int chunks) {
        if (threadIdx.x == 0)
            atomicExch(&state().pace, chunks);
    }

    /// The attention before a linear.
    static __device__ void attend(int linear) {
        StepAttention<head_dim>(state(), linear / linears_a_layer, step_shared() + Map::codes).run();
    }
    static __device__ void join(int linear) {
        SplitJoin<head_dim>(state(), linear / linears_a_layer).run();
    }

    /// The norm before a linear, or before lm_head.
    template<bool halves>
    static __device__ void prepare_norm(int linear) {
        if (!takes_part(linear))
            return;
        const RowCoding how = halves ? RowCoding{0, 1.0F} : coding();
        const int hidden = step().shape.hidden;
        const float* const gamma = plan().linears[linear].gamma;
        make_rows(linear, hidden, how, [&](int row, void* out, float* scale) {
            BlockRow<row_vectors> weights;
            if (gamma != nullptr)
                weights.load(gamma, hidden);
            BlockRow<row_vectors> x;
            if (linear == 0)
                x.load(step().residual + static_cast<std::size_t>(row) * hidden, hidden);
            else
                x.await(residual_before(linear) + row * state().map.hidden_row, hidden,
                        state().tag(linear - 1));
            x.normalize(weights, gamma != nullptr, hidden, step().eps, scratch(0));
            x.store(how, Map::code_cols(hidden, halves || how.largest_code == 0), out, scale, scratch(1));
        });
        StepBarrier()();
    }

    static __device__ void prepare_attended(int linear) {
        if (!takes_part(linear))
            return;
        const float residual = own_residual(linear);
        const int cols = step().shape.attended();
        make_rows(linear, cols, coding(), [&](int row, void* out, float* scale) {
            BlockRow<row_vectors> x;
            x.await(state().exchanged(state().map.attended) + row * state().map.attended_row, cols,
                    state().tag(linear - 1));
            x.store(coding(), Map::code_cols(cols, format == WeightFormat::f16), out, scale, scratch(0));
        });
        hand_over(residual);
    }

    static __device__ void prepare_inner(int linear) {
        if (!takes_part(linear))
            return;
        const float residual = own_residual(linear);
        const int cols = step().shape.intermediate;
        make_rows(linear, cols, coding(), [&](int row, void* out, float* scale) {
            std::conditional_t<format != WeightFormat::f16, WarpBlocksRow<inner_blocks>,
                               BlockRow<inner_vectors>>
                x;
            x.await(state().exchanged(state().map.inner) + row * state().map.inner_row, cols,
                    state().tag(linear - 1));
            if constexpr (turned)
                x.transform();
            x.store(coding(), Map::code_cols(cols, format == WeightFormat::f16), out, scale, scratch(0));
        });
        hand_over(residual);
    }

    /// Whether this block has a share in a linear or its input. If not, its warps meet here instead of behind
    /// the input: positions_before of the linear before are read until then.
    static __device__ bool takes_part(int linear) {
        const bool takes =
            plan().has_tiles(linear) || (row_slots > 1 && static_cast<int>(blockIdx.x) < step().rows);
        if (!takes)
            StepBarrier()();
        return takes;
    }

    /// Brings the rows, coded by make(row, out, scale), into shared memory. One row is made by every block
    /// for itself; of several each is made by one block.
    template<class Make>
    static __device__ void make_rows(int linear, int cols, const RowCoding& coding, const Make& make) {
        float* const scales = Map::scales_of(linear);
        char* const codes = step_shared() + Map::codes;
        if constexpr (row_slots == 1) {
            make(0, codes, scales);
        } else {
            const bool halves = coding.largest_code == 0;
            const int row_bytes = padded_cols(cols) * (halves ? 2 : 1);
            const int stride = Map::code_stride(cols, halves);
            const int own = static_cast<int>(blockIdx.x);
            const unsigned tag = state().tag(linear);
            if (own < step().rows) {
                make(own, codes + own * stride, scales + own);
                StepBarrier()();
                publish_row(own, codes + own * stride, row_bytes, tag);
                if (threadIdx.x == 0 && !halves)
                    publish(state().exchanged(state().map.scales) + own, scales[own], tag);
            }
            if (!plan().has_tiles(linear))
                return;
            await_rows(codes, row_bytes, stride, tag);
            if (threadIdx.x < step().rows && !halves)
                scales[threadIdx.x] = await(state().exchanged(state().map.scales) + threadIdx.x, tag);
        }
    }

    static __device__ Tagged* packs_of_row(int row) {
        return state().exchanged(state().map.codes) + row * state().map.code_row;
    }

    static __device__ void publish_row(int row, const char* codes, int row_bytes, unsigned tag) {
        for (int p = threadIdx.x; p < packs_of(row_bytes); p += step_threads) {
            unsigned words[3];
#pragma unroll
            for (int i = 0; i < 3; ++i) {
                const int at = p * pack_bytes + 4 * i;
                words[i] = at < row_bytes ? *reinterpret_cast<const unsigned*>(codes + at) : 0;
            }
            publish(packs_of_row(row) + 2 * p, words[0], words[1], words[2], tag);
        }
    }

    /// One pack of every row of another block at a time.
    static __device__ void await_rows(char* codes, int row_bytes, int stride, unsigned tag) {
        const int rows = step().rows;
        const int own = static_cast<int>(blockIdx.x);
        const Tagged* const first = packs_of_row(0);
        const int row_words = state().map.code_row;
#pragma unroll 1
        for (int p = threadIdx.x; p < packs_of(row_bytes); p += step_threads) {
            Pack packs[row_slots];
            unsigned polls = 0;
            bool there = true;
            do {
                there = true;
#pragma unroll
                for (int row = 0; row < row_slots; ++row)
                    packs[row] = row < rows && row != own ? look_at_pack(first + row * row_words + 2 * p)
                                                          : Pack{0, tagged(0U, tag)};
#pragma unroll
                for (int row = 0; row < row_slots; ++row)
                    there &= packs[row].tag() == tag;
            } while (ask_again(there, polls));
            __syncwarp(__activemask());
#pragma unroll
            for (int row = 0; row < row_slots; ++row)
#pragma unroll
                for (int i = 0; i < 3; ++i)
                    if (row < rows && row != own && p * pack_bytes + 4 * i < row_bytes)
                        *reinterpret_cast<unsigned*>(codes + row * stride + p * pack_bytes + 4 * i) =
                            packs[row].word(i);
        }
    }

    /// Gives the block what its threads hold of the residual. Ends with a barrier.
    static __device__ void hand_over(float residual) {
        if (static_cast<int>(threadIdx.x) < Map::max_residuals)
            Map::template at<float>(Map::residual)[threadIdx.x] = residual;
        StepBarrier()();
    }

    /// The residual that a linear's input is the norm of, or that its output is added to; not that of layer
    /// 0.
    static __device__ const Tagged* residual_before(int linear) {
        const int in_layer = linear % linears_a_layer;
        const bool middle = in_layer == static_cast<int>(StepLinear::gate_up) ||
                            in_layer == static_cast<int>(StepLinear::down_proj);
        return state().exchanged(middle ? state().map.middle : state().map.last);
    }

    /// This thread's share of the residual that the block's tiles of o_proj or down_proj add to:
    /// [tile][row][16].
    static __device__ float own_residual(int linear) {
        const DecodeStep& s = step();
        const int rows = row_slots == 1 ? 1 : s.rows;
        const int row = static_cast<int>(threadIdx.x) / 16 % rows;
        const int row_tile = plan().row_tile(linear, static_cast<int>(threadIdx.x) / 16 / rows);
        const int channel = row_tile * 16 + static_cast<int>(threadIdx.x) % 16;
        if (row_tile < 0 || channel >= s.shape.hidden)
            return 0.0F;
        if (linear < 2) // o_proj of layer 0
            return __ldcg(s.residual + static_cast<std::size_t>(row) * s.shape.hidden + channel);
        return await(residual_before(linear) + row * state().map.hidden_row +
                         place_of(channel, log_pairs_of_hidden),
                     state().tag(linear - 2)); // the linear that added to it last
    }
};

template<WeightFormat format, int row_slots, int head_dim, bool turned>
__global__ void __launch_bounds__(step_threads + 32, 1)
    decode_step_kernel(const __grid_constant__ DecodeStep step) {
#if __CUDA_ARCH__ >= 900 // bulk copies
    Walk<format, row_slots, head_dim, turned>::run(step);
#endif
}

struct Kernel {
    void (*function)(DecodeStep) = nullptr; ///< null where there is none
    std::size_t shared_bytes = 0;
};

template<WeightFormat format, int row_slots, bool turned = false>
Kernel kernel_with(const StepShape& shape) {
    const std::size_t shared = SharedMap<format, row_slots>::total(shape);
    switch (shape.attention.head_dim) {
    case 64: return {decode_step_kernel<format, row_slots, 64, turned>, shared};
    case 128: return {decode_step_kernel<format, row_slots, 128, turned>, shared};
    default: return {};
    }
}

template<int row_slots>
Kernel kernel_with(const DecodeStep& step) {
    const bool turned = step.hadamard_block > 1;
    if (step.format == WeightFormat::int4)
        return turned ? kernel_with<WeightFormat::int4, row_slots, true>(step.shape)
                      : kernel_with<WeightFormat::int4, row_slots>(step.shape);
    return step.format == WeightFormat::int8 && !turned
               ? kernel_with<WeightFormat::int8, row_slots>(step.shape)
               : Kernel{};
}

Kernel kernel_of(const DecodeStep& step) {
    if (step.rows > 1)
        return kernel_with<max_step_rows>(step);
    return step.format == WeightFormat::f16 && step.hadamard_block == 1
               ? kernel_with<WeightFormat::f16, 1>(step.shape)
               : kernel_with<1>(step);
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
    const StepShape& s = step.shape;
    const AttentionShape& a = s.attention;
    const auto tiles_a_block = [&](int rows) { return ((rows + 15) / 16 + blocks - 1) / blocks; };
    return a.heads / a.kv_heads <= 8 && std::max(s.hidden, s.attended()) <= BlockRow<row_vectors>::max_cols &&
           s.intermediate <= BlockRow<inner_vectors>::max_cols && s.hidden % 64 == 0 &&
           s.attended() % 64 == 0 && s.intermediate % 64 == 0 &&
           (step.hadamard_block == 1 || (step.hadamard_block == 256 && s.intermediate % 256 == 0)) &&
           s.linears() <= max_step_linears &&
           tiles_a_block(s.hidden) * 16 * step.rows <=
               (step.rows == 1 ? SharedMap<WeightFormat::int4, 1>::max_residuals
                               : SharedMap<WeightFormat::int4, max_step_rows>::max_residuals);
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
