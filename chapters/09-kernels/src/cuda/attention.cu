// Causal attention in blocks, forward and backward, in f32 arithmetic: for every head_dim up to 256 and every Element.
//
//     S = Q K^T / sqrt(head_dim)      P = softmax(S), row by row      O = P V      L_i = ln sum_j exp(S_ij)
//     D_i = sum_c O_ic dO_ic      dV = P^T dO      dS = P * (dO V^T - D)      dQ = dS K / sqrt(head_dim)      dK = dS^T Q / sqrt(head_dim)
//
// No matrix of seq_len x seq_len scores ever exists. A block of threads keeps some rows and goes through the tiles of 32 rows that they
// meet; the softmax grows with them (online softmax: Milakov and Gimelshein 2018, arXiv 1805.02867; FlashAttention-2: Dao 2023,
// arXiv 2307.08691, section 3.1). Backward computes P again from L. It is two kernels, one that keeps queries and one that keeps keys and
// values: each number of the gradient is then one thread's sum in one order, and its bits never change.
//
// A warp keeps 8 rows (4 if head_dim > 128). For scores, a lane is a row of the tile: it multiplies that row with all rows of the warp, so
// that a number that it loads from shared memory serves 8 sums. For sums over the tile, a lane is a column, and again each serves 8 sums.
//
// A later key has weight zero. Zero times NaN is NaN, so a NaN among the values may reach earlier queries of its tile.
//
// qkv and d_qkv (batch * seq_len, (n_heads + 2 n_kv_heads) * head_dim), packed as attention_shape.cuh says, queries and keys rotated;
// out and d_out (batch * seq_len, n_heads * head_dim); log_sum_exp and delta (batch, n_heads, seq_len).
//
// Launch, but for attention_delta: 128 threads. With rows = 32 (16 if head_dim > 128) and width = 32, 64, 128 or 256, the first that
// holds head_dim: grid (seq_len / rows, rounded up; heads; batch), where heads are n_heads or, for keys and values, n_kv_heads. Dynamic
// shared bytes: forward 4 * ((rows + 64) * width + 32 * rows), backward 4 * ((2 * rows + 64) * width + 32 * rows): 98 KiB at most.
#include "prelude.cuh"
#include "attention_shape.cuh"

constexpr int WARPS = 4, THREADS = WARPS * WARP;
// What a multiprocessor should hold bounds a thread's registers. Keys and values have twice as many sums as queries.
constexpr int BLOCKS = 3, BLOCKS_OF_KEYS = 2;
// Rows of a tile: one for each lane.
constexpr int TILE = WARP;

// A head lies in shared memory with WIDTH numbers a row, the last of them zeros, and in a warp's registers with COLUMNS numbers a lane.
template <int COLUMNS> constexpr int WIDTH = COLUMNS * WARP;
// Rows of a warp. Longer heads have fewer, for registers and shared memory are as many as before.
template <int COLUMNS> constexpr int ROWS = COLUMNS <= 4 ? 8 : 4;
// Rows of a block.
template <int COLUMNS> constexpr int BLOCK = WARPS * ROWS<COLUMNS>;

// ANCHOR: shared
// Where a number lies in shared memory. Four neighbours stay together; in which of eight places differs between eight rows that follow each
// other, so that lanes that read the same column of different rows read from different banks.
template <int COLUMNS> DEVICE int place(int row, int column) { return row * WIDTH<COLUMNS> + (column ^ (row % 8 * 4)); }

// Fills N rows of shared memory with those of a head from `first` on, PACK numbers at a time. What lies beyond the sequence or beyond the
// head becomes zero.
template <int COLUMNS, int N, int PACK>
DEVICE void load_packs(float* shared, Window<const Element> head, int first, AttentionShape shape) {
    constexpr int PACKS = WIDTH<COLUMNS> / PACK;
    UNROLL_BY_4 for (int k = 0; k < N * PACKS / THREADS; k++) {
        const int i = k * THREADS + threadIdx.x, row = i / PACKS, column = i % PACKS * PACK;
        const bool is_inside = first + row < shape.seq_len && column < shape.head_dim;
        const Element* from = row_of(head, first + row) + column;
        store_pack<PACK>(shared + place<COLUMNS>(row, column), is_inside ? load_pack<PACK>(from) : Pack<float, PACK>{});
    }
}

template <int COLUMNS, int N> DEVICE void load_rows(float* shared, Window<const Element> head, int first, AttentionShape shape) {
    const bool has_packs = shape.head_dim % 4 == 0 && is_aligned<4>(head.first);
    if (has_packs) load_packs<COLUMNS, N, 4>(shared, head, first, shape);
    else load_packs<COLUMNS, N, 1>(shared, head, first, shape);
}
// ANCHOR_END: shared

// ANCHOR: products
// To each lane the products of the warp's rows, which begin with `first`, and the lane's own row of a tile.
template <int COLUMNS>
DEVICE void products(float (&sums)[ROWS<COLUMNS>], const float* rows, int first, const float* tile, int head_dim) {
    UNROLL for (int r = 0; r < ROWS<COLUMNS>; r++) sums[r] = 0;
    for (int column = 0; column < head_dim; column += 4) {
        const Pack<float, 4> own = load_pack<4>(tile + place<COLUMNS>(threadIdx.x % WARP, column));
        UNROLL for (int r = 0; r < ROWS<COLUMNS>; r++) {
            const Pack<float, 4> row = load_pack<4>(rows + place<COLUMNS>(first + r, column));
            UNROLL for (int j = 0; j < 4; j++) sums[r] += row.at[j] * own.at[j];
        }
    }
}

// sums (ROWS, width) += factors (ROWS, TILE) times the tile (TILE, width). Factors lie in shared memory, and a lane has the columns
// lane, lane + 32, ... of the sums.
template <int COLUMNS>
DEVICE void add_weighted_rows(float (&sums)[ROWS<COLUMNS>][COLUMNS], const float* factors, const float* tile) {
    for (int first = 0; first < TILE; first += 4) {
        Pack<float, 4> factor[ROWS<COLUMNS>];
        UNROLL for (int r = 0; r < ROWS<COLUMNS>; r++) factor[r] = load_pack<4>(factors + r * TILE + first);
        UNROLL for (int j = 0; j < 4; j++) {
            UNROLL for (int c = 0; c < COLUMNS; c++) {
                const float x = tile[place<COLUMNS>(first + j, c * WARP + threadIdx.x % WARP)];
                UNROLL for (int r = 0; r < ROWS<COLUMNS>; r++) sums[r][c] += factor[r].at[j] * x;
            }
        }
    }
}
// ANCHOR_END: products

// Writes the warp's rows, which are `first` and the next of a head.
template <int COLUMNS>
DEVICE void store_rows(Window<Element> head, int first, const float (&sums)[ROWS<COLUMNS>][COLUMNS], float factor, AttentionShape shape) {
    UNROLL for (int r = 0; r < ROWS<COLUMNS>; r++) {
        if (first + r >= shape.seq_len) return;
        Element* to = row_of(head, first + r);
        UNROLL for (int c = 0; c < COLUMNS; c++) {
            const int column = c * WARP + threadIdx.x % WARP;
            if (column < shape.head_dim) to[column] = from_float<Element>(factor * sums[r][c]);
        }
    }
}

DEVICE float score_scale(AttentionShape shape) { return 1 / sqrtf((float)shape.head_dim); }

// ---- forward ----

// ANCHOR: forward
template <int COLUMNS> DEVICE void forward(const Element* qkv, Element* out, float* log_sum_exp, AttentionShape shape, float* shared) {
    constexpr int R = ROWS<COLUMNS>;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, head = blockIdx.y, kv_head = head / group_size(shape);
    // Later queries see more keys. They come first, so that no long block is left alone at the end.
    const int first_of_block = (gridDim.x - 1 - blockIdx.x) * BLOCK<COLUMNS>, first_query = first_of_block + warp * R;
    const float scale = score_scale(shape);
    float* queries = shared;
    float* keys = queries + BLOCK<COLUMNS> * WIDTH<COLUMNS>;
    float* values = keys + TILE * WIDTH<COLUMNS>;
    float* weights = values + TILE * WIDTH<COLUMNS> + warp * R * TILE;

    load_rows<COLUMNS, BLOCK<COLUMNS>>(queries, queries_of(qkv, shape, blockIdx.z, head), first_of_block, shape);
    float largest[R], sum[R] = {}, sums[R][COLUMNS] = {};
    UNROLL for (int r = 0; r < R; r++) largest[r] = -infinity();
    for (int first_key = 0; first_key < min(first_of_block + BLOCK<COLUMNS>, shape.seq_len); first_key += TILE) {
        load_rows<COLUMNS, TILE>(keys, keys_of(qkv, shape, blockIdx.z, kv_head), first_key, shape);
        load_rows<COLUMNS, TILE>(values, values_of(qkv, shape, blockIdx.z, kv_head), first_key, shape);
        __syncthreads();
        float scores[R];
        products<COLUMNS>(scores, queries, warp * R, keys, shape.head_dim);
        UNROLL for (int r = 0; r < R; r++) {
            const float score = first_key + lane <= first_query + r ? scale * scores[r] : -infinity();
            // The maximum of a NaN and a number is the number; the sum of weights is what keeps the NaN.
            const float larger = fmaxf(largest[r], warp_max(score));
            const float factor = expf(largest[r] - larger), weight = expf(score - larger);
            largest[r] = larger;
            sum[r] = sum[r] * factor + weight;
            UNROLL for (int c = 0; c < COLUMNS; c++) sums[r][c] *= factor;
            weights[r * TILE + lane] = weight;
        }
        __syncwarp();
        add_weighted_rows<COLUMNS>(sums, weights, values);
        __syncthreads();
    }
    UNROLL for (int r = 0; r < R; r++) {
        const float total = warp_sum(sum[r]), inverse = 1 / total;
        UNROLL for (int c = 0; c < COLUMNS; c++) sums[r][c] *= inverse;
        if (lane == 0 && first_query + r < shape.seq_len) {
            statistics_of(log_sum_exp, shape, blockIdx.z, head)[first_query + r] = largest[r] + logf(total);
        }
    }
    store_rows<COLUMNS>(window(out, shape, shape.n_heads, blockIdx.z, head), first_query, sums, 1, shape);
}

// Writes out and log_sum_exp. Heads of the grid: n_heads.
KERNEL void __launch_bounds__(THREADS, BLOCKS)
attention_forward(const Element* qkv, Element* out, float* log_sum_exp, AttentionShape shape) {
    DYNAMIC_SHARED(shared_bytes);
    float* shared = reinterpret_cast<float*>(shared_bytes);
    // Sums lie in registers, so the compiler must know how many there are.
    if (shape.head_dim <= WIDTH<1>) forward<1>(qkv, out, log_sum_exp, shape, shared);
    else if (shape.head_dim <= WIDTH<2>) forward<2>(qkv, out, log_sum_exp, shape, shared);
    else if (shape.head_dim <= WIDTH<4>) forward<4>(qkv, out, log_sum_exp, shape, shared);
    else forward<8>(qkv, out, log_sum_exp, shape, shared);
}
// ANCHOR_END: forward

// ---- backward ----

// ANCHOR: delta
// Lanes that share a row of a head: at 16 bytes a lane, a row of 64 numbers of bf16 is one load.
constexpr int LANES_OF_ROW = 8;

template <int N> DEVICE float partial_product(const Element* x, const Element* y, int n) {
    float sum = 0;
    for (int i = threadIdx.x % LANES_OF_ROW * N; i < n; i += LANES_OF_ROW * N) {
        const Pack<float, N> of_x = load_pack<N>(x + i), of_y = load_pack<N>(y + i);
        UNROLL for (int j = 0; j < N; j++) sum += of_x.at[j] * of_y.at[j];
    }
    return sum;
}

// Writes delta, the products of the rows of out and d_out. 128 threads; grid: batch * seq_len * n_heads / 16, rounded up.
KERNEL void __launch_bounds__(THREADS) attention_delta(const Element* out, const Element* d_out, float* delta, AttentionShape shape) {
    constexpr int N = PER_16_BYTES<Element>;
    const int number = blockIdx.x * (THREADS / LANES_OF_ROW) + threadIdx.x / LANES_OF_ROW;
    const int row = number / shape.n_heads, head = number % shape.n_heads;
    const bool is_row = row < shape.batch * shape.seq_len;
    const size_t first = (size_t)number * shape.head_dim;
    // Lanes without a row stay, for a warp exchanges numbers as a whole.
    const int n = is_row ? shape.head_dim : 0;
    const bool has_packs = shape.head_dim % N == 0 && is_aligned<N>(out) && is_aligned<N>(d_out);
    float sum = has_packs ? partial_product<N>(out + first, d_out + first, n) : partial_product<1>(out + first, d_out + first, n);
    UNROLL for (int distance = LANES_OF_ROW / 2; distance > 0; distance /= 2) sum += __shfl_xor_sync(ALL_LANES, sum, distance);
    if (is_row && threadIdx.x % LANES_OF_ROW == 0) {
        statistics_of(delta, shape, row / shape.seq_len, head)[row % shape.seq_len] = sum;
    }
}
// ANCHOR_END: delta

// What backward reads.
struct Saved {
    const Element *qkv, *d_out;
    const float *log_sum_exp, *delta;
};

// ANCHOR: backward_queries
template <int COLUMNS> DEVICE void backward_queries(Saved saved, Element* d_qkv, AttentionShape shape, float* shared) {
    constexpr int R = ROWS<COLUMNS>;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, head = blockIdx.y, kv_head = head / group_size(shape);
    const int first_of_block = (gridDim.x - 1 - blockIdx.x) * BLOCK<COLUMNS>, first_query = first_of_block + warp * R;
    const float scale = score_scale(shape);
    float* queries = shared;
    float* d_outs = queries + BLOCK<COLUMNS> * WIDTH<COLUMNS>;
    float* keys = d_outs + BLOCK<COLUMNS> * WIDTH<COLUMNS>;
    float* values = keys + TILE * WIDTH<COLUMNS>;
    float* d_scores = values + TILE * WIDTH<COLUMNS> + warp * R * TILE;

    load_rows<COLUMNS, BLOCK<COLUMNS>>(queries, queries_of(saved.qkv, shape, blockIdx.z, head), first_of_block, shape);
    load_rows<COLUMNS, BLOCK<COLUMNS>>(d_outs, window(saved.d_out, shape, shape.n_heads, blockIdx.z, head), first_of_block, shape);
    float log_sum_exp[R], delta[R], d_queries[R][COLUMNS] = {};
    UNROLL for (int r = 0; r < R; r++) {
        const int query = min(first_query + r, shape.seq_len - 1);
        log_sum_exp[r] = statistics_of(saved.log_sum_exp, shape, blockIdx.z, head)[query];
        delta[r] = statistics_of(saved.delta, shape, blockIdx.z, head)[query];
    }
    for (int first_key = 0; first_key < min(first_of_block + BLOCK<COLUMNS>, shape.seq_len); first_key += TILE) {
        load_rows<COLUMNS, TILE>(keys, keys_of(saved.qkv, shape, blockIdx.z, kv_head), first_key, shape);
        load_rows<COLUMNS, TILE>(values, values_of(saved.qkv, shape, blockIdx.z, kv_head), first_key, shape);
        __syncthreads();
        float scores[R], d_weights[R];
        products<COLUMNS>(scores, queries, warp * R, keys, shape.head_dim);
        products<COLUMNS>(d_weights, d_outs, warp * R, values, shape.head_dim);
        UNROLL for (int r = 0; r < R; r++) {
            const float weight = expf(scale * scores[r] - log_sum_exp[r]);
            d_scores[r * TILE + lane] = first_key + lane <= first_query + r ? weight * (d_weights[r] - delta[r]) : 0;
        }
        __syncwarp();
        add_weighted_rows<COLUMNS>(d_queries, d_scores, keys);
        __syncthreads();
    }
    store_rows<COLUMNS>(queries_of(d_qkv, shape, blockIdx.z, head), first_query, d_queries, scale, shape);
}

// Writes the queries' part of d_qkv. Heads of the grid: n_heads.
KERNEL void __launch_bounds__(THREADS, BLOCKS)
attention_backward_queries(const Element* qkv, const Element* d_out, const float* log_sum_exp, const float* delta, Element* d_qkv,
                           AttentionShape shape) {
    DYNAMIC_SHARED(shared_bytes);
    float* shared = reinterpret_cast<float*>(shared_bytes);
    const Saved saved = {qkv, d_out, log_sum_exp, delta};
    if (shape.head_dim <= WIDTH<1>) backward_queries<1>(saved, d_qkv, shape, shared);
    else if (shape.head_dim <= WIDTH<2>) backward_queries<2>(saved, d_qkv, shape, shared);
    else if (shape.head_dim <= WIDTH<4>) backward_queries<4>(saved, d_qkv, shape, shared);
    else backward_queries<8>(saved, d_qkv, shape, shared);
}
// ANCHOR_END: backward_queries

// ANCHOR: backward_keys_values
// One tile of queries: adds to the gradients of the warp's keys and values, whose first is `first_key`. `factors` is the warp's own.
template <int COLUMNS>
DEVICE void add_queries(float (&d_keys)[ROWS<COLUMNS>][COLUMNS], float (&d_values)[ROWS<COLUMNS>][COLUMNS], const float* keys,
                        const float* values, const float* queries, const float* d_outs, float* factors, float log_sum_exp, float delta,
                        int first_key, int query, AttentionShape shape) {
    constexpr int R = ROWS<COLUMNS>;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    float scores[R], d_weights[R], d_scores[R];
    products<COLUMNS>(scores, keys, warp * R, queries, shape.head_dim);
    products<COLUMNS>(d_weights, values, warp * R, d_outs, shape.head_dim);
    UNROLL for (int r = 0; r < R; r++) {
        const bool is_visible = first_key + r <= query && query < shape.seq_len;
        const float weight = is_visible ? expf(score_scale(shape) * scores[r] - log_sum_exp) : 0;
        d_scores[r] = is_visible ? weight * (d_weights[r] - delta) : 0;
        factors[r * TILE + lane] = weight;
    }
    __syncwarp();
    add_weighted_rows<COLUMNS>(d_values, factors, d_outs);
    __syncwarp();
    UNROLL for (int r = 0; r < R; r++) factors[r * TILE + lane] = d_scores[r];
    __syncwarp();
    add_weighted_rows<COLUMNS>(d_keys, factors, queries);
}

template <int COLUMNS> DEVICE void backward_keys_values(Saved saved, Element* d_qkv, AttentionShape shape, float* shared) {
    constexpr int R = ROWS<COLUMNS>;
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, kv_head = blockIdx.y, group = group_size(shape);
    const int first_of_block = blockIdx.x * BLOCK<COLUMNS>, first_key = first_of_block + warp * R;
    float* keys = shared;
    float* values = keys + BLOCK<COLUMNS> * WIDTH<COLUMNS>;
    float* queries = values + BLOCK<COLUMNS> * WIDTH<COLUMNS>;
    float* d_outs = queries + TILE * WIDTH<COLUMNS>;
    float* factors = d_outs + TILE * WIDTH<COLUMNS> + warp * R * TILE;

    load_rows<COLUMNS, BLOCK<COLUMNS>>(keys, keys_of(saved.qkv, shape, blockIdx.z, kv_head), first_of_block, shape);
    load_rows<COLUMNS, BLOCK<COLUMNS>>(values, values_of(saved.qkv, shape, blockIdx.z, kv_head), first_of_block, shape);
    float d_keys[R][COLUMNS] = {}, d_values[R][COLUMNS] = {};
    for (int head = kv_head * group; head < (kv_head + 1) * group; head++) {
        for (int first_query = first_of_block / TILE * TILE; first_query < shape.seq_len; first_query += TILE) {
            load_rows<COLUMNS, TILE>(queries, queries_of(saved.qkv, shape, blockIdx.z, head), first_query, shape);
            load_rows<COLUMNS, TILE>(d_outs, window(saved.d_out, shape, shape.n_heads, blockIdx.z, head), first_query, shape);
            __syncthreads();
            const int query = first_query + lane, valid = min(query, shape.seq_len - 1);
            const float log_sum_exp = statistics_of(saved.log_sum_exp, shape, blockIdx.z, head)[valid];
            const float delta = statistics_of(saved.delta, shape, blockIdx.z, head)[valid];
            add_queries<COLUMNS>(d_keys, d_values, keys, values, queries, d_outs, factors, log_sum_exp, delta, first_key, query, shape);
            __syncthreads();
        }
    }
    store_rows<COLUMNS>(keys_of(d_qkv, shape, blockIdx.z, kv_head), first_key, d_keys, score_scale(shape), shape);
    store_rows<COLUMNS>(values_of(d_qkv, shape, blockIdx.z, kv_head), first_key, d_values, 1, shape);
}

// Writes the keys' and the values' part of d_qkv, sums over the query heads that share them. Heads of the grid: n_kv_heads.
KERNEL void __launch_bounds__(THREADS, BLOCKS_OF_KEYS)
attention_backward_keys_values(const Element* qkv, const Element* d_out, const float* log_sum_exp, const float* delta, Element* d_qkv,
                               AttentionShape shape) {
    DYNAMIC_SHARED(shared_bytes);
    float* shared = reinterpret_cast<float*>(shared_bytes);
    const Saved saved = {qkv, d_out, log_sum_exp, delta};
    if (shape.head_dim <= WIDTH<1>) backward_keys_values<1>(saved, d_qkv, shape, shared);
    else if (shape.head_dim <= WIDTH<2>) backward_keys_values<2>(saved, d_qkv, shape, shared);
    else if (shape.head_dim <= WIDTH<4>) backward_keys_values<4>(saved, d_qkv, shape, shared);
    else backward_keys_values<8>(saved, d_qkv, shape, shared);
}
// ANCHOR_END: backward_keys_values
