// SPDX-License-Identifier: Apache-2.0
#include "kernels/step/decode_step.h"

#include "kernels/base/features.h"
#include "kernels/step/step_linear.cuh"
#include "kernels/step/step_rows.cuh"

#include <algorithm>
#include <type_traits>

namespace quantscope::kernels {
namespace {

constexpr int row_vectors = 2;   ///< hidden and attended up to 4096
constexpr int inner_vectors = 6; ///< intermediate up to 12288
constexpr int inner_blocks = 3;  ///< likewise

/// One block's walk through the step. Blocks wait for one another's values only; a block without a share in a
/// linear does not wait for its input either, as nobody would know when it has read it.
/// @tparam turned  down_proj's input is Hadamard-transformed in blocks of 256
/// @tparam narrow  int4 times codes of at most 7
template<WeightFormat format, int head_dim, bool turned, bool narrow>
class Walk {
  public:
    using Map = SharedMap<format>;
    static constexpr bool f16 = format == WeightFormat::f16;
    using InnerRow = std::conditional_t<f16, BlockRow<inner_vectors>,
                                        std::conditional_t<turned, TurnedRow, WarpBlocksRow<inner_blocks>>>;
    /// Weights of 4 bits come faster than they are needed: while blocks wait for one another, a little
    /// slower.
    static constexpr int piece_clocks = format == WeightFormat::int4 ? 600 : 0;

    static __device__ void run(const DecodeStep& step) {
        open(step);
        if (threadIdx.x >= step_threads) {
            if (threadIdx.x == step_threads)
                Map::ring().template fill<piece_clocks>(plan(), state(), f16 ? 1 : Map::set_tiles,
                                                        state().pace);
            return;
        }
#pragma unroll 1
        for (int linear = 0; linear < plan().last; ++linear) {
            multiply<format>(linear, prepare(linear));
        }
        multiply<WeightFormat::f16>(plan().last, prepare_norm<true>(plan().last));
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
        return {f16 ? 0 : step().largest_code, step().clip};
    }

    /// All threads. Ends with a barrier.
    static __device__ void open(const DecodeStep& step) {
        StepState& all = state();
        if (threadIdx.x <= linears_a_layer)
            all.outputs[threadIdx.x].set(step, ExchangeMap(step.shape, step.splits), threadIdx.x);
        if (threadIdx.x == 0) {
            all.step = step;
            all.map = ExchangeMap(step.shape, step.splits);
            all.first_tag = __ldcg(&step.counters->launches) * step.shape.linears() + 1;
            all.first_slot = static_cast<int>(__ldcg(&step.counters->slot));
            all.first_item = AttentionItem(step, static_cast<int>(blockIdx.x));
            all.cached = CachedChunks(step);
            all.first_joiner = AttentionItem::number_of(step) % static_cast<int>(gridDim.x);
            all.pace = Map::Ring::stages; // nothing is exchanged yet
            all.positions_before[0] = {0, 0, 0, 0};
            Map::ring().init();
        }
        if (threadIdx.x < step_threads)
            plan().fill(step);
        __syncthreads();
    }

    /// The last block counts the launch and knows the best logit.
    static __device__ void leave() {
        StepBarrier()();
        if (threadIdx.x != 0)
            return;
        StepCounters& counters = *step().counters;
        __threadfence(); // this block's logits before that it has left
        if (atomicAdd(&counters.left, 1U) + 1 != gridDim.x)
            return;
        __threadfence();
        counters.left = 0;
        ++counters.launches;
        counters.slot = (state().first_slot + step().shape.layers) % plain_slots;
        const int id = logit_of_rank(__ldcg(&counters.best));
        counters.best = 0;
        if (step().id != nullptr)
            *static_cast<volatile std::int32_t*>(step().id) = id;
    }

    static __device__ LinearStart prepare(int linear) {
        switch (static_cast<StepLinear>(linear % linears_a_layer)) {
        case StepLinear::o_proj:
            attend(linear);
            join(linear);
            return prepare_attended(linear);
        case StepLinear::down_proj: return prepare_inner(linear);
        default: return prepare_norm<f16>(linear);
        }
    }

    template<WeightFormat weights>
    static __device__ void multiply(int linear, const LinearStart& start) {
        set_pace(linear == plan().last ? Map::Ring::stages : chunks_while_multiplying);
        if constexpr (weights == WeightFormat::f16)
            multiply_halves<Map>(linear);
        else
            multiply_codes<weights, narrow, turned, Map>(linear, start);
        set_pace(chunks_between);
    }
    static __device__ void set_pace(int chunks) {
        if (threadIdx.x == 0)
            set_watched(state().pace, chunks);
    }

    /// The attention before a linear.
    static __device__ void attend(int linear) {
        StepAttention<head_dim>(state(), linear / linears_a_layer, step_shared() + Map::codes)
            .run(Map::ring(), step_shared(), linear);
    }
    static __device__ void join(int linear) {
        float* const attended = state().plain(linear / linears_a_layer) + state().map.attended;
        SplitJoin<head_dim>(state(), linear / linears_a_layer)
            .run([&](int head, int dimension, const float4& four) {
                if (dimension < head_dim)
                    publish_plain(attended + head * head_dim + dimension, four);
            });
    }

    /// The norm before a linear, or before lm_head. @tparam halves  becomes halves, not codes
    template<bool halves>
    static __device__ LinearStart prepare_norm(int linear) {
        if (!takes_part(linear))
            return start_of(linear);
        const int hidden = step().shape.hidden;
        const float* const gamma = plan().linears[linear].gamma;
        BlockRow<row_vectors> weights;
        if (gamma != nullptr)
            weights.load(gamma, hidden);
        BlockRow<row_vectors> x;
        if (linear == 0) {
            x.embed(embedding(), hidden / 64, step().token, hidden);
        } else {
            let_pass(linear % linears_a_layer == static_cast<int>(StepLinear::gate_up) ? step().delays.gate_up
                                                                                       : step().delays.qkv);
            x.await(residual_before(linear), hidden);
        }
        if (linear % linears_a_layer == static_cast<int>(StepLinear::gate_up))
            clear_plain(linear);
        const float largest = x.normalize(weights, gamma != nullptr, hidden, step().eps, scratch(0));
        x.template store<narrow>(halves ? RowCoding{0, 1.0F} : coding(), Map::code_cols(hidden, halves),
                                 codes(), scale(), scratch(1), largest);
        const LinearStart start = start_of(linear);
        StepBarrier()();
        return start;
    }

    static __device__ LinearStart prepare_attended(int linear) {
        if (!takes_part(linear))
            return start_of(linear);
        const float residual = ask_for_residual(linear);
        const int cols = step().shape.attended();
        BlockRow<row_vectors> x;
        x.await(state().plain(linear / linears_a_layer) + state().map.attended, cols);
        x.template store<narrow>(coding(), Map::code_cols(cols, f16), codes(), scale(), scratch(0));
        return hand_over(linear, residual);
    }

    static __device__ LinearStart prepare_inner(int linear) {
        order_clearing(linear);
        if (!takes_part(linear))
            return start_of(linear);
        const float residual = ask_for_residual(linear);
        const int cols = step().shape.intermediate;
        InnerRow x;
        let_pass(in_last_set() ? step().delays.inner_late : step().delays.inner_early);
        x.await(state().plain(linear / linears_a_layer) + state().map.inner, cols);
        if constexpr (turned)
            x.transform(cols);
        x.template store<narrow>(coding(), Map::code_cols(cols, f16), codes(), scale(), scratch(0));
        return hand_over(linear, residual);
    }

    /// Whether the warp's share of down_proj's input comes from the last set of row tiles that blocks take of
    /// gate_up; the rest was handed out while that was multiplied.
    static __device__ bool in_last_set() {
        if constexpr (!turned)
            return true;
        const int a_set = Map::set_tiles * static_cast<int>(gridDim.x);
        const int before =
            (plan().kinds[static_cast<int>(StepLinear::gate_up)].row_tiles - 1) / a_set * a_set;
        return TurnedRow::end_of_warp() > before * 8; // outputs of a row tile
    }

    static __device__ char* codes() {
        return step_shared() + Map::codes;
    }
    static __device__ float* scale() {
        return Map::template at<float>(Map::scales);
    }

    /// Whether this block has a share in a linear. If not, its warps meet here instead of behind the input:
    /// positions_before of the linear before are read until then.
    static __device__ bool takes_part(int linear) {
        const bool takes = plan().has_tiles(linear);
        if (!takes)
            StepBarrier()();
        return takes;
    }

    /// Gives the block what its threads hold of the residual, which mostly is there when it is asked for.
    /// Ends with a barrier.
    static __device__ LinearStart hand_over(int linear, float asked) {
        if (static_cast<int>(threadIdx.x) < Map::max_residuals) {
            if (__float_as_uint(asked) == not_there && linear >= 2)
                asked = await_plain(residual_before(linear) + own_channel(linear));
            Map::template at<float>(Map::residual)[threadIdx.x] = asked;
        }
        const LinearStart start = start_of(linear);
        StepBarrier()();
        return start;
    }
    static __device__ LinearStart start_of(int linear) {
        if constexpr (f16) // there may be no barrier before it, and it is not used
            return {};
        else
            return {position_before<typename Map::Ring>(state(), linear), plan(), linear};
    }
    static __device__ float ask_for_residual(int linear) {
        const int channel = own_channel(linear);
        if (channel < 0)
            return 0.0F;
        if (linear < 2) // o_proj of layer 0
            return __half2float(embedding()[packed_half_at(step().shape.hidden / 64, step().token, channel)]);
        return look_at_plain(residual_before(linear) + channel);
    }
    static __device__ const __half* embedding() {
        return reinterpret_cast<const __half*>(step().embedding_tiles);
    }

    /// The residual that a linear's input is the norm of, or that its output is added to; not that of layer
    /// 0.
    static __device__ const float* residual_before(int linear) {
        const int in_layer = linear % linears_a_layer;
        const bool middle = in_layer == static_cast<int>(StepLinear::gate_up) ||
                            in_layer == static_cast<int>(StepLinear::down_proj);
        const int layer = linear / linears_a_layer;
        return state().plain(middle ? layer : layer - 1) + (middle ? state().map.middle : state().map.last);
    }

    /// The block's share of the plain values of the layer before. All blocks have read them: they have added
    /// to the residual that gate_up's input is the norm of, for which the last of them was read.
    static __device__ void clear_plain(int linear) {
        const int sharers = clearing_blocks();
        auto* const to = reinterpret_cast<uint4*>(state().plain(linear / linears_a_layer - 1));
        for (int i = plan().linears[linear].first_tile + static_cast<int>(threadIdx.x) * sharers;
             i < plain_vectors(); i += step_threads * sharers)
            __stcg(to + i, uint4{not_there, not_there, not_there, not_there});
    }
    /// Orders what was cleared before what this block hands out next, and what others handed out before what
    /// it writes next. Once in a few layers, where all wait for other blocks' values anyway.
    static __device__ void order_clearing(int linear) {
        static_assert(plain_slots >= 2 * layers_between_fences + 2);
        if (linear / linears_a_layer % layers_between_fences == 0 &&
            static_cast<int>(threadIdx.x) * clearing_blocks() < plain_vectors())
            __threadfence();
    }
    static __device__ int plain_vectors() {
        return state().map.slot / 4;
    }
    /// Those with row tiles of gate_up.
    static __device__ int clearing_blocks() {
        return min(plan().kinds[static_cast<int>(StepLinear::gate_up)].row_tiles,
                   static_cast<int>(gridDim.x));
    }

    /// This thread's channel of the residual that the block's tiles of o_proj or down_proj add to,
    /// [tile][16]; -1 where it has none.
    static __device__ int own_channel(int linear) {
        const int row_tile = plan().row_tile(linear, static_cast<int>(threadIdx.x) / 16);
        const int channel = row_tile * 16 + static_cast<int>(threadIdx.x) % 16;
        return row_tile < 0 || channel >= step().shape.hidden ? -1 : channel;
    }
};

template<WeightFormat format, int head_dim, bool turned, bool narrow>
__global__ void __launch_bounds__(step_threads + 32, 1)
    decode_step_kernel(const __grid_constant__ DecodeStep step) {
#if __CUDA_ARCH__ >= 900 // bulk copies
    Walk<format, head_dim, turned, narrow>::run(step);
#endif
}

template<WeightFormat format, bool turned = false, bool narrow = false>
StepKernel kernel_with(const StepShape& shape) {
    const std::size_t shared = SharedMap<format>::total(shape);
    switch (shape.attention.head_dim) {
    case 64: return {decode_step_kernel<format, 64, turned, narrow>, shared};
    case 128: return {decode_step_kernel<format, 128, turned, narrow>, shared};
    default: return {};
    }
}

StepKernel kernel_of(const DecodeStep& step) {
    const bool turned = step.hadamard_block > 1;
    const bool narrow = step.largest_code <= 7;
    if (step.format == WeightFormat::int4 && narrow)
        return turned ? kernel_with<WeightFormat::int4, true, true>(step.shape)
                      : kernel_with<WeightFormat::int4, false, true>(step.shape);
    if (turned)
        return {};
    switch (step.format) {
    case WeightFormat::int4: return kernel_with<WeightFormat::int4>(step.shape);
    case WeightFormat::int8: return kernel_with<WeightFormat::int8>(step.shape);
    case WeightFormat::f16: return kernel_with<WeightFormat::f16>(step.shape);
    }
    return {};
}

/// By trial on an H200; where little is exchanged there is nothing to wait for.
StepDelays delays_of(const DecodeStep& step) {
    if (step.shape.hidden < 2048 || step.format == WeightFormat::f16)
        return {};
    return step.format == WeightFormat::int4 ? StepDelays{1500, 1000, 0, 2500} : StepDelays{0, 0, 2500, 2500};
}

bool shape_fits(const DecodeStep& step, int blocks) {
    const StepShape& s = step.shape;
    const AttentionShape& a = s.attention;
    const auto tiles_a_block = [&](int rows) { return ((rows + 15) / 16 + blocks - 1) / blocks; };
    return a.heads / a.kv_heads <= 8 && std::max(s.hidden, s.attended()) <= BlockRow<row_vectors>::max_cols &&
           s.intermediate <= BlockRow<inner_vectors>::max_cols && s.hidden % 64 == 0 &&
           s.attended() % 64 == 0 && s.intermediate % 64 == 0 &&
           (step.hadamard_block == 1 || (step.hadamard_block == 256 && s.intermediate % 256 == 0)) &&
           s.linears() <= max_step_linears &&
           tiles_a_block(s.hidden) * 16 <= SharedMap<WeightFormat::int4>::max_residuals;
}

} // namespace

Status find_step_kernel(const DecodeStep& step, StepKernel& kernel) {
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    kernel = kernel_of(step);
    kernel.blocks = device->multiprocessors; // one each
    if (kernel.function == nullptr || step.rows != 1 || !device->cooperative || !device->hopper ||
        !shape_fits(step, kernel.blocks) ||
        kernel.shared_bytes > static_cast<std::size_t>(device->max_shared_bytes)) {
        kernel = {};
        return {};
    }
    QS_CUDA_TRY(cudaFuncSetAttribute(kernel.function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     static_cast<int>(kernel.shared_bytes)),
                "reserving shared memory for decode_step");
    return {};
}

Status decode_step(const StepKernel& kernel, const DecodeStep& wanted, cudaStream_t stream) {
    if (kernel.function == nullptr)
        return {Status::Kind::unsupported, "decode_step does not take this model and batch on this device"};
    DecodeStep step = wanted;
    step.delays = delays_of(step);
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(kernel.blocks);
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
