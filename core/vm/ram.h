/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The memory of a VM: blocks of the page pool, the largest that fit, mapped at MACHINE_RAM_BASE. */
#ifndef VM_RAM_H
#define VM_RAM_H

#include "base/err.h"
#include "vm/vm.h"
#include <stdint.h>

/* Allocates, cleans (the guest starts with its caches off) and maps `size` bytes. On an error
 * vm_ram_free() gives back what there is. Only the manager, as the next: hv_worked(). */
HV_MUST_CHECK hv_err vm_ram_alloc(struct vm *vm, uint64_t size);
/* Scrubs and frees the blocks; the stage-2 tables are destroyed before. */
void vm_ram_free(struct vm *vm);

/* --- Memory that comes and goes: a VM with a balloon --- */

/* From now on pages of the VM may be taken from it, and come back when they are touched. Before it
 * runs. */
void vm_ram_allow_holes(struct vm *vm);
/*
 * Unmaps what the stage-2 entry of `at` has of [at, at + len), whole pages of the VM's memory:
 * [*pa, *pa + *taken). It stays charged to the VM, and others may be in the middle of a copy to or
 * from it, until vm_ram_release(), which the caller does after a sched_grace_begin() that is over.
 * HV_ERR_NOENT: the page at `at` is not there; HV_ERR_RANGE: not the VM's memory; HV_ERR_NOMEM or
 * HV_ERR_QUOTA: there are no tables to cut the entry, and nothing has changed. One pCPU at a time.
 */
HV_MUST_CHECK hv_err vm_ram_take(struct vm *vm, ipa_t at, uint64_t len, pa_t *pa, uint64_t *taken);
/* Scrubs such pages, or a part of them, and gives them back to the pool. */
void vm_ram_release(struct vm *vm, pa_t pa, uint64_t len);
/*
 * The s2.fill of such a VM: a page of its memory that is not mapped gets a zeroed one. HV_OK: it is
 * mapped now, by whomever. HV_ERR_NOENT: not the VM's memory; HV_ERR_NOMEM, HV_ERR_QUOTA. Any pCPU
 * of the VM's, locks of rank below s2 may be held.
 */
HV_MUST_CHECK hv_err vm_ram_fill(struct s2 *s2, ipa_t at);
/* Gives back all that is mapped, before the tables go. Only the manager: hv_worked(). */
void vm_ram_empty(struct vm *vm);

#endif
