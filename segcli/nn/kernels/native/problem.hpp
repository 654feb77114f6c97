// What is asked and answered, as compiled.py has it too.
#pragma once

#include <cstdint>

#define PRAGMA(text) _Pragma(#text)
#define SIMD PRAGMA(omp simd)
#define SIMD_SUM(...) PRAGMA(omp simd reduction(+ : __VA_ARGS__))

namespace {

using i32 = std::int32_t;
using i64 = std::int64_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;

enum LogitType { FLOAT32, FLOAT64, FLOAT16, BFLOAT16 };
enum LabelType { UINT8, INT32, INT64 };
enum Column { COUNT, CROSS_ENTROPY, FOCAL, N_HARD, HARD, OVERLAP, PREDICTED, SQUARES, N_COLUMNS };
enum Outcome { DONE, OUT_OF_MEMORY };

// Strides are of elements: of images, channels (0 where there are none) and pixels.
struct View {
    void* data;
    i64 image, channel, pixel;
};

struct Problem {
    View logits, labels;
    i64 logit_type, label_type;
    i64 n_images, n_classes, n_pixels;
    i64 multiclass, has_ignore, ignore_index;
    double gamma, bound;
    i64 n_threads;
};

// What is null was not wanted; `pixels`, `predictions` and `confusion` are contiguous.
struct Answer {
    double* sums;
    void* pixels;
    i64* predictions;
    i64* confusion;
    i64* sound;
    i64 squares;
};

struct Slopes {
    const double* sums;
    View pixels, gradient;
};

}  // namespace
