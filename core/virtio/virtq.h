/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The device's side of a split virtqueue (Virtual I/O Device Version 1.2, 2.7): rings and
 * descriptors in the guest's memory, all of it hostile. Each field is read once and checked; what
 * was read is never read again. A queue that breaks a rule is broken until it is reset, and nothing
 * but its own device suffers.
 *
 * No locks of its own: the caller holds that of the queue's device (rank virtio), and the functions
 * that touch the guest's memory take s2->lock under it.
 */
#ifndef VIRTIO_VIRTQ_H
#define VIRTIO_VIRTQ_H

#include "base/addr.h"
#include "base/err.h"
#include "mem/guest_mem.h"
#include "mem/s2.h"
#include <stdbool.h>
#include <stdint.h>

#define VIRTQ_SIZE_MAX 256u
/* Buffers that one chain may have, those of an indirect table counted, not the reference to it. */
#define VIRTQ_SEGS_MAX 130u

/* Whose place in memory a queue remembers. */
enum virtq_window {
    VIRTQ_WINDOW_DESC,
    VIRTQ_WINDOW_DRIVER,
    VIRTQ_WINDOW_DEVICE,
    VIRTQ_WINDOW_TABLE, /* the last indirect one */
    VIRTQ_WINDOW_DATA,  /* the first buffer of the last chain */
    VIRTQ_WINDOWS
};

struct virtq {
    struct s2 *s2; /* of the guest's memory */
    uint32_t size; /* a power of two, 1..VIRTQ_SIZE_MAX */
    bool ready;    /* `size` and the addresses are sound and do not change */
    bool broken;
    bool indirect;       /* negotiated: VIRTIO_F_INDIRECT_DESC */
    bool event_idx;      /* negotiated: VIRTIO_F_EVENT_IDX */
    bool quiet;          /* the device wants no notifications now */
    uint16_t seen_avail; /* the available ring's index as it was read last */
    uint16_t next_avail; /* the entry of the available ring that is popped next */
    uint16_t next_used;  /* where the next used element goes */
    uint16_t signalled;  /* next_used when virtq_must_interrupt() looked last */
    uint16_t event;      /* avail_event as it was written last, 0 at first */
    ipa_t desc;          /* 16-byte aligned */
    ipa_t driver;        /* available ring, 2-byte aligned */
    ipa_t device;        /* used ring, 4-byte aligned */
    struct guest_window window[VIRTQ_WINDOWS];
};

/* A buffer of the driver: any address, any length. */
struct virtq_seg {
    ipa_t at;
    uint32_t len;
};

/* A chain of descriptors as it was when it was popped: the driver may scribble over the rings from
 * then on. Those that the device reads come first (2.7.4.2). */
struct virtq_chain {
    uint16_t head; /* index of its first descriptor */
    uint16_t nr_out;
    uint16_t nr_in;
    uint64_t out_len;                     /* bytes that the device may read */
    uint64_t in_len;                      /* bytes that it may write */
    struct s2 *s2;                        /* of the guest's memory */
    struct guest_window window;           /* where its first buffer is, if that was found */
    struct virtq_seg seg[VIRTQ_SEGS_MAX]; /* nr_out, then nr_in */
};

/* As after a reset of the device: not ready, not broken, nothing negotiated, indices 0, size
 * `size`. */
void virtq_reset(struct virtq *q, struct s2 *s2, uint32_t size);

/* True if `size` and the addresses are such as the specification allows (2.7); whether there is
 * memory is found out when it is used. */
bool virtq_is_sound(const struct virtq *q);

/*
 * The next chain that the driver made available. HV_ERR_NOENT: there is none, or the queue is not
 * ready; the driver will notify of the next one, unless the queue is quiet. HV_ERR_FORMAT: the
 * driver broke a rule (an index out of range, a loop or more than `size` descriptors in the queue's
 * own table, more than VIRTQ_SEGS_MAX buffers, a readable one after a writable one, an indirect
 * table within another, with a successor, not negotiated, empty or of odd length, rings outside of
 * its memory): the queue is broken, as for every call from now on. A chain of no bytes is none of
 * these. `chain` is the caller's to use on HV_OK only.
 */
HV_MUST_CHECK hv_err virtq_pop(struct virtq *q, struct virtq_chain *chain);
/* True if virtq_pop() would find one, or the breach of a rule. */
bool virtq_has_avail(struct virtq *q);
/* Takes the last `count` pops back: those chains are found again. None of them was given back. */
void virtq_unpop(struct virtq *q, uint16_t count);

/*
 * Copy between the chain's readable, or writable, bytes from `offset` on and memory of the
 * hypervisor. HV_ERR_RANGE: the chain has not so many; otherwise as guest_mem_read(), after which
 * some may have been copied. Need no lock, but a chain whose device was not reset since.
 */
HV_MUST_CHECK hv_err virtq_read(const struct virtq_chain *chain, uint64_t offset, void *to,
                                uint64_t len);
HV_MUST_CHECK hv_err virtq_write(const struct virtq_chain *chain, uint64_t offset, const void *from,
                                 uint64_t len);

/*
 * Gives a chain back, of whose writable bytes the first `written` were written (2.7.8). Chains may
 * be given back in any order. virtq_fill() writes the element `n` places on and leaves the ring's
 * index; virtq_publish() then shows `count` of them at once, for drivers that take a frame's
 * buffers together. HV_ERR_NOENT: the queue is not ready. HV_ERR_FORMAT if the ring is outside of
 * the guest's memory: it is broken.
 */
HV_MUST_CHECK hv_err virtq_push(struct virtq *q, uint16_t head, uint32_t written);
HV_MUST_CHECK hv_err virtq_fill(struct virtq *q, uint16_t n, uint16_t head, uint32_t written);
HV_MUST_CHECK hv_err virtq_publish(struct virtq *q, uint16_t count);

/* Whether the driver wants an interrupt for what was pushed since it was asked last (2.7.7,
 * 2.7.10). To be asked at least once in 65535 pushes. False if the queue is or gets broken. */
bool virtq_must_interrupt(struct virtq *q);

/*
 * Whether the device wants notifications (VIRTQ_USED_F_NO_NOTIFY, avail_event). Turning them on
 * returns true if more became available meanwhile: the caller looks again. A queue starts with them
 * on.
 */
bool virtq_set_notify(struct virtq *q, bool on);

#endif
