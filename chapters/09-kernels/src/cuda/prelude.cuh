// What the kernels take from the machine, in one place: a 16-bit float, sums over a warp, tensor-core products, asynchronous copies.
//
// Two compilers read this file. NVRTC compiles the kernels for a GPU when the program runs; it is given no include path, so nothing of the
// toolkit is included. A C++ compiler builds the same kernels for the CPU, where `twin.h` plays the GPU: its threads, its barriers and the
// instructions below. The kernels themselves do not know which of the two they are compiled by.
#pragma once

#if !defined(__CUDACC__)
#include "twin/twin.h"
#endif

// A kernel, found by its plain name; a function that kernels call; a struct's function.
#if defined(__CUDACC__)
#define KERNEL extern "C" __global__
#define DEVICE static __device__ __forceinline__
#define MEMBER __device__ __forceinline__
// Shared memory whose size the launch decides.
#define DYNAMIC_SHARED(name) extern __shared__ __align__(128) unsigned char name[]
// Before a loop over an array that must stay in registers: they cannot be indexed by what is known only when the program runs.
#define UNROLL _Pragma("unroll")
// Before a loop that counts its turns one by one: four of them start their loads before the first one's is done.
#define UNROLL_BY_4 _Pragma("unroll 4")
#else
#define KERNEL static
#define DEVICE static inline
#define MEMBER inline
#define DYNAMIC_SHARED(name) unsigned char* name = twin::dynamic_shared()
#define UNROLL
#define UNROLL_BY_4
#endif

typedef unsigned int u32;
typedef unsigned long long u64;

// ---- bfloat16: the upper half of an f32 ----

struct bf16 {
    unsigned short bits;
};

DEVICE float to_float(float x) { return x; }
DEVICE float to_float(bf16 x) { return __uint_as_float((u32)x.bits << 16); }

// Rounded to nearest, ties to even.
DEVICE bf16 to_bf16(float x) {
    bf16 y;
#if defined(__CUDACC__)
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#else
    y.bits = twin::round_to_bf16(x);
#endif
    return y;
}

DEVICE void round_to(float x, float& y) { y = x; }
DEVICE void round_to(float x, bf16& y) { y = to_bf16(x); }

template <class T> DEVICE T from_float(float x) {
    T y;
    round_to(x, y);
    return y;
}

DEVICE float infinity() { return __uint_as_float(0x7f800000u); }

// Two of them in a register, the first in the lower half: what a tensor core takes.
DEVICE u32 pack_bf16(float first, float second) {
#if defined(__CUDACC__)
    u32 packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(second), "f"(first));
    return packed;
#else
    return (u32)twin::round_to_bf16(first) | ((u32)twin::round_to_bf16(second) << 16);
#endif
}

// Two neighbours in memory, at a multiple of 4 bytes, as one register.
DEVICE u32 load_pair(const bf16* from) {
#if defined(__CUDACC__)
    return *reinterpret_cast<const u32*>(from);
#else
    return (u32)from[0].bits | ((u32)from[1].bits << 16);
#endif
}

DEVICE void store_pair(bf16* to, u32 packed) {
#if defined(__CUDACC__)
    *reinterpret_cast<u32*>(to) = packed;
#else
    to[0].bits = (unsigned short)packed;
    to[1].bits = (unsigned short)(packed >> 16);
#endif
}

// ---- exponentials ----

constexpr float LOG2_E = 1.4426950408889634f;

// 2^x by the one instruction that the machine has for it, to two units in the last place. Below 2^-126 the result is 0.
DEVICE float fast_exp2(float x) {
#if defined(__CUDACC__)
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return exp2f(x);
#endif
}

// exp(x) by the same. It is off by some 1e-7 |x| of itself: where x <= 0, by less than 1e-7.
DEVICE float fast_exp(float x) { return fast_exp2(x * LOG2_E); }

// ---- several numbers at once ----

// N numbers that are loaded and stored together; at 16 bytes a thread memory works at its best. The address must be a multiple of the size.
template <class T, int N> struct alignas(sizeof(T) * N) Pack {
    T at[N];
};

// How many numbers of a type 16 bytes hold.
template <class T> constexpr int PER_16_BYTES = 16 / (int)sizeof(T);

// Whether packs of N can be loaded from an address.
template <int N, class T> DEVICE bool is_aligned(const T* address) { return (size_t)address % sizeof(Pack<T, N>) == 0; }

// N numbers as floats, whatever they are in memory.
template <int N, class T> DEVICE Pack<float, N> load_pack(const T* from) {
    const Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(from);
    Pack<float, N> x;
    UNROLL for (int j = 0; j < N; j++) x.at[j] = to_float(pack.at[j]);
    return x;
}

template <int N, class T> DEVICE void store_pack(T* to, const Pack<float, N>& x) {
    Pack<T, N> pack;
    UNROLL for (int j = 0; j < N; j++) pack.at[j] = from_float<T>(x.at[j]);
    *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

// How many of start, start + stride, ... lie below end.
template <class T> DEVICE T n_turns(T start, T end, T stride) { return start < end ? (end - start - 1) / stride + 1 : 0; }

// ---- warps and blocks ----

constexpr int WARP = 32;
constexpr u32 ALL_LANES = 0xffffffffu;

template <class T> DEVICE T warp_sum(T x) {
    for (int distance = WARP / 2; distance > 0; distance /= 2) x += __shfl_xor_sync(ALL_LANES, x, distance);
    return x;
}

DEVICE float warp_max(float x) {
    for (int distance = WARP / 2; distance > 0; distance /= 2) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, distance));
    return x;
}

// The sum over all threads of a block, to each of them: over every warp, then over the warps in their order: its bits never change.
template <class T> DEVICE T block_sum(T x, T (&partial)[WARP]) {
    x = warp_sum(x);
    __syncthreads(); // A slow warp may still read the sums of the call before.
    if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = x;
    __syncthreads();
    T sum = 0;
    for (u32 warp = 0; warp < blockDim.x / WARP; warp++) sum += partial[warp];
    return sum;
}

// The largest number of all threads of a block, to each of them; as fmaxf does, it passes over NaN.
DEVICE float block_max(float x, float (&partial)[WARP]) {
    x = warp_max(x);
    __syncthreads();
    if (threadIdx.x % WARP == 0) partial[threadIdx.x / WARP] = x;
    __syncthreads();
    for (u32 warp = 0; warp < blockDim.x / WARP; warp++) x = fmaxf(x, partial[warp]);
    return x;
}

// ---- tensor cores ----

// ANCHOR: mma
// d += a * b for a 16x16, b 16x8, d 16x8, spread over a warp as PTX says for mma.m16n8k16 (PTX ISA, "Matrix fragments for mma.m16n8k16").
// With g = lane / 4 and t = lane % 4:
//   a[0] (row g, columns 2t, 2t+1)  a[1] (row g+8, same)  a[2] (row g, columns 2t+8, 2t+9)  a[3] (row g+8, those)
//   b[0] (rows 2t, 2t+1 of column g)  b[1] (rows 2t+8, 2t+9 of column g)
//   d[0], d[1] (row g, columns 2t, 2t+1)  d[2], d[3] (row g+8, those)
DEVICE void mma_bf16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
#if defined(__CUDACC__)
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    twin::mma_m16n8k16(d, a, b0, b1);
#endif
}
// ANCHOR_END: mma

// Four 8x8 matrices of 16-bit numbers from shared memory: lane l gives the address of row l % 8 of matrix l / 8, 16 bytes each, and receives of
// matrix i, in r[i], the numbers 2t and 2t+1 of row g.
DEVICE void load_matrices(u32 (&r)[4], const void* row) {
#if defined(__CUDACC__)
    u32 address = (u32)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
#else
    twin::load_matrices(r, row, false);
#endif
}

// The same, each matrix transposed: in r[i] the numbers of rows 2t and 2t+1 in column g.
DEVICE void load_matrices_transposed(u32 (&r)[4], const void* row) {
#if defined(__CUDACC__)
    u32 address = (u32)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
#else
    twin::load_matrices(r, row, true);
#endif
}

// ---- copies that go on while the thread computes ----

// Starts to copy 16 bytes from global to shared memory; `is_valid` false writes zeros and reads nothing.
DEVICE void copy_async_16(void* shared, const void* global, bool is_valid) {
#if defined(__CUDACC__)
    u32 address = (u32)__cvta_generic_to_shared(shared);
    int n_bytes = is_valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(n_bytes) : "memory");
#else
    twin::copy_async_16(shared, global, is_valid);
#endif
}

// Closes a group of copies.
DEVICE void commit_copies() {
#if defined(__CUDACC__)
    asm volatile("cp.async.commit_group;" ::: "memory");
#else
    twin::commit_copies();
#endif
}

// Waits until at most N groups of this thread are under way. Others' copies are seen after the next barrier only.
template <int N> DEVICE void wait_for_copies() {
#if defined(__CUDACC__)
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#else
    twin::wait_for_copies(N);
#endif
}
