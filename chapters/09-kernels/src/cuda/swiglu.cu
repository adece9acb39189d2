// SwiGLU's gate (Shazeer 2020, arXiv 2002.05202), forward and backward, for sigma(a) = 1 / (1 + exp(-a)):
//
//     y = a sigma(a) b        da = g b sigma(a) (1 + a (1 - sigma(a)))        db = g a sigma(a)
//
// One product makes the gate a and the value b that it lets through ("up") side by side: a row of gate_up (n_rows, 2 d_ff) is a, then b. y
// and its gradient g are (n_rows, d_ff). Nothing is kept for the way back: sigma(a) is cheaper to compute again than to read from memory.
//
// Launch of both: grid n_rows; any number of threads, best one for 16 bytes of a row of y, but at most 512. No dynamic shared memory.
#include "prelude.cuh"

DEVICE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

template <int N> DEVICE void gate_row(const Element* gate, const Element* up, Element* y, int d_ff) {
    for (int i = threadIdx.x * N; i < d_ff; i += blockDim.x * N) {
        const Pack<float, N> a = load_pack<N>(gate + i), b = load_pack<N>(up + i);
        Pack<float, N> gated;
        UNROLL for (int j = 0; j < N; j++) gated.at[j] = a.at[j] * sigmoid(a.at[j]) * b.at[j];
        store_pack(y + i, gated);
    }
}

// ANCHOR: forward
// Writes y.
KERNEL void swiglu_forward(const Element* __restrict__ gate_up, Element* __restrict__ y, int n_rows, int d_ff) {
    constexpr int N = PER_16_BYTES<Element>;
    const size_t row = blockIdx.x;
    if (row >= (size_t)n_rows) return;
    const Element *gate = gate_up + row * 2 * d_ff, *up = gate + d_ff;
    const bool in_packs = d_ff % N == 0 && is_aligned<N>(gate_up) && is_aligned<N>(y);
    if (in_packs) gate_row<N>(gate, up, y + row * d_ff, d_ff);
    else gate_row<1>(gate, up, y + row * d_ff, d_ff);
}
// ANCHOR_END: forward

template <int N>
DEVICE void backward_of_row(const Element* gate, const Element* up, const Element* dy, Element* d_gate, Element* d_up, int d_ff) {
    for (int i = threadIdx.x * N; i < d_ff; i += blockDim.x * N) {
        const Pack<float, N> a = load_pack<N>(gate + i), b = load_pack<N>(up + i), g = load_pack<N>(dy + i);
        Pack<float, N> da, db;
        UNROLL for (int j = 0; j < N; j++) {
            const float sigma = sigmoid(a.at[j]);
            da.at[j] = g.at[j] * b.at[j] * sigma * (1.0f + a.at[j] * (1.0f - sigma));
            db.at[j] = g.at[j] * a.at[j] * sigma;
        }
        store_pack(d_gate + i, da);
        store_pack(d_up + i, db);
    }
}

// ANCHOR: backward
// Writes the gradient of gate_up to d_gate_up (n_rows, 2 d_ff), which may be gate_up itself: a thread reads what it overwrites.
KERNEL void swiglu_backward(const Element* gate_up, const Element* __restrict__ dy, Element* d_gate_up, int n_rows, int d_ff) {
    constexpr int N = PER_16_BYTES<Element>;
    const size_t row = blockIdx.x;
    if (row >= (size_t)n_rows) return;
    const Element *gate = gate_up + row * 2 * d_ff, *dy_row = dy + row * d_ff;
    Element* d_gate = d_gate_up + row * 2 * d_ff;
    const bool in_packs = d_ff % N == 0 && is_aligned<N>(gate_up) && is_aligned<N>(dy) && is_aligned<N>(d_gate_up);
    if (in_packs) backward_of_row<N>(gate, gate + d_ff, dy_row, d_gate, d_gate + d_ff, d_ff);
    else backward_of_row<1>(gate, gate + d_ff, dy_row, d_gate, d_gate + d_ff, d_ff);
}
// ANCHOR_END: backward
