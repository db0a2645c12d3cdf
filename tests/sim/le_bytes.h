/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Numbers in files, little-endian, at any place. */
#ifndef TESTS_SIM_LE_BYTES_H
#define TESTS_SIM_LE_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline void le_put(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static inline uint64_t le_get(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;

    for (size_t i = bytes; i-- > 0;)
        value = value << 8 | at[i];
    return value;
}

#endif
