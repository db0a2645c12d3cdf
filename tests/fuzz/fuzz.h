/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What fuzz targets share: the entry point, the input as a stream of values, and an assertion. A
 * target is fuzz_<name>.c with one LLVMFuzzerTestOneInput(); tests/fuzz/CMakeLists.txt finds it.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Judges one input: returns 0, or ends the process. Called any number of times. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that no input may break. */
#define FUZZ_ASSERT(expr)                                                                          \
    do {                                                                                           \
        if (!(expr)) {                                                                             \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #expr);                     \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct fuzz_input {
    const uint8_t *data;
    size_t left;
};

/* The next `n` bytes (at most 8), little-endian; zeroes after the end. */
static inline uint64_t fuzz_take(struct fuzz_input *in, size_t n)
{
    size_t have = n < in->left ? n : in->left;
    uint64_t value = 0;

    for (size_t i = 0; i < have; i++)
        value |= (uint64_t)in->data[i] << (8 * i);
    in->data += have;
    in->left -= have;
    return value;
}

static inline unsigned fuzz_take_below(struct fuzz_input *in, unsigned limit)
{
    return (unsigned)(fuzz_take(in, 2) % limit);
}

#endif
