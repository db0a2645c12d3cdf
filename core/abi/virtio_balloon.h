/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Virtio memory balloon device (Virtual I/O Device Version 1.2, 5.5). */
#ifndef ABI_VIRTIO_BALLOON_H
#define ABI_VIRTIO_BALLOON_H

#include "base/bits.h"
#include <stddef.h>
#include <stdint.h>

/* 5.5.3 */
#define VIRTIO_BALLOON_F_MUST_TELL_HOST BIT(0)
#define VIRTIO_BALLOON_F_STATS_VQ       BIT(1)
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM BIT(2)
#define VIRTIO_BALLOON_F_FREE_PAGE_HINT BIT(3)
#define VIRTIO_BALLOON_F_PAGE_POISON    BIT(4)
#define VIRTIO_BALLOON_F_PAGE_REPORTING BIT(5)

#define VIRTIO_BALLOON_PFN_SHIFT 12u /* of 4 KiB always (5.5.6) */

/* 5.5.4: what all of them have. */
struct virtio_balloon_config {
    uint32_t num_pages;
    uint32_t actual;
};
_Static_assert(sizeof(struct virtio_balloon_config) == 8, "5.5.4");
_Static_assert(offsetof(struct virtio_balloon_config, actual) == 4, "5.5.4");

/* 5.5.6.3 */
struct virtio_balloon_stat {
    uint16_t tag;
    uint64_t val;
} __attribute__((packed));
_Static_assert(sizeof(struct virtio_balloon_stat) == 10, "5.5.6.3");

#define VIRTIO_BALLOON_S_SWAP_IN  0u
#define VIRTIO_BALLOON_S_SWAP_OUT 1u
#define VIRTIO_BALLOON_S_MAJFLT   2u
#define VIRTIO_BALLOON_S_MINFLT   3u
#define VIRTIO_BALLOON_S_MEMFREE  4u /* bytes, as the next */
#define VIRTIO_BALLOON_S_MEMTOT   5u
#define VIRTIO_BALLOON_S_AVAIL    6u
#define VIRTIO_BALLOON_S_NR       10u

#endif
