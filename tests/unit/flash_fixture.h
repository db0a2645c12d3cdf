/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A VM with flash, and accesses to it as the exit path makes them. */
#ifndef TESTS_FLASH_FIXTURE_H
#define TESTS_FLASH_FIXTURE_H

#include "dev/cfi_flash.h"
#include "vm_fixture.h"

#define BANK1  UINT64_C(0x4000000)
#define SECTOR UINT64_C(0x40000)

static struct fixture f;
static struct cfi_flash flash;
static struct flash_store *store;

static inline void flash_setup(const struct flash_setup *setup)
{
    fixture_hv(&f, MIB(16), 1);
    fixture_create(&f, 1);
    store = NULL;
    if (setup != NULL)
        cr_assert_eq(flash_store_create(f.hv, setup, &store), HV_OK);
    cr_assert_eq(cfi_flash_init(&flash, f.vm, 0, store), HV_OK);
}

static inline void flash_finish(void)
{
    /* As vm_destroy() does: before the tables go, nobody runs. */
    fixture_destroy(&f, f.vm);
    f.vm = NULL;
    if (store != NULL)
        flash_store_destroy(store);
    fixture_end(&f);
}

static inline bool flash_write(uint64_t at, uint64_t value, uint8_t size)
{
    struct mmio_access access = {.offset = at, .size = size, .write = true};

    access.value = value & (UINT64_MAX >> (64 - 8 * size));
    return cfi_flash_access(&flash, &access);
}

static inline void w32(uint64_t at, uint32_t value)
{
    cr_assert(flash_write(at, value, 4));
}

static inline uint64_t flash_read(uint64_t at, uint8_t size)
{
    struct mmio_access access = {.offset = at, .size = size};

    cr_assert(cfi_flash_access(&flash, &access));
    cr_assert_eq(access.value & ~(UINT64_MAX >> (64 - 8 * size)), 0, "nothing above its size");
    return access.value;
}

static inline uint32_t r32(uint64_t at)
{
    return (uint32_t)flash_read(at, 4);
}

/* Where stage 2 has a page of it; 0: nowhere. */
static inline uint64_t flash_mapped(uint64_t at)
{
    struct s2_mapping mapping;

    if (s2_query(&f.vm->s2, ipa(at), &mapping) != HV_OK)
        return 0;
    cr_assert_eq(mapping.prot, S2_READ | S2_EXEC, "never writable");
    cr_assert_eq(mapping.type, S2_MEM_NORMAL);
    return mapping.pa.v;
}

#endif
