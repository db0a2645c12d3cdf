/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A bundle that a test makes and then changes, and what the parser says about it. */
#ifndef TESTS_BUNDLE_FIXTURE_H
#define TESTS_BUNDLE_FIXTURE_H

#include "boot/bundle.h"
#include "dev/registry.h"
#include "fdt_fixture.h"

#define VM "/vms/linux"

static const struct dev_registry *registry = &dev_registry;
static struct hv_config out;
static char reason[BUNDLE_REASON_MAX];

/* The smallest bundle that is accepted. */
static inline void bundle(void)
{
    tree_new();
    tree_string("/", "compatible", "halcyon,bundle");
    tree_string(VM, "compatible", "halcyon,vm");
    tree_u64(VM, "memory-size", 0x20000000);
    tree_bytes(VM, "kernel", "KERNEL", 6);
}

static inline hv_err parse(void)
{
    return bundle_parse(tree, sizeof(tree), registry, &out, reason);
}

#define EXPECT_OK() cr_assert_eq(parse(), HV_OK, "%s", reason)
#define EXPECT_REFUSED(err, text)                                                                  \
    do {                                                                                           \
        cr_assert_eq(parse(), err, "%s", reason);                                                  \
        cr_assert_str_eq(reason, text);                                                            \
    } while (0)

/* The smallest bundle with one more property, or another value of one, is refused. */
static inline void expect_bad(const char *path, const char *name, const void *data, size_t len,
                              hv_err err, const char *text)
{
    bundle();
    tree_bytes(path, name, data, len);
    EXPECT_REFUSED(err, text);
}

#endif
