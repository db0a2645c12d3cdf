/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory, registers and expectations of walks, as rows. Registers, descriptors and addresses are
 * written out as the Arm ARM (D8.2, D8.3, D17.2) has them: an entry for index n of a table at T
 * lies at T + 8 n. */
#ifndef TESTS_SIM_WALK_FIXTURE_H
#define TESTS_SIM_WALK_FIXTURE_H

#include "cases.h"
#include "hal-sim/walk.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENTRIES_MAX 16u
#define M           UINT64_C(0x1)        /* SCTLR_EL1.M */
#define EE          UINT64_C(0x2000000)  /* SCTLR_EL1.EE */
#define VM          UINT64_C(0x1)        /* HCR_EL2.VM */
#define DC          UINT64_C(0x1000)     /* HCR_EL2.DC */
#define TGE         UINT64_C(0x8000000)  /* HCR_EL2.TGE */
#define RAM_START   UINT64_C(0x40000000) /* words without an entry are 0 */
#define RAM_END     UINT64_C(0x50000000)

struct entry {
    uint64_t at;
    uint64_t value;
};

struct walk_row {
    const char *name;
    struct walk_regime regime;
    struct entry memory[ENTRIES_MAX]; /* ends at address 0 */
    uint64_t at;
    bool mapped;
    uint64_t out;
};

static inline const uint64_t *row_memory(void *ctx, pa_t at)
{
    static const uint64_t zero;
    const struct walk_row *row = ctx;

    cr_assert_eq(at.v & 7, 0, "%s: %lx", row->name, (unsigned long)at.v);
    if (at.v < RAM_START || at.v >= RAM_END)
        return NULL;
    for (unsigned i = 0; i < ENTRIES_MAX && row->memory[i].at != 0; i++)
        if (row->memory[i].at == at.v)
            return &row->memory[i].value;
    return &zero;
}

static inline void check_rows(const struct walk_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct walk_row row = rows[i];
        pa_t out = {0};
        bool mapped = walk_translate(&row.regime, va(row.at), row_memory, &row, &out);
        cr_expect_eq(mapped, row.mapped, "%s", row.name);
        if (mapped && row.mapped)
            cr_expect_eq(out.v, row.out, "%s: %lx", row.name, (unsigned long)out.v);
    }
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

/* 0xd1ad7fe12abc: indices 0x1a3 (bits 47:39), 0x0b5 (38:30), 0x1ff (29:21), 0x012 (20:12). */
#define VA_4K UINT64_C(0xd1ad7fe12abc)
#define L0_4K                                                                                      \
    {                                                                                              \
        0x40010d18, 0x40011003                                                                     \
    }
#define L1_4K                                                                                      \
    {                                                                                              \
        0x400115a8, 0x40012003                                                                     \
    }
#define L2_4K                                                                                      \
    {                                                                                              \
        0x40012ff8, 0x40013003                                                                     \
    }

/* Memory in which each word is a table and a page at once, for counting and the first address. */
struct everywhere {
    unsigned reads;
    uint64_t first;
};

static inline const uint64_t *everywhere_memory(void *ctx, pa_t at)
{
    static const uint64_t table_or_page = 0x40020003;
    struct everywhere *seen = ctx;

    if (seen->reads++ == 0)
        seen->first = at.v;
    return &table_or_page;
}

#endif
