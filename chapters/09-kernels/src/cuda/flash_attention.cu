// Causal attention on tensor cores, forward and backward (FlashAttention-2: Dao 2023, arXiv 2307.08691), in bf16, for HEAD_DIM 64 or 128.
//
// attention.cu has the formulas, the shapes, and a plainer program that is this one's oracle. Here a product is a warp's: 16 rows of one
// matrix with 8 columns of another in one instruction, summed in f32. What is new is where numbers lie.
//
// - A warp owns 16 rows for good, and their sums are in registers. The other matrices come to shared memory in tiles; while the warps work
//   on one, asynchronous copies bring the next.
// - What a product leaves in registers, the next takes from there: sums of 16 x 16 scores are spread over the lanes just as the left factor
//   of a product is. Scores never touch memory. So that this holds for dV = P^T dO and dK = dS^T Q as well, the kernel that owns keys
//   computes the transposes S^T = K Q^T and dP^T = V dO^T.
// - Exponentials are powers of two, which the machine has an instruction for; their factor log2(e) is one with 1 / sqrt(head_dim).
// - A warp leaves out a tile that none of its rows sees, and masks no tile but those on the diagonal.
//
// P and dS are rounded to bf16 as factors of the second product. Addresses must be multiples of 16 bytes.
//
// Launch: grid (seq_len / rows, rounded up; heads; batch), where heads are n_heads or, for keys and values, n_kv_heads.
//
//                                     HEAD_DIM 64                      HEAD_DIM 128                dynamic shared bytes
//     forward                  128 rows, 256 threads, 32768     128 rows, 256 threads, 65536     512 HEAD_DIM
//     backward, queries         64 rows, 128 threads, 16384     128 rows, 256 threads, 32768     256 HEAD_DIM
//     backward, keys, values    64 rows, 128 threads, 33280     128 rows, 256 threads, 98816     (256 + 4 rows) HEAD_DIM + 512
#include "prelude.cuh"
#include "attention_shape.cuh"

// Rows that a warp owns.
constexpr int WARP_ROWS = 16;
// Warps of a block, and blocks that a multiprocessor should hold: together they bound the registers of a thread, to 128 for forward with
// short heads, to 168 for backward with them, and to 255 with long ones.
constexpr int FORWARD_WARPS = 8, FORWARD_BLOCKS = HEAD_DIM == 64 ? 2 : 1;
constexpr int BACKWARD_WARPS = HEAD_DIM == 64 ? 4 : 8, BACKWARD_BLOCKS = HEAD_DIM == 64 ? 3 : 1;
// Rows of a tile. Backward has two matrices of scores in registers, so it takes half as many at a time.
constexpr int FORWARD_TILE = 64, BACKWARD_TILE = 32;

// The instruction's sizes: products of 16 x 16 and 16 x 8.
constexpr int STEP = 16, COLUMNS = 8;

// Sums (16, 8 N), and the left factor (16, HEAD_DIM) of a product, over a warp as mma_bf16 wants them.
template <int N> using Sums = float[N / COLUMNS][4];
using Rows = u32[HEAD_DIM / STEP][4];

DEVICE int warp_index() { return threadIdx.x / WARP; }
DEVICE int lane_index() { return threadIdx.x % WARP; }

// ---- tiles in shared memory ----

// ANCHOR: tiles
// Where a number of a tile lies. Sixteen bytes stay together; in which of eight places differs between eight rows that follow each other,
// so that the eight rows of a matrix that load_matrices reads lie in different banks.
DEVICE int place(int row, int column) { return row * HEAD_DIM + (column ^ (row % 8 * 8)); }

// Starts to copy N rows of a head, from `first` on. Rows beyond the sequence become zeros.
template <int N, int WARPS> DEVICE void copy_rows(Element* tile, Window<const Element> head, int first, int seq_len) {
    constexpr int CHUNK = PER_16_BYTES<Element>, CHUNKS = HEAD_DIM / CHUNK, THREADS = WARPS * WARP;
    UNROLL for (int i = 0; i < N * CHUNKS / THREADS; i++) {
        const int row = (i * THREADS + threadIdx.x) / CHUNKS, column = threadIdx.x % CHUNKS * CHUNK;
        copy_async_16(tile + place(row, column), row_of(head, first + row) + column, first + row < seq_len);
    }
}
// ANCHOR_END: tiles

// ---- products of a warp ----

// ANCHOR: products
// sums (16, N) += a (16, 16) times the transpose of the tile's columns `column` to column + 16, (N, 16).
template <int N> DEVICE void multiply_transposed(Sums<N>& sums, const u32 (&a)[4], const Element* tile, int column) {
    const int lane = lane_index(), from_row = lane % 8 + lane / 16 * 8, from_column = column + lane / 8 % 2 * 8;
    UNROLL for (int n = 0; n < N; n += 2 * COLUMNS) {
        u32 b[4];
        load_matrices(b, tile + place(n + from_row, from_column));
        mma_bf16(sums[n / COLUMNS], a, b[0], b[1]);
        mma_bf16(sums[n / COLUMNS + 1], a, b[2], b[3]);
    }
}

// sums (16, HEAD_DIM) += a (16, 16) times the tile's rows `row` to row + 16, (16, HEAD_DIM).
DEVICE void multiply(Sums<HEAD_DIM>& sums, const u32 (&a)[4], const Element* tile, int row) {
    const int from_row = row + lane_index() % 16, from_column = lane_index() / 16 * 8;
    UNROLL for (int n = 0; n < HEAD_DIM; n += 2 * COLUMNS) {
        u32 b[4];
        load_matrices_transposed(b, tile + place(from_row, n + from_column));
        mma_bf16(sums[n / COLUMNS], a, b[0], b[1]);
        mma_bf16(sums[n / COLUMNS + 1], a, b[2], b[3]);
    }
}

// Columns `column` to column + 16 of the warp's rows in a tile, as a left factor.
DEVICE void load_factor(u32 (&a)[4], const Element* tile, int first_row, int column) {
    load_matrices(a, tile + place(first_row + lane_index() % 16, column + lane_index() / 16 * 8));
}

// Columns `column` to column + 16 of sums, as a left factor: each lane already has the numbers that it needs.
template <int N> DEVICE void as_factor(u32 (&a)[4], const Sums<N>& sums, int column) {
    const float(&left)[4] = sums[column / COLUMNS], (&right)[4] = sums[column / COLUMNS + 1];
    a[0] = pack_bf16(left[0], left[1]);
    a[1] = pack_bf16(left[2], left[3]);
    a[2] = pack_bf16(right[0], right[1]);
    a[3] = pack_bf16(right[2], right[3]);
}

// sums (16, HEAD_DIM) += a (16, N), itself sums, times a tile (N, HEAD_DIM).
template <int N> DEVICE void multiply_sums(Sums<HEAD_DIM>& sums, const Sums<N>& a, const Element* tile) {
    UNROLL for (int row = 0; row < N; row += STEP) {
        u32 factor[4];
        as_factor<N>(factor, a, row);
        multiply(sums, factor, tile, row);
    }
}
// ANCHOR_END: products

template <int N> DEVICE void set_zero(Sums<N>& sums) {
    UNROLL for (int n = 0; n < N / COLUMNS; n++) {
        UNROLL for (int i = 0; i < 4; i++) sums[n][i] = 0;
    }
}

// Number i of a lane's four in sums n is of this row and column of the 16 x N.
DEVICE int own_row(int i) { return lane_index() / 4 + i / 2 * 8; }
DEVICE int own_column(int n, int i) { return n * COLUMNS + lane_index() % 4 * 2 + i % 2; }

// Replaces what belongs to a key later than its query; the first row and the first column are this query and this key.
template <int N> DEVICE void hide_later_keys(Sums<N>& sums, int first_query, int first_key, float hidden) {
    UNROLL for (int n = 0; n < N / COLUMNS; n++) {
        UNROLL for (int i = 0; i < 4; i++) {
            if (first_key + own_column(n, i) > first_query + own_row(i)) sums[n][i] = hidden;
        }
    }
}

// The same of the transpose: a row is a key, a column a query.
template <int N> DEVICE void hide_earlier_queries(Sums<N>& sums, int first_key, int first_query, float hidden) {
    UNROLL for (int n = 0; n < N / COLUMNS; n++) {
        UNROLL for (int i = 0; i < 4; i++) {
            if (first_key + own_row(i) > first_query + own_column(n, i)) sums[n][i] = hidden;
        }
    }
}

// ---- a warp's rows in global memory ----

// Sixteen rows of a head, from `first` on, as a left factor. Rows beyond the sequence become zeros.
DEVICE void load_rows(Rows& rows, Window<const Element> head, int first, int seq_len) {
    UNROLL for (int half = 0; half < 2; half++) {
        const int row = first + own_row(2 * half);
        const Element* from = row_of(head, row) + own_column(0, 0);
        UNROLL for (int column = 0; column < HEAD_DIM; column += COLUMNS) {
            rows[column / STEP][half + column / COLUMNS % 2 * 2] = row < seq_len ? load_pair(from + column) : 0;
        }
    }
}

// Writes sums times a factor, one for the upper and one for the lower eight rows.
DEVICE void store_rows(Window<Element> head, int first, int seq_len, const Sums<HEAD_DIM>& sums, float upper, float lower) {
    UNROLL for (int half = 0; half < 2; half++) {
        const int row = first + own_row(2 * half);
        const float factor = half == 0 ? upper : lower;
        if (row >= seq_len) continue;
        Element* to = row_of(head, row) + own_column(0, 0);
        UNROLL for (int n = 0; n < HEAD_DIM / COLUMNS; n++) {
            store_pair(to + n * COLUMNS, pack_bf16(factor * sums[n][2 * half], factor * sums[n][2 * half + 1]));
        }
    }
}

DEVICE float score_scale() { return HEAD_DIM == 64 ? 0.125f : 0.0883883476f; }

// Tiles that cover the first n rows.
template <int N> DEVICE int tiles_of(int n) { return (n + N - 1) / N; }

// ---- forward ----

// ANCHOR: softmax
// What the online softmax knows of the two rows of which a lane has numbers: the largest score so far, and the lane's part of the sum of
// exponentials relative to it.
struct Softmax {
    float largest[2] = {-infinity(), -infinity()}, sum[2] = {0, 0};
};

// Makes weights of a tile's scores and takes the sums to the new maximum.
DEVICE void next_weights(Softmax& softmax, Sums<FORWARD_TILE>& scores, Sums<HEAD_DIM>& sums) {
    const float scale = score_scale() * LOG2_E;
    UNROLL for (int half = 0; half < 2; half++) {
        float larger = softmax.largest[half];
        UNROLL for (int n = 0; n < FORWARD_TILE / COLUMNS; n++) {
            larger = fmaxf(larger, fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
        }
        // Four lanes share a row.
        larger = fmaxf(larger, __shfl_xor_sync(ALL_LANES, larger, 1));
        larger = fmaxf(larger, __shfl_xor_sync(ALL_LANES, larger, 2));
        const float factor = fast_exp2(scale * (softmax.largest[half] - larger));
        softmax.largest[half] = larger;
        softmax.sum[half] *= factor;
        UNROLL for (int n = 0; n < HEAD_DIM / COLUMNS; n++) {
            sums[n][2 * half] *= factor;
            sums[n][2 * half + 1] *= factor;
        }
        // The maximum of a NaN and a number is the number; the sum of weights is what keeps the NaN.
        UNROLL for (int n = 0; n < FORWARD_TILE / COLUMNS; n++) {
            UNROLL for (int i = 2 * half; i < 2 * half + 2; i++) {
                scores[n][i] = fast_exp2(scale * scores[n][i] - scale * larger);
                softmax.sum[half] += scores[n][i];
            }
        }
    }
}
// ANCHOR_END: softmax

// ANCHOR: forward
// Writes out and log_sum_exp. Heads of the grid: n_heads.
KERNEL void __launch_bounds__(FORWARD_WARPS * WARP, FORWARD_BLOCKS)
attention_forward(const Element* qkv, Element* out, float* log_sum_exp, AttentionShape shape) {
    DYNAMIC_SHARED(shared);
    constexpr int TILE = FORWARD_TILE, WARPS = FORWARD_WARPS, BLOCK_ROWS = WARPS * WARP_ROWS;
    Element* tiles = reinterpret_cast<Element*>(shared); // Keys and values, twice: of this turn and of the next.
    const int head = blockIdx.y, kv_head = head / group_size(shape), sequence = blockIdx.z, seq_len = shape.seq_len;
    // Later queries see more keys. They come first, so that no long block is left alone at the end.
    const int first_of_block = (gridDim.x - 1 - blockIdx.x) * BLOCK_ROWS, first_query = first_of_block + warp_index() * WARP_ROWS;
    const Window<const Element> keys = keys_of(qkv, shape, sequence, kv_head), values = values_of(qkv, shape, sequence, kv_head);
    auto copy_tile = [&](int tile) {
        Element* to = tiles + tile % 2 * (2 * TILE * HEAD_DIM);
        copy_rows<TILE, WARPS>(to, keys, tile * TILE, seq_len);
        copy_rows<TILE, WARPS>(to + TILE * HEAD_DIM, values, tile * TILE, seq_len);
    };

    copy_tile(0);
    commit_copies();
    Rows queries;
    load_rows(queries, queries_of(qkv, shape, sequence, head), first_query, seq_len);
    Softmax softmax;
    Sums<HEAD_DIM> sums;
    set_zero<HEAD_DIM>(sums);
    const int n_tiles = tiles_of<TILE>(min(first_of_block + BLOCK_ROWS, seq_len));
    for (int tile = 0; tile < n_tiles; tile++) {
        wait_for_copies<0>();
        // Now all threads' copies of this tile are there, and nobody works on the one before: its place is free for the next.
        __syncthreads();
        if (tile + 1 < n_tiles) copy_tile(tile + 1);
        commit_copies();
        const int first_key = tile * TILE;
        if (first_key >= first_query + WARP_ROWS) continue;
        const Element* of_keys = tiles + tile % 2 * (2 * TILE * HEAD_DIM);
        const Element* of_values = of_keys + TILE * HEAD_DIM;
        Sums<TILE> scores;
        set_zero<TILE>(scores);
        UNROLL for (int column = 0; column < HEAD_DIM; column += STEP) {
            multiply_transposed<TILE>(scores, queries[column / STEP], of_keys, column);
        }
        if (first_key + TILE > first_query + 1) hide_later_keys<TILE>(scores, first_query, first_key, -infinity());
        next_weights(softmax, scores, sums);
        multiply_sums<TILE>(sums, scores, of_values);
    }
    float inverse[2];
    UNROLL for (int half = 0; half < 2; half++) {
        float sum = softmax.sum[half];
        sum += __shfl_xor_sync(ALL_LANES, sum, 1);
        sum += __shfl_xor_sync(ALL_LANES, sum, 2);
        inverse[half] = 1 / sum;
        const int query = first_query + own_row(2 * half);
        if (query < seq_len && lane_index() % 4 == 0) {
            statistics_of(log_sum_exp, shape, sequence, head)[query] = score_scale() * softmax.largest[half] + logf(sum);
        }
    }
    store_rows(window(out, shape, shape.n_heads, sequence, head), first_query, seq_len, sums, inverse[0], inverse[1]);
}
// ANCHOR_END: forward

// ---- backward ----

// ANCHOR: backward_queries
// Writes the queries' part of d_qkv. Heads of the grid: n_heads.
KERNEL void __launch_bounds__(BACKWARD_WARPS * WARP, BACKWARD_BLOCKS)
attention_backward_queries(const Element* qkv, const Element* d_out, const float* log_sum_exp, const float* delta, Element* d_qkv,
                           AttentionShape shape) {
    DYNAMIC_SHARED(shared);
    constexpr int TILE = BACKWARD_TILE, WARPS = BACKWARD_WARPS, BLOCK_ROWS = WARPS * WARP_ROWS;
    Element* tiles = reinterpret_cast<Element*>(shared); // Keys and values, twice.
    const int head = blockIdx.y, kv_head = head / group_size(shape), sequence = blockIdx.z, seq_len = shape.seq_len;
    const int first_of_block = (gridDim.x - 1 - blockIdx.x) * BLOCK_ROWS, first_query = first_of_block + warp_index() * WARP_ROWS;
    const Window<const Element> keys = keys_of(qkv, shape, sequence, kv_head), values = values_of(qkv, shape, sequence, kv_head);
    auto copy_tile = [&](int tile) {
        Element* to = tiles + tile % 2 * (2 * TILE * HEAD_DIM);
        copy_rows<TILE, WARPS>(to, keys, tile * TILE, seq_len);
        copy_rows<TILE, WARPS>(to + TILE * HEAD_DIM, values, tile * TILE, seq_len);
    };

    copy_tile(0);
    commit_copies();
    Rows queries, d_outs;
    load_rows(queries, queries_of(qkv, shape, sequence, head), first_query, seq_len);
    load_rows(d_outs, window(d_out, shape, shape.n_heads, sequence, head), first_query, seq_len);
    float own_log2_sum[2], own_delta[2];
    UNROLL for (int half = 0; half < 2; half++) {
        const int query = min(first_query + own_row(2 * half), seq_len - 1);
        own_log2_sum[half] = LOG2_E * statistics_of(log_sum_exp, shape, sequence, head)[query];
        own_delta[half] = statistics_of(delta, shape, sequence, head)[query];
    }
    Sums<HEAD_DIM> d_queries;
    set_zero<HEAD_DIM>(d_queries);
    const int n_tiles = tiles_of<TILE>(min(first_of_block + BLOCK_ROWS, seq_len));
    for (int tile = 0; tile < n_tiles; tile++) {
        wait_for_copies<0>();
        __syncthreads();
        if (tile + 1 < n_tiles) copy_tile(tile + 1);
        commit_copies();
        const int first_key = tile * TILE;
        if (first_key >= first_query + WARP_ROWS) continue;
        const Element* of_keys = tiles + tile % 2 * (2 * TILE * HEAD_DIM);
        const Element* of_values = of_keys + TILE * HEAD_DIM;
        Sums<TILE> scores, d_scores;
        set_zero<TILE>(scores);
        set_zero<TILE>(d_scores);
        UNROLL for (int column = 0; column < HEAD_DIM; column += STEP) {
            multiply_transposed<TILE>(scores, queries[column / STEP], of_keys, column);
        }
        UNROLL for (int column = 0; column < HEAD_DIM; column += STEP) {
            multiply_transposed<TILE>(d_scores, d_outs[column / STEP], of_values, column);
        }
        UNROLL for (int n = 0; n < TILE / COLUMNS; n++) {
            UNROLL for (int i = 0; i < 4; i++) {
                const float weight = fast_exp2(score_scale() * LOG2_E * scores[n][i] - own_log2_sum[i / 2]);
                d_scores[n][i] = weight * (d_scores[n][i] - own_delta[i / 2]);
            }
        }
        if (first_key + TILE > first_query + 1) hide_later_keys<TILE>(d_scores, first_query, first_key, 0);
        multiply_sums<TILE>(d_queries, d_scores, of_keys);
    }
    store_rows(queries_of(d_qkv, shape, sequence, head), first_query, seq_len, d_queries, score_scale(), score_scale());
}
// ANCHOR_END: backward_queries

// ANCHOR: backward_keys_values
// Thread i brings number i of a tile's statistics: log2 of the sums of exponentials, then delta. A query beyond the sequence has an
// infinite sum, which makes its weights zero.
DEVICE float load_statistic(const float* log_sum_exp, const float* delta, int first_query, int seq_len) {
    const int number = threadIdx.x, query = first_query + number % BACKWARD_TILE;
    if (number < BACKWARD_TILE) return query < seq_len ? LOG2_E * log_sum_exp[query] : infinity();
    return number < 2 * BACKWARD_TILE && query < seq_len ? delta[query] : 0;
}

// Writes the keys' and the values' part of d_qkv, sums over the query heads that share them. Heads of the grid: n_kv_heads.
KERNEL void __launch_bounds__(BACKWARD_WARPS * WARP, BACKWARD_BLOCKS)
attention_backward_keys_values(const Element* qkv, const Element* d_out, const float* log_sum_exp, const float* delta, Element* d_qkv,
                               AttentionShape shape) {
    DYNAMIC_SHARED(shared);
    constexpr int TILE = BACKWARD_TILE, WARPS = BACKWARD_WARPS, BLOCK_ROWS = WARPS * WARP_ROWS;
    Element* keys = reinterpret_cast<Element*>(shared);
    Element* values = keys + BLOCK_ROWS * HEAD_DIM;
    Element* tiles = values + BLOCK_ROWS * HEAD_DIM; // Queries and d_out, twice.
    float* statistics = reinterpret_cast<float*>(tiles + 4 * TILE * HEAD_DIM); // Of both, twice.
    const int kv_head = blockIdx.y, sequence = blockIdx.z, seq_len = shape.seq_len;
    const int first_of_block = blockIdx.x * BLOCK_ROWS, warp_row = warp_index() * WARP_ROWS, first_key = first_of_block + warp_row;
    // Queries before the block's first key do not see it. A turn is a tile of one of the heads.
    const int first_tile = first_of_block / TILE, n_tiles = tiles_of<TILE>(seq_len) - first_tile, n_turns = group_size(shape) * n_tiles;
    auto head_of = [&](int turn) { return kv_head * group_size(shape) + turn / n_tiles; };
    auto first_query_of = [&](int turn) { return (first_tile + turn % n_tiles) * TILE; };
    auto copy_tile = [&](int turn) {
        Element* to = tiles + turn % 2 * (2 * TILE * HEAD_DIM);
        copy_rows<TILE, WARPS>(to, queries_of(qkv, shape, sequence, head_of(turn)), first_query_of(turn), seq_len);
        const Window<const Element> d_outs = window(d_out, shape, shape.n_heads, sequence, head_of(turn));
        copy_rows<TILE, WARPS>(to + TILE * HEAD_DIM, d_outs, first_query_of(turn), seq_len);
    };
    auto statistic_of = [&](int turn) {
        const float* of_log_sum_exp = statistics_of(log_sum_exp, shape, sequence, head_of(turn));
        return load_statistic(of_log_sum_exp, statistics_of(delta, shape, sequence, head_of(turn)), first_query_of(turn), seq_len);
    };
    auto store_statistic = [&](int turn, float statistic) {
        if (threadIdx.x < 2 * TILE) statistics[turn % 2 * 2 * TILE + threadIdx.x] = statistic;
    };

    copy_rows<BLOCK_ROWS, WARPS>(keys, keys_of(qkv, shape, sequence, kv_head), first_of_block, seq_len);
    copy_rows<BLOCK_ROWS, WARPS>(values, values_of(qkv, shape, sequence, kv_head), first_of_block, seq_len);
    copy_tile(0);
    commit_copies();
    store_statistic(0, statistic_of(0));
    Sums<HEAD_DIM> d_keys, d_values;
    set_zero<HEAD_DIM>(d_keys);
    set_zero<HEAD_DIM>(d_values);
    for (int turn = 0; turn < n_turns; turn++) {
        wait_for_copies<0>();
        __syncthreads();
        const bool is_last = turn + 1 == n_turns;
        if (!is_last) copy_tile(turn + 1);
        commit_copies();
        const float next_statistic = is_last ? 0 : statistic_of(turn + 1);
        const int first_query = first_query_of(turn);
        if (first_query + TILE > first_key) {
            const Element* of_queries = tiles + turn % 2 * (2 * TILE * HEAD_DIM);
            const Element* of_d_out = of_queries + TILE * HEAD_DIM;
            const float* of_rows = statistics + turn % 2 * 2 * TILE;
            Sums<TILE> weights, d_scores;
            set_zero<TILE>(weights);
            set_zero<TILE>(d_scores);
            UNROLL for (int column = 0; column < HEAD_DIM; column += STEP) {
                u32 factor[4];
                load_factor(factor, keys, warp_row, column);
                multiply_transposed<TILE>(weights, factor, of_queries, column);
            }
            UNROLL for (int column = 0; column < HEAD_DIM; column += STEP) {
                u32 factor[4];
                load_factor(factor, values, warp_row, column);
                multiply_transposed<TILE>(d_scores, factor, of_d_out, column);
            }
            UNROLL for (int n = 0; n < TILE / COLUMNS; n++) {
                UNROLL for (int i = 0; i < 4; i++) {
                    weights[n][i] = fast_exp2(score_scale() * LOG2_E * weights[n][i] - of_rows[own_column(n, i)]);
                    d_scores[n][i] = weights[n][i] * (d_scores[n][i] - of_rows[TILE + own_column(n, i)]);
                }
            }
            if (first_key + WARP_ROWS > first_query + 1) {
                hide_earlier_queries<TILE>(weights, first_key, first_query, 0);
                hide_earlier_queries<TILE>(d_scores, first_key, first_query, 0);
            }
            multiply_sums<TILE>(d_values, weights, of_d_out);
            multiply_sums<TILE>(d_keys, d_scores, of_queries);
        }
        if (!is_last) store_statistic(turn + 1, next_statistic);
    }
    store_rows(keys_of(d_qkv, shape, sequence, kv_head), first_key, seq_len, d_keys, score_scale(), score_scale());
    store_rows(values_of(d_qkv, shape, sequence, kv_head), first_key, seq_len, d_values, 1, 1);
}
// ANCHOR_END: backward_keys_values
