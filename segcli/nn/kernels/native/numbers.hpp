// Number formats, and the functions of one number that losses are made of.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "problem.hpp"

namespace {

struct Half {
    u16 bits;
};

struct Bfloat {
    u16 bits;
};

template <class To, class From>
inline To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From), "the same bits");
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

inline float widened(float x) { return x; }
inline double widened(double x) { return x; }
inline float widened(Bfloat x) { return bits_as<float>(u32(x.bits) << 16); }

inline float widened(Half x) {
    // Moved into place, the exponent is 112 too small, whether the number is normal or not; multiplying mends both.
    const float size = bits_as<float>(u32(x.bits & 0x7fff) << 13) * 0x1p112f;
    const u32 endless = size >= 0x1p16f ? 0x7f800000u : 0u;
    return bits_as<float>(bits_as<u32>(size) | endless | u32(x.bits & 0x8000) << 16);
}

inline void narrow(float x, float& to) { to = x; }
inline void narrow(double x, double& to) { to = x; }

inline void narrow(float x, Bfloat& to) {
    const u32 bits = bits_as<u32>(x);
    const u32 rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    to.bits = u16(x == x ? rounded : 0x7fc0u);
}

inline void narrow(float x, Half& to) {
    const u32 bits = bits_as<u32>(x), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
    // Adding 1/2 leaves, in the last bits of the sum, the number in units of 2^-24: the subnormals' own.
    const u32 small = bits_as<u32>(bits_as<float>(size) + 0.5f) - 0x3f000000u;
    const u32 normal = (size - 0x38000000u + 0xfffu + (size >> 13 & 1u)) >> 13;
    const u32 finite = size < 0x38800000u ? small : normal;
    const u32 large = size > 0x7f800000u ? 0x7e00u : 0x7c00u;
    to.bits = u16(sign | (size >= 0x477ff000u ? large : finite));
}

// The functions below are for 0 or less, for 1 or more, ... as they say; what they give for others is only sure not to
// trap. The coefficients are minimax, by Remez's algorithm, of the form that stands beside them. They are within two
// units in the last place.

// exp(x), x <= 0: 0 below -87, where floats end.
inline float exp_of(float x) {
    const float shifter = 0x1.8p23f;  // adding it rounds to whole numbers, which its last bits then hold
    const float shifted = x * 1.44269504f + shifter;
    const float whole = shifted - shifter;
    const float r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    // exp(r) = 1 + r + r^2 q(r), |r| <= log(2) / 2
    const float q = 0.5000000095f +
                    r * (0.1666651884f + r * (0.04166620579f + r * (0.008368889351f + r * 0.001395049195f)));
    const float power = 1.0f + (r + r * r * q);
    const float scaled = bits_as<float>(bits_as<u32>(power) + (bits_as<u32>(shifted) << 23));
    return x < -87.0f ? 0.0f : scaled;
}

// log(x), x normal and positive.
inline float log_of(float x) {
    const u32 bits = bits_as<u32>(x), root = 0x3f3504f3u;  // the square root of 1/2
    const u32 exponent = (bits - root) & 0xff800000u;
    const float f = bits_as<float>(bits - exponent) - 1.0f;
    const float whole = float(i32(exponent) >> 23);
    // log(1 + f) = f - f^2 / 2 + f^3 q(f), 1 + f from the root of 1/2 to that of 2
    float q = 0.1288164125f + f * -0.07859612601f;
    q = 0.141811929f + f * (-0.1312875162f + f * q);
    q = 0.3333331673f + f * (-0.2500081039f + f * (0.2000228623f + f * (-0.1662455451f + f * q)));
    const float rest = f * f * (f * q - 0.5f) - whole * 2.12194440e-4f;
    return (f + rest) + whole * 0.693359375f;
}

// log(1 + x), 0 <= x <= 1.
inline float log1p_of(float x) {
    const float sum = 1.0f + x;
    return log_of(sum) + (x - (sum - 1.0f)) / sum;
}

// 1 - p where x = -log(p), x >= 0.
inline float complement_of(float x, float p) {
    // 1 - exp(-x) = x + x^2 q(x), 0 <= x <= 1/2
    const float q = -0.4999998752f +
                    x * (0.166663088f + x * (-0.04163324652f + x * (0.00819612629f + x * -0.00112823248f)));
    return x < 0.5f ? x + x * x * q : 1.0f - p;
}

inline double exp_of(double x) { return std::exp(x); }
inline double log_of(double x) { return std::log(x); }
inline double log1p_of(double x) { return std::log1p(x); }
inline double complement_of(double x, double) { return -std::expm1(-x); }

// wrong^gamma for wrong from 0 to 1; 1 where gamma is 0.
template <class S>
void raise(const S* wrong, double gamma, i64 n, S* power) {
    const S exponent = S(gamma);
    if (gamma == 0) {
        std::fill(power, power + n, S(1));
    } else if (gamma == 1) {
        std::copy(wrong, wrong + n, power);
    } else if (gamma == 2) {
        SIMD for (i64 i = 0; i < n; ++i) power[i] = wrong[i] * wrong[i];
    } else if (gamma == 3) {
        SIMD for (i64 i = 0; i < n; ++i) power[i] = wrong[i] * wrong[i] * wrong[i];
    } else {
        const S least = std::numeric_limits<S>::min();
        SIMD for (i64 i = 0; i < n; ++i) {
            const S some = exp_of(exponent * log_of(wrong[i] > least ? wrong[i] : least));
            power[i] = wrong[i] > least ? some : S(0);
        }
    }
}

}  // namespace
