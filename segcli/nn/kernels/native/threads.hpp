// Who computes what: pixels in tiles, tiles in blocks, blocks to threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "access.hpp"

namespace {

constexpr i64 TILE_BYTES = 20000;         // of a tile's rows: half of a first-level cache
constexpr i64 BLOCK_ELEMENTS = 1 << 19;  // a fraction of a millisecond
constexpr i64 MOST_ROWS = 1 << 17;       // of blocks' sums: 8 MB

// How the pixels of an image are cut up: by the shape alone, so that sums do not depend on the number of threads.
struct Plan {
    i64 width, stride;           // of a tile, and from row to row in it
    i64 n_blocks, block;         // blocks an image, pixels a block
    i64 n_rows;                  // of sums, an image

    Plan(const Problem& problem, i64 element_size) {
        const i64 n_classes = std::max(problem.n_classes, i64(1));
        n_rows = problem.n_classes * (problem.multiclass ? 1 : 2);
        width = std::clamp(TILE_BYTES / (n_classes * element_size) / LANES * LANES, LANES, i64(512));
        // Rows a power of two apart would share their places in the cache.
        stride = width + LANES;
        // Work enough to be worth taking, and no more memory for blocks' sums than some megabytes.
        const i64 least = std::max(width, BLOCK_ELEMENTS / n_classes);
        const i64 most_blocks = std::max(i64(1), MOST_ROWS / std::max(i64(1), problem.n_images * n_rows));
        const i64 wanted = std::max(least, (problem.n_pixels + most_blocks - 1) / most_blocks);
        block = (wanted + width - 1) / width * width;
        n_blocks = (problem.n_pixels + block - 1) / block;
    }
};

// Gives every number below `n_items` once to one of the workers that `hire` makes, one in each thread.
template <class Hire>
Outcome share(i64 n_items, i64 n_threads, Hire hire) {
    std::atomic<i64> next{0};
    std::atomic<int> outcome{DONE};
    const auto work = [&] {
        try {
            auto worker = hire();
            for (i64 item = next++; item < n_items && outcome == DONE; item = next++) worker->take(item);
            worker->finish();
        } catch (const std::bad_alloc&) {
            outcome = OUT_OF_MEMORY;
        }
    };
    std::vector<std::thread> threads;
    try {
        const i64 n_more = std::min(n_threads, n_items) - 1;
        for (i64 i = 0; i < n_more; ++i) threads.emplace_back(work);
    } catch (const std::system_error&) {
        // No more threads to be had: those that are there do it.
    } catch (const std::bad_alloc&) {
    }
    work();
    for (std::thread& thread : threads) thread.join();
    return Outcome(int(outcome));
}

}  // namespace
