/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * AddressSanitizer guards what lies between the variables of a stack, and core is suspended on the
 * stacks that a machine's regions hold. Whoever reads or writes regions as plain bytes takes the
 * guards off first; a frame that is entered later has its own. Nothing in a build without it.
 */
#ifndef SIM_UNGUARD_H
#define SIM_UNGUARD_H

#include "hal-sim/machine.h"

/* Of the sanitizer's run time, where there is one. */
void __asan_unpoison_memory_region(const volatile void *base, size_t size) __attribute__((weak));

static inline void unguard_regions(const struct sim_region *regions, unsigned nr_regions)
{
    if (__asan_unpoison_memory_region == NULL)
        return;
    for (unsigned i = 0; i < nr_regions; i++)
        __asan_unpoison_memory_region(regions[i].base, regions[i].len);
}

#endif
