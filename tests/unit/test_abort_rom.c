/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Aborts of a guest that has flash (vm->rom): what is memory, what is the device's. */
#include "dev/cfi_flash.h"
#include "exit_fixture.h"
#include "mem/guest_mem.h"

#define PERM3 0x0fu
#define S1PTW (1u << 7)
#define CM    (1u << 8)
#define BANK1 UINT64_C(0x4000000)

static struct cfi_flash flash;
static struct flash_store *store;

static void rom_setup(void)
{
    static const unsigned char image[] = {1, 2, 3, 4};
    const struct flash_setup flash_setup = {.image = {{image, 4}, {image, 4}}};

    setup();
    cr_assert_eq(flash_store_create(f.hv, &flash_setup, &store), HV_OK);
    cr_assert_eq(cfi_flash_init(&flash, f.vm, 0, store), HV_OK);
}

static void rom_finish(void)
{
    fixture_destroy(&f, f.vm);
    f.vm = NULL;
    flash_store_destroy(store);
    finish();
}

static bool mapped(uint64_t at)
{
    struct s2_mapping mapping;

    return s2_query(&f.vm->s2, ipa(at), &mapping) == HV_OK;
}

/* True if the guest runs on at `pc`, false if it took an external abort. */
static bool went_on(uint64_t pc)
{
    bool aborted = el1_esr() != 0;

    if (!aborted)
        cr_expect_eq(f.vcpu->arch.pc, pc);
    rewind_guest();
    return !aborted;
}

static void fetch_abort(uint64_t iss, uint64_t at)
{
    sync(UINT64_C(0x20) << 26 | 1u << 25 | iss, at, (at >> 12) << 4);
}

CASE(abort_rom, a_load_is_answered_and_makes_it_memory)
{
    f.vcpu->arch.x[2] = 0;
    data_abort(ISV | SAS(2) | SRT(2) | TRANS3, BANK1);
    cr_expect(went_on(GUEST_ENTRY + 4));
    cr_expect_eq(f.vcpu->arch.x[2], 0x04030201);
    cr_expect(mapped(BANK1));
}

CASE(abort_rom, what_only_memory_can_answer_is_tried_again)
{
    static const struct {
        bool fetch;
        uint64_t iss;
    } rows[] = {
        {false, TRANS3},               /* LDP, LDXR */
        {true, TRANS3},                /* a fetch */
        {false, S1PTW | TRANS3},       /* a walk for a load */
        {false, S1PTW | WNR | TRANS3}, /* for a store, which only reads the table */
        {false, S1PTW | CM | WNR | 4}, /* for cache maintenance */
        {true, S1PTW | 6},             /* for a fetch */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t at = i * 0x40000 + 0x123000;
        cr_assert(!mapped(at));
        (rows[i].fetch ? fetch_abort : data_abort)(rows[i].iss, at);
        cr_expect(went_on(GUEST_ENTRY), "row %zu", i);
        cr_expect(mapped(at), "row %zu", i);
    }
}

CASE(abort_rom, what_is_not_answered_at_all)
{
    static const struct {
        bool fetch;
        uint64_t iss, at;
    } rows[] = {
        {false, WNR | TRANS3, BANK1},                      /* STP */
        {false, WNR | PERM3, BANK1},                       /* once more, where it is mapped */
        {false, ISV | WNR | SAS(2) | TRANS3, BANK1 + 2},   /* an unaligned store */
        {false, ISV | WNR | SAS(2) | PERM3, BANK1 + 2},    /* and so */
        {false, ISV | WNR | 1u << 10 | SAS(2) | PERM3, 0}, /* FnV: nobody knows where */
        {false, S1PTW | WNR | PERM3, BANK1},               /* the walker's flag in a table */
        {false, TRANS3, 0x8000000 + 0x01000000},           /* behind the flash: nothing there */
        {true, TRANS3, 0x09800000},                        /* nor to execute */
        {false, 0x0b, BANK1},                              /* access flag: not by our tables */
        {false, 0x10, BANK1},                              /* external */
        {true, PERM3, 0},                                  /* nothing is without execution */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (rows[i].fetch ? fetch_abort : data_abort)(rows[i].iss, rows[i].at);
        cr_expect(!went_on(0), "row %zu", i);
    }
}

CASE(abort_rom, cache_maintenance_has_nothing_to_do)
{
    static const uint64_t iss[] = {CM | WNR | TRANS3, CM | WNR | PERM3, ISV | CM | WNR | TRANS3};

    for (size_t i = 0; i < sizeof(iss) / sizeof(iss[0]); i++) {
        data_abort(iss[i], BANK1);
        cr_expect(went_on(GUEST_ENTRY + 4), "row %zu", i);
        cr_expect(!mapped(BANK1));
    }
    data_abort(CM | WNR | TRANS3, 0x09800000);
    cr_expect(!went_on(0), "not where there is no ROM");
}

/* A store to what is mapped: the address is the guest's own translation's, HPFAR_EL2 says nothing.
 */
CASE(abort_rom, a_store_to_it_is_the_devices)
{
    const uint64_t t = GUEST_RAM + 0x10000, poison = UINT64_C(0xdeadbee0);
    const uint64_t esr = UINT64_C(0x24) << 26 | 1u << 25 | ISV | WNR | SAS(2) | SRT(1) | PERM3;
    const uint64_t descriptor = BANK1 | 0x403;
    uint64_t level0 = (t + 0x1000) | 3;
    uint64_t level1 = (t + 0x2000) | 3;
    uint64_t level2 = (t + 0x3000) | 3;

    /* Stage 1 off. */
    data_abort(ISV | SAS(2) | TRANS3, 0);
    cr_assert(went_on(GUEST_ENTRY + 4));
    cr_assert(mapped(0));
    f.vcpu->arch.x[1] = 0x90;
    sync(esr, 0x8, poison);
    cr_expect(went_on(GUEST_ENTRY + 4));
    cr_expect_eq(flash.chips[0].mode, CFI_ID);
    cr_expect(!mapped(0));
    /* And on: VA 0x1008 is at 0x4000008. */
    cr_assert_eq(guest_mem_write(&f.vm->s2, ipa(t), &level0, 8), HV_OK);
    cr_assert_eq(guest_mem_write(&f.vm->s2, ipa(t + 0x1000), &level1, 8), HV_OK);
    cr_assert_eq(guest_mem_write(&f.vm->s2, ipa(t + 0x2000), &level2, 8), HV_OK);
    cr_assert_eq(guest_mem_write(&f.vm->s2, ipa(t + 0x3008), &descriptor, 8), HV_OK);
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_TCR_EL1, 16);
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_TTBR0_EL1, t);
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_SCTLR_EL1, 1);
    f.vcpu->arch.x[1] = 0x98;
    sync(esr, 0x1008, poison);
    cr_expect(went_on(GUEST_ENTRY + 4));
    cr_expect_eq(flash.chips[1].mode, CFI_QUERY);
    sync(esr, 0x2008, poison);
    cr_expect(!went_on(0), "stage 1 has changed since");
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_SCTLR_EL1, 0);
    sync(esr, UINT64_C(0x50000000), poison);
    cr_expect(!went_on(0), "not the flash's");
}

CASE(abort_rom, commands_are_no_memory)
{
    f.vcpu->arch.x[1] = 0x70;
    data_abort(ISV | WNR | SAS(2) | SRT(1) | TRANS3, BANK1);
    cr_expect(went_on(GUEST_ENTRY + 4));
    data_abort(TRANS3, BANK1);
    cr_expect(!went_on(0));
    fetch_abort(TRANS3, BANK1);
    cr_expect(!went_on(0));
    data_abort(ISV | SAS(2) | SRT(1) | TRANS3, BANK1);
    cr_expect(went_on(GUEST_ENTRY + 4));
    cr_expect_eq(f.vcpu->arch.x[1], 0x00800080);
}

CASES_RUN(abort_rom, rom_setup, rom_finish)
