/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Virtual I/O Device (VIRTIO) Version 1.2, 5.1: network device. All fields are little-endian. */
#ifndef ABI_VIRTIO_NET_H
#define ABI_VIRTIO_NET_H

#include "base/bits.h"
#include <stddef.h>
#include <stdint.h>

/* 5.1.2 */
#define VIRTIO_NET_QUEUE_RX 0u
#define VIRTIO_NET_QUEUE_TX 1u
#define VIRTIO_NET_QUEUES   2u

/* 5.1.3 */
#define VIRTIO_NET_F_CSUM       BIT(0)
#define VIRTIO_NET_F_GUEST_CSUM BIT(1)
#define VIRTIO_NET_F_MTU        BIT(3)
#define VIRTIO_NET_F_MAC        BIT(5)
#define VIRTIO_NET_F_MRG_RXBUF  BIT(15)
#define VIRTIO_NET_F_STATUS     BIT(16)

#define VIRTIO_NET_S_LINK_UP UINT16_C(1)

#define VIRTIO_NET_MAC_LEN 6u

/* 5.1.4, as far as a device without VIRTIO_NET_F_SPEED_DUPLEX and RSS has it, and padding. */
struct virtio_net_config {
    uint8_t mac[VIRTIO_NET_MAC_LEN];
    uint16_t status;
    uint16_t max_virtqueue_pairs;
    uint16_t mtu;
};
_Static_assert(sizeof(struct virtio_net_config) == 12, "5.1.4");
_Static_assert(offsetof(struct virtio_net_config, status) == 6, "5.1.4");
_Static_assert(offsetof(struct virtio_net_config, mtu) == 10, "5.1.4");

/* 5.1.6 */
#define VIRTIO_NET_HDR_F_NEEDS_CSUM UINT8_C(1)
#define VIRTIO_NET_HDR_F_DATA_VALID UINT8_C(2)
#define VIRTIO_NET_HDR_GSO_NONE     UINT8_C(0)

struct virtio_net_hdr {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t hdr_len;
    uint16_t gso_size;
    uint16_t csum_start;
    uint16_t csum_offset;
    uint16_t num_buffers;
};
_Static_assert(sizeof(struct virtio_net_hdr) == 12, "5.1.6");
_Static_assert(offsetof(struct virtio_net_hdr, csum_start) == 6, "5.1.6");
_Static_assert(offsetof(struct virtio_net_hdr, num_buffers) == 10, "5.1.6");

#endif
