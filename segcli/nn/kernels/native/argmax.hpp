// The class with the largest logit.
#pragma once

#include <algorithm>
#include <memory>

#include "tile.hpp"

namespace {

template <class S>
struct Argmax {
    const Problem& problem;
    i64* predictions;
    const Plan& plan;
    const Access<S>& access;
    Tile<S> tile;
    Buffer<i32> best;

    Argmax(const Problem& problem, i64* predictions, const Plan& plan, const Access<S>& access)
        : problem(problem), predictions(predictions), plan(plan), access(access), tile(problem, plan, access),
          best(plan.width) {}

    void finish() {}

    void take(i64 item) {
        const i64 image = item / plan.n_blocks, first = item % plan.n_blocks * plan.block;
        const i64 end = std::min(first + plan.block, problem.n_pixels);
        for (i64 i = first; i < end; i += plan.width) take_tile({image, i, std::min(plan.width, end - i), nullptr});
    }

    void take_tile(const Span& span) {
        const i64 n = whole_vectors(span.n);
        tile.load(span);
        S* __restrict most = tile.top;
        i32* __restrict winner = best;
        std::copy(tile.row(0), tile.row(0) + n, most);
        std::fill(winner, winner + n, 0);
        for (i64 k = 1; k < problem.n_classes; ++k) {
            access.foresee(problem.logits, span, k);
            const S* __restrict x = tile.row(k);
            SIMD for (i64 i = 0; i < n; ++i) {
                // A NaN is not at most anything, and nothing displaces it.
                const bool wins = !(x[i] <= most[i]) & (most[i] == most[i]);
                most[i] = wins ? x[i] : most[i];
                winner[i] = wins ? i32(k) : winner[i];
            }
        }
        std::copy(winner, winner + span.n, predictions + span.image * problem.n_pixels + span.first);
    }
};

template <class S>
Outcome argmax(const Problem& problem, i64* predictions, const Access<S>& access) {
    const Plan plan(problem, sizeof(S));
    return share(problem.n_images * plan.n_blocks, problem.n_threads,
                 [&] { return std::make_unique<Argmax<S>>(problem, predictions, plan, access); });
}

}  // namespace
