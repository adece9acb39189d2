// Rotary position embedding (Su et al. 2021, arXiv 2104.09864, section 3.2), in place, there and back.
//
//     x'_i = x_i cos(m theta_i) - x_(i+h) sin(m theta_i)        x'_(i+h) = x_(i+h) cos(m theta_i) + x_i sin(m theta_i)
//
// for h = head_dim / 2 and position m = row % seq_len. Element i of a head and element i + h are a pair, as in chapter 5. One product makes
// queries, keys and values side by side, so that a packed row is heads of which the first ones, queries and keys, are rotated. A rotation
// is orthogonal: its transpose, which the gradient needs, turns by the same angle in the other direction.
#include "prelude.cuh"

// N pairs at a time; the tables' rows are those of this row's position.
template <int N>
DEVICE void rotate_row(Element* row, const float* cos, const float* sin, int n_heads, int head_dim, float sign) {
    const int half = head_dim / 2, packs = half / N;
    for (int i = threadIdx.x; i < n_heads * packs; i += blockDim.x) {
        const int column = i % packs * N;
        Element* first = row + i / packs * head_dim + column;
        const Pack<float, N> a = load_pack<N>(first), b = load_pack<N>(first + half);
        const Pack<float, N> c = load_pack<N>(cos + column), s = load_pack<N>(sin + column);
        Pack<float, N> rotated_a, rotated_b;
        UNROLL for (int j = 0; j < N; j++) {
            rotated_a.at[j] = a.at[j] * c.at[j] - b.at[j] * sign * s.at[j];
            rotated_b.at[j] = b.at[j] * c.at[j] + a.at[j] * sign * s.at[j];
        }
        store_pack(first, rotated_a);
        store_pack(first + half, rotated_b);
    }
}

// ANCHOR: rope
// Rotates the first n_rotated_heads heads of each row of packed (n_rows, row_width); cos and sin are (seq_len, head_dim / 2); sign 1 is
// forward, -1 backward. Grid: n_rows; any number of threads, best one for each 16 bytes of half a row's heads.
KERNEL void rope(Element* __restrict__ packed, const float* __restrict__ cos, const float* __restrict__ sin, int n_rows, int seq_len,
                 int n_rotated_heads, int head_dim, int row_width, float sign) {
    constexpr int N = PER_16_BYTES<Element>;
    const size_t row = blockIdx.x;
    if (row >= (size_t)n_rows) return;
    const size_t position = row % seq_len, half = head_dim / 2;
    Element* heads = packed + row * row_width;
    const float *cos_row = cos + position * half, *sin_row = sin + position * half;
    const bool in_packs = half % N == 0 && row_width % N == 0 && is_aligned<N>(packed) && is_aligned<N>(cos) && is_aligned<N>(sin);
    if (in_packs) rotate_row<N>(heads, cos_row, sin_row, n_rotated_heads, head_dim, sign);
    else rotate_row<1>(heads, cos_row, sin_row, n_rotated_heads, head_dim, sign);
}
// ANCHOR_END: rope
