/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of the ITS share. Called with its.lock held; guest memory is read and written. */
#ifndef IRQ_ITS_PRIV_H
#define IRQ_ITS_PRIV_H

#include "irq/vgic_lpi.h"

#define ITS_DEVICE_BITS 16u
#define ITS_EVENT_BITS  16u
#define ITS_ENTRY_SIZE  8u /* of all tables */

/* GITS_BASER<n> */
enum { ITS_DEVICES, ITS_COLLECTIONS };

/* What GITS_TYPER.HCC = 0 and CIL = 0 say: collections are in memory, and have IDs of 16 bits. */

/* An interrupt translation entry and where it lies. */
struct its_event {
    ipa_t at;
    uint32_t intid;
    uint16_t collection;
};

/* --- its_table.c: false if the guest's tables, as they are now, do not hold it --- */

/* The entry of a device or a collection, as it is; bit 63 says whether it is valid. */
bool its_entry_write(struct vgic_its *its, unsigned table, uint32_t id, uint64_t entry);

uint64_t its_device_entry(uint64_t itt, uint32_t event_bits);
uint64_t its_collection_entry(uint32_t cpu);

/* Where the translation of an event of a device lies. */
bool its_event_find(struct vgic_its *its, uint32_t device, uint32_t event, ipa_t *at);
/* And what it says: it is valid. */
bool its_event_read(struct vgic_its *its, uint32_t device, uint32_t event, struct its_event *out);
bool its_event_write(struct vgic_its *its, const struct its_event *event);
bool its_event_erase(struct vgic_its *its, ipa_t at);

/* The vCPU that a collection is mapped to. */
bool its_collection_cpu(struct vgic *vgic, uint32_t collection, uint32_t *cpu);

/* --- its.c --- */

/* Commands wait, and nothing forbids to carry them out. */
bool its_has_commands(const struct vgic_its *its);
/* Bytes of the command queue. */
uint32_t its_queue_size(const struct vgic_its *its);

#endif
