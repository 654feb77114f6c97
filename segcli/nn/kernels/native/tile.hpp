// A tile, and the steps that forward, backward and argmax share.
#pragma once

#include <algorithm>
#include <limits>

#include "threads.hpp"

namespace {

// What both ways of reading a tile have in common, and the steps that forward and backward share.
template <class S>
struct Tile {
    const Problem& problem;
    const Plan& plan;
    const Access<S>& access;
    Buffer<S> rows;                                  // the logits, and what is made of them
    Buffer<S> top, total, own, loss, p, wrong, power;  // a number a pixel
    Buffer<i32> codes;                               // rows of the sums; with sigmoids labels, of one class

    Tile(const Problem& problem, const Plan& plan, const Access<S>& access)
        : problem(problem), plan(plan), access(access), rows((problem.n_classes + 1) * plan.stride), top(plan.width),
          total(plan.width), own(plan.width), loss(plan.width), p(plan.width), wrong(plan.width), power(plan.width),
          codes(plan.width) {}

    S* row(i64 k) { return rows + k * plan.stride; }

    void load(const Span& span) { access.load(problem.logits, span, problem.n_classes, rows, plan.stride); }

    // The largest logit of each pixel. Returns whether all are finite.
    bool find_top(i64 n) {
        // Four classes at a time, some twice where they do not come out even.
        const i64 last = problem.n_classes - 1;
        S* most = top;
        Vector<S> odd{};
        std::fill(most, most + n, -std::numeric_limits<S>::infinity());
        for (i64 k = 0; k <= last; k += 4) {
            const S *x0 = row(k), *x1 = row(std::min(k + 1, last)), *x2 = row(std::min(k + 2, last)),
                    *x3 = row(std::min(k + 3, last));
            for (i64 i = 0; i < n; i += LANES) {
                const Vector<S> a = vector_at(x0 + i), b = vector_at(x1 + i), c = vector_at(x2 + i),
                                d = vector_at(x3 + i), ab = a > b ? a : b, cd = c > d ? c : d, abcd = ab > cd ? ab : cd,
                                old = vector_at(most + i), larger = abcd > old ? abcd : old;
                std::memcpy(most + i, &larger, sizeof larger);
                // 0 times what is not finite is NaN.
                odd += (a * S(0) + b * S(0)) + (c * S(0) + d * S(0));
            }
        }
        return sum_of<S>(odd) == 0;
    }

    // The softmax but for its division: rows become exp(x - top); then `total` of them, `loss` and `p` of the label.
    void exponentiate(const Span& span) {
        const i64 n = whole_vectors(span.n);
        const S* __restrict most = top;
        S* __restrict sum = total;
        gather(n, own);
        std::fill(sum, sum + n, S(0));
        for (i64 k = 0; k < problem.n_classes; ++k) {
            access.foresee(problem.logits, span, k);
            S* __restrict x = row(k);
            SIMD for (i64 i = 0; i < n; ++i) {
                const S e = exp_of(x[i] - most[i]);
                x[i] = e;
                sum[i] += e;
            }
        }
        S *__restrict label_loss = loss, *__restrict label_p = p;
        const S* __restrict label_x = own;
        SIMD for (i64 i = 0; i < n; ++i) {
            const S below = label_x[i] - most[i];
            label_loss[i] = log_of(sum[i]) - below;
            label_p[i] = exp_of(below) / sum[i];
        }
    }

    // With sigmoids: of class k, `p`, its complement (in `top`), `loss`, and `wrong`, the chance of the other label.
    // Returns whether all logits are finite.
    bool find_sigmoid(const Span& span, i64 k) {
        access.foresee(problem.logits, span, k);
        const i64 n = whole_vectors(span.n);
        const S* __restrict x = row(k);
        const i32* __restrict code = codes;
        S *__restrict yes = p, *__restrict no = top, *__restrict other = wrong, *__restrict label_loss = loss;
        S odd = 0;
        SIMD_SUM(odd) for (i64 i = 0; i < n; ++i) {
            odd += x[i] * S(0);
            const bool is = code[i] == 1, negative = x[i] < 0;
            const S tail = exp_of(negative ? x[i] : -x[i]), high = S(1) / (S(1) + tail), low = tail * high;
            const S lack = is ? -x[i] : x[i];
            yes[i] = negative ? low : high;
            no[i] = negative ? high : low;
            other[i] = negative == is ? high : low;
            label_loss[i] = (lack > 0 ? lack : S(0)) + log1p_of(tail);
        }
        return odd == 0;
    }

    // What stands in each pixel's own row.
    void gather(i64 n, S* __restrict to) {
        const i32* __restrict code = codes;
        const S* x = rows;
        const i32 stride = i32(plan.stride);
        SIMD for (i32 i = 0; i < i32(n); ++i) to[i] = x[code[i] * stride + i];
    }
};

}  // namespace
