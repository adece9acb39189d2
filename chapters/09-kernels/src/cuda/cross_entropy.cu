// The log-probability of each row's target, and its gradient in the place of the logits.
//
//     log p_t = z_t - log sum_j exp(z_j)        dz_j = g ([j = t] - exp(z_j) / sum_i exp(z_i))
//
// for logits z (n_rows, vocab_size), targets t (n_rows) and the gradient g (n_rows) of the loss with respect to log p_t. One read of a row
// gives the largest logit and the sum of exponentials relative to it (online softmax: Milakov and Gimelshein 2018, arXiv 1805.02867): when
// a larger logit appears, the sum so far is scaled down. A second read, for the gradient, comes from the L2 cache.
//
// A mask is a g of 0: the gradient of such a row is exactly 0, whatever its logits are. A target outside the vocabulary gives NaN.
//
// Launch, but for weighted_sum: grid n_rows; a multiple of 32 threads, at most 512, which is best for a large vocabulary. No dynamic
// shared memory.
#include "prelude.cuh"

constexpr int MAX_THREADS = 512;

// ---- a row in packs of 16 bytes ----

// Packs that a thread loads before it works on the first one.
constexpr int N_AHEAD = 4;

// ANCHOR: for_each_pack
// Spreads a row over the block: calls `body(i, pack)` for the numbers from i on. A row of an odd vocabulary begins at any address, so what
// stands before the first multiple of 16 bytes and behind the last comes one by one; `body` takes a pack of any length.
template <class Body> DEVICE void for_each_pack(const Element* row, int n, const Body& body) {
    constexpr int N = PER_16_BYTES<Element>;
    const int past_boundary = (int)((size_t)row % 16 / sizeof(Element));
    const int middle = min(n, (N - past_boundary) % N), end = middle + (n - middle) / N * N, stride = blockDim.x * N;
    for (int i = threadIdx.x; i < middle; i += blockDim.x) body(i, load_pack<1>(row + i));
    int i = middle + threadIdx.x * N;
    for (; i + (N_AHEAD - 1) * stride < end; i += N_AHEAD * stride) {
        Pack<float, N> packs[N_AHEAD];
        UNROLL for (int k = 0; k < N_AHEAD; k++) packs[k] = load_pack<N>(row + i + k * stride);
        UNROLL for (int k = 0; k < N_AHEAD; k++) body(i + k * stride, packs[k]);
    }
    for (; i < end; i += stride) body(i, load_pack<N>(row + i));
    for (int i = end + threadIdx.x; i < n; i += blockDim.x) body(i, load_pack<1>(row + i));
}
// ANCHOR_END: for_each_pack

// ---- the sum of exponentials ----

// sum_j exp(z_j - max) of some numbers, and their largest. Of none, max is finite all the same: -inf - -inf would be NaN.
struct ExpSum {
    float max = -3.4028235e38f, sum = 0;
};

// ANCHOR: exp_sum
// fmaxf passes over a NaN, but the exponential of a NaN is NaN, and no sum loses that again.
struct AddTo {
    ExpSum& s;

    template <int N> MEMBER void operator()(int, const Pack<float, N>& z) const {
        float max = s.max;
        UNROLL for (int j = 0; j < N; j++) max = fmaxf(max, z.at[j]);
        s.sum *= fast_exp(s.max - max);
        UNROLL for (int j = 0; j < N; j++) s.sum += fast_exp(z.at[j] - max);
        s.max = max;
    }
};

// Of a whole row, for each thread of the block.
DEVICE ExpSum exp_sum_of_row(const Element* row, int n, float (&partial)[WARP]) {
    ExpSum mine, all;
    for_each_pack(row, n, AddTo{mine});
    all.max = block_max(mine.max, partial);
    all.sum = block_sum(mine.sum * fast_exp(mine.max - all.max), partial);
    return all;
}
// ANCHOR_END: exp_sum

DEVICE float nan_unless(bool condition, float x) { return condition ? x : __uint_as_float(0x7fffffffu); }

// The difference of the two logits comes first: where both are large, log_sum_exp has lost digits that the difference still has.
DEVICE float log_prob_of(const Element* row, u32 target, int n, const ExpSum& s) {
    const bool is_inside = target < (u32)n;
    return nan_unless(is_inside, to_float(row[is_inside ? target : 0]) - s.max - logf(s.sum));
}

// ---- the gradient ----

struct StoreZeros {
    Element* row;

    template <int N> MEMBER void operator()(int i, const Pack<float, N>&) const { store_pack(row + i, Pack<float, N>{}); }
};

// ANCHOR: gradient
// Overwrites logits with g ([j = target] - scale exp(z_j - shift)).
struct StoreGradient {
    Element* row;
    int target;
    float g, shift, scale;

    template <int N> MEMBER void operator()(int i, const Pack<float, N>& z) const {
        Pack<float, N> dz;
        UNROLL for (int j = 0; j < N; j++) {
            const float is_target = i + j == target ? 1.0f : 0.0f;
            dz.at[j] = g * (is_target - scale * fast_exp(z.at[j] - shift));
        }
        store_pack(row + i, dz);
    }
};

DEVICE void write_gradient(Element* row, int n, u32 target, float g, float shift, float scale) {
    if (g == 0) for_each_pack(row, n, StoreZeros{row});
    else for_each_pack(row, n, StoreGradient{row, (int)target, nan_unless(target < (u32)n, g), shift, scale});
}
// ANCHOR_END: gradient

// ---- kernels ----

// ANCHOR: forward
// Writes the log-probabilities of the targets, log_probs (n_rows), and log_sum_exp (n_rows) of each row for the backward pass.
KERNEL void __launch_bounds__(MAX_THREADS)
cross_entropy_forward(const Element* __restrict__ logits, const u32* __restrict__ targets, float* __restrict__ log_probs,
                      float* __restrict__ log_sum_exp, int vocab_size) {
    __shared__ float partial[WARP];
    const Element* row = logits + (size_t)blockIdx.x * vocab_size;
    const ExpSum s = exp_sum_of_row(row, vocab_size, partial);
    if (threadIdx.x > 0) return;
    log_probs[blockIdx.x] = log_prob_of(row, targets[blockIdx.x], vocab_size, s);
    log_sum_exp[blockIdx.x] = s.max + logf(s.sum);
}
// ANCHOR_END: forward

// Overwrites the logits with their gradient, from log_sum_exp (n_rows) of the forward pass and g, d_log_probs (n_rows).
KERNEL void __launch_bounds__(MAX_THREADS)
cross_entropy_backward(Element* __restrict__ logits, const u32* __restrict__ targets, const float* __restrict__ log_sum_exp,
                       const float* __restrict__ d_log_probs, int vocab_size) {
    Element* row = logits + (size_t)blockIdx.x * vocab_size;
    write_gradient(row, vocab_size, targets[blockIdx.x], d_log_probs[blockIdx.x], log_sum_exp[blockIdx.x], 1);
}

// ANCHOR: forward_backward
// Both in one launch, where g is known before the log-probabilities, as it is for a mean.
KERNEL void __launch_bounds__(MAX_THREADS)
cross_entropy_forward_backward(Element* __restrict__ logits, const u32* __restrict__ targets, const float* __restrict__ d_log_probs,
                               float* __restrict__ log_probs, int vocab_size) {
    __shared__ float partial[WARP];
    Element* row = logits + (size_t)blockIdx.x * vocab_size;
    const u32 target = targets[blockIdx.x];
    const ExpSum s = exp_sum_of_row(row, vocab_size, partial);
    if (threadIdx.x == 0) log_probs[blockIdx.x] = log_prob_of(row, target, vocab_size, s);
    __syncthreads(); // The target's logit is read before some thread overwrites it.
    write_gradient(row, vocab_size, target, d_log_probs[blockIdx.x], s.max, 1 / s.sum);
}
// ANCHOR_END: forward_backward

// out[0] = the sum of weight value, in f64: the loss from log-probabilities. A value of weight 0 is masked and does not count, be it NaN.
// Grid: 1; a multiple of 32 threads, best 1024.
KERNEL void weighted_sum(const float* __restrict__ values, const float* __restrict__ weights, float* __restrict__ out, int n) {
    __shared__ double partial[WARP];
    double sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        if (weights[i] != 0) sum += (double)values[i] * weights[i];
    }
    sum = block_sum(sum, partial);
    if (threadIdx.x == 0) out[0] = (float)sum;
}
