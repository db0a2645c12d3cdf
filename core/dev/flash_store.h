/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the flash of a VM holds: two banks of sectors, each a block of pages once something was
 * programmed into it. A sector that never was is all ones and costs nothing; the others are paid
 * for by an account of the store's own. It outlives the VM's resets: hv->flash[], by the VM's slot.
 * The second bank may be on a disk of the machine's (dev/flash_disk.h), and then outlives the
 * machine's, too.
 */
#ifndef DEV_FLASH_STORE_H
#define DEV_FLASH_STORE_H

#include "abi/machine.h"
#include "base/addr.h"
#include "base/err.h"
#include "dev/flash_disk.h"
#include "mem/page_pool.h"
#include "vm/config.h"
#include "vm/hv.h"
#include <stdbool.h>
#include <stdint.h>

#define FLASH_BANKS        2u
#define FLASH_BANK_SIZE    (MACHINE_FLASH_SIZE / FLASH_BANKS)
#define FLASH_SECTOR_SIZE  UINT64_C(0x40000)
#define FLASH_SECTOR_ORDER 6u /* of its block of pages */
#define FLASH_SECTORS      ((uint32_t)(FLASH_BANK_SIZE / FLASH_SECTOR_SIZE)) /* of a bank */

/* What a store may take for what is programmed, if nobody says: four sectors. EDK2's variables take
 * three, U-Boot's environment one. */
#define FLASH_SPARE MIB(1)

/* What a store holds at first, and what that and all that is programmed may cost. */
struct flash_setup {
    struct vm_blob image[FLASH_BANKS]; /* each at most FLASH_BANK_SIZE, erased behind its end */
    uint64_t quota; /* bytes; 0: what the images take, and a disk can, and FLASH_SPARE */
};

struct flash_bank {
    struct flash_store *store;
    pa_t sector[FLASH_SECTORS];            /* 0: erased */
    uint64_t unclean[FLASH_SECTORS / 64u]; /* bit n: caches may hold what memory does not */
    uint32_t writable;                     /* sectors from the first on; the others never change */
    bool on_disk;                          /* `disk` is its */
    struct flash_disk disk;
};

struct flash_store {
    struct hv *hv;               /* who pays for this struct and the page of ones */
    struct page_account account; /* of the sectors */
    bool has_quota;              /* somebody has said how much */
    bool failed; /* its disk did, which may be busy for it still: good for nothing */
    pa_t block;  /* where it lies */
    pa_t ones;   /* a page of an erased sector */
    struct flash_bank bank[FLASH_BANKS];
};

/*
 * Makes a store. HV_ERR_RANGE if an image is too long, HV_ERR_NOMEM, HV_ERR_QUOTA. Only the
 * manager, as the next two: other VMs run meanwhile (hv_worked()).
 */
HV_MUST_CHECK hv_err flash_store_create(struct hv *hv, const struct flash_setup *setup,
                                        struct flash_store **out);
/*
 * From now on the bank, which is erased, is what the machine's disk `number` holds; what lies
 * behind its end is write-protected, as is all of a disk that is read-only. HV_ERR_NOENT: there is
 * no such disk; HV_ERR_RANGE: it has no whole sector; HV_ERR_IO, HV_ERR_NOMEM, HV_ERR_QUOTA: the
 * store is good for nothing but to be destroyed, once the disk is not busy any more.
 */
HV_MUST_CHECK hv_err flash_bank_use_disk(struct flash_bank *bank, unsigned number);
/* Gives all pages back. Nothing of it is mapped anywhere, and no disk is busy. */
void flash_store_destroy(struct flash_store *store);

/* A bank's functions are for one pCPU at a time: its chips' lock. Ranges lie in the bank. */
void flash_bank_read(const struct flash_bank *bank, uint64_t offset, void *to, uint64_t len);
/* Clears the bits that are 0 in `from`: programming sets none. HV_ERR_NOMEM or HV_ERR_QUOTA if a
 * sector's pages are not to be had; sectors before it are programmed then. Locks of ranks below
 * POOL may be held. */
HV_MUST_CHECK hv_err flash_bank_program(struct flash_bank *bank, uint64_t offset, const void *from,
                                        uint64_t len);
/* True while a disk is at work on what was programmed or erased last: until then nothing else is.
 * Once it is false, *err says how that ended. */
bool flash_bank_is_busy(struct flash_bank *bank, hv_err *err);
/* Makes the sector that holds `offset` all ones. It keeps its pages: somebody may be reading a
 * guest's memory through them (mem/guest_mem.h). */
void flash_bank_erase(struct flash_bank *bank, uint64_t offset);

/* What a guest is to see at `offset`: the pages of the whole sector, ready for it to read and to
 * execute, or one page of ones. Sets the length and returns where they are. */
pa_t flash_bank_pages(struct flash_bank *bank, uint64_t offset, uint64_t *len);

#endif
