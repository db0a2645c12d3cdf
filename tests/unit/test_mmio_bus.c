/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cases.h"
#include "prng.h"
#include "vm/mmio_bus.h"

static bool no_access(void *dev, struct mmio_access *access)
{
    (void)dev;
    (void)access;
    return false;
}

static hv_err add(struct mmio_bus *bus, uint64_t base, uint64_t size)
{
    const struct mmio_region region = {.base = base, .size = size, .access = no_access};

    return mmio_bus_add(bus, &region);
}

CASE(mmio_bus, finds_first_and_last_byte_only)
{
    struct mmio_bus bus = {0};

    cr_assert_null(mmio_bus_find(&bus, ipa(0x1000)), "empty bus");
    cr_assert_eq(add(&bus, 0x9000, 0x1000), HV_OK);
    cr_assert_eq(add(&bus, 0x1000, 0x10), HV_OK);
    cr_assert_eq(add(&bus, 0x1010, 0x10), HV_OK, "adjacent is not overlapping");
    cr_assert_null(mmio_bus_find(&bus, ipa(0)));
    cr_assert_null(mmio_bus_find(&bus, ipa(0xfff)));
    cr_assert_eq(mmio_bus_find(&bus, ipa(0x1000))->base, 0x1000);
    cr_assert_eq(mmio_bus_find(&bus, ipa(0x100f))->base, 0x1000);
    cr_assert_eq(mmio_bus_find(&bus, ipa(0x1010))->base, 0x1010);
    cr_assert_null(mmio_bus_find(&bus, ipa(0x1020)));
    cr_assert_eq(mmio_bus_find(&bus, ipa(0x9fff))->base, 0x9000);
    cr_assert_null(mmio_bus_find(&bus, ipa(0xa000)));
    cr_assert_null(mmio_bus_find(&bus, ipa(UINT64_MAX)));
}

CASE(mmio_bus, refuses_what_cannot_be)
{
    struct mmio_bus bus = {0};
    const struct mmio_region deaf = {.base = 0x1000, .size = 1};

    cr_assert_eq(add(&bus, 0x1000, 0), HV_ERR_INVAL);
    cr_assert_eq(mmio_bus_add(&bus, &deaf), HV_ERR_INVAL);
    cr_assert_eq(add(&bus, UINT64_MAX - 1, 3), HV_ERR_RANGE);
    cr_assert_eq(add(&bus, UINT64_MAX, 1), HV_OK, "the last byte of the space is a place");
    cr_assert_not_null(mmio_bus_find(&bus, ipa(UINT64_MAX)));
    cr_assert_eq(add(&bus, 0x1000, 0x1000), HV_OK);
    cr_assert_eq(add(&bus, 0x0, 0x1001), HV_ERR_EXIST);
    cr_assert_eq(add(&bus, 0x1fff, 1), HV_ERR_EXIST);
    cr_assert_eq(add(&bus, 0x1100, 0x10), HV_ERR_EXIST);
    cr_assert_eq(add(&bus, 0x0, 0x10000), HV_ERR_EXIST);
    cr_assert_eq(bus.count, 2);
}

CASE(mmio_bus, is_full_at_its_size)
{
    struct mmio_bus bus = {0};

    for (uint64_t i = 0; i < MMIO_BUS_REGIONS; i++)
        cr_assert_eq(add(&bus, 0x100000 - i * 0x1000, 0x1000), HV_OK);
    cr_assert_eq(add(&bus, 0x900000, 1), HV_ERR_NOMEM);
    for (uint32_t i = 1; i < bus.count; i++)
        cr_assert_lt(bus.region[i - 1].base, bus.region[i].base);
}

/* Against a map of 512 cells. */
CASE(mmio_bus, agrees_with_a_map)
{
    uint64_t seed = 7;

    for (unsigned round = 0; round < 100; round++) {
        struct mmio_bus bus = {0};
        uint64_t owner[512] = {0}; /* base + 1, or 0 */
        for (unsigned i = 0; i < 40; i++) {
            uint64_t base = prng_next(&seed) % 500;
            uint64_t size = 1 + prng_next(&seed) % 12;
            bool taken = false;
            for (uint64_t at = base; at < base + size; at++)
                taken = taken || owner[at] != 0;
            cr_assert_eq(add(&bus, base, size), taken ? HV_ERR_EXIST : HV_OK);
            for (uint64_t at = base; !taken && at < base + size; at++)
                owner[at] = base + 1;
        }
        for (uint64_t at = 0; at < 512; at++) {
            const struct mmio_region *region = mmio_bus_find(&bus, ipa(at));
            cr_assert_eq(region == NULL ? 0 : region->base + 1, owner[at]);
        }
    }
}

CASES_RUN(mmio_bus, NULL, NULL)
