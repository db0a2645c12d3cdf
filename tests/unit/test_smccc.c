/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "prng.h"
#include "psci/smccc.h"
#include "vm_fixture.h"

#define NOT_SUPPORTED UINT64_C(0xffffffffffffffff)
#define INVALID       UINT64_C(0xfffffffffffffffe)
#define ALREADY_ON    UINT64_C(0xfffffffffffffffc)
#define ON_PENDING    UINT64_C(0xfffffffffffffffb)
#define BAD_ADDRESS   UINT64_C(0xfffffffffffffff7)

static struct fixture f;

static void setup(void)
{
    fixture_start(&f, 3);
}

static void finish(void)
{
    fixture_end(&f);
}

static uint64_t call(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
    struct arch_vcpu *arch = &f.vcpu->arch;
    const uint64_t args[] = {x0, x1, x2, x3};

    memcpy(arch->x, args, sizeof(args));
    for (unsigned i = 4; i < 31; i++)
        arch->x[i] = 0x100 + i;
    smccc_dispatch(f.vcpu, 0);
    for (unsigned i = 4; i < 31; i++)
        cr_assert_eq(arch->x[i], 0x100 + i, "x%u is preserved", i);
    return arch->x[0];
}

CASE(smccc, versions)
{
    cr_assert_eq(call(0x84000000, 0, 0, 0), 0x10001, "PSCI 1.1");
    cr_assert_eq(call(0x80000000, 0, 0, 0), 0x10001, "SMCCC 1.1");
    cr_assert_eq(call(UINT64_C(0xdeadbeef84000000), 0, 0, 0), 0x10001, "only w0 counts");
    cr_assert_eq(call(0x84000006, 0, 0, 0), 2, "MIGRATE_INFO_TYPE");
}

CASE(smccc, features)
{
    static const uint32_t psci[] = {
        0x84000000, 0x84000001, 0x84000002, 0x84000003, 0x84000004, 0x84000006, 0x84000008,
        0x84000009, 0x8400000a, 0x8400000c, 0x8400000e, 0x84000010, 0x84000011, 0x84000012,
        0x84000013, 0x84000014, 0xc4000001, 0xc4000003, 0xc4000004, 0xc400000c, 0xc400000e,
        0xc4000010, 0xc4000011, 0xc4000012, 0xc4000014, 0x80000000,
    };
    static const uint32_t absent[] = {
        0x84000005, 0xc4000005, 0x84000007, 0xc4000007, 0x8400000b, 0x8400000d,
        0x8400000f, 0x84000015, 0xc4000000, 0xc4000008, 0xc4000013, 0x80000001,
        0x04000000, 0x44000001, 0,          0xffffffff,
    };

    for (size_t i = 0; i < sizeof(psci) / sizeof(psci[0]); i++)
        cr_assert_eq(call(0x8400000a, psci[i], 0, 0), 0, "%#x", psci[i]);
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        cr_assert_eq(call(0x8400000a, absent[i], 0, 0), NOT_SUPPORTED, "%#x", absent[i]);
    cr_assert_eq(call(0x80000001, 0x80000000, 0, 0), 0, "SMCCC_ARCH_FEATURES of the version");
    cr_assert_eq(call(0x80000001, 0x80000001, 0, 0), 0);
    cr_assert_eq(call(0x80000001, 0x80008000, 0, 0), NOT_SUPPORTED, "ARCH_WORKAROUND_1");
    cr_assert_eq(call(0x80000001, 0x84000000, 0, 0), NOT_SUPPORTED, "not of this service");
}

/* Discovery and dispatch are one table: what has no row returns NOT_SUPPORTED and changes nothing
 * else. */
CASE(smccc, unknown_functions)
{
    uint64_t seed = 5;

    for (unsigned i = 0; i < 20000; i++) {
        uint64_t r = prng_next(&seed);
        uint32_t fid = (uint32_t)r;
        if ((r >> 60) != 0) /* near to what there is */
            fid = (uint32_t)(r & 0xc40000ff);
        const struct smccc_row *row = smccc_find(fid);
        if (row != NULL)
            cr_assert_eq(row->fid, fid);
        else
            cr_assert_eq(call(fid, r, r, r), NOT_SUPPORTED, "%#x", fid);
    }
    cr_assert_eq(f.vm->state, VM_RUNNING);
    f.vcpu->arch.x[0] = 0x84000008;
    smccc_dispatch(f.vcpu, 1);
    cr_assert_eq(f.vcpu->arch.x[0], NOT_SUPPORTED, "immediate 1");
    cr_assert_eq(f.vm->state, VM_RUNNING);
}

CASE(smccc, system_off)
{
    call(0x84000008, 0, 0, 0);
    cr_assert_eq(f.vm->state, VM_OFF);
    cr_assert(fakehal_console_has("notice vm: g off: powered off by PSCI SYSTEM_OFF\r\n"));
    cr_assert(f.hv->pcpu[0].resched);
    cr_assert_null(sched_next(&f.hv->pcpu[0]));
}

CASE(smccc, system_reset)
{
    call(0x84000009, 0, 0, 0);
    cr_assert_eq(f.vm->state, VM_RESET);
    cr_assert(fakehal_console_has("notice vm: g reset: reset by PSCI SYSTEM_RESET\r\n"));
}

CASE(smccc, cpu_on_and_affinity_info)
{
    const uint64_t entry = GUEST_RAM + 0x1000;

    cr_assert_eq(call(0xc4000004, 0, 0, 0), 0, "this one is ON");
    cr_assert_eq(call(0xc4000004, 1, 0, 0), 1, "OFF");
    cr_assert_eq(call(0x84000004, 2, 0, 0), 1);
    cr_assert_eq(call(0xc4000004, 3, 0, 0), INVALID, "there is none");
    cr_assert_eq(call(0xc4000004, 0x80000000, 0, 0), INVALID, "not an affinity");
    cr_assert_eq(call(0xc4000004, 1, 1, 0), INVALID, "level 1");
    cr_assert_eq(call(0x84000004, UINT64_C(0x100000001), UINT64_C(0x100000000), 0), 1, "32 bits");

    cr_assert_eq(call(0xc4000003, 0, entry, 0), ALREADY_ON);
    cr_assert_eq(call(0xc4000003, 7, entry, 0), INVALID);
    cr_assert_eq(call(0xc4000003, UINT64_C(0x100000001), entry, 0), INVALID, "Aff3");
    cr_assert_eq(call(0xc4000003, 1, 0x1000, 0), BAD_ADDRESS, "below RAM");
    cr_assert_eq(call(0xc4000003, 1, GUEST_RAM + GUEST_SIZE, 0), BAD_ADDRESS, "above it");
    cr_assert_eq(call(0xc4000003, 1, entry + 2, 0), BAD_ADDRESS, "misaligned");
    cr_assert_eq(call(0xc4000003, 1, entry, UINT64_C(0xabcdef0123456789)), 0);
    cr_assert_eq(f.vm->vcpu[1].arch.pc, entry);
    cr_assert_eq(f.vm->vcpu[1].arch.x[0], UINT64_C(0xabcdef0123456789));
    cr_assert_eq(f.vm->vcpu[1].arch.pstate, 0x3c5);
    cr_assert_eq(call(0xc4000004, 1, 0, 0), 2, "ON_PENDING, until it runs");
    cr_assert_eq(call(0xc4000003, 1, entry, 0), ON_PENDING);
    cr_assert_eq(call(0x84000003, UINT64_C(0xff00000002), entry, UINT64_C(0xf00000077)), 0);
    cr_assert_eq(f.vm->vcpu[2].arch.x[0], 0x77, "the 32-bit call has 32-bit arguments");
    sched_give_way(f.vcpu);
    f.vcpu = sched_next(&f.hv->pcpu[0]);
    cr_assert_eq(f.vcpu, &f.vm->vcpu[1]);
    cr_assert_eq(call(0xc4000004, 1, 0, 0), 0);
    cr_assert_eq(call(0xc4000003, 1, entry, 0), ALREADY_ON);
}

CASE(smccc, cpu_off)
{
    cr_assert_eq(call(0xc4000003, 1, GUEST_RAM, 0), 0);
    call(0x84000002, 0, 0, 0);
    cr_assert_eq(f.vm->state, VM_RUNNING);
    f.vcpu = sched_next(&f.hv->pcpu[0]);
    cr_assert_eq(f.vcpu, &f.vm->vcpu[1]);
    cr_assert_eq(call(0xc4000004, 0, 0, 0), 1, "vCPU 0 is off");
    cr_assert_eq(call(0xc4000003, 0, GUEST_RAM, 0), 0, "and can come back");
    call(0x84000002, 0, 0, 0);
    f.vcpu = sched_next(&f.hv->pcpu[0]);
    cr_assert_eq(f.vcpu, &f.vm->vcpu[0]);
    call(0x84000002, 0, 0, 0);
    cr_assert_eq(f.vm->state, VM_OFF, "nothing could ever wake it");
}

CASE(smccc, system_reset2)
{
    cr_assert_eq(call(0xc4000012, 1, 0, 0), INVALID, "a reserved type");
    cr_assert_eq(call(0x84000012, 0x80000000, 0, 0), INVALID, "a vendor's");
    cr_assert_eq(f.vm->state, VM_RUNNING);
    call(0xc4000012, UINT64_C(0xff00000000), 0, 0);
    cr_assert_eq(f.vm->state, VM_RESET, "the type has 32 bits");
    cr_assert(fakehal_console_has("notice vm: g reset: reset by PSCI SYSTEM_RESET2\r\n"));
}

CASES_RUN(smccc, setup, finish)
