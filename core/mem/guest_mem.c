/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Copies to and from guest memory, one stage-2 entry at a time. */
#include "mem/guest_mem.h"
#include <string.h>

static inline bool window_has(const struct guest_window *window, struct s2 *s2, ipa_t at,
                              unsigned prot)
{
    return at.v - window->base < window->size && (window->prot & prot) == prot &&
           window->changes == atomic_load(&s2->changes);
}

/* The count is read before the look: a change that the look misses is seen at the next use. */
static __attribute__((noinline)) hv_err window_move(struct guest_window *window, struct s2 *s2,
                                                    ipa_t at, unsigned prot)
{
    struct s2_mapping mapping;
    uint64_t changes = atomic_load(&s2->changes);
    hv_err err = s2_query(s2, at, &mapping);

    /* It may go again at once, but not for ever: who takes it waits for this pCPU before long. */
    while (err == HV_ERR_NOENT && s2->fill != NULL) {
        err = s2->fill(s2, at);
        if (err != HV_OK)
            return err; /* HV_ERR_NOENT, too: nothing will ever be there */
        err = s2_query(s2, at, &mapping);
    }
    if (err != HV_OK)
        return err;
    if (mapping.type != S2_MEM_NORMAL || (mapping.prot & prot) != prot)
        return HV_ERR_PERM;
    *window = (struct guest_window){.base = mapping.ipa.v,
                                    .size = mapping.size,
                                    .pa = mapping.pa,
                                    .changes = changes,
                                    .prot = mapping.prot};
    return HV_OK;
}

/* The longest stretch from `at` that the window has, up to *len bytes. */
static hv_err span_open(struct guest_window *window, struct s2 *s2, ipa_t at, uint64_t *len,
                        unsigned prot, void **out)
{
    if (!window_has(window, s2, at, prot)) {
        hv_err err = window_move(window, s2, at, prot);
        if (err != HV_OK)
            return err;
    }
    uint64_t offset = at.v - window->base;
    *len = window->size - offset < *len ? window->size - offset : *len;
    *out = hal_phys_map(pa_add(window->pa, offset), *len);
    return *out != NULL ? HV_OK : HV_ERR_RANGE;
}

hv_err guest_window_map(struct guest_window *window, struct s2 *s2, ipa_t at, uint64_t len,
                        unsigned prot, void **out)
{
    return span_open(window, s2, at, &len, prot, out);
}

hv_err guest_window_write(struct guest_window *window, struct s2 *s2, ipa_t at, const void *from,
                          uint64_t len)
{
    const unsigned char *source = from;

    while (len > 0) {
        uint64_t n = len;
        void *ptr;
        hv_err err = span_open(window, s2, at, &n, S2_WRITE, &ptr);
        if (err != HV_OK)
            return err;
        memcpy(ptr, source, n);
        hal_cache_op(ptr, n, HAL_CACHE_CLEAN);
        hal_phys_unmap(ptr, n);
        source += n;
        at = ipa_add(at, n);
        len -= n;
    }
    return HV_OK;
}

hv_err guest_window_read(struct guest_window *window, struct s2 *s2, ipa_t at, void *to,
                         uint64_t len)
{
    unsigned char *target = to;

    while (len > 0) {
        uint64_t n = len;
        void *ptr;
        hv_err err = span_open(window, s2, at, &n, S2_READ, &ptr);
        if (err != HV_OK)
            return err;
        memcpy(target, ptr, n);
        hal_phys_unmap(ptr, n);
        target += n;
        at = ipa_add(at, n);
        len -= n;
    }
    return HV_OK;
}

hv_err guest_mem_write(struct s2 *s2, ipa_t at, const void *from, uint64_t len)
{
    struct guest_window window = {.size = 0};

    return guest_window_write(&window, s2, at, from, len);
}

hv_err guest_mem_read(struct s2 *s2, ipa_t at, void *to, uint64_t len)
{
    struct guest_window window = {.size = 0};

    return guest_window_read(&window, s2, at, to, len);
}
