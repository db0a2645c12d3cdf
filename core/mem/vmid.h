/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which VMID tags the translations of which VM: more VMs than VMIDs are no problem, as long as
 * there is one for each pCPU. When all are taken, those that are in no pCPU lose theirs, all
 * translations are invalidated, and a generation begins. Arm ARM DDI 0487, D8.16.
 */
#ifndef MEM_VMID_H
#define MEM_VMID_H

#include "base/lock.h"
#include "hal/platform.h"
#include "mem/s2.h"
#include <stdint.h>

#define VMID_MAX   0xffffu /* of 16 bits; 0 is nobody's */
#define VMID_WORDS ((VMID_MAX + 1) / 64)

struct vmids {
    struct spinlock lock;                 /* rank vmid */
    uint32_t count;                       /* 1..count are given out; 0 is nobody's */
    uint32_t next;                        /* where the search for a free one starts */
    uint64_t generation;                  /* from 1 on, in bits [63:16], as in s2->vmid */
    struct s2 *active[PLATFORM_MAX_CPUS]; /* whose tables each pCPU walks; NULL: none */
    uint64_t used[VMID_WORDS];            /* bit n: VMID n has an owner in this generation */
};

/* How many VMIDs a CPU with these registers has, without 0. */
static inline uint32_t vmids_of(const struct arch_idregs *idregs)
{
    return idreg_vmid16(idregs) ? VMID_MAX : 0xff;
}

/* count: at least as many as pCPUs that call vmid_load(), at most vmids_of(). */
void vmids_init(struct vmids *vmids, uint32_t count);

/*
 * pCPU `cpu`, which is this one, is about to walk the tables of `s2`: gives them a VMID if they
 * have none of this generation. From here to vmid_unload() it stays theirs. Any number of pCPUs may
 * have one s2. Takes vmids->lock.
 */
void vmid_load(struct vmids *vmids, unsigned cpu, struct s2 *s2);
void vmid_unload(struct vmids *vmids, unsigned cpu);

/* The tables are gone, and no TLB knows of them: somebody else may have their VMID. They are in no
 * pCPU. Takes vmids->lock. */
void vmid_release(struct vmids *vmids, const struct s2 *s2);

#endif
