/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The double's guarded memory: what fuzzers lean on to see an access outside of a VM. */
#include "cases.h"
#include "fakehal/fakehal.h"
#include <string.h>

#define BASE UINT64_C(0x40000000)
#define PAGE UINT64_C(0x1000)

int __asan_address_is_poisoned(void const volatile *addr) __attribute__((weak));

static uint64_t mapped_base, mapped_len;

static void setup(void)
{
    fakehal_reset();
}

/* True if core could touch it, or nobody would see that it does. */
static bool is_open(const unsigned char *at)
{
    return __asan_address_is_poisoned == NULL || __asan_address_is_poisoned(at) == 0;
}

static bool is_closed(const unsigned char *at)
{
    return __asan_address_is_poisoned == NULL || __asan_address_is_poisoned(at) != 0;
}

CASE(fakehal_mem, open_only_while_it_is_mapped)
{
    fakehal_add_guarded_ram(pa(BASE), 4 * PAGE);
    unsigned char *own = fakehal_mem(pa(BASE), 4 * PAGE);
    unsigned char *core = hal_phys_map(pa(BASE + PAGE + 8), 16);
    cr_assert_neq(core, own + PAGE + 8, "a view of its own");
    own[PAGE + 9] = 7;
    cr_expect_eq(core[1], 7);
    cr_expect(is_open(core) && is_open(core + 15));
    cr_expect(is_closed(core - 1) && is_closed(core + 16), "not one byte more");
    unsigned char *again = hal_phys_map(pa(BASE + PAGE), 2 * PAGE);
    hal_phys_unmap(core, 16);
    cr_expect(is_open(core), "it is mapped once more");
    hal_phys_unmap(again, 2 * PAGE);
    cr_expect(is_closed(core) && is_closed(again + PAGE));
    cr_expect(is_open(own + PAGE));
}

CASE(fakehal_mem, guard_closes_what_is_mapped)
{
    fakehal_add_guarded_ram(pa(BASE), 4 * PAGE);
    unsigned char *core = hal_phys_map(pa(BASE), 4 * PAGE);
    fakehal_guard(pa(BASE + PAGE), 2 * PAGE);
    cr_expect(is_open(core) && is_open(core + 3 * PAGE));
    cr_expect(is_closed(core + PAGE) && is_closed(core + 2 * PAGE));
}

/* Whether it was kept or made anew. */
CASE(fakehal_mem, the_next_one_is_zero_and_closed)
{
    for (unsigned i = 0; i < 3; i++) {
        fakehal_add_guarded_ram(pa(BASE), 2 * PAGE);
        fakehal_add_ram(pa(2 * BASE), 2 * PAGE);
        unsigned char *core = hal_phys_map(pa(BASE + PAGE), PAGE);
        unsigned char *own = fakehal_mem(pa(BASE), PAGE);
        unsigned char *plain = fakehal_mem(pa(2 * BASE), PAGE);
        cr_assert(core[PAGE - 1] == 0 && own[PAGE - 1] == 0 && plain[0] == 0);
        cr_expect(is_closed(core - PAGE));
        core[PAGE - 1] = own[PAGE - 1] = plain[0] = 1;
        fakehal_reset();
        cr_expect(is_closed(plain), "nobody's");
    }
}

static void mapped(void *ctx, uint64_t base, uint64_t len)
{
    cr_expect_eq(ctx, &mapped_base);
    mapped_base = base;
    mapped_len = len;
}

CASE(fakehal_mem, a_test_sees_what_is_mapped)
{
    fakehal_add_ram(pa(BASE), PAGE);
    fakehal()->map = mapped;
    fakehal()->map_ctx = &mapped_base;
    cr_expect_null(hal_phys_map(pa(BASE + PAGE), 1));
    cr_expect_eq(mapped_len, 0);
    cr_expect_not_null(hal_phys_map(pa(BASE + 5), 6));
    cr_expect(mapped_base == BASE + 5 && mapped_len == 6);
}

static void unmap_twice_fails(void *ctx)
{
    (void)ctx;
    fakehal_add_guarded_ram(pa(BASE), PAGE);
    void *mem = hal_phys_map(pa(BASE), 8);
    hal_phys_unmap(mem, 8);
    hal_phys_unmap(mem, 8);
}

static void unmap_of_more_fails(void *ctx)
{
    (void)ctx;
    fakehal_add_guarded_ram(pa(BASE), 2 * PAGE);
    hal_phys_unmap(hal_phys_map(pa(BASE), PAGE), PAGE + 1);
}

static void guard_of_plain_memory_fails(void *ctx)
{
    (void)ctx;
    fakehal_add_ram(pa(BASE), PAGE);
    fakehal_guard(pa(BASE), PAGE);
}

CASE(fakehal_mem, misuse_fails_the_test)
{
    static void (*const misuse[])(void *ctx) = {unmap_twice_fails, unmap_of_more_fails,
                                                guard_of_plain_memory_fails};

    for (size_t i = 0; i < sizeof(misuse) / sizeof(misuse[0]); i++) {
        fakehal_reset();
        cr_expect(fakehal_expect_fail(misuse[i], NULL), "misuse %zu went through", i);
    }
}

CASES_RUN(fakehal_mem, setup, NULL)
