/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The ITS's tables in guest memory. An entry of ours is 8 bytes, 0 if it is not valid, else
 *   device:      63 valid, 51:8 address of its interrupt translation table, 4:0 bits of an EventID,
 *                less one
 *   event:       63 valid, 47:32 collection, 31:0 INTID
 *   collection:  63 valid, 15:0 vCPU
 * The guest can write there what it likes: nothing that is read is trusted beyond its use.
 */
#include "irq/its_priv.h"
#include "mem/guest_mem.h"

#define ENTRY_VALID   GITS_BASER_VALID
#define L1_ADDRESS    BITS(51, 12)
#define ITT_ADDRESS   BITS(51, 8)
#define EVENT_BITS_HI 4u

static bool entry_read(struct vgic_its *its, ipa_t at, uint64_t *entry)
{
    return guest_mem_read(its->s2, at, entry, sizeof(*entry)) == HV_OK;
}

static bool entry_write(struct vgic_its *its, ipa_t at, uint64_t entry)
{
    return guest_mem_write(its->s2, at, &entry, sizeof(entry)) == HV_OK;
}

/* --- Device and collection tables --- */

static uint64_t baser_page(uint64_t baser)
{
    uint64_t size = bits_get(baser, GITS_BASER_PAGE_SIZE_LO + 1, GITS_BASER_PAGE_SIZE_LO);
    return UINT64_C(0x1000) << 2 * (size < 2 ? size : 2);
}

/* With pages of 64 KiB, bits 15:12 of the field are bits 51:48 of the address. */
static uint64_t baser_address(uint64_t baser)
{
    uint64_t page = baser_page(baser);
    uint64_t high = page == UINT64_C(0x10000) ? bits_get(baser, 15, 12) << 48 : 0;
    return (baser & GITS_BASER_ADDRESS & ~(page - 1)) | high;
}

static bool entry_find(struct vgic_its *its, unsigned table, uint32_t id, ipa_t *at)
{
    uint64_t baser = its->baser[table];
    uint64_t page = baser_page(baser);
    uint64_t size = ((baser & GITS_BASER_PAGES) + 1) * page;
    uint64_t base = baser_address(baser);
    uint64_t index = id;
    if ((baser & GITS_BASER_VALID) == 0)
        return false;
    if ((baser & GITS_BASER_INDIRECT) != 0) {
        uint64_t per_page = page / ITS_ENTRY_SIZE;
        uint64_t first;
        if (id / per_page * ITS_ENTRY_SIZE >= size ||
            !entry_read(its, ipa(base + id / per_page * ITS_ENTRY_SIZE), &first) ||
            (first & ENTRY_VALID) == 0)
            return false;
        base = first & L1_ADDRESS & ~(page - 1);
        index = id % per_page;
    }
    if (index * ITS_ENTRY_SIZE >= size)
        return false;
    *at = ipa(base + index * ITS_ENTRY_SIZE);
    return true;
}

bool its_entry_write(struct vgic_its *its, unsigned table, uint32_t id, uint64_t entry)
{
    ipa_t at;
    return entry_find(its, table, id, &at) && entry_write(its, at, entry);
}

uint64_t its_device_entry(uint64_t itt, uint32_t event_bits)
{
    return ENTRY_VALID | (itt & ITT_ADDRESS) | (event_bits - 1);
}

uint64_t its_collection_entry(uint32_t cpu)
{
    return ENTRY_VALID | cpu;
}

bool its_collection_cpu(struct vgic *vgic, uint32_t collection, uint32_t *cpu)
{
    ipa_t at;
    uint64_t entry;
    if (!entry_find(&vgic->its, ITS_COLLECTIONS, collection, &at) ||
        !entry_read(&vgic->its, at, &entry) || (entry & ENTRY_VALID) == 0)
        return false;
    *cpu = (uint32_t)bits_get(entry, 15, 0);
    return *cpu < vgic->nr_cpus;
}

/* --- Interrupt translation tables --- */

bool its_event_find(struct vgic_its *its, uint32_t device, uint32_t event, ipa_t *at)
{
    ipa_t device_at;
    uint64_t entry;
    if (device >> ITS_DEVICE_BITS != 0 || !entry_find(its, ITS_DEVICES, device, &device_at) ||
        !entry_read(its, device_at, &entry) || (entry & ENTRY_VALID) == 0)
        return false;
    uint64_t bits = bits_get(entry, EVENT_BITS_HI, 0) + 1;
    if (bits > ITS_EVENT_BITS || event >> bits != 0)
        return false;
    *at = ipa((entry & ITT_ADDRESS) + (uint64_t)event * ITS_ENTRY_SIZE);
    return true;
}

bool its_event_read(struct vgic_its *its, uint32_t device, uint32_t event, struct its_event *out)
{
    uint64_t entry;
    if (!its_event_find(its, device, event, &out->at) || !entry_read(its, out->at, &entry) ||
        (entry & ENTRY_VALID) == 0)
        return false;
    out->intid = (uint32_t)bits_get(entry, 31, 0);
    out->collection = (uint16_t)bits_get(entry, 47, 32);
    return vgic_lpi_intid_valid(out->intid);
}

bool its_event_write(struct vgic_its *its, const struct its_event *event)
{
    return entry_write(its, event->at,
                       ENTRY_VALID | (uint64_t)event->collection << 32 | event->intid);
}

bool its_event_erase(struct vgic_its *its, ipa_t at)
{
    return entry_write(its, at, 0);
}
