/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/stats.h"
#include "base/bits.h"
#include <stddef.h>

static const struct {
    const char *name;
    size_t offset;
} stats_rows[] = {
    {"instructions", offsetof(struct sim_stats, instructions)},
    {"idle ticks", offsetof(struct sim_stats, idle)},
    {"exits", offsetof(struct sim_stats, exits)},
    {"synchronous exits", offsetof(struct sim_stats, exits_sync)},
    {"exceptions to EL1", offsetof(struct sim_stats, el1_entries)},
    {"GIC CPU interface", offsetof(struct sim_stats, icc_accesses)},
    {"translation flushes", offsetof(struct sim_stats, tb_flushes)},
    {"CPU switches", offsetof(struct sim_stats, switches)},
};

static const char *const class_names[] = {
    [TRACE_SYNC] = "other synchronous",
    [TRACE_WFX] = "WFI, WFE",
    [TRACE_HVC] = "HVC",
    [TRACE_SMC] = "SMC",
    [TRACE_SYSREG] = "System register",
    [TRACE_MMIO] = "data abort",
    [TRACE_FETCH] = "instruction abort",
    [TRACE_IRQ] = "interrupt",
    [TRACE_SERROR] = "SError",
};
_Static_assert(ARRAY_LEN(class_names) == TRACE_CLASSES, "every class has a name");

void stats_print(FILE *to, const struct sim_stats *stats, const struct tracer_state *trace,
                 const struct stats_cost *cost)
{
    for (size_t i = 0; i < ARRAY_LEN(stats_rows); i++) {
        const uint64_t *value =
            (const uint64_t *)(const void *)((const char *)stats + stats_rows[i].offset);
        (void)fprintf(to, "halcyon-sim: %-24s %16llu\n", stats_rows[i].name,
                      (unsigned long long)*value);
    }
    for (size_t i = 0; i < TRACE_CLASSES; i++)
        if (trace->exits[i] != 0)
            (void)fprintf(to, "halcyon-sim: exits, %-17s %16llu\n", class_names[i],
                          (unsigned long long)trace->exits[i]);
    (void)fprintf(to, "halcyon-sim: %-24s %16.3f\n", "host seconds", cost->seconds);
    if (cost->seconds > 0)
        (void)fprintf(to, "halcyon-sim: %-24s %16.1f\n", "MIPS",
                      (double)cost->instructions / cost->seconds / 1e6);
}
