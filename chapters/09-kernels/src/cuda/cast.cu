// Numbers one by one: rounded to the type that products work on, multiplied, added up.
//
// Launch of each: any grid of any number of threads; some blocks of 256 for each multiprocessor are best. Numbers go four by four where
// addresses allow it, and the last n % 4 alone. A factor is a number on the device: the host need not wait for it.
#include "prelude.cuh"

// How many of n numbers go four by four.
DEVICE u64 n_in_fours(u64 n, bool is_possible) { return is_possible ? n / 4 * 4 : 0; }

// Calls `body(i)` for this thread's share of start, start + step, ... below end.
template <class Body> DEVICE void for_each(u64 start, u64 end, u64 step, const Body& body) {
    const u64 stride = (u64)gridDim.x * blockDim.x * step;
    u64 i = start + ((u64)blockIdx.x * blockDim.x + threadIdx.x) * step;
    UNROLL_BY_4 for (u64 n = n_turns(i, end, stride); n > 0; n--, i += stride) body(i);
}

// ANCHOR: from_f32
// y (n) = x (n), rounded to nearest, ties to even, where Element is bf16.
KERNEL void from_f32(const float* __restrict__ x, Element* __restrict__ y, u64 n) {
    const u64 middle = n_in_fours(n, is_aligned<4>(x) && is_aligned<4>(y));
    for_each(0, middle, 4, [&](u64 i) { store_pack(y + i, load_pack<4>(x + i)); });
    for_each(middle, n, 1, [&](u64 i) { y[i] = from_float<Element>(x[i]); });
}
// ANCHOR_END: from_f32

// out (n) = factor[0] x (n), where out may be x.
KERNEL void scale(const float* x, const float* __restrict__ factor, float* out, u64 n) {
    const float by = factor[0];
    const u64 middle = n_in_fours(n, is_aligned<4>(x) && is_aligned<4>(out));
    for_each(0, middle, 4, [&](u64 i) {
        Pack<float, 4> four = load_pack<4>(x + i);
        UNROLL for (int j = 0; j < 4; j++) four.at[j] *= by;
        store_pack(out + i, four);
    });
    for_each(middle, n, 1, [&](u64 i) { out[i] = by * x[i]; });
}

// sum (n) += factor[0] x (n).
KERNEL void add_scaled(const float* __restrict__ x, const float* __restrict__ factor, float* __restrict__ sum, u64 n) {
    const float by = factor[0];
    const u64 middle = n_in_fours(n, is_aligned<4>(x) && is_aligned<4>(sum));
    for_each(0, middle, 4, [&](u64 i) {
        const Pack<float, 4> four = load_pack<4>(x + i);
        Pack<float, 4> total = load_pack<4>(sum + i);
        UNROLL for (int j = 0; j < 4; j++) total.at[j] += by * four.at[j];
        store_pack(sum + i, total);
    });
    for_each(middle, n, 1, [&](u64 i) { sum[i] += by * x[i]; });
}
