/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What holds of a socket device's connections at any time. */
#ifndef FUZZ_VSOCK_CHECK_H
#define FUZZ_VSOCK_CHECK_H

#include "fuzz.h"
#include "virtio/vsock.h"

static inline void fuzz_check_vsock(const struct virtio_vsock *v)
{
    FUZZ_ASSERT(v->nr_refusals <= VSOCK_REFUSALS);
    for (unsigned i = 0; i < VSOCK_CONNECTIONS; i++) {
        const struct vsock_end *end = &v->end[i];
        if (end->state == VSOCK_FREE)
            continue;
        FUZZ_ASSERT(end->head - end->tail <= VSOCK_PIPE_SIZE);
        FUZZ_ASSERT((end->other == NULL) == (end->state == VSOCK_RESET));
        if (end->other == NULL)
            continue;
        FUZZ_ASSERT(end->other->other == end && end->other->state != VSOCK_FREE);
        FUZZ_ASSERT(end->sent - end->fwd == end->other->head - end->other->tail);
    }
}

#endif
