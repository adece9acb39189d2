// Root-mean-square norm (Zhang and Sennrich 2019, arXiv 1910.07467), forward and backward.
//
//     r = 1 / sqrt(mean_j x_j^2 + eps)        y_j = x_j r w_j
//     dx_j = r g_j w_j - x_j (r^3 / d) sum_i g_i w_i x_i        dw_j = sum over rows of g_j x_j r
//
// x and dx (n_rows, d) and the weight w (d) are f32; y and its gradient g (n_rows, d) are Element. Nearly all of the time is memory's, so
// a block takes a whole row and its threads keep it in registers between the sum and what needs the sum: each number is read once.
//
// Launch, but for sum_columns: a block takes rows blockIdx.x, blockIdx.x + gridDim.x, ...; any grid is correct. A multiple of 32 threads,
// at most 512; the best is the least that is d / KEPT or more, so that a row fits into registers. No dynamic shared memory.
#include "prelude.cuh"

constexpr int MAX_THREADS = 512;

typedef Pack<float, 4> Four;
// Fours of a row that a thread keeps in registers, and the numbers in them.
constexpr int N_KEPT = 4, KEPT = 4 * N_KEPT;

// Whether rows of d numbers fit into the registers of a block, and begin where packs can be loaded.
DEVICE bool fits_registers(int d) { return d % 4 == 0 && d <= KEPT * (int)blockDim.x; }

template <class T> DEVICE Four load_or_zero(const T* row, int i, int d) { return i < d ? load_pack<4>(row + i) : Four{}; }

// ---- forward ----

template <int N> DEVICE void store_normed(const Pack<float, N>& x, float inverse_rms, const float* weight, Element* y) {
    const Pack<float, N> w = load_pack<N>(weight);
    Pack<float, N> normed;
    UNROLL for (int j = 0; j < N; j++) normed.at[j] = x.at[j] * inverse_rms * w.at[j];
    store_pack(y, normed);
}

// ANCHOR: norm_row
// One row by the whole block; returns 1 / rms.
DEVICE float norm_row(const float* x, const float* weight, Element* y, int d, float eps, float (&partial)[WARP]) {
    const int first = threadIdx.x * 4, stride = blockDim.x * 4;
    // All loads stand before the first sum, so that they are under way together.
    Four kept[N_KEPT];
    UNROLL for (int k = 0; k < N_KEPT; k++) kept[k] = load_or_zero(x, first + k * stride, d);
    float sum = 0;
    UNROLL for (int k = 0; k < N_KEPT; k++) {
        UNROLL for (int j = 0; j < 4; j++) sum += kept[k].at[j] * kept[k].at[j];
    }
    const float inverse_rms = rsqrtf(block_sum(sum, partial) / d + eps);
    UNROLL for (int k = 0; k < N_KEPT; k++) {
        const int i = first + k * stride;
        if (i < d) store_normed(kept[k], inverse_rms, weight + i, y + i);
    }
    return inverse_rms;
}
// ANCHOR_END: norm_row

// The same for a row of any length at any address. The second read finds most of it in the cache.
DEVICE float norm_any_row(const float* x, const float* weight, Element* y, int d, float eps, float (&partial)[WARP]) {
    float sum = 0;
    for (int i = threadIdx.x; i < d; i += blockDim.x) sum += x[i] * x[i];
    const float inverse_rms = rsqrtf(block_sum(sum, partial) / d + eps);
    for (int i = threadIdx.x; i < d; i += blockDim.x) store_normed(load_pack<1>(x + i), inverse_rms, weight + i, y + i);
    return inverse_rms;
}

// ANCHOR: forward
// Writes y (n_rows, d) and 1 / rms of each row, inverse_rms (n_rows).
KERNEL void __launch_bounds__(MAX_THREADS)
rms_norm_forward(const float* __restrict__ x, const float* __restrict__ weight, Element* __restrict__ y, float* __restrict__ inverse_rms,
                 int n_rows, int d, float eps) {
    __shared__ float partial[WARP];
    const bool in_registers = fits_registers(d) && is_aligned<4>(x) && is_aligned<4>(weight) && is_aligned<4>(y);
    for (size_t row = blockIdx.x; row < (size_t)n_rows; row += gridDim.x) {
        const float r = in_registers ? norm_row(x + row * d, weight, y + row * d, d, eps, partial)
                                     : norm_any_row(x + row * d, weight, y + row * d, d, eps, partial);
        if (threadIdx.x == 0) inverse_rms[row] = r;
    }
}
// ANCHOR_END: forward

template <int N> DEVICE void apply_to_row(const float* x, const float* weight, float inverse_rms, Element* y, int d) {
    for (int i = threadIdx.x * N; i < d; i += blockDim.x * N) store_normed(load_pack<N>(x + i), inverse_rms, weight + i, y + i);
}

// Writes y (n_rows, d) from the inverse_rms (n_rows) of the forward pass: what is cheap to compute need not be kept.
KERNEL void __launch_bounds__(MAX_THREADS)
rms_norm_apply(const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ inverse_rms,
               Element* __restrict__ y, int n_rows, int d) {
    const bool in_fours = d % 4 == 0 && is_aligned<4>(x) && is_aligned<4>(weight) && is_aligned<4>(y);
    for (size_t row = blockIdx.x; row < (size_t)n_rows; row += gridDim.x) {
        if (in_fours) apply_to_row<4>(x + row * d, weight, inverse_rms[row], y + row * d, d);
        else apply_to_row<1>(x + row * d, weight, inverse_rms[row], y + row * d, d);
    }
}

// ---- backward ----

// What the backward pass reads and writes of a row, or of all of them.
struct Rows {
    const float* x;
    const Element* dy;
    const float* residual; // Or null.
    float* dx;
    const float* inverse_rms;
};

DEVICE Rows row_of(const Rows& rows, size_t row, int d) {
    const size_t start = row * d;
    return {rows.x + start, rows.dy + start, rows.residual ? rows.residual + start : nullptr, rows.dx + start, rows.inverse_rms + row};
}

// ANCHOR: backward_of_row
// Writes dx of one row and adds g x r to the sums that each thread keeps for its columns.
DEVICE void backward_of_row(const Rows& row, const float* weight, int d, Four (&dweight)[N_KEPT], float (&partial)[WARP]) {
    const int first = threadIdx.x * 4, stride = blockDim.x * 4;
    const float r = *row.inverse_rms;
    Four x[N_KEPT], g[N_KEPT], dx[N_KEPT];
    UNROLL for (int k = 0; k < N_KEPT; k++) {
        x[k] = load_or_zero(row.x, first + k * stride, d);
        g[k] = load_or_zero(row.dy, first + k * stride, d);
        dx[k] = row.residual ? load_or_zero(row.residual, first + k * stride, d) : Four{};
    }
    float sum = 0;
    UNROLL for (int k = 0; k < N_KEPT; k++) {
        const Four w = load_or_zero(weight, first + k * stride, d);
        UNROLL for (int j = 0; j < 4; j++) {
            const float of_normed = g[k].at[j] * w.at[j];
            sum += of_normed * x[k].at[j];
            dx[k].at[j] += r * of_normed;
            dweight[k].at[j] += g[k].at[j] * x[k].at[j] * r;
        }
    }
    const float factor = block_sum(sum, partial) * r * r * r / d;
    UNROLL for (int k = 0; k < N_KEPT; k++) {
        UNROLL for (int j = 0; j < 4; j++) dx[k].at[j] -= x[k].at[j] * factor;
        if (first + k * stride < d) store_pack(row.dx + first + k * stride, dx[k]);
    }
}
// ANCHOR_END: backward_of_row

DEVICE void backward_of_rows(const Rows& rows, const float* weight, float* dweight, int n_rows, int d, float (&partial)[WARP]) {
    Four sums[N_KEPT] = {};
    for (size_t row = blockIdx.x; row < (size_t)n_rows; row += gridDim.x) backward_of_row(row_of(rows, row, d), weight, d, sums, partial);
    UNROLL for (int k = 0; k < N_KEPT; k++) {
        const int i = (threadIdx.x + k * blockDim.x) * 4;
        if (i < d) store_pack(dweight + i, sums[k]);
    }
}

// The same for rows of any length at any address. The sums are in memory, where each column belongs to one thread.
DEVICE void backward_of_any_rows(const Rows& rows, const float* weight, float* dweight, int n_rows, int d, float (&partial)[WARP]) {
    for (int i = threadIdx.x; i < d; i += blockDim.x) dweight[i] = 0;
    for (size_t number = blockIdx.x; number < (size_t)n_rows; number += gridDim.x) {
        const Rows row = row_of(rows, number, d);
        const float r = *row.inverse_rms;
        float sum = 0;
        for (int i = threadIdx.x; i < d; i += blockDim.x) {
            const float g = to_float(row.dy[i]);
            sum += g * weight[i] * row.x[i];
            dweight[i] += g * row.x[i] * r;
        }
        const float factor = block_sum(sum, partial) * r * r * r / d;
        for (int i = threadIdx.x; i < d; i += blockDim.x) {
            const float residual = row.residual ? row.residual[i] : 0;
            row.dx[i] = residual + r * to_float(row.dy[i]) * weight[i] - row.x[i] * factor;
        }
    }
}

// ANCHOR: backward
// Writes dx (n_rows, d), the gradient through the norm plus `residual` (n_rows, d), which may be null or dx itself; and for each block its
// rows' part of the weight's gradient, partial_dweight (gridDim.x, d), which sum_columns adds up. The grid decides which rows a block has
// and so the last bits of that sum; as many blocks as run at once are best.
KERNEL void __launch_bounds__(MAX_THREADS)
rms_norm_backward(const float* __restrict__ x, const float* __restrict__ weight, const float* __restrict__ inverse_rms,
                  const Element* __restrict__ dy, const float* residual, float* dx, float* __restrict__ partial_dweight, int n_rows,
                  int d) {
    __shared__ float partial[WARP];
    const Rows rows = {x, dy, residual, dx, inverse_rms};
    float* dweight = partial_dweight + (size_t)blockIdx.x * d;
    const bool in_registers = fits_registers(d) && is_aligned<4>(x) && is_aligned<4>(weight) && is_aligned<4>(dy) &&
                              is_aligned<4>(residual) && is_aligned<4>(dx) && is_aligned<4>(partial_dweight);
    if (in_registers) backward_of_rows(rows, weight, dweight, n_rows, d, partial);
    else backward_of_any_rows(rows, weight, dweight, n_rows, d, partial);
}
// ANCHOR_END: backward

// ANCHOR: sum_columns
// out (d) = the sums of the columns of partial (n_rows, d), or out + them if `add`. A block has 32 columns and each of its warps a piece
// of the rows; then the first warp adds up what all have, in their order. Grid: d / 32, rounded up; a multiple of 32 threads, best 1024.
KERNEL void sum_columns(const float* __restrict__ partial, float* __restrict__ out, int n_rows, int d, int add) {
    __shared__ float sums[WARP][WARP];
    const int warp = threadIdx.x / WARP, n_warps = blockDim.x / WARP, lane = threadIdx.x % WARP;
    const int column = blockIdx.x * WARP + lane, per_warp = (n_rows + n_warps - 1) / n_warps;
    float sum = 0;
    if (column < d) {
        const int end = min(n_rows, (warp + 1) * per_warp);
        UNROLL_BY_4 for (int row = warp * per_warp; row < end; row++) sum += partial[(size_t)row * d + column];
    }
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || column >= d) return;
    float total = add ? out[column] : 0;
    for (int i = 0; i < n_warps; i++) total += sums[i][lane];
    out[column] = total;
}
// ANCHOR_END: sum_columns
