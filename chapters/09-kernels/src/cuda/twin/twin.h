// The GPU's part in the kernels, played by the CPU: for tests on machines that have no GPU.
//
// A block's threads are fibers that hand over to each other at barriers and at the instructions that a warp executes together. The twin is
// slow and strict. Memory that nothing wrote reads as NaN; a barrier that some thread of the block never reaches is an error, not a
// hang; an asynchronous copy arrives at the last moment that the program allows, or with an odd seed at the first; and the order in which
// threads run is drawn from the seed: a result that changes with the seed is a race.
#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct uint2 { unsigned x, y; };
struct uint4 { unsigned x, y, z, w; };
struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
struct dim3 { unsigned x, y, z; };

#define __shared__ static __attribute__((section("twin_shared")))
#define __restrict__ __restrict
#define __launch_bounds__(...)

namespace twin {

extern thread_local dim3 thread_index, block_index, block_size, grid_size;

void barrier();
// Every lane gives `n_bytes` and sees what all 32 gave, in order of lanes; valid until the warp's next exchange.
const unsigned char* exchange(const void* mine, size_t n_bytes);
// Lanes are numbered along x, then y, then z, as on a GPU.
unsigned lane();
unsigned char* dynamic_shared();

unsigned short round_to_bf16(float x);
void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);
void load_matrices(unsigned (&r)[4], const void* row, bool transposed);
void copy_async_16(void* shared, const void* global, bool is_valid);
void commit_copies();
void wait_for_copies(int n_under_way);

constexpr size_t EXCHANGE_BYTES = 32;

template <class T> T shuffle(T x, unsigned source) {
    T y;
    static_assert(sizeof(T) <= EXCHANGE_BYTES, "an exchange takes small values");
    memcpy(&y, exchange(&x, sizeof(T)) + source * EXCHANGE_BYTES, sizeof(T));
    return y;
}

} // namespace twin

#define threadIdx twin::thread_index
#define blockIdx twin::block_index
#define blockDim twin::block_size
#define gridDim twin::grid_size

inline void __syncthreads() { twin::barrier(); }
inline void __syncwarp(unsigned = ~0u) { char nothing = 0; twin::exchange(&nothing, 1); }
template <class T> T __shfl_xor_sync(unsigned, T x, int mask) { return twin::shuffle(x, twin::lane() ^ (unsigned)mask); }
template <class T> T __shfl_sync(unsigned, T x, int source) { return twin::shuffle(x, (unsigned)source % 32); }
template <class T> T __shfl_down_sync(unsigned, T x, unsigned delta) {
    unsigned source = twin::lane() + delta;
    return twin::shuffle(x, source < 32 ? source : twin::lane());
}

inline float __uint_as_float(unsigned bits) { float x; memcpy(&x, &bits, 4); return x; }
inline unsigned __float_as_uint(float x) { unsigned bits; memcpy(&bits, &x, 4); return bits; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float x, float y) { return x / y; }
template <class T> T min(T a, T b) { return b < a ? b : a; }
template <class T> T max(T a, T b) { return a < b ? b : a; }
