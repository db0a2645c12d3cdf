/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The list registers (IHI 0069, ICH_LR<n>_EL2): which interrupt is signalled, what acknowledging
 * and ending it does, and what maintenance it asks for.
 */
#include "hal-sim/vcpuif_priv.h"

/* ICH_LR<n>_EL2 */
#define LR_VINTID      BITS(23, 0)
#define LR_PINTID_LO   32u
#define LR_PINTID_HI   41u
#define LR_PINTID      BITS(LR_PINTID_HI, LR_PINTID_LO)
#define LR_EOI         BIT(41)
#define LR_PRIORITY_LO 48u
#define LR_PRIORITY_HI 55u
#define LR_GROUP       60u
#define LR_HW          BIT(61)
#define LR_PENDING     BIT(62)
#define LR_ACTIVE      BIT(63)
#define LR_STATE       (LR_PENDING | LR_ACTIVE)
/* Bit 41 is EOI if the interrupt is none of hardware's. */
#define LR_COMMON                                                                                  \
    (LR_VINTID | LR_EOI | ((uint64_t)PRIORITY_MASK << LR_PRIORITY_LO) | BIT(LR_GROUP) | LR_HW |    \
     LR_STATE)

/* ICH_HCR_EL2, ICH_MISR_EL2: a condition has the same bit in both, but EOI asks in ICH_LR<n>. */
#define MISR_EOI        BIT(0)
#define MISR_U          BIT(1)
#define MISR_LRENP      BIT(2)
#define MISR_NP         BIT(3)
#define MISR_VGRPE(grp) BIT(4 + 2 * (grp))
#define MISR_VGRPD(grp) BIT(5 + 2 * (grp))
#define HCR_MISR_MASK   BITS(7, 1)
#define HCR_TSEI        BIT(13)
#define HCR_EOICOUNT_LO 27u
#define HCR_EOICOUNT_HI 31u
#define HCR_IMPLEMENTED                                                                            \
    (HCR_EN | HCR_MISR_MASK | HCR_TC | HCR_TALL0 | HCR_TALL1 | HCR_TSEI | HCR_TDIR |               \
     BITS(HCR_EOICOUNT_HI, HCR_EOICOUNT_LO))

#define VMCR_IMPLEMENTED                                                                           \
    (VMCR_VENG(0) | VMCR_VENG(1) | VMCR_VCBPR | VMCR_VEOIM | BITS(20, 18) | BITS(23, 21) |         \
     ((uint64_t)PRIORITY_MASK << VMCR_VPMR_LO))

#define NO_LR VCPUIF_NR_LRS

static uint32_t lr_vintid(uint64_t lr)
{
    return (uint32_t)(lr & LR_VINTID);
}

static unsigned lr_priority(uint64_t lr)
{
    return (unsigned)bits_get(lr, LR_PRIORITY_HI, LR_PRIORITY_LO) & PRIORITY_MASK;
}

static unsigned lr_group(uint64_t lr)
{
    return (unsigned)(lr >> LR_GROUP) & 1u;
}

static bool is_special(uint32_t intid)
{
    return intid >= INTID_FIRST_SPECIAL && intid <= INTID_LAST_SPECIAL;
}

unsigned vcpuif_running_priority(const struct arch_vcpu_gic *gic)
{
    uint32_t active = gic->ap0r[0] | gic->ap1r[0];
    return active == 0 ? PRIORITY_IDLE : (unsigned)__builtin_ctz(active) << (8u - VCPUIF_PREBITS);
}

/* The bits of a priority that decide about preemption. ICC_BPR1 counts from one bit higher up. */
static unsigned group_priority_mask(const struct arch_vcpu_gic *gic, unsigned group)
{
    bool own = group == 1 && (gic->vmcr & VMCR_VCBPR) == 0;
    unsigned lowest = own ? vmcr_bpr(gic->vmcr, 1) : vmcr_bpr(gic->vmcr, 0) + 1;
    return (0xffu << lowest) & 0xffu;
}

/* The list register of the most important pending interrupt of an enabled group; the first of equal
 * ones, which the architecture leaves open. Neither VPMR nor what runs matters here. */
static unsigned find_highest_pending(const struct arch_vcpu_gic *gic)
{
    unsigned found = NO_LR;
    unsigned best = PRIORITY_IDLE;

    for (unsigned n = 0; n < VCPUIF_NR_LRS; n++) {
        uint64_t lr = gic->lr[n];
        if ((lr & LR_STATE) != LR_PENDING || (gic->vmcr & VMCR_VENG(lr_group(lr))) == 0)
            continue;
        if (lr_priority(lr) < best) {
            best = lr_priority(lr);
            found = n;
        }
    }
    return found;
}

static bool can_preempt(const struct arch_vcpu_gic *gic, uint64_t lr)
{
    unsigned running = vcpuif_running_priority(gic);
    unsigned mask = group_priority_mask(gic, lr_group(lr));
    unsigned priority = lr_priority(lr);

    if (priority >= vmcr_pmr(gic->vmcr))
        return false;
    return running == PRIORITY_IDLE || (priority & mask) < (running & mask);
}

/* The list register whose interrupt is signalled to the CPU now, if it is one of this group. */
static unsigned find_signalled(const struct arch_vcpu_gic *gic, unsigned group)
{
    if ((gic->hcr & HCR_EN) == 0)
        return NO_LR;
    unsigned n = find_highest_pending(gic);
    if (n == NO_LR || lr_group(gic->lr[n]) != group || !can_preempt(gic, gic->lr[n]))
        return NO_LR;
    return n;
}

bool vcpuif_virq(const struct arch_vcpu_gic *gic)
{
    return find_signalled(gic, 1) != NO_LR;
}

bool vcpuif_vfiq(const struct arch_vcpu_gic *gic)
{
    return find_signalled(gic, 0) != NO_LR;
}

uint32_t vcpuif_highest_pending(const struct arch_vcpu_gic *gic, unsigned group)
{
    unsigned n = find_highest_pending(gic);
    bool mine = n != NO_LR && lr_group(gic->lr[n]) == group;
    return mine ? lr_vintid(gic->lr[n]) : INTID_LAST_SPECIAL;
}

uint32_t vcpuif_acknowledge(struct arch_vcpu_gic *gic, unsigned group)
{
    unsigned n = find_signalled(gic, group);
    if (n == NO_LR)
        return INTID_LAST_SPECIAL;

    uint64_t lr = gic->lr[n];
    uint32_t intid = lr_vintid(lr);
    gic->lr[n] = lr & ~LR_PENDING;
    /* A special INTID has no active state; that it is returned all the same is the pseudocode's. */
    if (is_special(intid))
        return intid;
    gic->lr[n] |= LR_ACTIVE;

    unsigned level = (lr_priority(lr) & group_priority_mask(gic, group)) >> (8u - VCPUIF_PREBITS);
    uint32_t *active = group == 0 ? &gic->ap0r[0] : &gic->ap1r[0];
    *active |= UINT32_C(1) << level;
    return intid;
}

/* Clears the highest active priority, of group 0 if both groups have it, and returns it. */
static unsigned drop_priority(struct arch_vcpu_gic *gic)
{
    unsigned running = vcpuif_running_priority(gic);
    if (running == PRIORITY_IDLE)
        return PRIORITY_IDLE;

    uint32_t bit = UINT32_C(1) << (running >> (8u - VCPUIF_PREBITS));
    uint32_t *active = (gic->ap0r[0] & bit) != 0 ? &gic->ap0r[0] : &gic->ap1r[0];
    *active &= ~bit;
    return running;
}

static unsigned find_active(const struct arch_vcpu_gic *gic, uint32_t intid)
{
    for (unsigned n = 0; n < VCPUIF_NR_LRS; n++)
        if ((gic->lr[n] & LR_ACTIVE) != 0 && lr_vintid(gic->lr[n]) == intid)
            return n;
    return NO_LR;
}

/* ICH_HCR_EL2.EOIcount: wraps. */
static void count_eoi(struct arch_vcpu_gic *gic)
{
    uint64_t count = bits_get(gic->hcr, HCR_EOICOUNT_HI, HCR_EOICOUNT_LO);
    gic->hcr = bits_set(gic->hcr, HCR_EOICOUNT_HI, HCR_EOICOUNT_LO, count + 1);
}

static void deactivate_lr(struct arch_vcpu_gic *gic, unsigned n, struct vcpuif_effect *effect)
{
    uint64_t lr = gic->lr[n];
    uint32_t physical = (uint32_t)bits_get(lr, LR_PINTID_HI, LR_PINTID_LO);

    if ((lr & LR_HW) != 0 && physical < INTID_FIRST_SPECIAL)
        effect->deactivate = physical;
    gic->lr[n] = lr & ~LR_ACTIVE;
}

/*
 * The priority is dropped before anything is compared, whichever group's register was written:
 * IMPLEMENTATION DEFINED, QEMU's choice. An EOI that drops nothing does nothing. An LPI has no
 * deactivation of its own and is not counted.
 */
void vcpuif_end(struct arch_vcpu_gic *gic, unsigned group, uint32_t intid,
                struct vcpuif_effect *effect)
{
    if (is_special(intid))
        return;
    unsigned dropped = drop_priority(gic);
    if (dropped == PRIORITY_IDLE)
        return;

    unsigned n = find_active(gic, intid);
    bool is_lpi = intid >= INTID_FIRST_LPI;
    if (n == NO_LR) {
        if (!is_lpi)
            count_eoi(gic);
        return;
    }
    bool split = (gic->vmcr & VMCR_VEOIM) != 0 && !is_lpi;
    uint64_t lr = gic->lr[n];
    unsigned priority = lr_priority(lr) & group_priority_mask(gic, group);
    if (!split && lr_group(lr) == group && priority == dropped)
        deactivate_lr(gic, n, effect);
}

/* Without EOImode it is UNPREDICTABLE what a write to ICC_DIR does: nothing, as in QEMU. */
void vcpuif_deactivate(struct arch_vcpu_gic *gic, uint32_t intid, struct vcpuif_effect *effect)
{
    if (intid >= INTID_FIRST_SPECIAL || (gic->vmcr & VMCR_VEOIM) == 0)
        return;
    unsigned n = find_active(gic, intid);
    if (n == NO_LR)
        count_eoi(gic);
    else
        deactivate_lr(gic, n, effect);
}

static bool asks_eoi_maintenance(uint64_t lr)
{
    return (lr & (LR_STATE | LR_HW | LR_EOI)) == LR_EOI;
}

uint64_t vcpuif_misr(const struct arch_vcpu_gic *gic)
{
    uint64_t misr = MISR_NP; /* what holds, asked for or not */
    uint64_t eoi = 0;
    unsigned valid = 0;

    if ((gic->hcr & HCR_EN) == 0)
        return 0;
    for (unsigned n = 0; n < VCPUIF_NR_LRS; n++) {
        uint64_t lr = gic->lr[n];
        if ((lr & LR_STATE) == LR_PENDING)
            misr &= ~MISR_NP;
        if ((lr & LR_STATE) != 0)
            valid++;
        if (asks_eoi_maintenance(lr))
            eoi = MISR_EOI;
    }
    if (valid <= 1)
        misr |= MISR_U;
    if (bits_get(gic->hcr, HCR_EOICOUNT_HI, HCR_EOICOUNT_LO) != 0)
        misr |= MISR_LRENP;
    for (unsigned group = 0; group < 2; group++)
        misr |= (gic->vmcr & VMCR_VENG(group)) != 0 ? MISR_VGRPE(group) : MISR_VGRPD(group);
    return (misr & gic->hcr & HCR_MISR_MASK) | eoi;
}

uint32_t vcpuif_elrsr(const struct arch_vcpu_gic *gic)
{
    uint32_t empty = 0;

    for (unsigned n = 0; n < VCPUIF_NR_LRS; n++)
        if ((gic->lr[n] & LR_STATE) == 0 && !asks_eoi_maintenance(gic->lr[n]))
            empty |= UINT32_C(1) << n;
    return empty;
}

uint64_t vcpuif_lr_implemented(uint64_t lr)
{
    return lr & (LR_COMMON | ((lr & LR_HW) != 0 ? LR_PINTID : 0));
}

uint64_t vcpuif_hcr_implemented(uint64_t hcr)
{
    return hcr & HCR_IMPLEMENTED;
}

uint64_t vcpuif_vmcr_implemented(uint64_t vmcr)
{
    vmcr = (vmcr & VMCR_IMPLEMENTED) | VMCR_VFIQEN;
    for (unsigned group = 0; group < 2; group++)
        vmcr = vmcr_set_bpr(vmcr, group, vmcr_bpr(vmcr, group));
    return vmcr;
}
