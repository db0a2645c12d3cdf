/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Discovery of a machine from the tree that fdt_fixture.h holds, for the tests of boot/platform.c.
 */
#ifndef TESTS_PLATFORM_FIXTURE_H
#define TESTS_PLATFORM_FIXTURE_H

#include "boot/fdt_util.h"
#include "boot/platform.h"
#include "fdt_fixture.h"
#include "prng.h"
#include <stdio.h>

static struct hal_platform out;
static char reason[PLATFORM_REASON_MAX];

static inline hv_err discover(void)
{
    return platform_discover(tree, sizeof(tree), 0x80000000, &out, reason);
}

#define EXPECT_OK() cr_assert_eq(discover(), HV_OK, "%s", reason)
#define EXPECT_REFUSED(err, text)                                                                  \
    do {                                                                                           \
        cr_assert_eq(discover(), err, "%s", reason);                                               \
        cr_assert_neq(strstr(reason, text), NULL, "%s", reason);                                   \
    } while (0)

static inline void expect_range(const struct platform_range *range, uint64_t base, uint64_t size)
{
    cr_expect_eq(range->base, base, "%llx", (unsigned long long)range->base);
    cr_expect_eq(range->size, size, "%llx", (unsigned long long)range->size);
}

#endif
