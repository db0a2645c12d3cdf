/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The registers of the virtual CPU interface (IHI 0069, 12.2 and 12.3: ICV_*), a row each. */
#include "hal-sim/vcpuif.h"
#include "arch/sysreg.h"
#include "hal-sim/vcpuif_priv.h"
#include <stddef.h>

/* ICC_CTLR_EL1 */
#define CTLR_CBPR    BIT(0)
#define CTLR_EOIMODE BIT(1)
/* PRIbits, IDbits (24 bits of INTID), A3V: what is implemented. No SEIS, no PMHE, no RSS. */
#define CTLR_FIXED ((uint64_t)(VCPUIF_PRIBITS - 1) << 8 | UINT64_C(1) << 11 | BIT(15))

/* One register. Without a function for a direction the access is UNDEFINED. `group` is the row's,
 * where a register exists for each. */
struct vcpuif_reg {
    uint32_t enc;
    unsigned group;
    uint64_t traps; /* bits of ICH_HCR_EL2 of which each makes the access trap */
    uint64_t (*read)(struct arch_vcpu_gic *gic, unsigned group);
    void (*write)(struct arch_vcpu_gic *gic, unsigned group, uint64_t value,
                  struct vcpuif_effect *effect);
};

static void set_vmcr_bit(struct arch_vcpu_gic *gic, uint64_t bit, bool on)
{
    gic->vmcr = on ? gic->vmcr | bit : gic->vmcr & ~bit;
}

static uint64_t read_iar(struct arch_vcpu_gic *gic, unsigned group)
{
    return vcpuif_acknowledge(gic, group);
}

static uint64_t read_hppir(struct arch_vcpu_gic *gic, unsigned group)
{
    return vcpuif_highest_pending(gic, group);
}

static void write_eoir(struct arch_vcpu_gic *gic, unsigned group, uint64_t value,
                       struct vcpuif_effect *effect)
{
    vcpuif_end(gic, group, (uint32_t)value & INTID_MASK, effect);
}

static void write_dir(struct arch_vcpu_gic *gic, unsigned group, uint64_t value,
                      struct vcpuif_effect *effect)
{
    (void)group;
    vcpuif_deactivate(gic, (uint32_t)value & INTID_MASK, effect);
}

/* With CBPR, ICC_BPR1 shows ICC_BPR0 plus one, and cannot be written. */
static bool is_shared_bpr(const struct arch_vcpu_gic *gic, unsigned group)
{
    return group == 1 && (gic->vmcr & VMCR_VCBPR) != 0;
}

static uint64_t read_bpr(struct arch_vcpu_gic *gic, unsigned group)
{
    if (!is_shared_bpr(gic, group))
        return vmcr_bpr(gic->vmcr, group);
    unsigned bpr = vmcr_bpr(gic->vmcr, 0) + 1;
    return bpr > BPR_MAX ? BPR_MAX : bpr;
}

static void write_bpr(struct arch_vcpu_gic *gic, unsigned group, uint64_t value,
                      struct vcpuif_effect *effect)
{
    (void)effect;
    if (!is_shared_bpr(gic, group))
        gic->vmcr = vmcr_set_bpr(gic->vmcr, group, (unsigned)value & BPR_MAX);
}

static uint64_t read_apr(struct arch_vcpu_gic *gic, unsigned group)
{
    return group == 0 ? gic->ap0r[0] : gic->ap1r[0];
}

static void write_apr(struct arch_vcpu_gic *gic, unsigned group, uint64_t value,
                      struct vcpuif_effect *effect)
{
    (void)effect;
    *(group == 0 ? &gic->ap0r[0] : &gic->ap1r[0]) = (uint32_t)value;
}

static uint64_t read_igrpen(struct arch_vcpu_gic *gic, unsigned group)
{
    return (gic->vmcr & VMCR_VENG(group)) != 0;
}

static void write_igrpen(struct arch_vcpu_gic *gic, unsigned group, uint64_t value,
                         struct vcpuif_effect *effect)
{
    (void)effect;
    set_vmcr_bit(gic, VMCR_VENG(group), (value & 1) != 0);
}

static uint64_t read_ctlr(struct arch_vcpu_gic *gic, unsigned group)
{
    (void)group;
    return CTLR_FIXED | ((gic->vmcr & VMCR_VCBPR) != 0 ? CTLR_CBPR : 0) |
           ((gic->vmcr & VMCR_VEOIM) != 0 ? CTLR_EOIMODE : 0);
}

static void write_ctlr(struct arch_vcpu_gic *gic, unsigned group, uint64_t value,
                       struct vcpuif_effect *effect)
{
    (void)group;
    (void)effect;
    set_vmcr_bit(gic, VMCR_VCBPR, (value & CTLR_CBPR) != 0);
    set_vmcr_bit(gic, VMCR_VEOIM, (value & CTLR_EOIMODE) != 0);
}

static uint64_t read_pmr(struct arch_vcpu_gic *gic, unsigned group)
{
    (void)group;
    return vmcr_pmr(gic->vmcr);
}

static void write_pmr(struct arch_vcpu_gic *gic, unsigned group, uint64_t value,
                      struct vcpuif_effect *effect)
{
    (void)group;
    (void)effect;
    gic->vmcr = bits_set(gic->vmcr, VMCR_VPMR_HI, VMCR_VPMR_LO, value & PRIORITY_MASK);
}

static uint64_t read_rpr(struct arch_vcpu_gic *gic, unsigned group)
{
    (void)group;
    return vcpuif_running_priority(gic);
}

/* Those that each interrupt needs come first: the table is searched in its order. */
static const struct vcpuif_reg regs[] = {
    {SYSREG(3, 0, 12, 12, 0), 1, HCR_TALL1, read_iar, NULL},            /* IAR1 */
    {SYSREG(3, 0, 12, 12, 1), 1, HCR_TALL1, NULL, write_eoir},          /* EOIR1 */
    {SYSREG(3, 0, 4, 6, 0), 0, HCR_TC, read_pmr, write_pmr},            /* PMR */
    {SYSREG(3, 0, 12, 11, 1), 0, HCR_TC | HCR_TDIR, NULL, write_dir},   /* DIR */
    {SYSREG(3, 0, 12, 11, 3), 0, HCR_TC, read_rpr, NULL},               /* RPR */
    {SYSREG(3, 0, 12, 12, 2), 1, HCR_TALL1, read_hppir, NULL},          /* HPPIR1 */
    {SYSREG(3, 0, 12, 12, 3), 1, HCR_TALL1, read_bpr, write_bpr},       /* BPR1 */
    {SYSREG(3, 0, 12, 12, 4), 0, HCR_TC, read_ctlr, write_ctlr},        /* CTLR */
    {SYSREG(3, 0, 12, 12, 6), 0, HCR_TALL0, read_igrpen, write_igrpen}, /* IGRPEN0 */
    {SYSREG(3, 0, 12, 12, 7), 1, HCR_TALL1, read_igrpen, write_igrpen}, /* IGRPEN1 */
    {SYSREG(3, 0, 12, 8, 0), 0, HCR_TALL0, read_iar, NULL},             /* IAR0 */
    {SYSREG(3, 0, 12, 8, 1), 0, HCR_TALL0, NULL, write_eoir},           /* EOIR0 */
    {SYSREG(3, 0, 12, 8, 2), 0, HCR_TALL0, read_hppir, NULL},           /* HPPIR0 */
    {SYSREG(3, 0, 12, 8, 3), 0, HCR_TALL0, read_bpr, write_bpr},        /* BPR0 */
    {SYSREG(3, 0, 12, 8, 4), 0, HCR_TALL0, read_apr, write_apr},        /* AP0R0 */
    {SYSREG(3, 0, 12, 8, 5), 0, HCR_TALL0, NULL, NULL},                 /* AP0R1: 6 bits */
    {SYSREG(3, 0, 12, 8, 6), 0, HCR_TALL0, NULL, NULL},                 /* AP0R2: 7 bits */
    {SYSREG(3, 0, 12, 8, 7), 0, HCR_TALL0, NULL, NULL},                 /* AP0R3 */
    {SYSREG(3, 0, 12, 9, 0), 1, HCR_TALL1, read_apr, write_apr},        /* AP1R0 */
    {SYSREG(3, 0, 12, 9, 1), 1, HCR_TALL1, NULL, NULL},                 /* AP1R1 */
    {SYSREG(3, 0, 12, 9, 2), 1, HCR_TALL1, NULL, NULL},                 /* AP1R2 */
    {SYSREG(3, 0, 12, 9, 3), 1, HCR_TALL1, NULL, NULL},                 /* AP1R3 */
};
_Static_assert(VCPUIF_PREBITS == 5,
               "more bits of preemption need more active priorities registers");

static const struct vcpuif_reg *find_reg(uint32_t enc)
{
    for (unsigned n = 0; n < ARRAY_LEN(regs); n++)
        if (regs[n].enc == enc)
            return &regs[n];
    return NULL;
}

bool vcpuif_owns(uint32_t enc)
{
    return find_reg(enc) != NULL;
}

bool vcpuif_read(struct arch_vcpu_gic *gic, uint32_t enc, uint64_t *value,
                 struct vcpuif_effect *effect)
{
    const struct vcpuif_reg *reg = find_reg(enc);

    effect->deactivate = VCPUIF_NO_INTID;
    *value = 0;
    if (reg == NULL || reg->read == NULL)
        return false;
    *value = reg->read(gic, reg->group);
    return true;
}

bool vcpuif_write(struct arch_vcpu_gic *gic, uint32_t enc, uint64_t value,
                  struct vcpuif_effect *effect)
{
    const struct vcpuif_reg *reg = find_reg(enc);

    effect->deactivate = VCPUIF_NO_INTID;
    if (reg == NULL || reg->write == NULL)
        return false;
    reg->write(gic, reg->group, value, effect);
    return true;
}

bool vcpuif_traps(const struct arch_vcpu_gic *gic, uint32_t enc, bool write)
{
    const struct vcpuif_reg *reg = find_reg(enc);

    if (reg == NULL || (write ? reg->write == NULL : reg->read == NULL))
        return false;
    return (gic->hcr & reg->traps) != 0;
}

uint64_t vcpuif_vtr(void)
{
    return (uint64_t)(VCPUIF_PRIBITS - 1) << 29 | (uint64_t)(VCPUIF_PREBITS - 1) << 26 |
           UINT64_C(1) << 23 /* IDbits */ | BIT(21) /* A3V */ | (VCPUIF_NR_LRS - 1);
}
