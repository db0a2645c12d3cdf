/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stage-2 tables: their geometry, their life, and what an IPA maps to. */
#include "mem/s2.h"
#include "base/check.h"
#include "mem/s2_table.h"
#include <string.h>

#define S2_MAX_BITS 48u
/* ID_AA64MMFR0_EL1.PARange and VTCR_EL2.PS for 48 bits. */
#define PARANGE_48 5u
/* At most 16 concatenated tables: 4 bits (D8.2.2). */
#define S2_MAX_ROOT_ORDER 4u

/*
 * The deepest start level with at most 16 concatenated tables. Level 0 is chosen from 44 bits on
 * only, as SL0 demands (S2InvalidSL: it needs 44 bits of PA). A level below 3 needs at least one
 * bit of its own, and 32 bits always have it.
 */
static void choose_levels(struct s2 *s2)
{
    unsigned level = 2;
    /* Bits that one table at `level` resolves, with all levels below it. */
    unsigned bits = PAGE_SHIFT + 2 * PTE_INDEX_BITS;
    while (s2->ipa_bits > bits + S2_MAX_ROOT_ORDER) {
        level--;
        bits += PTE_INDEX_BITS;
    }
    s2->start_level = (uint8_t)level;
    s2->root_order = s2->ipa_bits > bits ? (uint8_t)(s2->ipa_bits - bits) : 0;
}

static struct s2_tag make_tag(const struct s2 *s2, const struct arch_idregs *idregs)
{
    uint64_t parange = bits_get(idregs->reg[IDREG_MMFR0], 3, 0);
    if (parange > PARANGE_48)
        parange = PARANGE_48;
    struct s2_tag tag = {
        .vttbr = s2->root.v,
        .vtcr = VTCR_RES1 | VTCR_T0SZ(s2->ipa_bits) | VTCR_SL0(s2->start_level) | VTCR_IRGN0_WBWA |
                VTCR_ORGN0_WBWA | VTCR_SH0_INNER | VTCR_TG0_4K | VTCR_PS(parange),
    };
    if (idreg_vmid16(idregs))
        tag.vtcr |= VTCR_VS_16BIT;
    return tag;
}

hv_err s2_init(struct s2 *s2, struct page_pool *pool, struct page_account *account,
               const struct arch_idregs *idregs, uint16_t vmid)
{
    unsigned pa_bits = idreg_pa_bits(idregs);
    if (pa_bits == 0)
        return HV_ERR_UNSUPPORTED;
    if (vmid > 0xff && !idreg_vmid16(idregs))
        return HV_ERR_RANGE;
    memset(s2, 0, sizeof(*s2));
    spinlock_init(&s2->lock, LOCK_RANK_S2);
    s2->pool = pool;
    s2->account = account;
    s2->ipa_bits = (uint8_t)(pa_bits < S2_MAX_BITS ? pa_bits : S2_MAX_BITS);
    choose_levels(s2);
    hv_err err = page_pool_alloc(pool, account, s2->root_order, &s2->root);
    if (err != HV_OK)
        return err;
    hal_pt_sync();
    s2->tag = make_tag(s2, idregs);
    s2->vmid = vmid;
    return HV_OK;
}

/* --- The end --- */

static hv_err destroy_enter(struct s2_visit *visit, const struct s2_step *step)
{
    (void)visit;
    (void)step;
    return HV_OK;
}

static void destroy_leave(struct s2_visit *visit, const struct s2_step *step, uint64_t *child)
{
    (void)child;
    s2_pages_push(&visit->dead, s2_pte_pa(s2_pte_read(step->pte)));
    s2_pte_write(step->pte, 0);
}

void s2_destroy(struct s2 *s2)
{
    spinlock_lock(&s2->lock);
    struct s2_visit visit = {.s2 = s2, .enter = destroy_enter, .leave = destroy_leave};
    hv_err err = s2_visit_range(&visit, 0, BIT(s2->ipa_bits));
    HV_CHECK(err == HV_OK);
    hal_pt_sync();
    struct s2_tag tag = s2_tag(s2);
    hal_tlbi_tag(&tag);
    s2_pages_release(s2, &visit.dead);
    HV_CHECK(s2->table_pages == 0);
    page_pool_free(s2->pool, s2->account, s2->root, s2->root_order);
    spinlock_unlock(&s2->lock);
}

/* --- Query --- */

static void describe(uint64_t pte, uint64_t at, uint64_t size, struct s2_mapping *out)
{
    *out = (struct s2_mapping){
        .ipa = ipa(align_down(at, size)),
        .pa = s2_pte_pa(pte),
        .size = size,
        .type = (pte & S2_MEMATTR_MASK) == S2_MEMATTR_NORMAL_WB ? S2_MEM_NORMAL : S2_MEM_DEVICE,
    };
    if ((pte & S2_AP_READ) != 0)
        out->prot |= S2_READ;
    if ((pte & S2_AP_WRITE) != 0)
        out->prot |= S2_WRITE;
    if ((pte & S2_XN) == 0)
        out->prot |= S2_EXEC;
}

hv_err s2_query(struct s2 *s2, ipa_t at, struct s2_mapping *out)
{
    if (at.v >= BIT(s2->ipa_bits))
        return HV_ERR_RANGE;
    spinlock_lock(&s2->lock);
    unsigned level = s2->start_level;
    uint64_t index = s2_level_index(at.v, level);
    uint64_t *table = s2_table_open(pa_add(s2->root, index / PTE_ENTRIES * PAGE_SIZE));
    uint64_t pte = s2_pte_read(&table[index % PTE_ENTRIES]);
    s2_table_close(table);
    while (s2_pte_is_table(pte, level)) {
        level++;
        table = s2_table_open(s2_pte_pa(pte));
        pte = s2_pte_read(&table[s2_level_index(at.v, level) % PTE_ENTRIES]);
        s2_table_close(table);
    }
    spinlock_unlock(&s2->lock);
    if (!s2_pte_valid(pte))
        return HV_ERR_NOENT;
    describe(pte, at.v, pte_level_size(level), out);
    return HV_OK;
}
