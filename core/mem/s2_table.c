/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stage-2 descriptors, table pages, and the visit of a range. */
#include "mem/s2_table.h"
#include "base/check.h"

/* --- Descriptors (Arm ARM DDI 0487, D8.3.1 and D8.3.2) --- */

uint64_t s2_attr_perm(unsigned prot)
{
    uint64_t attrs = 0;
    if ((prot & S2_READ) != 0)
        attrs |= S2_AP_READ;
    if ((prot & S2_WRITE) != 0)
        attrs |= S2_AP_WRITE;
    if ((prot & S2_EXEC) == 0)
        attrs |= S2_XN;
    return attrs;
}

uint64_t s2_attr_make(unsigned prot, enum s2_memtype type)
{
    uint64_t attrs = s2_attr_perm(prot) | S2_AF;
    if (type == S2_MEM_NORMAL)
        return attrs | S2_MEMATTR_NORMAL_WB | S2_SH_INNER;
    return attrs | S2_MEMATTR_DEVICE_NGNRE;
}

uint64_t s2_pte_leaf(pa_t to, uint64_t attrs, unsigned level)
{
    return to.v | attrs | PTE_VALID | (level == 3 ? PTE_TABLE : 0);
}

uint64_t s2_pte_table(pa_t table)
{
    return table.v | PTE_TABLE | PTE_VALID;
}

/* --- Table pages --- */

uint64_t *s2_table_open(pa_t table)
{
    uint64_t *ptr = hal_phys_map(table, PAGE_SIZE);
    HV_CHECK(ptr != NULL);
    return ptr;
}

void s2_table_close(uint64_t *table)
{
    hal_phys_unmap(table, PAGE_SIZE);
}

void s2_pages_push(struct s2_pages *pages, pa_t table)
{
    uint64_t *ptr = s2_table_open(table);
    s2_pte_write(&ptr[0], pages->head.v);
    s2_table_close(ptr);
    pages->head = table;
    pages->count++;
}

pa_t s2_pages_pop(struct s2_pages *pages)
{
    HV_CHECK(pages->count > 0);
    pa_t table = pages->head;
    uint64_t *ptr = s2_table_open(table);
    pages->head = pa(s2_pte_read(&ptr[0]));
    s2_pte_write(&ptr[0], 0);
    s2_table_close(ptr);
    pages->count--;
    return table;
}

void s2_pages_release(struct s2 *s2, struct s2_pages *pages)
{
    while (pages->count > 0) {
        page_pool_free(s2->pool, s2->account, s2_pages_pop(pages), 0);
        s2->table_pages--;
    }
}

hv_err s2_pages_reserve(struct s2 *s2, struct s2_pages *pages, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        pa_t table;
        hv_err err = page_pool_alloc(s2->pool, s2->account, 0, &table);
        if (err != HV_OK) {
            s2_pages_release(s2, pages);
            return err;
        }
        s2->table_pages++;
        s2_pages_push(pages, table);
    }
    /* A walker that finds a table by its descriptor must not find what the page held before. */
    if (n > 0)
        hal_pt_sync();
    return HV_OK;
}

/* --- The visit --- */

/* One table on the way down: what [step.from, end) has of it is still to be visited. */
struct visit_frame {
    struct s2_step step;
    uint64_t *table;
    uint64_t end;
};

/* Begins with `table`, whose entry for `from` has number `index`. */
static void frame_begin(struct visit_frame *frame, uint64_t *table, uint64_t index, unsigned level,
                        uint64_t from, uint64_t end)
{
    *frame = (struct visit_frame){.table = table, .end = end};
    frame->step.pte = table + index;
    frame->step.level = level;
    frame->step.size = pte_level_size(level);
    frame->step.from = from;
}

/* Enters the entry that is due, and begins with its table in frame[1] if it is one. */
static hv_err frame_enter(struct s2_visit *visit, struct visit_frame *frame, bool *down)
{
    struct s2_step *step = &frame->step;
    step->base = align_down(step->from, step->size);
    step->to = frame->end - step->base < step->size ? frame->end : step->base + step->size;
    hv_err err = visit->enter(visit, step);
    uint64_t pte = s2_pte_read(step->pte);
    *down = err == HV_OK && s2_pte_is_table(pte, step->level);
    if (*down) {
        unsigned level = step->level + 1;
        uint64_t index = s2_level_index(step->from, level) % PTE_ENTRIES;
        frame_begin(frame + 1, s2_table_open(s2_pte_pa(pte)), index, level, step->from, step->to);
    }
    return err;
}

/* From the root's frame downwards and back. After an error it only closes what is open. */
static hv_err visit_frames(struct s2_visit *visit, struct visit_frame *root)
{
    struct visit_frame *frame = root;
    hv_err err = HV_OK;
    for (;;) {
        bool down = false;
        if (err == HV_OK && frame->step.from < frame->end) {
            err = frame_enter(visit, frame, &down);
        } else if (frame == root) {
            return err;
        } else {
            uint64_t *child = frame->table;
            frame--;
            if (err == HV_OK && visit->leave != NULL)
                visit->leave(visit, &frame->step, child);
            s2_table_close(child);
        }
        if (down) {
            frame++;
        } else if (err == HV_OK) {
            frame->step.from = frame->step.to;
            frame->step.pte++;
        }
    }
}

hv_err s2_visit_range(struct s2_visit *visit, uint64_t from, uint64_t to)
{
    const struct s2 *s2 = visit->s2;
    uint64_t root_size = PAGE_SIZE << s2->root_order;
    uint64_t *root = hal_phys_map(s2->root, root_size);
    HV_CHECK(root != NULL);
    struct visit_frame frames[4]; /* one for each level */
    uint64_t index = s2_level_index(from, s2->start_level);
    frame_begin(&frames[0], root, index, s2->start_level, from, to);
    hv_err err = visit_frames(visit, frames);
    hal_phys_unmap(root, root_size);
    return err;
}

/* --- Arguments --- */

hv_err s2_check_range(const struct s2 *s2, uint64_t at, uint64_t len)
{
    if (len == 0 || !is_aligned(at | len, PAGE_SIZE))
        return HV_ERR_ALIGN;
    if (range_exceeds(at, len, BIT(s2->ipa_bits)))
        return HV_ERR_RANGE;
    return HV_OK;
}

hv_err s2_check_prot(unsigned prot)
{
    return prot == 0 || (prot & ~(unsigned)S2_RWX) != 0 ? HV_ERR_INVAL : HV_OK;
}
