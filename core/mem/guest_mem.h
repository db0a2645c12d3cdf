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
 * through its caches. The caller sees to it that what is mapped stays mapped meanwhile. `from` and
 * `to` are not in the range's own memory. Take s2->lock, not across the copying.
 */
HV_MUST_CHECK hv_err guest_mem_write(struct s2 *s2, ipa_t at, const void *from, uint64_t len);
HV_MUST_CHECK hv_err guest_mem_read(struct s2 *s2, ipa_t at, void *to, uint64_t len);

#endif
