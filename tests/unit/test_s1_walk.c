/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Tables are laid out by hand: an entry for index n of a table at T lies at T + 8 n. */
#include "exit/s1_walk.h"
#include "mem/guest_mem.h"
#include "vm_fixture.h"

static struct fixture f;

static void setup(void)
{
    fixture_start(&f, 1);
}

static void finish(void)
{
    fixture_end(&f);
}

static void entry(uint64_t at, uint64_t descriptor)
{
    cr_assert_eq(guest_mem_write(&f.vm->s2, ipa(at), &descriptor, 8), HV_OK);
}

static void regime(uint64_t tcr, uint64_t ttbr0, uint64_t ttbr1)
{
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_TCR_EL1, tcr);
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_TTBR0_EL1, ttbr0);
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_TTBR1_EL1, ttbr1);
}

static int level(uint64_t at, uint64_t fault)
{
    return s1_walk_level(f.vcpu, va(at), ipa(fault));
}

/* 48 bits, 4 KiB: VA 0x0000_8080_4020_1000 has index 1 at each level (bits 47:39, 38:30, 29:21,
 * 20:12). */
CASE(s1_walk, four_levels_of_4k)
{
    const uint64_t at = UINT64_C(0x8040201000), t = GUEST_RAM + 0x10000;

    /* ASID, CnP and what lies below the table's alignment are no address bits. */
    regime(16, t | UINT64_C(1) << 48 | 0x7f, 0);
    cr_assert_eq(level(at, t + 8), 0);
    entry(t + 8, (t + 0x1000) | 3);
    cr_assert_eq(level(at, t + 0x1008), 1);
    entry(t + 0x1008, (t + 0x2000) | 3 | UINT64_C(1) << 59); /* PXNTable */
    cr_assert_eq(level(at, t + 0x2abc), 2, "the page counts, not the offset");
    entry(t + 0x2008, UINT64_C(0x0a000000) | 3);
    cr_assert_eq(level(at, 0x0a000000), 3);
    cr_assert_eq(level(at, 0x0b000000), 0, "nowhere");
    entry(t + 0x2008, UINT64_C(0x0a000000) | 1); /* a block */
    cr_assert_eq(level(at, 0x0a000000), 0);
    entry(t + 0x2008, UINT64_C(0x0a000000));
    cr_assert_eq(level(at, 0x0a000000), 0, "invalid");
    entry(t + 8, UINT64_C(0x0c000000) | 3); /* whose entry cannot be read */
    cr_assert_eq(level(at, 0x0d000000), 0);
}

/* TTBR1, 4 KiB (TG1 2), 39 bits: starts at level 1. */
CASE(s1_walk, upper_half)
{
    const uint64_t t = GUEST_RAM + 0x20000, at = UINT64_C(0xffffff8080200000);

    regime(UINT64_C(25) << 16 | UINT64_C(2) << 30, 0x0a000000, t);
    cr_assert_eq(level(at, t), 1);
    /* bits 38:30 of the address are 2, bits 29:21 are 1 */
    entry(t + 16, UINT64_C(0x0a000000) | 3);
    cr_assert_eq(level(at, 0x0a000000), 2);
}

/* 16 KiB (TG0 2), 47 bits: level 1 (bits 46:36), 2 (35:25), 3 (24:14). */
CASE(s1_walk, granule_of_16k)
{
    const uint64_t t = GUEST_RAM + 0x30000, at = UINT64_C(0x1002004000);

    regime(17 | UINT64_C(2) << 14, t, 0);
    cr_assert_eq(level(at, t), 1);
    entry(t + 8, (t + 0x4000) | 3);
    cr_assert_eq(level(at, t + 0x4000), 2);
    entry(t + 0x4008, UINT64_C(0x0a004000) | 3);
    cr_assert_eq(level(at, 0x0a004000), 3);
}

/* 64 KiB (TG1 3), 48 bits: level 1 (bits 47:42), 2 (41:29), 3 (28:16). */
CASE(s1_walk, granule_of_64k)
{
    const uint64_t t = GUEST_RAM + 0x40000, at = UINT64_C(0xffff042020010000);

    regime(UINT64_C(16) << 16 | UINT64_C(3) << 30, 0, t);
    cr_assert_eq(level(at, t), 1);
    entry(t + 8, (t + 0x10000) | 3);
    cr_assert_eq(level(at, t + 0x10800), 2, "index 0x101 lies at 0x808, in the first page");
    entry(t + 0x10808, UINT64_C(0x0a000000) | 3);
    cr_assert_eq(level(at, 0x0a000000), 3);
}

/* 26 bits: one table of 32 entries at level 2, aligned to 256 bytes only. */
CASE(s1_walk, small_table)
{
    const uint64_t t = GUEST_RAM + 0x50100;

    regime(38, t, 0);
    cr_assert_eq(level(0x200000, t), 2);
    entry(t + 8, UINT64_C(0x0a000000) | 3);
    cr_assert_eq(level(0x200000, 0x0a000000), 3);
}

CASE(s1_walk, big_endian_tables)
{
    const uint64_t t = GUEST_RAM + 0x60000;

    regime(25, t, 0);
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_SCTLR_EL1, 1u << 25);
    entry(t, UINT64_C(0x0300000a00000000)); /* 0x0a000003, bytes swapped */
    cr_assert_eq(level(0, 0x0a000000), 2);
}

CASE(s1_walk, settings_that_make_no_walk)
{
    regime(16 | UINT64_C(3) << 14, GUEST_RAM, 0); /* reserved TG0 */
    cr_assert_eq(level(0, GUEST_RAM), 0);
    regime(0, GUEST_RAM, 0); /* 64 bits */
    cr_assert_eq(level(0, 0x1000), 0);
    regime(63, GUEST_RAM, 0); /* 1 bit */
    cr_assert_eq(level(0, 0x1000), 0);
    regime(12, GUEST_RAM, 0); /* 52 bits */
    cr_assert_eq(level(0, GUEST_RAM), 0);
}

/* --- Translation --- */

static void on(uint64_t sctlr)
{
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_SCTLR_EL1, sctlr | 1);
}

/* What the walk gives; ~0 if it gives nothing. */
static uint64_t translate(uint64_t at)
{
    ipa_t out = ipa(0);

    return s1_walk_translate(f.vcpu, va(at), &out) == HV_OK ? out.v : UINT64_MAX;
}

CASE(s1_walk, without_stage_1_addresses_are_their_own)
{
    regime(0, 0, 0);
    cr_assert_eq(translate(0x12345678), 0x12345678);
    on(0);
    cr_assert_eq(translate(0x12345678), UINT64_MAX, "settings that no walk starts with");
}

CASE(s1_walk, translates_pages_and_blocks)
{
    const uint64_t at = UINT64_C(0x8040201abc), t = GUEST_RAM + 0x10000;

    regime(16, t, 0);
    on(0);
    cr_assert_eq(translate(at), UINT64_MAX, "invalid at level 0");
    entry(t + 8, (t + 0x1000) | 3);
    entry(t + 0x1008, (t + 0x2000) | 3);
    entry(t + 0x2008, (t + 0x3000) | 3);
    entry(t + 0x3008, UINT64_C(0x0060123456789403)); /* attributes above and below */
    cr_assert_eq(translate(at), UINT64_C(0x123456789abc));
    entry(t + 0x3008, UINT64_C(0x123456789401));
    cr_assert_eq(translate(at), UINT64_MAX, "no block at level 3");
    entry(t + 0x3008, 2);
    cr_assert_eq(translate(at), UINT64_MAX, "bit 0 clear: invalid");
    entry(t + 0x2008, UINT64_C(0x0060000077600401)); /* 2 MiB */
    cr_assert_eq(translate(at), UINT64_C(0x77601abc));
    entry(t + 0x1008, UINT64_C(0x00600001c0000401)); /* 1 GiB */
    cr_assert_eq(translate(at), UINT64_C(0x1c0201abc));
    entry(t + 8, UINT64_C(0x0c000000) | 3);
    cr_assert_eq(translate(at), UINT64_MAX, "a table that is not in memory");
}

CASE(s1_walk, translates_upper_half_and_big_endian)
{
    const uint64_t t = GUEST_RAM + 0x30000, at = UINT64_C(0xffff042020010123);

    /* 64 KiB: level 1 (bits 47:42), 2 (41:29), 3 (28:16). */
    regime(UINT64_C(16) << 16 | UINT64_C(3) << 30, 0, t);
    on(1u << 25);
    entry(t + 8, __builtin_bswap64((t + 0x10000) | 3));
    entry(t + 0x10808, __builtin_bswap64((t + 0x20000) | 3));
    entry(t + 0x20008, __builtin_bswap64(UINT64_C(0x0a7f0003)));
    cr_assert_eq(translate(at), UINT64_C(0x0a7f0123));
}

CASES_RUN(s1_walk, setup, finish)
