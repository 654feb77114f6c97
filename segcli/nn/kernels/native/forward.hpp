// The sums, and what is wanted beside them.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>

#include "tile.hpp"

namespace {

// Sums of a row, taken in turn: an addition need not wait for the one before.
constexpr i64 WAYS = 4;

template <class S>
struct Forward {
    const Problem& problem;
    const Answer& answer;
    const Plan& plan;
    const Access<S>& access;
    double* block_sums;
    std::mutex& mutex;
    Tile<S> tile;
    Buffer<S> parts;              // the four sums that a pixel adds to, side by side
    Buffer<i64> numbers;          // the two counts: how many hard above how many
    Buffer<i32> best;
    Buffer<double> sums;
    Buffer<double> pixel_sums;    // by row, one more for what does not count, and `WAYS`
    Buffer<i64> pixel_counts;
    Buffer<i64> confusion;
    bool finite = true, labelled = true;

    Forward(const Problem& problem, const Answer& answer, const Plan& plan, const Access<S>& access,
            double* block_sums, std::mutex& mutex)
        : problem(problem), answer(answer), plan(plan), access(access), block_sums(block_sums), mutex(mutex),
          tile(problem, plan, access), parts(4 * plan.width), numbers(plan.width), best(plan.width),
          sums(plan.n_rows * N_COLUMNS), pixel_sums(4 * WAYS * (problem.n_classes + 1)),
          pixel_counts(WAYS * (problem.n_classes + 1)),
          confusion(answer.confusion == nullptr ? 0 : (problem.n_classes + 1) * problem.n_classes) {}

    void take(i64 item) {
        const i64 image = item / plan.n_blocks, first = item % plan.n_blocks * plan.block;
        const i64 end = std::min(first + plan.block, problem.n_pixels);
        std::fill(sums + 0, sums + plan.n_rows * N_COLUMNS, 0.0);
        for (i64 i = first; i < end; i += plan.width) {
            const Span span{image, i, std::min(plan.width, end - i), nullptr};
            tile.load(span);
            if (problem.multiclass)
                softmax(span);
            else
                sigmoids(span);
        }
        if (problem.multiclass) gather_rows();
        std::copy(sums + 0, sums + plan.n_rows * N_COLUMNS, block_sums + item * plan.n_rows * N_COLUMNS);
    }

    void finish() {
        const std::lock_guard<std::mutex> guard(mutex);
        answer.sound[0] &= finite;
        answer.sound[1] &= labelled;
        if (answer.confusion != nullptr)
            for (i64 i = 0; i < problem.n_classes * problem.n_classes; ++i) answer.confusion[i] += confusion[i];
    }

    void softmax(const Span& span) {
        const i64 n = whole_vectors(span.n), n_classes = problem.n_classes;
        labelled &= access.read_labels(problem, span, 0, i32(n_classes), tile.codes);
        finite &= tile.find_top(n);
        if (answer.predictions != nullptr || answer.confusion != nullptr) predict(span);
        tile.exponentiate(span);
        S *__restrict total = tile.total, *__restrict power = tile.power, *__restrict wrong = tile.wrong;
        const S *__restrict loss = tile.loss, *__restrict p = tile.p;
        const i32* __restrict code = tile.codes;
        SIMD for (i64 i = 0; i < n; ++i) {
            wrong[i] = complement_of(loss[i], p[i]);
            total[i] = code[i] < n_classes ? S(1) / total[i] : S(0);
        }
        raise(wrong, problem.gamma, n, power);
        for (i64 k = 0; k < n_classes; ++k) {
            const S* __restrict e = tile.row(k);
            Vector<S> sum{}, squares{};
            for (i64 i = 0; i < n; i += LANES) {
                const Vector<S> q = vector_at(e + i) * vector_at(total + i);
                sum += q;
                squares += q * q;
            }
            sums[k * N_COLUMNS + PREDICTED] += double(sum_of<S>(sum));
            sums[k * N_COLUMNS + SQUARES] += answer.squares ? double(sum_of<S>(squares)) : 0;
        }
        add_to_rows(span);
        write_losses(span, 0, i32(n_classes));
    }

    // Adds what each pixel has to the row of its label.
    void add_to_rows(const Span& span) {
        const S bound = S(problem.bound);
        const S *__restrict loss = tile.loss, *__restrict p = tile.p, *__restrict power = tile.power;
        S* __restrict part = parts;
        i64* __restrict number = numbers;
        SIMD for (i64 i = 0; i < span.n; ++i) {
            const bool hard = loss[i] > bound;
            part[4 * i] = loss[i];
            part[4 * i + 1] = power[i] * loss[i];
            part[4 * i + 2] = hard ? loss[i] : S(0);
            part[4 * i + 3] = p[i];
            number[i] = hard ? (i64(1) << 32) + 1 : 1;
        }
        const i32* __restrict code = tile.codes;
        double* __restrict sum = pixel_sums;
        i64* __restrict count = pixel_counts;
        for (i64 i = 0; i < span.n; ++i) {
            const i64 place = code[i] * WAYS + i % WAYS;
            count[place] += number[i];
            for (i64 j = 0; j < 4; ++j) sum[4 * place + j] += double(part[4 * i + j]);
        }
    }

    // Puts the sums of a block together.
    void gather_rows() {
        for (i64 place = 0; place < problem.n_classes * WAYS; ++place) {
            double *row = sums + place / WAYS * N_COLUMNS, *part = pixel_sums + 4 * place;
            row[COUNT] += double(pixel_counts[place] & 0xffffffff);
            row[N_HARD] += double(pixel_counts[place] >> 32);
            row[CROSS_ENTROPY] += part[0];
            row[FOCAL] += part[1];
            row[HARD] += part[2];
            row[OVERLAP] += part[3];
        }
        std::fill(pixel_sums + 0, pixel_sums + (problem.n_classes + 1) * WAYS * 4, 0.0);
        std::fill(pixel_counts + 0, pixel_counts + (problem.n_classes + 1) * WAYS, 0);
    }

    // The classes with the largest logits, the first of those that tie.
    void predict(const Span& span) {
        const i64 n = whole_vectors(span.n), n_classes = problem.n_classes;
        const S* __restrict most = tile.top;
        i32* __restrict winner = best;
        std::fill(winner, winner + n, 0);
        for (i64 k = n_classes - 1; k >= 0; --k) {
            const S* __restrict x = tile.row(k);
            SIMD for (i64 i = 0; i < n; ++i) winner[i] = x[i] == most[i] ? i32(k) : winner[i];
        }
        if (answer.predictions != nullptr)
            std::copy(winner, winner + span.n, answer.predictions + span.image * problem.n_pixels + span.first);
        if (answer.confusion != nullptr)
            for (i64 i = 0; i < span.n; ++i) ++confusion[tile.codes[i] * n_classes + winner[i]];
    }

    void sigmoids(const Span& span) {
        const i64 n = whole_vectors(span.n);
        const S bound = S(problem.bound);
        const i32* __restrict code = tile.codes;
        S *__restrict wrong = tile.wrong, *__restrict power = tile.power;
        const S *__restrict loss = tile.loss, *__restrict p = tile.p;
        for (i64 k = 0; k < problem.n_classes; ++k) {
            labelled &= access.read_labels(problem, span, k, 2, tile.codes);
            finite &= tile.find_sigmoid(span, k);
            raise(wrong, problem.gamma, n, power);
            for (i32 label = 0; label < 2; ++label) {
                S count = 0, sum = 0, focal = 0, n_hard = 0, hard = 0, predicted = 0, squares = 0;
                SIMD_SUM(count, sum, focal, n_hard, hard, predicted, squares) for (i64 i = 0; i < n; ++i) {
                    const bool mine = code[i] == label, above = loss[i] > bound;
                    const S counts = mine ? S(1) : S(0), some = mine ? loss[i] : S(0), q = mine ? p[i] : S(0);
                    count += counts;
                    sum += some;
                    focal += some * power[i];
                    n_hard += above ? counts : S(0);
                    hard += above ? some : S(0);
                    predicted += q;
                    squares += q * q;
                }
                double* row = sums + (2 * k + label) * N_COLUMNS;
                row[COUNT] += double(count);
                row[CROSS_ENTROPY] += double(sum);
                row[FOCAL] += double(focal);
                row[N_HARD] += double(n_hard);
                row[HARD] += double(hard);
                row[OVERLAP] += double(predicted);
                row[PREDICTED] += double(predicted);
                row[SQUARES] += answer.squares ? double(squares) : 0;
            }
            write_losses(span, k, 2);
        }
    }

    void write_losses(const Span& span, i64 channel, i32 n_labels) {
        if (answer.pixels == nullptr) return;
        const i64 n_channels = problem.multiclass ? 1 : problem.n_classes;
        S* __restrict to =
            static_cast<S*>(answer.pixels) + (span.image * n_channels + channel) * problem.n_pixels + span.first;
        const S* __restrict loss = tile.loss;
        const i32* __restrict code = tile.codes;
        SIMD for (i64 i = 0; i < span.n; ++i) to[i] = code[i] < n_labels ? loss[i] : S(-1);
    }
};

template <class S>
Outcome forward(const Problem& problem, const Answer& answer, const Access<S>& access) {
    const Plan plan(problem, sizeof(S));
    const i64 size = plan.n_rows * N_COLUMNS, n_items = problem.n_images * plan.n_blocks;
    std::fill(answer.sums, answer.sums + problem.n_images * size, 0.0);
    Buffer<double> blocks(plan.n_blocks > 1 ? n_items * size : 0);
    double* block_sums = plan.n_blocks > 1 ? blocks : answer.sums;
    std::mutex mutex;
    const Outcome outcome = share(n_items, problem.n_threads, [&] {
        return std::make_unique<Forward<S>>(problem, answer, plan, access, block_sums, mutex);
    });
    if (plan.n_blocks > 1)
        for (i64 item = 0; item < n_items; ++item)
            for (i64 i = 0; i < size; ++i)
                answer.sums[item / plan.n_blocks * size + i] += block_sums[item * size + i];
    return outcome;
}

}  // namespace
