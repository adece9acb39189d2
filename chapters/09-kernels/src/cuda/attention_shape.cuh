// The sizes of an attention layer, and where its heads lie in memory.
//
// A packed row is a token: its query heads, then its key heads, then its value heads, each of head_dim numbers. Query head h uses the key
// and the value head h / group, where group = n_heads / n_kv_heads (grouped queries: Ainslie et al. 2023, arXiv 2305.13245).
#pragma once

#include "prelude.cuh"

struct AttentionShape {
    int batch, seq_len, n_heads, n_kv_heads, head_dim;
};

// Query heads that share a key and a value head.
DEVICE int group_size(AttentionShape shape) { return shape.n_heads / shape.n_kv_heads; }

// Heads of a packed row.
DEVICE int packed_heads(AttentionShape shape) { return shape.n_heads + 2 * shape.n_kv_heads; }

// One head of one sequence: seq_len rows of head_dim numbers, `stride` numbers from one row to the next.
template <class T> struct Window {
    T* first;
    u32 stride;
};

template <class T> DEVICE T* row_of(Window<T> window, u32 row) { return window.first + (size_t)row * window.stride; }

// Head number `head` of a matrix whose rows have `n_heads` of them.
template <class T> DEVICE Window<T> window(T* matrix, AttentionShape shape, int n_heads, int sequence, int head) {
    const u32 stride = n_heads * shape.head_dim;
    return {matrix + (size_t)sequence * shape.seq_len * stride + head * shape.head_dim, stride};
}

// The heads of a packed matrix, by their numbers among queries, keys and values.
template <class T> DEVICE Window<T> queries_of(T* packed, AttentionShape shape, int sequence, int head) {
    return window(packed, shape, packed_heads(shape), sequence, head);
}

template <class T> DEVICE Window<T> keys_of(T* packed, AttentionShape shape, int sequence, int kv_head) {
    return window(packed, shape, packed_heads(shape), sequence, shape.n_heads + kv_head);
}

template <class T> DEVICE Window<T> values_of(T* packed, AttentionShape shape, int sequence, int kv_head) {
    return window(packed, shape, packed_heads(shape), sequence, shape.n_heads + shape.n_kv_heads + kv_head);
}

// The numbers of one query head in a matrix (batch, n_heads, seq_len): one for each query.
template <class T> DEVICE T* statistics_of(T* matrix, AttentionShape shape, int sequence, int head) {
    return matrix + ((size_t)sequence * shape.n_heads + head) * shape.seq_len;
}
