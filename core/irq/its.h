/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The Interrupt Translation Service of a VM's vGIC (IHI 0069, chapter 5): one ITS, whose device,
 * collection and interrupt translation tables lie in guest memory as on hardware, so that mapping
 * costs the hypervisor nothing. Whatever is read from there is checked at each use. What the
 * architecture leaves open, and how much of a queue is served at a time: docs/its.md.
 */
#ifndef IRQ_ITS_H
#define IRQ_ITS_H

#include "arch/mmio.h"
#include "base/addr.h"
#include "base/err.h"
#include "base/lock.h"
#include "mem/page_pool.h"
#include "mem/s2.h"
#include <stdbool.h>
#include <stdint.h>

#define ITS_NR_TABLES 2u

struct vgic;
struct vgic_lpi_chunk;

/* All of it guarded by `lock`, but for s2, pool and account, which do not change. */
struct vgic_its {
    struct spinlock lock; /* rank its: held while guest memory is read, and taken before vgic's */
    struct s2 *s2;        /* NULL: no ITS and no LPIs */
    struct page_pool *pool;
    struct page_account *account;
    struct vgic_lpi_chunk **chunk; /* the states of the LPIs; NULL until there is one */
    pa_t chunk_block;
    uint64_t cbaser;
    uint64_t baser[ITS_NR_TABLES]; /* what the guest can write of GITS_BASER<n> */
    uint32_t cwriter;              /* byte offsets into the command queue */
    uint32_t creadr;
    uint32_t walk;   /* where INVALL or MOVALL at `creadr` goes on: a chunk */
    uint64_t errors; /* commands that were ignored because something in them was wrong */
    bool enabled;
    bool stalled;
};

/*
 * A guest's access to the ITS's two frames. Commands are not carried out here but in vgic_flush()
 * of the vCPU that made the access, before it runs on. false: an external abort, as for
 * vgic_dist_access(); always if the VM has no ITS. Takes its.lock, and vgic->lock in it. Own pCPU
 * of access->cpu.
 */
bool vgic_its_access(struct vgic *vgic, struct mmio_access *access);

/*
 * A device writes `event` to GITS_TRANSLATER: its LPI becomes pending. HV_ERR_NOENT if the guest
 * has not mapped it, or not enabled what is needed: then nothing happens, as in hardware;
 * HV_ERR_NOMEM or HV_ERR_QUOTA if its state finds no memory. Any pCPU, with no lock of rank its or
 * higher.
 */
HV_MUST_CHECK hv_err vgic_its_msi(struct vgic *vgic, uint32_t device, uint32_t event);

#endif
