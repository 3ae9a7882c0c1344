// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cuda_runtime.h>
#include <type_traits>

/// Hopper's asynchronous instructions (sm_90a only): products of a warpgroup, bulk copies, their barriers.
namespace quantscope::kernels {

__device__ inline std::uint32_t shared_address(const void* pointer) {
    return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}

// --- mbarriers; addresses are those of shared memory ---

__device__ inline void init_barrier(std::uint32_t barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
/// Makes initialized barriers visible to the copy engine.
__device__ inline void fence_barrier_init() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
__device__ inline void arrive(std::uint32_t barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
/// Arrives, and says how many bytes the copies of this phase bring.
__device__ inline void arrive_expecting(std::uint32_t barrier, int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes)
                 : "memory");
}
/// Returns once the phase of this parity has completed.
__device__ inline void wait_barrier(std::uint32_t barrier, int parity) {
    int done = 0;
    while (done == 0)
        asm volatile("{\n.reg .pred p;\n"
                     "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
                     "selp.b32 %0, 1, 0, p;\n}"
                     : "=r"(done)
                     : "r"(barrier), "r"(parity)
                     : "memory");
}

/// Orders accesses of shared memory by this thread, and by those it has waited for, before those that wgmma
/// and the copy engine make for it, or behind a barrier at which it arrives.
__device__ inline void fence_shared_accesses() {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// Of a stage that warps read and bulk copies fill again: arrivals of a warp when it has read. racecheck
/// follows only threads that arrive themselves, not those that met such a one before: in a build for it all
/// lanes do.
#ifdef QUANTSCOPE_FOR_RACECHECK
constexpr int arrivals_a_warp = 32;
#else
constexpr int arrivals_a_warp = 1;
#endif
/// A whole warp.
__device__ inline void give_stage_back(std::uint32_t empty) {
    if constexpr (arrivals_a_warp > 1)
        fence_shared_accesses(); // racecheck does not see that wait_for_stage() has one
    __syncwarp();
    if (arrivals_a_warp > 1 || threadIdx.x % 32 == 0)
        arrive(empty);
}
/// The thread that copies. Between what was read and a copy that overwrites it, PTX asks for a fence of
/// proxies: here it costs no time, unlike in the warps that read.
__device__ inline void wait_for_stage(std::uint32_t empty, int parity) {
    wait_barrier(empty, parity);
    fence_shared_accesses();
}

/// Four matrices of 8 x 8 halves, whose columns a lane holds as fragments do, to shared memory by rows.
/// @param to  in lane 8m + r: where the 16 bytes of row r of matrix m go
__device__ inline void store_transposed(std::uint32_t to, std::uint32_t m0, std::uint32_t m1,
                                        std::uint32_t m2, std::uint32_t m3) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(m0),
                 "r"(m1), "r"(m2), "r"(m3)
                 : "memory");
}

/// A stage of a ring of mbarriers, and the parity of its turn.
template<int stages>
struct RingPlace {
    int stage = 0;
    int parity = 0;

    __device__ void advance() {
        if (++stage == stages) {
            stage = 0;
            parity ^= 1;
        }
    }
};

// --- bulk copies; everything in multiples of 16 bytes ---

__device__ inline void copy_bulk(std::uint32_t shared, const void* global, int bytes, std::uint32_t barrier) {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
            shared),
        "l"(global), "r"(bytes), "r"(barrier)
        : "memory");
}

/// For copies of what is read once: it leaves the L2 cache before anything else does.
__device__ inline std::uint64_t read_once() {
    std::uint64_t policy = 0;
    asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
    return policy;
}
/// @param policy  as of read_once()
__device__ inline void copy_bulk(std::uint32_t shared, const void* global, int bytes, std::uint32_t barrier,
                                 std::uint64_t policy) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
                 "[%0], [%1], %2, [%3], %4;" ::"r"(shared),
                 "l"(global), "r"(bytes), "r"(barrier), "l"(policy)
                 : "memory");
}

// The other way: a box of a matrix that `map` describes (base/tensor_map.h), which is cut where the matrix
// ends. What ordinary stores wrote to shared memory needs fence_shared_accesses() before.

/// Asks for the map itself, so that the first copy does not wait for it.
__device__ inline void prefetch_map(const void* map) {
    asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}
__device__ inline void store_box(const void* map, int column, int row, std::uint32_t shared) {
    asm volatile(
        "cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%1, %2}], [%3];" ::"l"(map),
        "r"(column), "r"(row), "r"(shared)
        : "memory");
}
/// Adds floats to what is there, each sum rounded once; subnormal ones may count as zeros.
__device__ inline void add_box(const void* map, int column, int row, std::uint32_t shared) {
    asm volatile(
        "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group [%0, {%1, %2}], [%3];" ::"l"(
            map),
        "r"(column), "r"(row), "r"(shared)
        : "memory");
}
__device__ inline void commit_bulk() {
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}
/// Returns once at most `pending` of this thread's groups still read shared memory.
template<int pending>
__device__ void wait_bulk_reads() {
    asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(pending) : "memory");
}

// --- clusters ---

/// All threads of a cluster's blocks that have not exited take part; what was written before arriving is seen
/// after waiting.
__device__ inline void cluster_arrive() {
    asm volatile("barrier.cluster.arrive.release;" ::: "memory");
}
__device__ inline void cluster_wait() {
    asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
}
/// Writes to the shared memory of block `rank` of the cluster, where `shared` stands in this block's.
__device__ inline void store_at(std::uint32_t shared, int rank, int4 v) {
    asm volatile("{\n.reg .b32 remote;\n"
                 "mapa.shared::cluster.u32 remote, %0, %1;\n"
                 "st.shared::cluster.v4.s32 [remote], {%2, %3, %4, %5};\n}" ::"r"(shared),
                 "r"(rank), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w)
                 : "memory");
}

// --- wgmma ---

/// A warpgroup's registers a thread, from here on.
template<int registers>
__device__ void release_registers() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
}
template<int registers>
__device__ void claim_registers() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
}

/// To be called between writes of registers that a product uses and the product.
__device__ inline void wgmma_fence() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ inline void wgmma_commit() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Returns once at most `pending` groups are under way.
template<int pending>
__device__ void wgmma_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}
/// Keeps the compiler from reusing registers that a product under way still reads.
template<int count>
__device__ void keep_registers(std::uint32_t (&registers)[count]) {
#pragma unroll
    for (int i = 0; i < count; ++i)
        asm volatile("" : "+r"(registers[i])::"memory");
}

/// Keeps the compiler from reading sums before the wait for their products.
template<class Acc, int count>
__device__ void settle(Acc (&sums)[count]) {
#pragma unroll
    for (int i = 0; i < count; ++i)
        if constexpr (std::is_same_v<Acc, int>)
            asm volatile("" : "+r"(sums[i])::"memory");
        else
            asm volatile("" : "+f"(sums[i])::"memory");
}

/// Descriptor of rows of 128 bytes in shared memory with the 128-byte swizzle; the first row stands at a
/// multiple of 1024 bytes. A step further along the columns adds 2 (32 bytes).
__device__ inline std::uint64_t slab_descriptor(std::uint32_t shared) {
    constexpr std::uint64_t swizzle_128 = std::uint64_t{1} << 62U;
    constexpr std::uint64_t stride_8_rows = std::uint64_t{1024 / 16} << 32U;
    constexpr std::uint64_t unused_stride = std::uint64_t{1} << 16U;
    return swizzle_128 | stride_8_rows | unused_stride | ((shared & 0x3FFFFU) >> 4U);
}

/// The same shared memory for wgmma_transposed(): here rows are the products' inner dimension (16 a step:
/// 2048 bytes further) and the 64 halves of each row are columns; the next 64 stand `next_columns` bytes on.
__device__ inline std::uint64_t transposed_descriptor(std::uint32_t shared, int next_columns) {
    constexpr std::uint64_t swizzle_128 = std::uint64_t{1} << 62U;
    constexpr std::uint64_t stride_8_rows = std::uint64_t{1024 / 16} << 32U;
    return swizzle_128 | stride_8_rows | static_cast<std::uint64_t>(next_columns / 16) << 16U |
           ((shared & 0x3FFFFU) >> 4U);
}

// clang-format off
#define QS_R4(c, i) c(d[i]), c(d[(i) + 1]), c(d[(i) + 2]), c(d[(i) + 3])
#define QS_R16(c, i) QS_R4(c, i), QS_R4(c, (i) + 4), QS_R4(c, (i) + 8), QS_R4(c, (i) + 12)
#define QS_R32(c, i) QS_R16(c, i), QS_R16(c, (i) + 16)
#define QS_R64(c, i) QS_R32(c, i), QS_R32(c, (i) + 32)
#define QS_R128(c, i) QS_R64(c, i), QS_R64(c, (i) + 64)
#define QS_P8 "%0,%1,%2,%3,%4,%5,%6,%7"
#define QS_P16 QS_P8 ",%8,%9,%10,%11,%12,%13,%14,%15"
#define QS_P32 QS_P16 ",%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31"
#define QS_P64 QS_P32 ",%32,%33,%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47" \
                      ",%48,%49,%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63"
#define QS_P128 QS_P64 ",%64,%65,%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79" \
                       ",%80,%81,%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95" \
                       ",%96,%97,%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110,%111" \
                       ",%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123,%124,%125,%126,%127"
/// d += a * b for 64 rows and N columns; d starts at zero where `add` is false. A's four registers are those
/// of the mma.m16n8 of the same width, a warp of the group every 16 rows; d[4j + i] are those of column block j.
#define QS_WGMMA(NAME, ACC, BIND, N, REGISTERS, TYPES, PLACES, A0, A1, A2, A3, DESC, ADD, SIGNS)                 \
    __device__ inline void NAME(ACC (&d)[REGISTERS], const std::uint32_t (&a)[4], std::uint64_t b, int add) {    \
        asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " ADD ", 0;\n"                                            \
                     "wgmma.mma_async.sync.aligned.m64n" #N TYPES " {" PLACES "},"                               \
                     "{" A0 "," A1 "," A2 "," A3 "}, " DESC ", p" SIGNS ";\n}"                                   \
                     : QS_R##REGISTERS(BIND, 0)                                                                  \
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add));                            \
    }
#define QS_WGMMA_BOTH(N, REGISTERS, PLACES, A0, A1, A2, A3, DESC, ADD)                                           \
    QS_WGMMA(wgmma, int, "+r", N, REGISTERS, "k32.s32.s8.s8", PLACES, A0, A1, A2, A3, DESC, ADD, "")             \
    QS_WGMMA(wgmma, float, "+f", N, REGISTERS, "k16.f32.f16.f16", PLACES, A0, A1, A2, A3, DESC, ADD, ", 1, 1, 0")
QS_WGMMA_BOTH(32, 16, QS_P16, "%16", "%17", "%18", "%19", "%20", "%21")
QS_WGMMA_BOTH(64, 32, QS_P32, "%32", "%33", "%34", "%35", "%36", "%37")
QS_WGMMA_BOTH(128, 64, QS_P64, "%64", "%65", "%66", "%67", "%68", "%69")
QS_WGMMA_BOTH(256, 128, QS_P128, "%128", "%129", "%130", "%131", "%132", "%133")
/// B is stored [inner dimension][columns].
QS_WGMMA(wgmma_transposed, float, "+f", 64, 32, "k16.f32.f16.f16", QS_P32, "%32", "%33", "%34", "%35", "%36", "%37", ", 1, 1, 1")
QS_WGMMA(wgmma_transposed, float, "+f", 128, 64, "k16.f32.f16.f16", QS_P64, "%64", "%65", "%66", "%67", "%68", "%69", ", 1, 1, 1")
/// A is in shared memory too: 64 rows of 128 bytes, as slab_descriptor() describes them.
__device__ inline void wgmma_shared(float (&d)[64], std::uint64_t a, std::uint64_t b, int add) {
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
                 "wgmma.mma_async.sync.aligned.m64n128k16.f32.f16.f16 {" QS_P64 "}, %64, %65, p, 1, 1, 0, 0;\n}"
                 : QS_R64("+f", 0)
                 : "l"(a), "l"(b), "r"(add));
}
#undef QS_WGMMA_BOTH
#undef QS_WGMMA
#undef QS_P128
#undef QS_P64
#undef QS_P32
#undef QS_P16
#undef QS_P8
#undef QS_R128
#undef QS_R64
#undef QS_R32
#undef QS_R16
#undef QS_R4
// clang-format on

} // namespace quantscope::kernels
