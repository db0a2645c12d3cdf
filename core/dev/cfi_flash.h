/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Parallel flash of the Common Flash Interface (JESD68.01) with Intel's command set 0001
 * (28F256P30), as QEMU's virt has it: two banks of 64 MiB, each of two 16-bit chips side by side on
 * a 32-bit bus, in sectors of 256 KiB. Both chips take the command in the low byte of what is
 * written, wherever in the bank. Commands take no time, but for a disk to keep what they do: until
 * then SR.7 is clear, and writes are ignored.
 *
 * While a bank is in read array mode the guest sees its contents as memory, mapped read-only and
 * executable, a sector at a time as it comes by; the first command takes all of it away again.
 *
 * Where it does what the chips do and QEMU's model does not: programming clears bits and sets none;
 * a buffer is programmed when it is confirmed, not before; nothing is erased before that is
 * confirmed; blocks can be locked (and none is after a reset); a wrong sequence sets SR.4 and SR.5;
 * SR.7 survives a clear; query mode takes every command; bytes of a status or a query are those of
 * the bus's lanes.
 */
#ifndef DEV_CFI_FLASH_H
#define DEV_CFI_FLASH_H

#include "arch/mmio.h"
#include "base/err.h"
#include "base/lock.h"
#include "dev/flash_store.h"
#include "vm/vm.h"
#include <stdbool.h>
#include <stdint.h>

#define CFI_BUFFER_SIZE 4096u /* what one buffered program can hold, of both chips */

/* What a bank is about: how it answers reads, and what the next write is to it. */
enum cfi_mode {
    CFI_ARRAY,
    CFI_STATUS,
    CFI_ID,
    CFI_QUERY,
    CFI_PROGRAM, /* the rest read as CFI_STATUS: the datum follows, */
    CFI_ERASE,   /* the confirmation, */
    CFI_LOCK,    /* what to do, */
    CFI_COUNT,   /* how many writes of data, less one, */
    CFI_DATA,    /* them, */
    CFI_CONFIRM, /* the confirmation */
    CFI_MODES
};

struct cfi_chips {
    struct spinlock lock; /* rank flash */
    struct vm *vm;
    struct flash_bank *contents; /* NULL: erased for ever, and write-protected */
    uint64_t base;               /* IPA */
    enum cfi_mode mode;
    uint8_t status;
    uint8_t failed;     /* what SR will say if the disk cannot keep what is under way */
    bool full;          /* there was no memory for what was programmed, and the log has it */
    bool mapped;        /* stage 2 may map pages of it */
    uint32_t left;      /* CFI_DATA: writes to come after the next one */
    bool buffer_placed; /* CFI_DATA: one has come, which said where */
    uint64_t buffer_at; /* a multiple of CFI_BUFFER_SIZE */
    uint64_t locked[FLASH_SECTORS / 64u];
    uint8_t buffer[CFI_BUFFER_SIZE]; /* ones where nothing is to be programmed */
};

struct cfi_flash {
    struct cfi_chips chips[FLASH_BANKS];
};

/* Reset state, on the VM's bus at `base` and as its vm->rom. The memory is the caller's. `store`:
 * NULL for flash that holds nothing and takes nothing. */
HV_MUST_CHECK hv_err cfi_flash_init(struct cfi_flash *flash, struct vm *vm, uint64_t base,
                                    struct flash_store *store);

/*
 * An mmio_access_fn, of both banks. Accesses of 1, 2 and 4 bytes, aligned; one of 8 is two. In read
 * array mode loads of any alignment. Takes the bank's lock, and s2's after it.
 */
bool cfi_flash_access(void *flash, struct mmio_access *access);

/* A vm_rom_map_fn (vm/vm.h), of both banks. Takes the bank's lock, and s2's after it. */
bool cfi_flash_map(void *flash, uint64_t offset);

#endif
