// The gradient of the logits: the softmax is computed again, nothing of a pixel was kept.
#pragma once

#include <algorithm>
#include <memory>

#include "tile.hpp"

namespace {

// The gradients of an image's sums, a table a column; 0 in the row of what does not count.
template <class S>
struct Table {
    Buffer<S> cross_entropy, focal, hard, overlap, predicted, squares;
    Buffer<i32> matters;  // whether any of the gradients that a row's own pixels see is not 0
    bool any_focal = false, any_region = false;

    explicit Table(i64 n_rows)
        : cross_entropy(n_rows + 1), focal(n_rows + 1), hard(n_rows + 1), overlap(n_rows + 1), predicted(n_rows + 1),
          squares(n_rows + 1), matters(n_rows + 1) {}

    void read(const double* grads, i64 n_rows, bool multiclass) {
        any_focal = any_region = false;
        for (i64 row = 0; row < n_rows; ++row, grads += N_COLUMNS) {
            cross_entropy[row] = S(grads[CROSS_ENTROPY]);
            focal[row] = S(grads[FOCAL]);
            hard[row] = S(grads[HARD]);
            overlap[row] = S(grads[OVERLAP]);
            predicted[row] = S(grads[PREDICTED]);
            squares[row] = S(grads[SQUARES]);
            const bool region = grads[PREDICTED] != 0 || grads[SQUARES] != 0;
            any_focal |= grads[FOCAL] != 0;
            any_region |= region;
            matters[row] = grads[CROSS_ENTROPY] != 0 || grads[FOCAL] != 0 || grads[HARD] != 0 ||
                           grads[OVERLAP] != 0 || region;
        }
        // A softmax's probabilities all move together.
        if (multiclass && any_region) std::fill(matters + 0, matters + n_rows, 1);
    }
};

template <class S>
struct Backward {
    const Problem& problem;
    const Slopes& slopes;
    const Plan& plan;
    const Access<S>& access;
    Tile<S> tile;
    Table<S> table;
    Buffer<S> given, slope, base;  // the gradient of each pixel's loss; dL/dloss; what all classes have in common
    Buffer<i32> active, places;
    i64 image = -1;                // whose table it is

    Backward(const Problem& problem, const Slopes& slopes, const Plan& plan, const Access<S>& access)
        : problem(problem), slopes(slopes), plan(plan), access(access), tile(problem, plan, access),
          table(plan.n_rows), given(plan.width), slope(plan.width), base(plan.width), active(plan.width),
          places(plan.width) {}

    void finish() {}

    void take(i64 item) {
        const i64 first = item % plan.n_blocks * plan.block, end = std::min(first + plan.block, problem.n_pixels);
        if (image != item / plan.n_blocks) {
            image = item / plan.n_blocks;
            table.read(slopes.sums + image * plan.n_rows * N_COLUMNS, plan.n_rows, problem.multiclass);
        }
        for (i64 i = first; i < end; i += plan.width) take_tile({image, i, std::min(plan.width, end - i), nullptr});
    }

    void take_tile(const Span& whole) {
        const i64 n_classes = problem.n_classes, n_active = find_active(whole);
        // Of a few pixels only what lies with them in a cache line need be read.
        const bool few = n_active * 24 <= whole.n;
        if (few) access.clear(slopes.gradient, whole, n_classes);
        if (n_active == 0) return;
        const Span span{whole.image, whole.first, few ? n_active : whole.n, few ? places + 0 : nullptr};
        tile.load(span);
        if (problem.multiclass) {
            read_pixels(whole, span, 0);
            softmax(span);
        } else {
            for (i64 k = 0; k < n_classes; ++k) {
                read_pixels(whole, span, k);
                sigmoids(span, k);
            }
        }
        access.store(slopes.gradient, span, n_classes, tile.rows, plan.stride);
    }

    // Lists the pixels that have a gradient, without a look at the logits.
    i64 find_active(const Span& span) {
        i32* __restrict flag = active;
        std::fill(flag, flag + span.n, 0);
        for (i64 k = 0; k < (problem.multiclass ? 1 : problem.n_classes); ++k) {
            read_pixels(span, span, k);
            const i32* __restrict code = tile.codes;
            const S* __restrict own = given;
            const i32* __restrict row_matters = table.matters + (problem.multiclass ? 0 : 2 * k);
            const i32 outside = n_labels();
            SIMD for (i64 i = 0; i < span.n; ++i) {
                const i32 counts = code[i] < outside;
                flag[i] |= counts & (row_matters[counts ? code[i] : 0] | i32(own[i] != 0));
            }
        }
        i64 n_active = 0;
        for (i64 i = 0; i < span.n; ++i) {
            places[n_active] = i32(i);
            n_active += flag[i];
        }
        return n_active;
    }

    i32 n_labels() const { return problem.multiclass ? i32(problem.n_classes) : 2; }

    // Reads labels and the gradients of the pixels' losses: of all pixels, then moved together where few are wanted.
    void read_pixels(const Span& whole, const Span& span, i64 channel) {
        access.read_labels(problem, whole, channel, n_labels(), tile.codes);
        const View& view = slopes.pixels;
        S* __restrict to = given;
        if (view.data != nullptr) {
            const S* from = static_cast<const S*>(view.data) + whole.image * view.image + channel * view.channel +
                            whole.first * view.pixel;
            for (i64 i = 0; i < whole.n; ++i) to[i] = from[i * view.pixel];
            std::fill(to + whole.n, to + whole_vectors(whole.n), S(0));
        }
        if (span.places == nullptr) return;
        for (i64 i = 0; i < span.n; ++i) {
            tile.codes[i] = tile.codes[span.places[i]];
            given[i] = given[span.places[i]];
        }
        std::fill(tile.codes + span.n, tile.codes + whole_vectors(span.n), n_labels());
    }

    void softmax(const Span& span) {
        const i64 n = whole_vectors(span.n), n_classes = problem.n_classes, stride = plan.stride;
        tile.find_top(n);
        tile.exponentiate(span);
        const i32* __restrict code = tile.codes;
        const S *__restrict loss = tile.loss, *__restrict p = tile.p, *__restrict own = given;
        const S *cross_entropy = table.cross_entropy, *hard = table.hard, *focal = table.focal;
        const S* overlap = table.overlap;
        S *__restrict wrong = tile.wrong, *__restrict power = tile.power, *__restrict a = slope;
        S *__restrict share = tile.total, *__restrict common = base;
        const S bound = S(problem.bound), gamma = S(problem.gamma);
        SIMD for (i64 i = 0; i < n; ++i) {
            const bool counts = code[i] < n_classes;
            const S above = loss[i] > bound ? hard[code[i]] : S(0);
            a[i] = counts ? cross_entropy[code[i]] + above + own[i] : S(0);
            share[i] = counts ? S(1) / share[i] : S(0);
            common[i] = counts ? overlap[code[i]] * p[i] : S(0);
        }
        if (table.any_focal) {
            SIMD for (i64 i = 0; i < n; ++i) wrong[i] = complement_of(loss[i], p[i]);
            raise(wrong, problem.gamma, n, power);
            SIMD for (i64 i = 0; i < n; ++i) {
                const S ratio = wrong[i] > 0 ? loss[i] / wrong[i] : S(1);
                const S steep = power[i] * (S(1) + gamma * p[i] * ratio);
                a[i] += code[i] < n_classes ? focal[code[i]] * steep : S(0);
            }
        }
        if (table.any_region) {
            for (i64 k = 0; k < n_classes; ++k) {
                const S* __restrict e = tile.row(k);
                const S predicted = table.predicted[k], squares = S(2) * table.squares[k];
                SIMD for (i64 i = 0; i < n; ++i) {
                    const S q = share[i] > 0 ? e[i] * share[i] : S(0);
                    common[i] += q * (predicted + squares * q);
                }
            }
        }
        for (i64 k = 0; k < n_classes; ++k) {
            S* __restrict e = tile.row(k);
            const S predicted = table.predicted[k], squares = S(2) * table.squares[k];
            SIMD for (i64 i = 0; i < n; ++i) {
                const S q = e[i] * share[i];
                const S moved = q * (a[i] + predicted + squares * q - common[i]);
                e[i] = share[i] > 0 ? moved : S(0);
            }
        }
        S* rows = tile.rows;
        for (i64 i = 0; i < n; ++i)
            rows[code[i] * stride + i] += code[i] < n_classes ? overlap[code[i]] * p[i] - a[i] : S(0);
    }

    void sigmoids(const Span& span, i64 k) {
        const i64 n = whole_vectors(span.n);
        tile.find_sigmoid(span, k);
        const i32* __restrict code = tile.codes;
        S *__restrict x = tile.row(k), *__restrict power = tile.power;
        const S *__restrict p = tile.p, *__restrict no = tile.top, *__restrict wrong = tile.wrong;
        const S *__restrict loss = tile.loss, *__restrict own = given;
        const S bound = S(problem.bound), gamma = S(problem.gamma);
        raise(wrong, problem.gamma, n, power);
        const S *cross_entropy = table.cross_entropy + 2 * k, *hard = table.hard + 2 * k;
        const S *focal = table.focal + 2 * k, *overlap = table.overlap + 2 * k;
        const S *predicted = table.predicted + 2 * k, *squares = table.squares + 2 * k;
        SIMD for (i64 i = 0; i < n; ++i) {
            const i32 row = code[i] == 1 ? 1 : 0;
            const S right = row ? p[i] : no[i];
            const S ratio = wrong[i] > 0 ? loss[i] / wrong[i] : S(1);
            const S steep = power[i] * (S(1) + gamma * right * ratio);
            const S above = loss[i] > bound ? hard[row] : S(0);
            const S a = cross_entropy[row] + focal[row] * steep + above + own[i];
            const S away = row ? -wrong[i] : wrong[i];
            const S region = overlap[row] + predicted[row] + S(2) * p[i] * squares[row];
            x[i] = code[i] < 2 ? a * away + region * (p[i] * no[i]) : S(0);
        }
    }
};

template <class S>
Outcome backward(const Problem& problem, const Slopes& slopes, const Access<S>& access) {
    const Plan plan(problem, sizeof(S));
    return share(problem.n_images * plan.n_blocks, problem.n_threads,
                 [&] { return std::make_unique<Backward<S>>(problem, slopes, plan, access); });
}

}  // namespace
