// The kernel of the backend `compiled`: what `problem.py` asks, from one read of the logits.
//
// Pixels are taken a tile at a time: a few hundred of one image, all classes, so that what is computed on stays in the
// nearest caches. A tile's logits are copied (and converted) into rows, a class a row; after that there are only loops
// over pixels that a compiler turns into vector instructions. Tiles are grouped in blocks, which threads take from a
// counter. A block adds up on its own, and the blocks are added in their order: the answer has the same bits with any
// number of threads.
//
// Padding: rows are whole vectors, and one row of zeros follows the last class. Pixels that do not count, the padding
// among them, have the row after the last as theirs, so that no loop over pixels asks which ones count.

#include "native/argmax.hpp"
#include "native/backward.hpp"
#include "native/forward.hpp"

namespace {

// Calls `then` with the functions for a problem's dtypes.
template <class S, class Element, class Then>
Outcome with_labels(const Problem& problem, Then then) {
    Access<S> access{load<Element, S>, foresee<Element>, store<Element, S>, clear<Element>, read_labels<std::uint8_t>};
    if (problem.label_type == INT32) access.read_labels = read_labels<i32>;
    if (problem.label_type == INT64) access.read_labels = read_labels<i64>;
    return then(access);
}

template <class Then>
Outcome with_access(const Problem& problem, Then then) {
    // An exception must not leave this library.
    try {
        switch (problem.logit_type) {
            case FLOAT64: return with_labels<double, double>(problem, then);
            case FLOAT16: return with_labels<float, Half>(problem, then);
            case BFLOAT16: return with_labels<float, Bfloat>(problem, then);
            default: return with_labels<float, float>(problem, then);
        }
    } catch (const std::bad_alloc&) {
        return OUT_OF_MEMORY;
    }
}

}  // namespace

extern "C" {

int segcli_forward(const Problem* problem, const Answer* answer) {
    return with_access(*problem, [&](const auto& access) { return forward(*problem, *answer, access); });
}

int segcli_backward(const Problem* problem, const Slopes* slopes) {
    return with_access(*problem, [&](const auto& access) { return backward(*problem, *slopes, access); });
}

int segcli_argmax(const Problem* problem, i64* predictions) {
    return with_access(*problem, [&](const auto& access) { return argmax(*problem, predictions, access); });
}

}  // extern "C"
