/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "exit/s1_walk.h"
#include "arch/pte.h"
#include "base/bits.h"
#include "hal/hal.h"
#include "mem/guest_mem.h"
#include "vm/vm.h"

#define DESCRIPTOR_TABLE (PTE_VALID | PTE_TABLE)

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

int s1_walk_level(struct vcpu *vcpu, va_t at, ipa_t fault)
{
    struct s1_regime regime;

    if (!s1_regime(&vcpu->arch, at, &regime))
        return 0;
    unsigned top = regime.input_bits - 1;
    for (unsigned level = s1_start_level(&regime); level < 4; level++) {
        unsigned low = regime.page_bits + (3 - level) * (regime.page_bits - 3);
        uint64_t descriptor;
        /* The first table may be smaller than a page; it is aligned to its own size. */
        uint64_t where = (regime.table & ~BITS(top - low + 3, 0)) | (bits_get(at.v, top, low) << 3);
        if (align_down(where, PAGE_SIZE) == align_down(fault.v, PAGE_SIZE))
            return (int)level;
        if (guest_mem_read(&vcpu->vm->s2, ipa(where), &descriptor, sizeof(descriptor)) != HV_OK)
            return 0;
        if (regime.big_endian)
            descriptor = __builtin_bswap64(descriptor);
        if ((descriptor & DESCRIPTOR_TABLE) != DESCRIPTOR_TABLE)
            return 0;
        regime.table = descriptor & BITS(47, 12) & ~BITS(regime.page_bits - 1, 0);
        top = low - 1;
    }
    return 0;
}
