// Tiles: from tensors of any dtype and strides into rows of vectors, and back.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <type_traits>

#include "numbers.hpp"

namespace {

constexpr i64 LANES = 16;

inline i64 whole_vectors(i64 n) { return (n + LANES - 1) / LANES * LANES; }

// As many numbers as are computed on at once, for what the compiler would not keep in registers by itself.
template <class S, i64 N = LANES>
struct VectorOf {
    typedef S type __attribute__((vector_size(N * sizeof(S))));
};

template <class S>
using Vector = typename VectorOf<S>::type;

template <class S>
inline Vector<S> vector_at(const S* from) {
    Vector<S> all;
    std::memcpy(&all, from, sizeof all);
    return all;
}

// The sum of a vector, by halves.
template <class S, i64 N = LANES>
inline S sum_of(typename VectorOf<S, N>::type all) {
    if constexpr (N == 1) {
        return all[0];
    } else {
        typename VectorOf<S, N / 2>::type low, high;
        std::memcpy(&low, &all, sizeof low);
        std::memcpy(&high, reinterpret_cast<const char*>(&all) + sizeof low, sizeof high);
        return sum_of<S, N / 2>(low + high);
    }
}

// Zeroed memory at the start of a cache line.
template <class T>
class Buffer {
  public:
    explicit Buffer(i64 n) : data_(nullptr) {
        const std::size_t size = std::size_t(n) * sizeof(T) / 64 * 64 + 64;
        data_ = static_cast<T*>(std::aligned_alloc(64, size));
        if (data_ == nullptr) throw std::bad_alloc();
        std::memset(static_cast<void*>(data_), 0, size);
    }
    ~Buffer() { std::free(data_); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    operator T*() { return data_; }

  private:
    T* data_;
};

// Some pixels of one image: `n` from `first` on, or, where `places` is not null, those that it lists, counted from
// there.
struct Span {
    i64 image, first, n;
    const i32* places;
};

// Reads a span of all channels into rows of `stride`, and fills them up with zeros.
template <class In, class S>
void load(const View& view, const Span& span, i64 n_channels, S* rows, i64 stride) {
    const In* from = static_cast<const In*>(view.data) + span.image * view.image + span.first * view.pixel;
    const i64 n = span.n;
    if (span.places != nullptr) {
        for (i64 i = 0; i < n; ++i)
            for (i64 k = 0; k < n_channels; ++k)
                rows[k * stride + i] = widened(from[span.places[i] * view.pixel + k * view.channel]);
    } else if (view.pixel == 1) {
        for (i64 k = 0; k < n_channels; ++k) {
            const In* __restrict channel = from + k * view.channel;
            S* __restrict row = rows + k * stride;
            SIMD for (i64 i = 0; i < n; ++i) row[i] = widened(channel[i]);
        }
    } else {
        for (i64 i = 0; i < n; ++i)
            for (i64 k = 0; k < n_channels; ++k)
                rows[k * stride + i] = widened(from[i * view.pixel + k * view.channel]);
    }
    for (i64 k = 0; k < n_channels; ++k) std::fill(rows + k * stride + n, rows + k * stride + whole_vectors(n), S(0));
}

// Asks for what of a channel follows a span: that arrives while the span is computed on. By itself a core does not
// foresee so many rows.
template <class In>
void foresee(const View& view, const Span& span, i64 channel) {
    if (span.places != nullptr || view.pixel != 1) return;
    const In* from = static_cast<const In*>(view.data) + span.image * view.image + channel * view.channel;
    for (i64 i = 0; i < span.n; i += 64 / i64(sizeof(In))) __builtin_prefetch(from + span.first + span.n + i, 0, 2);
}

// Writes rows to where `load` would read them.
template <class Out, class S>
void store(const View& view, const Span& span, i64 n_channels, const S* rows, i64 stride) {
    Out* to = static_cast<Out*>(view.data) + span.image * view.image + span.first * view.pixel;
    if (span.places == nullptr && view.pixel == 1) {
        for (i64 k = 0; k < n_channels; ++k) {
            Out* __restrict channel = to + k * view.channel;
            const S* __restrict row = rows + k * stride;
            SIMD for (i64 i = 0; i < span.n; ++i) narrow(row[i], channel[i]);
        }
    } else {
        for (i64 i = 0; i < span.n; ++i) {
            const i64 place = (span.places == nullptr ? i : span.places[i]) * view.pixel;
            for (i64 k = 0; k < n_channels; ++k) narrow(rows[k * stride + i], to[place + k * view.channel]);
        }
    }
}

template <class Out>
void clear(const View& view, const Span& span, i64 n_channels) {
    Out* to = static_cast<Out*>(view.data) + span.image * view.image + span.first * view.pixel;
    if (view.pixel == 1) {
        for (i64 k = 0; k < n_channels; ++k) std::memset(to + k * view.channel, 0, std::size_t(span.n) * sizeof(Out));
    } else {
        for (i64 i = 0; i < span.n; ++i)
            for (i64 k = 0; k < n_channels; ++k) to[i * view.pixel + k * view.channel] = Out{};
    }
}

// Reads labels as numbers of rows: `n_labels` where a label does not count, and in the padding. Returns whether each is
// a label or ignored.
template <class In>
bool read_labels(const Problem& problem, const Span& span, i64 channel, i32 n_labels, i32* codes) {
    const View& view = problem.labels;
    const In* from =
        static_cast<const In*>(view.data) + span.image * view.image + channel * view.channel + span.first * view.pixel;
    using Wide = std::conditional_t<sizeof(In) == 8, i64, i32>;
    const bool ignores = problem.has_ignore && problem.ignore_index >= i64(std::numeric_limits<In>::min()) &&
                         problem.ignore_index <= i64(std::numeric_limits<In>::max());
    const Wide ignored = ignores ? Wide(problem.ignore_index) : Wide(-1);
    const i64 step = view.pixel;
    i32 n_bad = 0;
    const auto read = [&](i64 i, Wide label) {
        const bool inside = (label >= 0) & (label < Wide(n_labels));
        const bool skipped = ignores & (label == ignored);
        codes[i] = inside & !skipped ? i32(label) : n_labels;
        return i32(!(inside | skipped));
    };
    if (step == 1) {
        SIMD_SUM(n_bad) for (i64 i = 0; i < span.n; ++i) n_bad += read(i, Wide(from[i]));
    } else {
        for (i64 i = 0; i < span.n; ++i) n_bad += read(i, Wide(from[i * step]));
    }
    std::fill(codes + span.n, codes + whole_vectors(span.n), n_labels);
    return n_bad == 0;
}

// The functions of a problem's dtypes; what is computed between them is computed in S alone.
template <class S>
struct Access {
    void (*load)(const View&, const Span&, i64, S*, i64);
    void (*foresee)(const View&, const Span&, i64);
    void (*store)(const View&, const Span&, i64, const S*, i64);
    void (*clear)(const View&, const Span&, i64);
    bool (*read_labels)(const Problem&, const Span&, i64, i32, i32*);
};

}  // namespace
