/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the compiler makes core call with -fsanitize=thread, in the place of libtsan: each access to
 * memory that others may see, and each atomic operation, which is an interleaving point. And what
 * core calls in the place of the C library's functions for memory. No other thread of the process
 * is there, so that an atomic operation is an ordinary one.
 */
#include "hal-sim/internal.h"
#include "hal-sim/race_priv.h"
#include <string.h>

#define HERE __builtin_return_address(0)

static void plain(const void *at, size_t size, enum race_kind kind, const void *where)
{
    if (race_watches())
        race_note(at, size, kind, where);
}

/* --- Plain accesses --- */

void __tsan_init(void);
void __tsan_init(void)
{
}

#define ACCESSES(size)                                                                             \
    void __tsan_read##size(const void *at);                                                        \
    void __tsan_write##size(void *at);                                                             \
    void __tsan_read##size(const void *at)                                                         \
    {                                                                                              \
        plain(at, size, RACE_READ, HERE);                                                          \
    }                                                                                              \
    void __tsan_write##size(void *at)                                                              \
    {                                                                                              \
        plain(at, size, RACE_WRITE, HERE);                                                         \
    }

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(const void *at, size_t size);
void __tsan_read_range(const void *at, size_t size)
{
    plain(at, size, RACE_READ, HERE);
}

void __tsan_write_range(void *at, size_t size);
void __tsan_write_range(void *at, size_t size)
{
    plain(at, size, RACE_WRITE, HERE);
}

/* --- Memory: race_NAME is what core's NAME becomes (tests/explore/CMakeLists.txt) --- */

void *race_memcpy(void *to, const void *from, size_t size);
void *race_memcpy(void *to, const void *from, size_t size)
{
    plain(from, size, RACE_READ, HERE);
    plain(to, size, RACE_WRITE, HERE);
    return memcpy(to, from, size);
}

void *race_memmove(void *to, const void *from, size_t size);
void *race_memmove(void *to, const void *from, size_t size)
{
    plain(from, size, RACE_READ, HERE);
    plain(to, size, RACE_WRITE, HERE);
    return memmove(to, from, size);
}

void *race_memset(void *to, int byte, size_t size);
void *race_memset(void *to, int byte, size_t size)
{
    plain(to, size, RACE_WRITE, HERE);
    return memset(to, byte, size);
}

int race_memcmp(const void *one, const void *other, size_t size);
int race_memcmp(const void *one, const void *other, size_t size)
{
    plain(one, size, RACE_READ, HERE);
    plain(other, size, RACE_READ, HERE);
    return memcmp(one, other, size);
}

/* --- Atomic operations --- */

/* The order argument is that of the C11 memory model, with room for hints of the compiler. */
#define ORDER_MASK 0x7fff

static void load(const volatile void *at, size_t size, int order, const void *where)
{
    const void *object = (const void *)(uintptr_t)at; // NOLINT(performance-no-int-to-ptr)

    if (!race_watches())
        return;
    race_load(object, order & ORDER_MASK);
    race_note(object, size, RACE_ATOMIC, where);
}

static void store(const volatile void *at, size_t size, int order, bool modify, const void *where)
{
    const void *object = (const void *)(uintptr_t)at; // NOLINT(performance-no-int-to-ptr)

    if (!race_watches())
        return;
    if (modify)
        race_load(object, order & ORDER_MASK);
    race_note(object, size, RACE_ATOMIC_WRITE, where);
    race_store(object, order & ORDER_MASK, modify);
}

#define MODIFY(bits, name, expression)                                                             \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *at, uint##bits##_t value, \
                                                int order);                                        \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *at, uint##bits##_t value, \
                                                int order)                                         \
    {                                                                                              \
        explore_point(HERE);                                                                       \
        uint##bits##_t old = *at;                                                                  \
        *at = (uint##bits##_t)(expression);                                                        \
        store(at, sizeof(*at), order, true, HERE);                                                 \
        return old;                                                                                \
    }

#define COMPARE(bits, name)                                                                        \
    int __tsan_atomic##bits##_compare_exchange_##name(                                             \
        volatile uint##bits##_t *at, uint##bits##_t *expected, uint##bits##_t value, int order,    \
        int fail_order);                                                                           \
    int __tsan_atomic##bits##_compare_exchange_##name(                                             \
        volatile uint##bits##_t *at, uint##bits##_t *expected, uint##bits##_t value, int order,    \
        int fail_order)                                                                            \
    {                                                                                              \
        explore_point(HERE);                                                                       \
        if (*at == *expected) {                                                                    \
            *at = value;                                                                           \
            store(at, sizeof(*at), order, true, HERE);                                             \
            return 1;                                                                              \
        }                                                                                          \
        load(at, sizeof(*at), fail_order, HERE);                                                   \
        *expected = *at;                                                                           \
        return 0;                                                                                  \
    }

#define ATOMICS(bits)                                                                              \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order);       \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order)        \
    {                                                                                              \
        explore_point(HERE);                                                                       \
        load(at, sizeof(*at), order, HERE);                                                        \
        return *at;                                                                                \
    }                                                                                              \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t value,            \
                                     int order);                                                   \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t value, int order) \
    {                                                                                              \
        explore_point(HERE);                                                                       \
        *at = value;                                                                               \
        store(at, sizeof(*at), order, false, HERE);                                                \
    }                                                                                              \
    MODIFY(bits, exchange, value)                                                                  \
    MODIFY(bits, fetch_add, old + value)                                                           \
    MODIFY(bits, fetch_sub, old - value)                                                           \
    MODIFY(bits, fetch_and, old &value)                                                            \
    MODIFY(bits, fetch_or, old | value)                                                            \
    MODIFY(bits, fetch_xor, old ^ value)                                                           \
    COMPARE(bits, strong)                                                                          \
    COMPARE(bits, weak)

ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
    explore_point(HERE);
    if (race_watches())
        race_fence(order & ORDER_MASK);
}

void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
    (void)order;
}
