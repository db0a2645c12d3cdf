/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Stage-2 translation tables of one VM: 4 KiB granule, 4-level VMSAv8-64 (Arm ARM DDI 0487,
 * D8.2-D8.3). Real descriptors, built for the hardware walker. Every change that can fail allocates
 * first and then commits without a way to fail. Entries that were valid change by break-before-make
 * (D8.14.1), with the TLB invalidation through the HAL.
 *
 * A vCPU that runs on another CPU can meet an entry in the moment between break and make: its
 * translation fault is then spurious. The fault handler's s2_query() waits for the lock, finds the
 * page mapped, and lets the guest retry.
 */
#ifndef MEM_S2_H
#define MEM_S2_H

#include "arch/idreg.h"
#include "arch/pte.h"
#include "base/addr.h"
#include "base/err.h"
#include "base/lock.h"
#include "hal/hal.h"
#include "mem/page_pool.h"
#include <stdbool.h>
#include <stdint.h>

enum s2_prot { S2_READ = 1, S2_WRITE = 2, S2_EXEC = 4, S2_RW = 3, S2_RWX = 7 };
enum s2_memtype { S2_MEM_NORMAL, S2_MEM_DEVICE };

struct s2 {
    struct spinlock lock; /* rank s2 */
    struct page_pool *pool;
    struct page_account *account;
    pa_t root; /* 2^root_order concatenated tables */
    uint8_t root_order;
    uint8_t ipa_bits;
    uint8_t start_level; /* 0..2 */
    struct s2_tag tag;   /* without the VMID: s2_tag() */
    /* Counts unmaps and changes of permissions: what was looked up before one may not hold.
     * Sequentially consistent: sched_grace_begin(). */
    _Atomic uint64_t changes;
    _Atomic uint64_t vmid; /* bits [15:0]; above them who gave it keeps its age (mem/vmid.h) */
    uint64_t table_pages;  /* below the root */
    /* Maps the page at `at`, which was not mapped, if there can be one: HV_ERR_NOENT otherwise, or
     * what keeps it from being there. No lock of rank s2 or above is held. NULL: there is none. */
    hv_err (*fill)(struct s2 *s2, ipa_t at);
};

/* What an IPA maps to. `size` is what the entry covers: 4 KiB, 2 MiB or 1 GiB; ipa and pa are its
 * start. */
struct s2_mapping {
    ipa_t ipa;
    pa_t pa;
    uint64_t size;
    unsigned prot; /* enum s2_prot, or-ed */
    enum s2_memtype type;
};

/* The IPA size that s2_init() gives a CPU with these registers: its physical one, at most 48 bits.
 */
static inline unsigned s2_ipa_bits(const struct arch_idregs *idregs)
{
    unsigned bits = idreg_pa_bits(idregs);
    return bits < 48 ? bits : 48;
}

/* What tags the translations of these tables now. Read it after the change of a table that an
 * invalidation follows: who got a new VMID since walks the changed table. */
static inline struct s2_tag s2_tag(const struct s2 *s2)
{
    return (struct s2_tag){
        .vttbr = s2->tag.vttbr | (s2->vmid & 0xffff) << VTTBR_VMID_SHIFT,
        .vtcr = s2->tag.vtcr,
    };
}

/*
 * Makes empty tables. The IPA size is the CPU's physical address size (at most 48 bits), and the
 * start level the deepest that the architecture allows for it with up to 16 concatenated tables.
 * `vmid` must fit the CPU's VMID size: HV_ERR_RANGE. HV_ERR_UNSUPPORTED for a reserved PARange,
 * HV_ERR_NOMEM/QUOTA for the root. The pool and the account outlive the tables. Table pages and the
 * root are charged to the account.
 */
HV_MUST_CHECK hv_err s2_init(struct s2 *s2, struct page_pool *pool, struct page_account *account,
                             const struct arch_idregs *idregs, uint16_t vmid);

/* Frees all tables, not what they map, and empties the TLBs of the VMID. No vCPU of the VM is
 * loaded anywhere. */
void s2_destroy(struct s2 *s2);

/*
 * Maps [at, at + len) to [to, to + len) in the largest blocks that both alignments allow.
 * HV_ERR_ALIGN unless all are multiples of 4 KiB and len > 0; HV_ERR_RANGE outside the IPA space or
 * the CPU's physical addresses (at most 48 bits of them); HV_ERR_INVAL for no or unknown
 * permission; HV_ERR_EXIST if a page of it is mapped already; HV_ERR_NOMEM/QUOTA for tables. After
 * an error nothing has changed. Takes s2->lock.
 */
HV_MUST_CHECK hv_err s2_map(struct s2 *s2, ipa_t at, pa_t to, uint64_t len, unsigned prot,
                            enum s2_memtype type);

/*
 * Unmaps [at, at + len); holes in it are no error. Blocks that are cut are split first
 * (HV_ERR_NOMEM/QUOTA: nothing has changed). Table pages that become empty are freed, after the TLB
 * invalidation. HV_ERR_ALIGN and HV_ERR_RANGE as s2_map(). Takes s2->lock.
 */
HV_MUST_CHECK hv_err s2_unmap(struct s2 *s2, ipa_t at, uint64_t len);

/*
 * Changes the permissions of what is mapped in [at, at + len). HV_ERR_NOENT if a page of it is not
 * mapped; other errors as s2_map(). After an error nothing has changed. Takes s2->lock.
 */
HV_MUST_CHECK hv_err s2_protect(struct s2 *s2, ipa_t at, uint64_t len, unsigned prot);

/* Finds the entry that maps `at`. HV_ERR_NOENT if there is none, HV_ERR_RANGE outside the IPA
 * space. Takes s2->lock. */
HV_MUST_CHECK hv_err s2_query(struct s2 *s2, ipa_t at, struct s2_mapping *out);

#endif
