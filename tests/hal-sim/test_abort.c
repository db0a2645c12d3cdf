/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stage-2 aborts: ESR_EL2, FAR_EL2 and HPFAR_EL2 as the Arm ARM (DDI 0487, D17.2.37, D17.2.64) has
 * them. */
#include "rig.h"

#define ESR(ec) ((uint64_t)(ec) << 26 | 1u << 25)
#define ISV(sas, sse, srt, sf, ar)                                                                 \
    (1u << 24 | (sas) << 22 | (sse) << 21 | (srt) << 16 | (sf) << 15 | (ar) << 14)
#define S1PTW              (1u << 7)
#define WNR                (1u << 6)
#define TRANSLATION(level) (4u + (level))
#define ACCESS_FLAG(level) (8u + (level))
#define PERMISSION(level)  (12u + (level))
#define HPFAR_OF(ipa)      ((ipa) >> 12 << 4)

static struct guest guest;

/* What a load or store of `word` at an address that stage 2 does not map leaves in the ISS. */
static const struct {
    uint32_t word;
    uint32_t iss;
} forms[] = {
    {0xf9400023 /* ldr x3, [x1] */, ISV(3u, 0u, 3u, 1u, 0u)},
    {0xb9400023 /* ldr w3, [x1] */, ISV(2u, 0u, 3u, 0u, 0u)},
    {0xb9800023 /* ldrsw x3, [x1] */, ISV(2u, 1u, 3u, 1u, 0u)},
    {0x39000023 /* strb w3, [x1] */, ISV(0u, 0u, 3u, 0u, 0u) | WNR},
    {0x39c00023 /* ldrsb w3, [x1] */, ISV(0u, 1u, 3u, 0u, 0u)},
    {0x39800023 /* ldrsb x3, [x1] */, ISV(0u, 1u, 3u, 1u, 0u)},
    {0x79400023 /* ldrh w3, [x1] */, ISV(1u, 0u, 3u, 0u, 0u)},
    {0x79800023 /* ldrsh x3, [x1] */, ISV(1u, 1u, 3u, 1u, 0u)},
    {0xf900003f /* str xzr, [x1] */, ISV(3u, 0u, 31u, 1u, 0u) | WNR},
    {0xf8646823 /* ldr x3, [x1, x4] */, ISV(3u, 0u, 3u, 1u, 0u)},
    {0xf8400023 /* ldur x3, [x1] */, ISV(3u, 0u, 3u, 1u, 0u)},
    {0xf8400823 /* ldtr x3, [x1] */, ISV(3u, 0u, 3u, 1u, 0u)},
    {0x88dffc23 /* ldar w3, [x1] */, ISV(2u, 0u, 3u, 0u, 1u)},
    {0x489ffc23 /* stlrh w3, [x1] */, ISV(1u, 0u, 3u, 0u, 1u) | WNR},
    /* with writeback */
    {0xf8408423 /* ldr x3, [x1], #8 */, 0},
    {0xf8400c23 /* ldr x3, [x1, #0]! */, 0},
    {0xb8004423 /* str w3, [x1], #4 */, WNR},
    {0x38000c23 /* strb w3, [x1, #0]! */, WNR},
    /* of more than one register, or another kind */
    {0xa9400c22 /* ldp x2, x3, [x1] */, 0},
    {0xa9000c22 /* stp x2, x3, [x1] */, WNR},
    {0xc85f7c23 /* ldxr x3, [x1] */, 0},
    {0xfd400020 /* ldr d0, [x1] */, 0},
    {0xfd000020 /* str d0, [x1] */, WNR},
};

static void abort_each_form(void)
{
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        for (unsigned mmu = 0; mmu < 2; mmu++) {
            uint64_t at = DATA + 0x1008 + (mmu != 0 ? ALIAS : 0);
            GUEST_INIT(&guest, ((const uint32_t[]){0xd503201f /* nop */, forms[i].word}));
            if (mmu != 0)
                guest_enable_mmu(&guest);
            *guest_stage2(DATA + 0x1000) = 0;
            guest.vcpu.x[1] = at;
            hal_vcpu_load(&guest.vcpu);
            cr_expect_eq(guest_run(&guest), EC_DABT_LOW, "%08x", forms[i].word);
            cr_expect_eq(guest.exit.esr, ESR(EC_DABT_LOW) | forms[i].iss | TRANSLATION(3u),
                         "%08x: ESR %lx", forms[i].word, (unsigned long)guest.exit.esr);
            EXPECT_EQ(guest.exit.far, at);
            EXPECT_EQ(guest.exit.hpfar, HPFAR_OF(DATA + 0x1000));
            EXPECT_EQ(guest.vcpu.pc, CODE + 4);
            EXPECT_EQ(guest.vcpu.x[1], at);
            hal_vcpu_put(&guest.vcpu);
        }
    }
}

CASE(abort, syndrome_of_each_form)
{
    rig_run(abort_each_form);
}

static const uint32_t code_load[] = {0xf9400023 /* ldr x3, [x1] */, 0xd4000022 /* hvc #1 */};
static const uint32_t code_store[] = {0xf9000023 /* str x3, [x1] */, 0xd4000022 /* hvc #1 */};

static void expect_abort(unsigned ec, uint64_t iss, uint64_t far, uint64_t ipa)
{
    hal_vcpu_load(&guest.vcpu);
    cr_expect_eq(guest_run(&guest), ec);
    EXPECT_EQ(guest.exit.esr, ESR(ec) | iss);
    EXPECT_EQ(guest.exit.far, far);
    EXPECT_EQ(guest.exit.hpfar, HPFAR_OF(ipa));
    hal_vcpu_put(&guest.vcpu);
}

/* FAR is the VA and HPFAR the IPA, of the access or of the table that could not be read. */
static void abort_behind_stage1(void)
{
    const uint64_t va = DATA + ALIAS;
    const uint64_t iss = ISV(3u, 0u, 3u, 1u, 0u);

    GUEST_INIT(&guest, code_load);
    guest_enable_mmu(&guest);
    guest.vcpu.x[1] = va + 0x18;
    *guest_stage1(va) = (*guest_stage1(va) & 0xfff) | (HOLE & ~PAGE_MASK);
    expect_abort(EC_DABT_LOW, iss | TRANSLATION(1u), va + 0x18, HOLE);
    *guest_stage1(va) = (*guest_stage1(va) & 0xfff) | (DATA + 0x3000);
    *guest_stage2(DATA + 0x3000) &= ~(UINT64_C(1) << 10); /* AF */
    expect_abort(EC_DABT_LOW, iss | ACCESS_FLAG(3u), va + 0x18, DATA + 0x3000);

    GUEST_INIT(&guest, code_load);
    guest_enable_mmu(&guest);
    guest.vcpu.x[1] = va;
    *guest_stage2((uint64_t)CODE + 0xa000) = 0; /* of stage 1's level 3 */
    hal_tlbi_tag(&(struct s2_tag){guest_tag().vttbr, guest_tag().vtcr});
    expect_abort(EC_IABT_LOW, S1PTW | TRANSLATION(3u), CODE, CODE + 0xa000);
}

CASE(abort, far_is_virtual_and_hpfar_is_not)
{
    rig_run(abort_behind_stage1);
}

static void abort_on_permission(void)
{
    GUEST_INIT(&guest, code_store);
    guest.vcpu.x[1] = DATA;
    *guest_stage2(DATA) &= ~(UINT64_C(2) << 6); /* S2AP: read only */
    hal_vcpu_load(&guest.vcpu);
    cr_expect_eq(guest_run(&guest), EC_DABT_LOW);
    EXPECT_EQ(guest.exit.esr, ESR(EC_DABT_LOW) | ISV(3u, 0u, 3u, 1u, 0u) | WNR | PERMISSION(3u));
    EXPECT_EQ(guest.exit.far, DATA);
    hal_vcpu_put(&guest.vcpu);
    GUEST_INIT(&guest, code_load);
    guest.vcpu.x[1] = DATA;
    *guest_stage2(DATA) &= ~(UINT64_C(2) << 6);
    hal_vcpu_load(&guest.vcpu);
    guest_run_to_hvc(&guest, 1);
    hal_vcpu_put(&guest.vcpu);
}

CASE(abort, read_only_at_stage_2)
{
    rig_run(abort_on_permission);
}

static void abort_on_fetch(void)
{
    static const uint32_t code[] = {0xd61f0020 /* br x1 */};

    for (unsigned mmu = 0; mmu < 2; mmu++) {
        GUEST_INIT(&guest, code);
        *guest_stage2(DATA + 0x1000) = 0;
        if (mmu != 0)
            guest_enable_mmu(&guest);
        guest.vcpu.x[1] = DATA + 0x1ff8;
        expect_abort(EC_IABT_LOW, TRANSLATION(3u), DATA + 0x1ff8, DATA + 0x1000);
        EXPECT_EQ(guest.vcpu.pc, DATA + 0x1ff8);
    }
}

CASE(abort, of_a_fetch)
{
    rig_run(abort_on_fetch);
}

CASES_RUN(abort, NULL, NULL)
