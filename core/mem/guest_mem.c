/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Copies to and from guest memory, one stage-2 entry at a time. */
#include "mem/guest_mem.h"
#include <string.h>

/* A stretch of guest memory that is contiguous in physical memory, mapped for the hypervisor. */
struct guest_span {
    void *ptr;
    uint64_t len;
};

/* Finds and maps the longest span at `at`, up to `len` bytes, that grants `prot` and is ordinary
 * memory. */
static hv_err span_open(struct s2 *s2, ipa_t at, uint64_t len, unsigned prot,
                        struct guest_span *span)
{
    struct s2_mapping mapping;
    hv_err err = s2_query(s2, at, &mapping);
    if (err != HV_OK)
        return err;
    if (mapping.type != S2_MEM_NORMAL || (mapping.prot & prot) == 0)
        return HV_ERR_PERM;
    uint64_t offset = at.v - mapping.ipa.v;
    span->len = mapping.size - offset < len ? mapping.size - offset : len;
    span->ptr = hal_phys_map(pa_add(mapping.pa, offset), span->len);
    return span->ptr != NULL ? HV_OK : HV_ERR_RANGE;
}

hv_err guest_mem_write(struct s2 *s2, ipa_t at, const void *from, uint64_t len)
{
    const unsigned char *source = from;
    while (len > 0) {
        struct guest_span span;
        hv_err err = span_open(s2, at, len, S2_WRITE, &span);
        if (err != HV_OK)
            return err;
        memcpy(span.ptr, source, span.len);
        hal_cache_op(span.ptr, span.len, HAL_CACHE_CLEAN);
        hal_phys_unmap(span.ptr, span.len);
        source += span.len;
        at = ipa_add(at, span.len);
        len -= span.len;
    }
    return HV_OK;
}

hv_err guest_mem_read(struct s2 *s2, ipa_t at, void *to, uint64_t len)
{
    unsigned char *target = to;
    while (len > 0) {
        struct guest_span span;
        hv_err err = span_open(s2, at, len, S2_READ, &span);
        if (err != HV_OK)
            return err;
        memcpy(target, span.ptr, span.len);
        hal_phys_unmap(span.ptr, span.len);
        target += span.len;
        at = ipa_add(at, span.len);
        len -= span.len;
    }
    return HV_OK;
}
