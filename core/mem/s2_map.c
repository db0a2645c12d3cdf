/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* s2_map(): count the tables that are missing, reserve them, then write entries that were invalid.
 */
#include "base/check.h"
#include "mem/s2_table.h"

/* True if one entry at the step's level can map all of it. Level 0 has no blocks with this granule.
 */
static bool fits_leaf(const struct s2_visit *visit, const struct s2_step *step)
{
    return step->level > 0 && s2_step_whole(step) &&
           is_aligned(step->from + visit->delta, step->size);
}

/*
 * Tables that mapping `step`, an invalid entry's, takes: at each level one for every entry that the
 * range touches and that is no leaf. Where PA and IPA are aligned alike, entries that the range has
 * whole are leaves, or lie in one.
 */
static uint64_t count_missing(const struct s2_visit *visit, const struct s2_step *step)
{
    uint64_t tables = 0;
    for (unsigned level = step->level; level < 3; level++) {
        uint64_t first = s2_level_index(step->from, level);
        uint64_t last = s2_level_index(step->to - 1, level);
        uint64_t size = pte_level_size(level);
        tables += last - first + 1;
        if (level == 0 || !is_aligned(visit->delta, size))
            continue;
        uint64_t whole_first = s2_level_index(step->from + size - 1, level);
        uint64_t whole_end = s2_level_index(step->to, level);
        if (whole_end > whole_first)
            tables -= whole_end - whole_first;
    }
    return tables;
}

static hv_err prepare_enter(struct s2_visit *visit, const struct s2_step *step)
{
    uint64_t pte = s2_pte_read(step->pte);
    if (s2_pte_is_table(pte, step->level))
        return HV_OK;
    if (s2_pte_valid(pte))
        return HV_ERR_EXIST;
    visit->tables += count_missing(visit, step);
    return HV_OK;
}

static hv_err commit_enter(struct s2_visit *visit, const struct s2_step *step)
{
    if (s2_pte_is_table(s2_pte_read(step->pte), step->level))
        return HV_OK;
    uint64_t pte;
    if (fits_leaf(visit, step))
        pte = s2_pte_leaf(pa(step->from + visit->delta), visit->attrs, step->level);
    else
        pte = s2_pte_table(s2_pages_pop(&visit->spare));
    s2_pte_write(step->pte, pte);
    return HV_OK;
}

static hv_err map_locked(struct s2_visit *visit, uint64_t from, uint64_t to)
{
    visit->enter = prepare_enter;
    hv_err err = s2_visit_range(visit, from, to);
    if (err == HV_OK)
        err = s2_pages_reserve(visit->s2, &visit->spare, visit->tables);
    if (err != HV_OK)
        return err;
    visit->enter = commit_enter;
    err = s2_visit_range(visit, from, to);
    HV_CHECK(err == HV_OK && visit->spare.count == 0);
    hal_pt_sync();
    return HV_OK;
}

hv_err s2_map(struct s2 *s2, ipa_t at, pa_t to, uint64_t len, unsigned prot, enum s2_memtype type)
{
    hv_err err = s2_check_range(s2, at.v, len);
    /* The IPA space is as large as the physical one. */
    if (err == HV_OK)
        err = s2_check_range(s2, to.v, len);
    if (err == HV_OK)
        err = s2_check_prot(prot);
    if (err != HV_OK)
        return err;
    struct s2_visit visit = {.s2 = s2, .delta = to.v - at.v, .attrs = s2_attr_make(prot, type)};
    spinlock_lock(&s2->lock);
    err = map_locked(&visit, at.v, at.v + len);
    spinlock_unlock(&s2->lock);
    return err;
}
