// The scheduler behind twin.h, the memory that it lends, and the table of kernels.
#include "../prelude.cuh"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

extern unsigned char __start_twin_shared[] __attribute__((weak));
extern unsigned char __stop_twin_shared[] __attribute__((weak));

namespace twin {

thread_local dim3 thread_index, block_index, block_size, grid_size;

namespace {

constexpr size_t STACK_BYTES = 256 << 10;
// Behind the shared memory of a launch, to see who writes beyond it.
constexpr size_t SHARED_GUARD_BYTES = 64 << 10;
constexpr unsigned char POISON = 0xff; // Four of them are a NaN, two a NaN of bf16.

struct Copy {
    void* shared;
    const void* global;
    bool is_valid;
};

// One thread of a block.
struct Fiber {
    ucontext_t start;
    jmp_buf at;
    std::vector<char> stack;
    dim3 index;
    unsigned number;
    bool is_new, is_done;
    std::vector<std::vector<Copy>> groups;
    std::vector<Copy> open;
};

// What 32 threads share: two sets of slots, used in turn, so that a lane that is ahead never overwrites what another still reads.
struct Warp {
    unsigned n_lanes, n_arrived;
    u64 round;
    unsigned char slots[2][WARP * EXCHANGE_BYTES];
};

struct Block {
    std::vector<std::unique_ptr<Fiber>> fibers;
    std::vector<Warp> warps;
    std::vector<unsigned> order;
    std::vector<unsigned char> shared;
    unsigned n_threads, n_live, n_at_barrier;
    bool copies_are_early;
    u64 barrier_round, n_events;
    Fiber* running;
    jmp_buf scheduler;
    void (*kernel)(void**);
    void** arguments;
    std::string error;
};

thread_local Block block;

// Gives the others their turn.
void yield_turn() {
    if (_setjmp(block.running->at) == 0) _longjmp(block.scheduler, 1);
}

// Leaves the thread for good.
[[noreturn]] void stop(const char* why) {
    if (block.error.empty()) block.error = why;
    _longjmp(block.scheduler, 1);
}

void run_fiber() {
    block.kernel(block.arguments);
    block.running->is_done = true;
    block.n_live -= 1;
    block.n_events += 1;
    _longjmp(block.scheduler, 1);
}

void resume(Fiber& fiber) {
    block.running = &fiber;
    thread_index = fiber.index;
    if (_setjmp(block.scheduler) != 0) return;
    if (!fiber.is_new) _longjmp(fiber.at, 1);
    fiber.is_new = false;
    getcontext(&fiber.start);
    fiber.start.uc_stack.ss_sp = fiber.stack.data();
    fiber.start.uc_stack.ss_size = fiber.stack.size();
    fiber.start.uc_link = nullptr;
    makecontext(&fiber.start, run_fiber, 0);
    setcontext(&fiber.start);
}

u64 next_random(u64& state) { // splitmix64
    u64 z = (state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

void prepare(u64 seed) {
    const unsigned n = block_size.x * block_size.y * block_size.z;
    block.n_threads = block.n_live = n;
    block.n_at_barrier = 0;
    block.copies_are_early = seed % 2 == 1;
    while (block.fibers.size() < n) {
        block.fibers.push_back(std::make_unique<Fiber>());
        block.fibers.back()->stack.resize(STACK_BYTES);
    }
    block.order.resize(n);
    for (unsigned i = 0; i < n; i++) {
        Fiber& fiber = *block.fibers[i];
        fiber.index = {i % block_size.x, i / block_size.x % block_size.y, i / (block_size.x * block_size.y)};
        fiber.number = i;
        fiber.is_new = true;
        fiber.is_done = false;
        fiber.groups.clear();
        fiber.open.clear();
        block.order[i] = i;
    }
    // Seed 0 keeps the order of threads.
    for (unsigned i = n; seed != 0 && i > 1; i--) std::swap(block.order[i - 1], block.order[next_random(seed) % i]);
    block.warps.assign((n + WARP - 1) / WARP, Warp{});
    for (unsigned i = 0; i < n; i++) block.warps[i / WARP].n_lanes += 1;
    memset(block.shared.data(), POISON, block.shared.size());
    if (__start_twin_shared) memset(__start_twin_shared, POISON, (size_t)(__stop_twin_shared - __start_twin_shared));
}

// Turn by turn, every thread of the block runs until it must wait. With a seed some warp sleeps meanwhile, then another: warps of a GPU
// run as far apart as barriers let them, and only then does a missing barrier show.
bool run_block(u64 seed) {
    constexpr u64 LONGEST_SLEEP = 64;
    prepare(seed);
    u64 sleeper = 0, turns_asleep = 0;
    bool is_stuck = false;
    while (block.n_live > 0) {
        if (is_stuck) {
            turns_asleep = 0; // All others wait for the sleeper.
        } else if (seed != 0 && turns_asleep == 0) {
            sleeper = next_random(seed) % block.warps.size();
            turns_asleep = next_random(seed) % LONGEST_SLEEP;
        }
        const u64 before = block.n_events;
        for (unsigned i : block.order) {
            const bool is_asleep = turns_asleep > 0 && i / WARP == sleeper;
            if (!block.fibers[i]->is_done && !is_asleep) resume(*block.fibers[i]);
            if (!block.error.empty()) return false;
        }
        is_stuck = block.n_events == before;
        if (is_stuck && turns_asleep == 0) {
            block.error = "deadlock: some threads wait at a barrier that others never reach";
            return false;
        }
        if (turns_asleep > 0) turns_asleep -= 1;
    }
    for (size_t i = block.shared.size() - SHARED_GUARD_BYTES; i < block.shared.size(); i++) {
        if (block.shared[i] == POISON) continue;
        block.error = "a write beyond the launch's shared memory";
        return false;
    }
    return true;
}

} // namespace

unsigned lane() { return block.running->number % WARP; }

unsigned char* dynamic_shared() { return block.shared.data(); }

void barrier() {
    const u64 round = block.barrier_round;
    block.n_at_barrier += 1;
    if (block.n_live != block.n_threads) stop("a barrier after some thread of the block has returned");
    if (block.n_at_barrier == block.n_threads) {
        block.n_at_barrier = 0;
        block.barrier_round += 1;
        block.n_events += 1;
    }
    while (block.barrier_round == round) yield_turn();
    thread_index = block.running->index;
}

const unsigned char* exchange(const void* mine, size_t n_bytes) {
    Warp& warp = block.warps[block.running->number / WARP];
    if (warp.n_lanes != WARP) stop("a warp of fewer than 32 lanes exchanges values");
    const u64 round = warp.round;
    unsigned char* slots = warp.slots[round % 2];
    memcpy(slots + lane() * EXCHANGE_BYTES, mine, n_bytes);
    warp.n_arrived += 1;
    if (warp.n_arrived == WARP) {
        warp.n_arrived = 0;
        warp.round += 1;
        block.n_events += 1;
    }
    while (warp.round == round) yield_turn();
    thread_index = block.running->index;
    return slots;
}

unsigned short round_to_bf16(float x) {
    const u32 bits = __float_as_uint(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff; // The NaN that the GPU's conversion gives.
    return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

namespace {
float half_of(u32 packed, int which) { return __uint_as_float(which ? packed & 0xffff0000u : packed << 16); }
} // namespace

void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    const unsigned mine[6] = {a[0], a[1], a[2], a[3], b0, b1};
    const unsigned char* all = exchange(mine, sizeof mine);
    const unsigned g = lane() / 4, t = lane() % 4;
    for (int i = 0; i < 4; i++) {
        const unsigned row = g + (i / 2) * 8, column = 2 * t + i % 2;
        float sum = d[i];
        for (unsigned k = 0; k < 16; k++) {
            const unsigned owner_a = row % 8 * 4 + k % 8 / 2, register_a = row / 8 + k / 8 * 2;
            const unsigned owner_b = column * 4 + k % 8 / 2, register_b = 4 + k / 8;
            u32 of_a, of_b;
            memcpy(&of_a, all + owner_a * EXCHANGE_BYTES + register_a * 4, 4);
            memcpy(&of_b, all + owner_b * EXCHANGE_BYTES + register_b * 4, 4);
            sum += half_of(of_a, k % 2) * half_of(of_b, k % 2);
        }
        d[i] = sum;
    }
}

void load_matrices(unsigned (&r)[4], const void* row, bool transposed) {
    if ((uintptr_t)row % 16 != 0) stop("ldmatrix wants rows at multiples of 16 bytes");
    const unsigned char* all = exchange(&row, sizeof row);
    const unsigned g = lane() / 4, t = lane() % 4;
    for (unsigned matrix = 0; matrix < 4; matrix++) {
        unsigned short numbers[2];
        for (unsigned i = 0; i < 2; i++) {
            const unsigned from_row = transposed ? 2 * t + i : g, from_column = transposed ? g : 2 * t + i;
            const unsigned short* address;
            memcpy(&address, all + (matrix * 8 + from_row) * EXCHANGE_BYTES, sizeof address);
            numbers[i] = address[from_column];
        }
        r[matrix] = (u32)numbers[0] | (u32)numbers[1] << 16;
    }
    __syncwarp();
}

namespace {
void carry_out(const Copy& copy) {
    if (copy.is_valid) memcpy(copy.shared, copy.global, 16);
    else memset(copy.shared, 0, 16);
}
} // namespace

void copy_async_16(void* shared, const void* global, bool is_valid) {
    if ((uintptr_t)shared % 16 != 0 || (is_valid && (uintptr_t)global % 16 != 0)) {
        stop("an asynchronous copy wants addresses at multiples of 16 bytes");
    }
    if (block.copies_are_early) carry_out({shared, global, is_valid});
    else block.running->open.push_back({shared, global, is_valid});
}

void commit_copies() {
    block.running->groups.push_back(std::move(block.running->open));
    block.running->open.clear();
}

void wait_for_copies(int n_under_way) {
    auto& groups = block.running->groups;
    while (groups.size() > (size_t)n_under_way) {
        for (const Copy& copy : groups.front()) carry_out(copy);
        groups.erase(groups.begin());
    }
}

// ---- kernels by name ----

namespace {

// Calls a kernel with arguments as a driver receives them: one pointer for each.
template <auto Kernel, class... Arguments, size_t... I>
void call(void** arguments, std::index_sequence<I...>, void (*)(Arguments...)) {
    Kernel(*static_cast<std::remove_const_t<Arguments>*>(arguments[I])...);
}

template <class... Arguments> constexpr size_t count(void (*)(Arguments...)) { return sizeof...(Arguments); }

template <auto Kernel> void entry(void** arguments) {
    call<Kernel>(arguments, std::make_index_sequence<count(Kernel)>{}, Kernel);
}

struct Entry {
    const char* module;
    const char* name;
    void (*call)(void**);
    size_t n_arguments;
};

} // namespace
} // namespace twin

#include "kernels.inc"

// Runs a kernel over a grid. Returns null, or what went wrong; the text lives until the thread's next launch.
extern "C" const char* twin_launch(const char* module, const char* name, const unsigned* grid, const unsigned* threads,
                                   unsigned shared_bytes, void** arguments, size_t n_arguments, u64 seed) {
    using namespace twin;
    block.error.clear();
    for (const Entry& entry : TABLE) {
        if (strcmp(entry.module, module) != 0 || strcmp(entry.name, name) != 0) continue;
        if (entry.n_arguments != n_arguments) {
            block.error = std::string(name) + " takes " + std::to_string(entry.n_arguments) + " arguments, not " +
                          std::to_string(n_arguments);
            return block.error.c_str();
        }
        block.kernel = entry.call;
        block.arguments = arguments;
        block.shared.resize(shared_bytes + SHARED_GUARD_BYTES);
        grid_size = {grid[0], grid[1], grid[2]};
        block_size = {threads[0], threads[1], threads[2]};
        for (unsigned z = 0; z < grid[2]; z++)
            for (unsigned y = 0; y < grid[1]; y++)
                for (unsigned x = 0; x < grid[0]; x++) {
                    block_index = {x, y, z};
                    if (run_block(seed)) continue;
                    block.error = std::string(name) + ": " + block.error;
                    return block.error.c_str();
                }
        return nullptr;
    }
    block.error = std::string("no kernel ") + name + " in module " + module;
    return block.error.c_str();
}
