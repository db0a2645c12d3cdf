/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Copies between the hypervisor and a guest's memory, page by page through its stage-2 tables.
 * Every address is hostile. */
#ifndef MEM_GUEST_MEM_H
#define MEM_GUEST_MEM_H

#include "base/addr.h"
#include "base/err.h"
#include "mem/s2.h"
#include <stdint.h>

/*
 * Both copy all of [at, at + len) or return an error: HV_ERR_NOENT if a page of it is not mapped,
 * HV_ERR_RANGE outside the IPA space, HV_ERR_PERM if it is mapped without the permission or as
 * device. What was copied before the error stays copied. Guest memory is cleaned to the point of
 * coherency after a write: a guest with caches off sees it. A read sees what the guest wrote
 * through its caches. A page that is not mapped is asked for first (s2->fill). What is unmapped
 * meanwhile may still be read and written: who does it waits until every other pCPU that runs a
 * vCPU of the VM has passed sched_next() before the page is another's (sched_grace_begin()). `from`
 * and `to` are not in the range's own memory. Take s2->lock, not across the copying.
 */
HV_MUST_CHECK hv_err guest_mem_write(struct s2 *s2, ipa_t at, const void *from, uint64_t len);
HV_MUST_CHECK hv_err guest_mem_read(struct s2 *s2, ipa_t at, void *to, uint64_t len);

/*
 * The stage-2 entry that was looked up last, for who comes back to the same memory often: it is
 * looked up again only for another place, or after an s2_unmap() or s2_protect(). All zeroes: none.
 * Its user's, who lets one pCPU at a time use it; always with the same `s2`.
 */
struct guest_window {
    uint64_t base; /* IPA */
    uint64_t size; /* 0: none */
    pa_t pa;
    uint64_t changes; /* s2->changes before the look */
    unsigned prot;
};

/*
 * Finds [at, at + len), which is part of one page, with permission `prot` (S2_READ, S2_WRITE or
 * both): *out is where it is, to be given back by hal_phys_unmap(*out, len). Errors as
 * guest_mem_read(). What is written there is the caller's to clean.
 */
HV_MUST_CHECK hv_err guest_window_map(struct guest_window *window, struct s2 *s2, ipa_t at,
                                      uint64_t len, unsigned prot, void **out);

/* guest_mem_write() and guest_mem_read() through a window. */
HV_MUST_CHECK hv_err guest_window_write(struct guest_window *window, struct s2 *s2, ipa_t at,
                                        const void *from, uint64_t len);
HV_MUST_CHECK hv_err guest_window_read(struct guest_window *window, struct s2 *s2, ipa_t at,
                                       void *to, uint64_t len);

#endif
