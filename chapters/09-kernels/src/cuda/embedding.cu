// The embedding: rows of a table for tokens, and the sum of their gradients on the way back.
//
//     out_i = W_(t_i)        dW_t = sum over all i with t_i = t of g_i
//
// for the table W (vocab_size, d) and tokens t (n_tokens). In the sum, threads must not meet in one row, and the order decides its last
// bits. So the host sorts positions by token: those of one token are a segment of `order`, and one block adds them up in their order. A
// frequent token has a long segment, for which the rest of the device would wait; the host cuts it into pieces, whose sums go to rows of a
// buffer, and a second launch adds those up. In each launch a destination occurs once.
//
// Launch of both kernels: any number of threads, best d / 4 but at most 512. No dynamic shared memory.
#include "prelude.cuh"

template <int N> DEVICE void copy_row(const float* from, float* to, int d) {
    for (int i = threadIdx.x * N; i < d; i += blockDim.x * N) store_pack(to + i, load_pack<N>(from + i));
}

// ANCHOR: forward
// Writes the row of weight (vocab_size, d) for each of tokens (n_tokens) to out (n_tokens, d). Grid: n_tokens.
KERNEL void embedding_forward(const float* __restrict__ weight, const u32* __restrict__ tokens, float* __restrict__ out, int n_tokens,
                              int d) {
    const size_t i = blockIdx.x;
    if (i >= (size_t)n_tokens) return;
    const float* from = weight + (size_t)tokens[i] * d;
    if (d % 4 == 0 && is_aligned<4>(weight) && is_aligned<4>(out)) copy_row<4>(from, out + i * d, d);
    else copy_row<1>(from, out + i * d, d);
}
// ANCHOR_END: forward

// ANCHOR: sum_rows
// Rows order[start] to order[end - 1] belong to one destination; without an order, rows start to end - 1.
struct Segment {
    u32 destination, start, end;
};

// N columns at a time.
template <int N> DEVICE void sum_rows(const float* rows, const u32* order, const Segment& segment, float* out, int d) {
    for (int column = threadIdx.x * N; column < d; column += blockDim.x * N) {
        Pack<float, N> sum = {};
        UNROLL_BY_4 for (u32 i = segment.start; i < segment.end; i++) {
            const Pack<float, N> row = load_pack<N>(rows + (size_t)(order ? order[i] : i) * d + column);
            UNROLL for (int j = 0; j < N; j++) sum.at[j] += row.at[j];
        }
        Pack<float, N> total = load_pack<N>(out + column);
        UNROLL for (int j = 0; j < N; j++) total.at[j] += sum.at[j];
        store_pack(out + column, total);
    }
}

// Adds the rows (n, d) of each segment to row `destination` of out. Grid: the number of segments.
KERNEL void sum_rows_by_segment(const float* __restrict__ rows, const u32* __restrict__ order, const Segment* __restrict__ segments,
                                float* __restrict__ out, int d) {
    const Segment segment = segments[blockIdx.x];
    float* out_row = out + (size_t)segment.destination * d;
    if (d % 4 == 0 && is_aligned<4>(rows) && is_aligned<4>(out)) sum_rows<4>(rows, order, segment, out_row, d);
    else sum_rows<1>(rows, order, segment, out_row, d);
}
// ANCHOR_END: sum_rows
