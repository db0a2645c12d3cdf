/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* RNDR and RNDRRS (C6.2.230): not there on cortex-a57; on max a number, and the flags of a success.
 */
#include "rig.h"

static struct guest guest;

static const uint32_t rndr[] = {
    0xeb1f03ff, /* 00 cmp xzr, xzr */
    0xd53b2400, /* 04 mrs x0, rndr */
    0x9a9f07e1, /* 08 cset x1, ne */
    0xd4000022, /* 0c hvc #1 */
};
static const uint32_t rndrrs[] = {
    0xeb1f03ff, /* 00 cmp xzr, xzr */
    0xd53b2420, /* 04 mrs x0, rndrrs */
    0x9a9f07e1, /* 08 cset x1, ne */
    0xd4000022, /* 0c hvc #1 */
};

static void expect_undefined(void)
{
    guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x200));
    EXPECT_EQ(guest_sysreg(&guest, ARCH_ESR_EL1) >> 26, EC_UNKNOWN);
    EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), CODE + 4);
}

static void expect_number(uint64_t *number)
{
    guest_run_to_hvc(&guest, 1);
    EXPECT_EQ(guest.vcpu.x[1], 1);
    cr_expect(guest.vcpu.x[0] != *number, "the same number twice");
    *number = guest.vcpu.x[0];
}

static void run_both(void)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < 2; i++) {
        if (i == 0)
            GUEST_INIT(&guest, rndr);
        else
            GUEST_INIT(&guest, rndrrs);
        hal_vcpu_load(&guest.vcpu);
        if (rig_model == SIM_CPU_MAX)
            expect_number(&number);
        else
            expect_undefined();
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(random, there_on_max_only)
{
    rig_run(run_both);
}

CASES_RUN(random, NULL, NULL)
