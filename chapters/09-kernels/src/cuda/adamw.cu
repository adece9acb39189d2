// AdamW (Loshchilov and Hutter 2017, arXiv 1711.05101, algorithm 2) in one pass over all parameters, and the norm of all gradients in
// another.
//
//     g = scale * gradient
//     m = beta1 m + (1 - beta1) g        v = beta2 v + (1 - beta2) g^2
//     w = (1 - lr decay) w - lr / first_correction * m / (sqrt(v / second_correction) + eps)
//
// A number is read once, everything is done to it, and it is written once: 16 bytes in, 12 out, and the copy that the next products read.
// A model has some hundred parameters, from a norm's d numbers to an embedding's millions. One launch takes them all: a block has a chunk
// of a parameter, as a table says that the host makes once.
//
// Launch of sum_of_squares and adamw: grid, the number of chunks; a multiple of 32 threads, at most 512, which is best. No dynamic shared
// memory.
#include "prelude.cuh"

constexpr int MAX_THREADS = 512;
// Numbers in a chunk; the last one of a parameter has what is left.
constexpr u32 CHUNK = 65536;

// ANCHOR: parameter
struct Parameter {
    float* weight;
    const float* gradient;
    float* first;  // Moments.
    float* second;
    Element* copy; // The weight as products read it; may be null.
    u64 n;
    float decay;
};
static_assert(sizeof(Parameter) == 56, "the host lays it out so: 4 bytes of padding at the end");

// The same for every parameter; corrections are 1 - beta^t.
struct AdamWStep {
    float lr, beta1, beta2, one_minus_beta1, one_minus_beta2, eps, first_correction, second_correction, scale;
};
// ANCHOR_END: parameter

// Where a chunk (number of the parameter, number of the chunk in it) begins and how long it is.
struct Range {
    u64 start;
    u32 length;
};

DEVICE Range range_of(const Parameter& parameter, uint2 chunk) {
    const u64 start = (u64)chunk.y * CHUNK;
    return {start, (u32)min((u64)CHUNK, parameter.n - start)};
}

// ---- the norm ----

// The sum over a thread's share. Squares of a pack are added in f32, all else in f64; beyond 1e19 a square is infinite.
template <int N> DEVICE double sum_of_squares_of(const float* x, u32 start, u32 end) {
    double sum = 0;
    u32 i = start + threadIdx.x * N;
    UNROLL_BY_4 for (u32 n = n_turns(i, end, blockDim.x * N); n > 0; n--, i += blockDim.x * N) {
        const Pack<float, N> pack = load_pack<N>(x + i);
        float squares = 0;
        UNROLL for (int j = 0; j < N; j++) squares += pack.at[j] * pack.at[j];
        sum += squares;
    }
    return sum;
}

// ANCHOR: sum_of_squares
// partial (chunks) = the sum of squares of each chunk's gradient.
KERNEL void __launch_bounds__(MAX_THREADS)
sum_of_squares(const Parameter* __restrict__ parameters, const uint2* __restrict__ chunks, double* __restrict__ partial) {
    __shared__ double shared[WARP];
    const uint2 chunk = chunks[blockIdx.x];
    const Parameter parameter = parameters[chunk.x];
    const Range range = range_of(parameter, chunk);
    const float* gradient = parameter.gradient + range.start;
    const u32 in_fours = is_aligned<4>(gradient) ? range.length / 4 * 4 : 0;
    const double sum = sum_of_squares_of<4>(gradient, 0, in_fours) + sum_of_squares_of<1>(gradient, in_fours, range.length);
    const double total = block_sum(sum, shared);
    if (threadIdx.x == 0) partial[blockIdx.x] = total;
}
// ANCHOR_END: sum_of_squares

// out[0] = the sum of partial (n). Grid: 1; a multiple of 32 threads, best 512.
KERNEL void __launch_bounds__(MAX_THREADS) sum_partials(const double* __restrict__ partial, double* __restrict__ out, int n) {
    __shared__ double shared[WARP];
    double sum = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) sum += partial[i];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) out[0] = sum;
}

// ---- the step ----

// What a step multiplies by.
struct Factors {
    float scale, beta1, one_minus_beta1, beta2, one_minus_beta2, inverse_second_correction, eps, rate, shrink;
};

DEVICE Factors factors_of(const AdamWStep& step, float decay) {
    return {step.scale, step.beta1, step.one_minus_beta1, step.beta2, step.one_minus_beta2, 1 / step.second_correction, step.eps,
            step.lr / step.first_correction, 1 - step.lr * decay};
}

// ANCHOR: update
DEVICE void update(const Factors& factors, float gradient, float& weight, float& first, float& second) {
    const float g = gradient * factors.scale;
    first = first * factors.beta1 + g * factors.one_minus_beta1;
    second = second * factors.beta2 + g * g * factors.one_minus_beta2;
    const float denominator = sqrtf(second * factors.inverse_second_correction) + factors.eps;
    weight = weight * factors.shrink - first / denominator * factors.rate;
}

// Numbers start to end of a parameter, N at a time.
template <int N> DEVICE void update_range(const Parameter& parameter, const Factors& factors, u64 start, u64 end) {
    for (u64 i = start + threadIdx.x * N; i < end; i += blockDim.x * N) {
        const Pack<float, N> gradient = load_pack<N>(parameter.gradient + i);
        Pack<float, N> weight = load_pack<N>(parameter.weight + i), first = load_pack<N>(parameter.first + i),
                       second = load_pack<N>(parameter.second + i);
        UNROLL for (int j = 0; j < N; j++) update(factors, gradient.at[j], weight.at[j], first.at[j], second.at[j]);
        store_pack(parameter.weight + i, weight);
        store_pack(parameter.first + i, first);
        store_pack(parameter.second + i, second);
        if (parameter.copy) store_pack(parameter.copy + i, weight);
    }
}
// ANCHOR_END: update

// ANCHOR: adamw
// Moves all parameters and their moments by one step.
KERNEL void __launch_bounds__(MAX_THREADS, 1)
adamw(const Parameter* __restrict__ parameters, const uint2* __restrict__ chunks, AdamWStep step) {
    const uint2 chunk = chunks[blockIdx.x];
    const Parameter parameter = parameters[chunk.x];
    const Range range = range_of(parameter, chunk);
    const Factors factors = factors_of(step, parameter.decay);
    const bool is_possible = is_aligned<4>(parameter.weight) && is_aligned<4>(parameter.gradient) && is_aligned<4>(parameter.first) &&
                             is_aligned<4>(parameter.second) && is_aligned<4>(parameter.copy);
    const u64 middle = range.start + (is_possible ? range.length / 4 * 4 : 0);
    update_range<4>(parameter, factors, range.start, middle);
    update_range<1>(parameter, factors, middle, range.start + range.length);
}
// ANCHOR_END: adamw
