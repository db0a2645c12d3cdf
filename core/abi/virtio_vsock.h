/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Virtio socket device (Virtual I/O Device Version 1.2, 5.10). */
#ifndef ABI_VIRTIO_VSOCK_H
#define ABI_VIRTIO_VSOCK_H

#include "base/bits.h"
#include <stddef.h>
#include <stdint.h>

#define VIRTIO_VSOCK_QUEUE_RX    0u
#define VIRTIO_VSOCK_QUEUE_TX    1u
#define VIRTIO_VSOCK_QUEUE_EVENT 2u
#define VIRTIO_VSOCK_QUEUES      3u

/* 5.10.3 */
#define VIRTIO_VSOCK_F_STREAM    BIT(0)
#define VIRTIO_VSOCK_F_SEQPACKET BIT(1)

/* 5.10.4 */
#define VIRTIO_VSOCK_CID_HOST  UINT32_C(2)
#define VIRTIO_VSOCK_CID_FIRST UINT32_C(3) /* of guests */
#define VIRTIO_VSOCK_CID_LAST  UINT32_C(0xfffffffe)

/* 5.10.6 */
struct virtio_vsock_hdr {
    uint64_t src_cid;
    uint64_t dst_cid;
    uint32_t src_port;
    uint32_t dst_port;
    uint32_t len;
    uint16_t type;
    uint16_t op;
    uint32_t flags;
    uint32_t buf_alloc;
    uint32_t fwd_cnt;
} __attribute__((packed));
_Static_assert(sizeof(struct virtio_vsock_hdr) == 44, "5.10.6");
_Static_assert(offsetof(struct virtio_vsock_hdr, op) == 30, "5.10.6");

#define VIRTIO_VSOCK_TYPE_STREAM 1u

#define VIRTIO_VSOCK_OP_INVALID        0u
#define VIRTIO_VSOCK_OP_REQUEST        1u
#define VIRTIO_VSOCK_OP_RESPONSE       2u
#define VIRTIO_VSOCK_OP_RST            3u
#define VIRTIO_VSOCK_OP_SHUTDOWN       4u
#define VIRTIO_VSOCK_OP_RW             5u
#define VIRTIO_VSOCK_OP_CREDIT_UPDATE  6u
#define VIRTIO_VSOCK_OP_CREDIT_REQUEST 7u

/* Flags of OP_SHUTDOWN */
#define VIRTIO_VSOCK_SHUTDOWN_RCV  UINT32_C(1)
#define VIRTIO_VSOCK_SHUTDOWN_SEND UINT32_C(2)

#endif
