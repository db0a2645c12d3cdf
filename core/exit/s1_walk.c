/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "exit/s1_walk.h"
#include "arch/pte.h"
#include "base/bits.h"
#include "hal/hal.h"
#include "mem/guest_mem.h"
#include "vm/vm.h"

#define DESCRIPTOR_TABLE (PTE_VALID | PTE_TABLE)
#define SCTLR_M          BIT(0) /* of EL1: stage 1 translates (D17.2.118) */

/* One translation regime half: where the walk starts and how it is cut (D8.2). */
struct s1_regime {
    uint64_t table;
    unsigned page_bits;  /* 12, 14 or 16 */
    unsigned input_bits; /* of the virtual address */
    bool big_endian;
};

/* TCR_EL1.TG0 and TG1 encode the granule differently (D17.2.131); 0 for a reserved value. */
static unsigned s1_page_bits(uint64_t tcr, bool high)
{
    static const uint8_t tg0[] = {12, 16, 14, 0};
    static const uint8_t tg1[] = {0, 14, 12, 16};

    return high ? tg1[bits_get(tcr, 31, 30)] : tg0[bits_get(tcr, 15, 14)];
}

/* The half that bit 55 of the address selects. False for settings that no walk starts with. */
static bool s1_regime(struct arch_vcpu *arch, va_t at, struct s1_regime *out)
{
    bool high = (at.v & BIT(55)) != 0;
    uint64_t tcr = hal_vcpu_sysreg_get(arch, ARCH_TCR_EL1);
    uint64_t ttbr = hal_vcpu_sysreg_get(arch, high ? ARCH_TTBR1_EL1 : ARCH_TTBR0_EL1);
    unsigned size_offset = (unsigned)(high ? bits_get(tcr, 21, 16) : bits_get(tcr, 5, 0));

    out->page_bits = s1_page_bits(tcr, high);
    out->input_bits = 64 - size_offset;
    out->table = ttbr & BITS(47, 1);
    out->big_endian = (hal_vcpu_sysreg_get(arch, ARCH_SCTLR_EL1) & BIT(25)) != 0;
    return out->page_bits != 0 && out->input_bits > out->page_bits && out->input_bits <= 52;
}

/* Level at which the walk starts: the deepest whose index covers the rest of the input bits. */
static unsigned s1_start_level(const struct s1_regime *regime)
{
    unsigned bits = regime->page_bits;
    unsigned level = 4;

    while (level > 0 && bits < regime->input_bits) {
        bits += regime->page_bits - 3;
        level--;
    }
    return level;
}

/* A walk, and the descriptor that it is at. */
struct s1_walk {
    struct s1_regime regime;
    struct vcpu *vcpu;
    uint64_t at;
    unsigned level;
    unsigned top; /* the bits of `at` that choose the descriptor at this level */
    unsigned low;
    uint64_t where; /* the descriptor's IPA */
};

static void s1_choose(struct s1_walk *walk)
{
    const struct s1_regime *regime = &walk->regime;

    walk->low = regime->page_bits + (3 - walk->level) * (regime->page_bits - 3);
    /* The first table may be smaller than a page; it is aligned to its own size. */
    walk->where = (regime->table & ~BITS(walk->top - walk->low + 3, 0)) |
                  (bits_get(walk->at, walk->top, walk->low) << 3);
}

static bool s1_begin(struct s1_walk *walk, struct vcpu *vcpu, va_t at)
{
    walk->vcpu = vcpu;
    walk->at = at.v;
    if (!s1_regime(&vcpu->arch, at, &walk->regime))
        return false;
    walk->level = s1_start_level(&walk->regime);
    walk->top = walk->regime.input_bits - 1;
    s1_choose(walk);
    return true;
}

static bool s1_read(const struct s1_walk *walk, uint64_t *descriptor)
{
    if (guest_mem_read(&walk->vcpu->vm->s2, ipa(walk->where), descriptor, sizeof(*descriptor)) !=
        HV_OK)
        return false;
    if (walk->regime.big_endian)
        *descriptor = __builtin_bswap64(*descriptor);
    return true;
}

/* To the table that `descriptor` names. False if it names none. */
static bool s1_descend(struct s1_walk *walk, uint64_t descriptor)
{
    if (walk->level == 3 || (descriptor & DESCRIPTOR_TABLE) != DESCRIPTOR_TABLE)
        return false;
    walk->regime.table = descriptor & BITS(47, 12) & ~BITS(walk->regime.page_bits - 1, 0);
    walk->top = walk->low - 1;
    walk->level++;
    s1_choose(walk);
    return true;
}

int s1_walk_level(struct vcpu *vcpu, va_t at, ipa_t fault)
{
    struct s1_walk walk;
    uint64_t descriptor;

    if (!s1_begin(&walk, vcpu, at))
        return 0;
    do {
        if (align_down(walk.where, PAGE_SIZE) == align_down(fault.v, PAGE_SIZE))
            return (int)walk.level;
    } while (s1_read(&walk, &descriptor) && s1_descend(&walk, descriptor));
    return 0;
}

/* A page at level 3, or a block above it; which blocks the granule has is not asked. */
static bool s1_is_leaf(const struct s1_walk *walk, uint64_t descriptor)
{
    return (descriptor & DESCRIPTOR_TABLE) == (walk->level == 3 ? DESCRIPTOR_TABLE : PTE_VALID);
}

hv_err s1_walk_translate(struct vcpu *vcpu, va_t at, ipa_t *out)
{
    struct s1_walk walk;
    uint64_t descriptor;

    *out = ipa(at.v);
    if ((hal_vcpu_sysreg_get(&vcpu->arch, ARCH_SCTLR_EL1) & SCTLR_M) == 0)
        return HV_OK;
    if (!s1_begin(&walk, vcpu, at))
        return HV_ERR_INVAL;
    do {
        if (!s1_read(&walk, &descriptor))
            return HV_ERR_NOENT;
    } while (s1_descend(&walk, descriptor));
    if (!s1_is_leaf(&walk, descriptor))
        return HV_ERR_NOENT;
    *out =
        ipa((descriptor & BITS(47, 12) & ~BITS(walk.low - 1, 0)) | (at.v & BITS(walk.low - 1, 0)));
    return HV_OK;
}
