/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The disks of the VMs. A disk belongs to a VM's place in the bundle and not to the VM: it is made
 * once, before the VM, and what was written to it is there after the VM's reset. It is behind one
 * virtio block device at a time, whose lock guards it.
 */
#ifndef DEV_DISK_H
#define DEV_DISK_H

#include "base/err.h"
#include "base/lock.h"
#include "hal/hal.h"
#include "mem/page_pool.h"
#include "virtio/blk.h"
#include "vm/hv.h"
#include <stdbool.h>
#include <stdint.h>

#define DISK_MAX_SIZE (UINT64_C(1) << 39) /* of one in memory: what its tables reach */

/* What a disk is to be: in memory, or the machine's own. */
struct disk_setup {
    struct vm_blob image; /* what it holds at first; never written */
    uint64_t size;        /* bytes, whole sectors; 0: as the image, rounded up */
    uint64_t quota;       /* bytes of memory that it may cost; 0: what a disk of its size can */
    bool is_machine;      /* the machine's disk number `number`; no image, size or quota */
    uint32_t number;
    bool read_only;
    const char *serial; /* up to VIRTIO_BLK_ID_LEN characters */
};

struct disk {
    struct blk_backend backend; /* first */
    struct disk *next;          /* of struct disks */
    uint32_t vm;                /* the VM's place in hv->vm[] */
    uint32_t unit;              /* the disk's number in the VM */
    uint32_t block_order;       /* of the pages that it lies in */
    pa_t block;
    void (*destroy)(struct hv *hv, struct disk *disk); /* all but the block */
};

/* All disks, made before the first VM runs. Interrupts look at those of the machine, which are
 * constant from then on; everything else is the manager's. */
struct disks {
    struct hv *hv;
    struct disk *first;
    struct disk *of_machine[HAL_DISKS_MAX]; /* by their numbers there */
    uint32_t machine;                       /* bit n: the machine's disk n is somebody's */
};

void disks_init(struct disks *disks, struct hv *hv);
/*
 * Makes the disk `unit` of the VM in place `vm`. The struct, and the buffers of a disk of the
 * machine's, are charged to hv->account; the contents of one in memory to an account of its own.
 * HV_ERR_NOENT: the machine has no such disk; HV_ERR_EXIST: it is another VM's; HV_ERR_INVAL: the
 * image is larger than `size`, or both are empty; HV_ERR_RANGE: larger than DISK_MAX_SIZE;
 * HV_ERR_ALIGN: no whole sectors; HV_ERR_NOMEM, HV_ERR_QUOTA. The boot CPU.
 */
HV_MUST_CHECK hv_err disks_add(struct disks *disks, uint32_t vm, uint32_t unit,
                               const struct disk_setup *setup);
/* NULL: there is none. Only the manager, as the next. */
struct disk *disks_find(const struct disks *disks, uint32_t vm, uint32_t unit);
/* The VM in place `vm`, which is not there any more, does not come back: its disks in memory are
 * given back, in pieces (hv_worked()). `disks` may be NULL. */
void disks_forget(struct disks *disks, uint32_t vm);
/* Gives all back. No device uses one. */
void disks_destroy(struct disks *disks);
/* An interrupt of the machine's: true if it was a disk's, which is dealt with. Any pCPU; `disks`
 * may be NULL. */
bool disks_interrupt(struct disks *disks, uint32_t intid);
/* Has the interrupts of the machine's disks delivered to this pCPU. `disks` may be NULL. */
void disks_route(struct disks *disks);

/* Bytes of memory that the contents of a disk cost now; 0 for one of the machine's. Takes the
 * pool's lock. Any pCPU. */
uint64_t disk_used(const struct disk *disk);

/* --- For the files of the kinds --- */

HV_MUST_CHECK hv_err disk_ram_create(struct hv *hv, const struct disk_setup *setup,
                                     struct disk **out);
HV_MUST_CHECK hv_err disk_machine_create(struct hv *hv, const struct disk_setup *setup,
                                         struct disk **out);
/* Zeroed memory for a disk, which the struct is at the beginning of. */
HV_MUST_CHECK hv_err disk_alloc(struct hv *hv, uint64_t size, struct disk **out);
/* Of a disk that disk_alloc() made: gives it back, with what `destroy`, if set, knows of. Only the
 * manager: other VMs run meanwhile (hv_worked()). */
void disk_free(struct hv *hv, struct disk *disk);
bool disk_is_ram(const struct disk *disk);
bool disk_machine_interrupt(struct disk *disk, uint32_t intid);
void disk_machine_route(const struct disk *disk);

#endif
