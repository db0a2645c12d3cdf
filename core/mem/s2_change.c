/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * s2_unmap() and s2_protect(): both cut blocks at the edges of the range and then change whole
 * entries. Tables for the cuts are reserved first.
 */
#include "base/check.h"
#include "mem/s2_table.h"

/* Tables that cutting a block at the edges of `step` takes: one for the block, and one for each 2
 * MiB block that it cuts in turn. */
static uint64_t count_cut(const struct s2_step *step)
{
    if (step->level == 2)
        return 1;
    uint64_t size = step->size >> PTE_INDEX_BITS;
    bool low = !is_aligned(step->from, size);
    bool high = !is_aligned(step->to, size);
    if (low && high && align_down(step->from, size) == align_down(step->to, size))
        return 2;
    return 1u + low + high;
}

/* Replaces a block by a table that maps the same: break, invalidate, make (D8.14.1). */
static void split(struct s2_visit *visit, const struct s2_step *step)
{
    uint64_t block = s2_pte_read(step->pte);
    uint64_t attrs = block & ~(PTE_ADDR_MASK | PTE_VALID | PTE_TABLE);
    uint64_t size = step->size >> PTE_INDEX_BITS;
    pa_t table = s2_pages_pop(&visit->spare);
    uint64_t *entries = s2_table_open(table);
    for (unsigned i = 0; i < PTE_ENTRIES; i++)
        s2_pte_write(&entries[i],
                     s2_pte_leaf(pa_add(s2_pte_pa(block), i * size), attrs, step->level + 1));
    s2_table_close(entries);

    s2_pte_write(step->pte, 0);
    hal_pt_sync();
    struct s2_tag tag = s2_tag(visit->s2);
    hal_tlbi_range(&tag, ipa(step->base), step->size);
    s2_pte_write(step->pte, s2_pte_table(table));
    /* What follows changes entries of the new table in place: they count as valid from now on. */
    hal_pt_sync();
}

/* The second half of both operations. Never fails. */
static void commit(struct s2_visit *visit, uint64_t from, uint64_t to)
{
    hv_err err = s2_visit_range(visit, from, to);
    HV_CHECK(err == HV_OK && visit->spare.count == 0);
    if (!visit->changed)
        return;
    atomic_fetch_add(&visit->s2->changes, 1);
    hal_pt_sync();
    struct s2_tag tag = s2_tag(visit->s2);
    hal_tlbi_range(&tag, ipa(from), to - from);
    s2_pages_release(visit->s2, &visit->dead);
}

static hv_err prepare(struct s2_visit *visit, uint64_t from, uint64_t to)
{
    hv_err err = s2_visit_range(visit, from, to);
    if (err != HV_OK)
        return err;
    return s2_pages_reserve(visit->s2, &visit->spare, visit->tables);
}

/* --- Unmap --- */

static hv_err unmap_prepare(struct s2_visit *visit, const struct s2_step *step)
{
    uint64_t pte = s2_pte_read(step->pte);
    if (s2_pte_valid(pte) && !s2_pte_is_table(pte, step->level) && !s2_step_whole(step))
        visit->tables += count_cut(step);
    return HV_OK;
}

static hv_err unmap_enter(struct s2_visit *visit, const struct s2_step *step)
{
    uint64_t pte = s2_pte_read(step->pte);
    if (!s2_pte_valid(pte) || s2_pte_is_table(pte, step->level))
        return HV_OK;
    if (s2_step_whole(step)) {
        s2_pte_write(step->pte, 0);
        visit->changed = true;
    } else {
        split(visit, step);
    }
    return HV_OK;
}

static bool table_is_empty(const uint64_t *table)
{
    for (unsigned i = 0; i < PTE_ENTRIES; i++)
        if (s2_pte_valid(s2_pte_read(&table[i])))
            return false;
    return true;
}

/* Until the TLB invalidation a walker may still come by: on the list the page is a table of invalid
 * entries. */
static void unmap_leave(struct s2_visit *visit, const struct s2_step *step, uint64_t *child)
{
    if (!table_is_empty(child))
        return;
    pa_t table = s2_pte_pa(s2_pte_read(step->pte));
    s2_pte_write(step->pte, 0);
    s2_pages_push(&visit->dead, table);
}

hv_err s2_unmap(struct s2 *s2, ipa_t at, uint64_t len)
{
    hv_err err = s2_check_range(s2, at.v, len);
    if (err != HV_OK)
        return err;
    struct s2_visit visit = {.s2 = s2, .enter = unmap_prepare};
    spinlock_lock(&s2->lock);
    err = prepare(&visit, at.v, at.v + len);
    if (err == HV_OK) {
        visit.enter = unmap_enter;
        visit.leave = unmap_leave;
        commit(&visit, at.v, at.v + len);
    }
    spinlock_unlock(&s2->lock);
    return err;
}

/* --- Protect --- */

static bool differs(const struct s2_visit *visit, uint64_t pte)
{
    return (pte & S2_PERM_MASK) != visit->attrs;
}

static hv_err protect_prepare(struct s2_visit *visit, const struct s2_step *step)
{
    uint64_t pte = s2_pte_read(step->pte);
    if (!s2_pte_valid(pte))
        return HV_ERR_NOENT;
    if (!s2_pte_is_table(pte, step->level) && !s2_step_whole(step) && differs(visit, pte))
        visit->tables += count_cut(step);
    return HV_OK;
}

/* Permissions alone may change without break-before-make (D8.14.1). */
static hv_err protect_enter(struct s2_visit *visit, const struct s2_step *step)
{
    uint64_t pte = s2_pte_read(step->pte);
    if (s2_pte_is_table(pte, step->level) || !differs(visit, pte))
        return HV_OK;
    if (s2_step_whole(step)) {
        s2_pte_write(step->pte, (pte & ~S2_PERM_MASK) | visit->attrs);
        visit->changed = true;
    } else {
        split(visit, step);
    }
    return HV_OK;
}

hv_err s2_protect(struct s2 *s2, ipa_t at, uint64_t len, unsigned prot)
{
    hv_err err = s2_check_range(s2, at.v, len);
    if (err == HV_OK)
        err = s2_check_prot(prot);
    if (err != HV_OK)
        return err;
    struct s2_visit visit = {.s2 = s2, .enter = protect_prepare, .attrs = s2_attr_perm(prot)};
    spinlock_lock(&s2->lock);
    err = prepare(&visit, at.v, at.v + len);
    if (err == HV_OK) {
        visit.enter = protect_enter;
        commit(&visit, at.v, at.v + len);
    }
    spinlock_unlock(&s2->lock);
    return err;
}
