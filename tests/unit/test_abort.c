/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "exit/abort.h"
#include "exit_fixture.h"

CASE(aborts, mmio_reads_of_every_size_and_sign)
{
    static const struct {
        uint64_t iss, expected;
        uint8_t size;
    } rows[] = {
        {SAS(0), 0x88, 1},
        {SAS(0) | SF, 0x88, 1},
        {SAS(0) | SSE, 0xffffff88, 1},
        {SAS(0) | SSE | SF, UINT64_C(0xffffffffffffff88), 1},
        {SAS(1), 0x9988, 2},
        {SAS(1) | SSE, 0xffff9988, 2},
        {SAS(1) | SSE | SF, UINT64_C(0xffffffffffff9988), 2},
        {SAS(2), 0xbbaa9988, 4},
        {SAS(2) | SF, 0xbbaa9988, 4},
        {SAS(2) | SSE | SF, UINT64_C(0xffffffffbbaa9988), 4},
        {SAS(3) | SF, UINT64_C(0xffeeddccbbaa9988), 8},
        {SAS(3) | SSE | SF, UINT64_C(0xffeeddccbbaa9988), 8},
    };

    /* A device that leaves rubbish above the size must not leak it. */
    dev.answer = UINT64_C(0xffeeddccbbaa9988);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned reg = 0; reg < 31; reg += 10) {
            rewind_guest();
            f.vcpu->arch.x[reg] = 0x5555;
            data_abort(ISV | SRT(reg) | TRANS3 | rows[i].iss, DEV_BASE + 0x18);
            cr_assert_eq(f.vcpu->arch.x[reg], rows[i].expected, "row %zu", i);
            cr_assert_eq(dev.last.size, rows[i].size);
            cr_assert_eq(dev.last.offset, 0x18);
            cr_assert(!dev.last.write);
            cr_assert_eq(dev.last.cpu, 0);
            cr_assert_eq(f.vcpu->arch.pc, GUEST_ENTRY + 4);
        }
    f.vcpu->arch.x[0] = 7;
    data_abort(ISV | SRT(31) | SAS(3) | SF | TRANS3, DEV_BASE);
    cr_assert_eq(f.vcpu->arch.x[0], 7, "a load of XZR goes nowhere");
    cr_assert_eq(el1_esr(), 0);
}

CASE(aborts, mmio_writes_of_every_size)
{
    static const uint64_t expected[] = {0x88, 0x9988, 0xbbaa9988, UINT64_C(0xffeeddccbbaa9988)};

    for (unsigned n = 0; n < 4; n++) {
        rewind_guest();
        f.vcpu->arch.x[30] = UINT64_C(0xffeeddccbbaa9988);
        data_abort(ISV | SAS(n) | SRT(30) | SF | WNR | TRANS3, DEV_BASE + 8);
        cr_assert(dev.last.write);
        cr_assert_eq(dev.last.size, 1u << n);
        cr_assert_eq(dev.last.value, expected[n]);
        cr_assert_eq(f.vcpu->arch.pc, GUEST_ENTRY + 4);
        data_abort(ISV | SAS(n) | SRT(31) | WNR | TRANS3, DEV_BASE + 8);
        cr_assert_eq(dev.last.value, 0, "XZR");
    }
    /* Level 0..3 translation faults and access flag faults alike. */
    for (unsigned fsc = 4; fsc < 12; fsc++)
        data_abort(ISV | SAS(2) | WNR | fsc, DEV_BASE);
    cr_assert_eq(dev.calls, 16);
}

/* SCTLR_EL1.EE (bit 25) is EL1's, E0E (bit 24) EL0's, PSTATE.E (bit 9) AArch32's own. */
CASE(aborts, byte_order_of_the_guest)
{
    static const struct {
        uint64_t pstate, sctlr;
        bool swapped;
    } rows[] = {
        {0x3c5, 0, false},        {0x3c5, 1u << 25, true}, {0x3c5, 1u << 24, false},
        {0x3c4, 1u << 25, true},  {0x000, 0, false},       {0x000, 1u << 25, false},
        {0x000, 1u << 24, true},  {0x200, 0, false}, /* PSTATE.D of AArch64 */
        {0x1d0, 3u << 24, false}, {0x3d0, 0, true},        {0x3f0, 0, true},
    };
    static const struct {
        uint64_t iss, little, big;
    } loads[] = {
        {SAS(0), 0x88, 0x88},
        {SAS(0) | SSE | SF, UINT64_C(0xffffffffffffff88), UINT64_C(0xffffffffffffff88)},
        {SAS(1), 0x7788, 0x8877},
        {SAS(1) | SSE | SF, 0x7788, UINT64_C(0xffffffffffff8877)},
        {SAS(1) | SSE, 0x7788, 0xffff8877},
        {SAS(2), 0x55667788, 0x88776655},
        {SAS(2) | SSE | SF, 0x55667788, UINT64_C(0xffffffff88776655)},
        {SAS(3) | SF, UINT64_C(0x1122334455667788), UINT64_C(0x8877665544332211)},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t k = 0; k < sizeof(loads) / sizeof(loads[0]); k++) {
            uint64_t size_mask = ~UINT64_C(0) >> (64 - 8 * (1u << (loads[k].iss >> 22 & 3)));
            hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_SCTLR_EL1, rows[i].sctlr);
            f.vcpu->arch.pstate = rows[i].pstate;
            f.vcpu->arch.x[3] = UINT64_C(0x1122334455667788);
            data_abort(ISV | SRT(3) | WNR | TRANS3 | (loads[k].iss & ~(uint64_t)SSE), DEV_BASE);
            cr_assert_eq(dev.last.value,
                         (rows[i].swapped ? loads[k].big : loads[k].little) & size_mask,
                         "store %zu, row %zu: %" PRIx64, k, i, dev.last.value);
            dev.answer = UINT64_C(0x1122334455667788);
            data_abort(ISV | SRT(3) | TRANS3 | loads[k].iss, DEV_BASE);
            cr_assert_eq(f.vcpu->arch.x[3], rows[i].swapped ? loads[k].big : loads[k].little,
                         "load %zu, row %zu", k, i);
        }
}

CASE(aborts, thumb_loads_are_two_bytes_long)
{
    f.vcpu->arch.pstate = 0x1f0;
    sync(UINT64_C(0x24) << 26 | ISV | SAS(2) | SRT(1) | TRANS3, DEV_BASE & 0xfff, DEV_BASE >> 8);
    cr_assert_eq(f.vcpu->arch.pc, GUEST_ENTRY + 2);
    data_abort(ISV | SAS(2) | SRT(1) | TRANS3, DEV_BASE);
    cr_assert_eq(f.vcpu->arch.pc, GUEST_ENTRY + 6);
    cr_assert_eq(dev.calls, 2);
}

CASE(aborts, what_no_device_takes_is_an_external_abort)
{
    static const struct {
        uint64_t iss, at, esr;
        unsigned calls;
    } rows[] = {
        {ISV | SAS(2) | TRANS3, 0x0b000000, 0x96000010, 0},       /* nobody there */
        {ISV | SAS(2) | WNR | TRANS3, 0x0b000000, 0x96000050, 0}, /* write */
        {ISV | SAS(3) | TRANS3, DEV_BASE + 0x1fc, 0x96000010, 0}, /* beyond the end */
        {ISV | SAS(2) | TRANS3, DEV_BASE - 2, 0x96000010, 0},     /* before the start */
        {TRANS3, DEV_BASE, 0x96000010, 0},                        /* no syndrome: LDP, LDXR */
        {WNR | TRANS3, DEV_BASE, 0x96000050, 0},                  /* STP */
        {WNR | 1u << 8 | TRANS3, DEV_BASE, 0x96000150, 0},        /* cache maintenance */
        {ISV | WNR | 1u << 8 | TRANS3, DEV_BASE, 0x96000150, 0},  /* with ISV, all the same */
        {ISV | SAS(2) | 0x0f, DEV_BASE, 0x96000010, 0},           /* permission: HPFAR unknown */
        {ISV | SAS(2) | 0x10, DEV_BASE, 0x96000010, 0},           /* external already */
        {1u << 10 | 0x10, DEV_BASE, 0x96000410, 0},               /* FnV stays */
        {0x00, DEV_BASE, 0x96000010, 0},                          /* address size */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rewind_guest();
        dev.calls = 0;
        data_abort(rows[i].iss, rows[i].at);
        cr_assert_eq(el1_esr(), rows[i].esr, "row %zu: %" PRIx64, i, el1_esr());
        cr_assert_eq(f.vcpu->arch.pc, 0x40100200);
        cr_assert_eq(fixture_sys(&f, ARCH_ELR_EL1), GUEST_ENTRY);
        cr_assert_eq(dev.calls, rows[i].calls);
        cr_assert_eq(fixture_sys(&f, ARCH_FAR_EL1),
                     (rows[i].iss & 1u << 10) != 0 ? 0 : 0xffff000000000000 | (rows[i].at & 0xfff));
    }
    rewind_guest();
    dev.refuse = true;
    data_abort(ISV | SAS(0) | TRANS3, DEV_BASE);
    cr_assert_eq(dev.calls, 1);
    cr_assert_eq(el1_esr(), 0x96000010, "refused by the device");
    cr_assert_eq(fixture_sys(&f, ARCH_ELR_EL1), GUEST_ENTRY);
    cr_assert_eq(f.vm->state, VM_RUNNING);
}

CASE(aborts, instruction_aborts)
{
    const uint64_t iabt = UINT64_C(0x20) << 26 | 1u << 25;

    sync(iabt | 0x07, DEV_BASE, DEV_BASE >> 8);
    cr_assert_eq(el1_esr(), 0x86000010, "a fetch from a device");
    cr_assert_eq(fixture_sys(&f, ARCH_FAR_EL1), DEV_BASE);
    cr_assert_eq(dev.calls, 0);
    rewind_guest();
    f.vcpu->arch.pstate = 0;
    sync(iabt | 0x05, 0x5000, 0x50);
    cr_assert_eq(el1_esr(), 0x82000010, "from EL0");
    cr_assert_eq(f.vcpu->arch.pc, 0x40100400);
}

/* A stage-1 table in a device: 4 KiB granule, 39 bits, level 1 table at DEV_BASE. */
CASE(aborts, stage_1_tables_in_a_device)
{
    const uint64_t s1ptw = 1u << 7;

    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_TCR_EL1, 25);
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_TTBR0_EL1, DEV_BASE);
    sync(UINT64_C(0x24) << 26 | 1u << 25 | s1ptw | TRANS3, 0x1234, DEV_BASE >> 8);
    cr_assert_eq(el1_esr(), 0x96000015, "level 1 of the guest's walk");
    cr_assert_eq(fixture_sys(&f, ARCH_FAR_EL1), 0x1234);
    rewind_guest();
    sync(UINT64_C(0x20) << 26 | 1u << 25 | s1ptw | TRANS3, 0x1234, DEV_BASE >> 8);
    cr_assert_eq(el1_esr(), 0x86000015);
    rewind_guest();
    sync(UINT64_C(0x24) << 26 | 1u << 25 | ISV | s1ptw | TRANS3, 0x1234, 0);
    cr_assert_eq(el1_esr(), 0x96000014, "not found: level 0");
    cr_assert_eq(dev.calls, 0);
}

CASE(aborts, faults_that_stage_2_cannot_give_end_the_vm)
{
    data_abort(0x30, DEV_BASE); /* TLB conflict */
    cr_assert_eq(f.vm->state, VM_CRASHED);
    cr_assert(fakehal_console_has("error vm: g stopped: vCPU 0, PC 0x40080000: "));
}

CASE(aborts, reserved_fault_codes_end_the_vm)
{
    data_abort(0x1a, DEV_BASE);
    cr_assert_eq(f.vm->state, VM_CRASHED);
}

static bool other_access(void *ctx, struct mmio_access *access)
{
    (void)ctx;
    access->value = 0x77;
    return true;
}

/* The device of the last access is tried first, and no other access goes to it. */
CASE(aborts, mmio_goes_to_the_device_at_the_address)
{
    const struct mmio_region other = {DEV_BASE + DEV_SIZE, 0x10, other_access, NULL, "other"};

    cr_assert_eq(mmio_bus_add(&f.vm->bus, &other), HV_OK);
    for (unsigned i = 0; i < 3; i++) {
        dev.answer = 0x11;
        data_abort(ISV | SAS(0) | SRT(1) | TRANS3, DEV_BASE + DEV_SIZE - 1);
        cr_assert_eq(f.vcpu->arch.x[1], 0x11);
        data_abort(ISV | SAS(0) | SRT(1) | TRANS3, DEV_BASE + DEV_SIZE);
        cr_assert_eq(f.vcpu->arch.x[1], 0x77);
        rewind_guest();
        data_abort(ISV | SAS(0) | SRT(1) | TRANS3, DEV_BASE + DEV_SIZE + 0x10);
        cr_assert_eq(el1_esr(), 0x96000010);
    }
    cr_assert_eq(dev.calls, 3);
}

CASES_RUN(aborts, setup, finish)
