/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "mem/vmid.h"
#include "base/check.h"
#include "hal/hal.h"
#include <string.h>

#define GENERATION_SHIFT 16u

void vmids_init(struct vmids *vmids, uint32_t count)
{
    HV_CHECK(count >= 1 && count <= VMID_MAX);
    memset(vmids, 0, sizeof(*vmids));
    spinlock_init(&vmids->lock, LOCK_RANK_VMID);
    vmids->count = count;
    vmids->next = 1;
    vmids->generation = 1;
}

static uint64_t *word_of(struct vmids *vmids, uint32_t vmid)
{
    return &vmids->used[vmid / 64];
}

static bool is_current(const struct vmids *vmids, const struct s2 *s2)
{
    return s2->vmid >> GENERATION_SHIFT == vmids->generation;
}

static void own(struct vmids *vmids, struct s2 *s2, uint32_t vmid)
{
    *word_of(vmids, vmid) |= BIT(vmid % 64);
    s2->vmid = vmids->generation << GENERATION_SHIFT | vmid;
}

/* 0: all are taken. */
static uint32_t find_free(struct vmids *vmids)
{
    for (uint32_t i = 0; i < vmids->count; i++) {
        uint32_t vmid = vmids->next;
        vmids->next = vmid == vmids->count ? 1 : vmid + 1;
        if ((*word_of(vmids, vmid) & BIT(vmid % 64)) == 0)
            return vmid;
    }
    return 0;
}

/* Those that are in a pCPU keep their VMIDs, which others cannot have had since: their vCPUs run on
 * while this happens. */
static void begin_generation(struct vmids *vmids)
{
    vmids->generation++;
    memset(vmids->used, 0, sizeof(vmids->used));
    for (unsigned cpu = 0; cpu < PLATFORM_MAX_CPUS; cpu++)
        if (vmids->active[cpu] != NULL)
            own(vmids, vmids->active[cpu], (uint16_t)vmids->active[cpu]->vmid);
    hal_tlbi_all();
}

void vmid_load(struct vmids *vmids, unsigned cpu, struct s2 *s2)
{
    spinlock_lock(&vmids->lock);
    if (!is_current(vmids, s2)) {
        uint32_t vmid = find_free(vmids);
        if (vmid == 0) {
            begin_generation(vmids);
            vmid = find_free(vmids);
        }
        HV_CHECK(vmid != 0);
        own(vmids, s2, vmid);
    }
    vmids->active[cpu] = s2;
    spinlock_unlock(&vmids->lock);
}

void vmid_unload(struct vmids *vmids, unsigned cpu)
{
    spinlock_lock(&vmids->lock);
    vmids->active[cpu] = NULL;
    spinlock_unlock(&vmids->lock);
}

void vmid_release(struct vmids *vmids, const struct s2 *s2)
{
    spinlock_lock(&vmids->lock);
    if (is_current(vmids, s2)) {
        uint32_t vmid = (uint16_t)s2->vmid;
        *word_of(vmids, vmid) &= ~BIT(vmid % 64);
    }
    spinlock_unlock(&vmids->lock);
}
