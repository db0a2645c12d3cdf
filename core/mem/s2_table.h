/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Private to core/mem/s2*.c: descriptors, table pages, and the visit of a range that every
 * operation is made of. */
#ifndef MEM_S2_TABLE_H
#define MEM_S2_TABLE_H

#include "arch/pte.h"
#include "mem/s2.h"

/* Table pages on a list: each one's first word holds the address of the next, which as a descriptor
 * is invalid. */
struct s2_pages {
    pa_t head;
    uint64_t count;
};

/* One entry, on the way down: what the range [from, to) has of it. */
struct s2_step {
    uint64_t *pte;
    unsigned level;
    uint64_t base; /* IPA where the entry starts */
    uint64_t size; /* bytes that it covers */
    uint64_t from;
    uint64_t to;
};

/*
 * A walk over [from, to). `enter` is called for each entry, before its table (if it is one then) is
 * visited; `leave`, if it is not NULL, after the table `child` was. The operations keep what they
 * need beside it.
 */
struct s2_visit {
    struct s2 *s2;
    hv_err (*enter)(struct s2_visit *visit, const struct s2_step *step);
    void (*leave)(struct s2_visit *visit, const struct s2_step *step, uint64_t *child);
    uint64_t delta;        /* map: PA - IPA */
    uint64_t attrs;        /* map, protect: of the new entries */
    uint64_t tables;       /* prepare: table pages that the commit will take */
    struct s2_pages spare; /* commit: taken from here, */
    struct s2_pages dead;  /* and put here when they are empty */
    bool changed;          /* commit: a valid entry was changed or removed */
};

/* Visits every entry of [from, to), which lies in the IPA space; stops at the first error. s2->lock
 * is held. */
hv_err s2_visit_range(struct s2_visit *visit, uint64_t from, uint64_t to);

/* HV_OK if [at, at + len) is made of pages (not none) and lies in the IPA space. */
hv_err s2_check_range(const struct s2 *s2, uint64_t at, uint64_t len);
/* HV_OK for at least one permission, all known. */
hv_err s2_check_prot(unsigned prot);

/* Tables are read by walkers at any time: every access is one 64-bit access. */
static inline uint64_t s2_pte_read(const uint64_t *pte)
{
    return __atomic_load_n(pte, __ATOMIC_RELAXED);
}

static inline void s2_pte_write(uint64_t *pte, uint64_t value)
{
    __atomic_store_n(pte, value, __ATOMIC_RELAXED);
}

static inline bool s2_pte_valid(uint64_t pte)
{
    return (pte & PTE_VALID) != 0;
}

static inline bool s2_pte_is_table(uint64_t pte, unsigned level)
{
    return level < 3 && (pte & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE);
}

static inline pa_t s2_pte_pa(uint64_t pte)
{
    return pa(pte & PTE_ADDR_MASK);
}

/* Index of the entry for `at` at `level`, in a table or, at the start level, in all concatenated
 * ones. */
static inline uint64_t s2_level_index(uint64_t at, unsigned level)
{
    return at >> (PAGE_SHIFT + PTE_INDEX_BITS * (3u - level));
}

/* True if the range has all of the entry. */
static inline bool s2_step_whole(const struct s2_step *step)
{
    return step->to - step->from == step->size;
}

#define S2_PERM_MASK (S2_AP_READ | S2_AP_WRITE | S2_XN)

/* S2AP and XN of a permission; all attributes of a leaf, without its type bits. */
uint64_t s2_attr_perm(unsigned prot);
uint64_t s2_attr_make(unsigned prot, enum s2_memtype type);
/* A block or page descriptor, and a table descriptor. */
uint64_t s2_pte_leaf(pa_t to, uint64_t attrs, unsigned level);
uint64_t s2_pte_table(pa_t table);

/* The memory of the table at `table`, and the end of its use. */
uint64_t *s2_table_open(pa_t table);
void s2_table_close(uint64_t *table);

/* Puts `n` zeroed table pages on the list, or none. Their zeroes are visible to walkers. */
hv_err s2_pages_reserve(struct s2 *s2, struct s2_pages *pages, uint64_t n);
void s2_pages_push(struct s2_pages *pages, pa_t table);
/* The list is not empty. The page is all zero again if it was when it was pushed. */
pa_t s2_pages_pop(struct s2_pages *pages);
/* Gives all back to the pool. */
void s2_pages_release(struct s2 *s2, struct s2_pages *pages);

#endif
