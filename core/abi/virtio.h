/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Virtual I/O Device (VIRTIO) Version 1.2: device status, features, the split virtqueue (2.7), the
 * registers of virtio-mmio (4.2.2). All fields are little-endian. What a kind of device adds is in
 * virtio_<kind>.h.
 */
#ifndef ABI_VIRTIO_H
#define ABI_VIRTIO_H

#include "base/bits.h"
#include <stddef.h>
#include <stdint.h>

/* --- Device status (2.1) --- */

#define VIRTIO_STATUS_ACKNOWLEDGE UINT32_C(1)
#define VIRTIO_STATUS_DRIVER      UINT32_C(2)
#define VIRTIO_STATUS_DRIVER_OK   UINT32_C(4)
#define VIRTIO_STATUS_FEATURES_OK UINT32_C(8)
#define VIRTIO_STATUS_NEEDS_RESET UINT32_C(64)
#define VIRTIO_STATUS_FAILED      UINT32_C(128)

/* --- Features that are of no one kind of device (6) --- */

#define VIRTIO_F_INDIRECT_DESC     BIT(28)
#define VIRTIO_F_EVENT_IDX         BIT(29)
#define VIRTIO_F_VERSION_1         BIT(32)
#define VIRTIO_F_ACCESS_PLATFORM   BIT(33)
#define VIRTIO_F_RING_PACKED       BIT(34)
#define VIRTIO_F_IN_ORDER          BIT(35)
#define VIRTIO_F_ORDER_PLATFORM    BIT(36)
#define VIRTIO_F_NOTIFICATION_DATA BIT(38)
#define VIRTIO_F_RING_RESET        BIT(40)
/* Those that a kind of device has for itself (2.2). */
#define VIRTIO_F_OF_KIND (BITS(23, 0) | BITS(63, 50))

/* --- Device types (5) --- */

#define VIRTIO_ID_NET     UINT32_C(1)
#define VIRTIO_ID_BLOCK   UINT32_C(2)
#define VIRTIO_ID_CONSOLE UINT32_C(3)
#define VIRTIO_ID_ENTROPY UINT32_C(4)
#define VIRTIO_ID_BALLOON UINT32_C(5)
#define VIRTIO_ID_VSOCK   UINT32_C(19)

/* --- Split virtqueues (2.7) --- */

#define VIRTQ_DESC_F_NEXT     UINT16_C(1)
#define VIRTQ_DESC_F_WRITE    UINT16_C(2)
#define VIRTQ_DESC_F_INDIRECT UINT16_C(4)

#define VIRTQ_AVAIL_F_NO_INTERRUPT UINT16_C(1)
#define VIRTQ_USED_F_NO_NOTIFY     UINT16_C(1)

#define VIRTQ_DESC_ALIGN   16u
#define VIRTQ_DRIVER_ALIGN 2u
#define VIRTQ_DEVICE_ALIGN 4u

/* 2.7.5 */
struct virtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};
_Static_assert(sizeof(struct virtq_desc) == 16, "2.7.5");
_Static_assert(offsetof(struct virtq_desc, len) == 8, "2.7.5");
_Static_assert(offsetof(struct virtq_desc, flags) == 12, "2.7.5");
_Static_assert(offsetof(struct virtq_desc, next) == 14, "2.7.5");

/* 2.7.8 */
struct virtq_used_elem {
    uint32_t id;
    uint32_t len;
};
_Static_assert(sizeof(struct virtq_used_elem) == 8, "2.7.8");

/* The available ring (2.7.6): flags, idx, ring[size], used_event. */
#define VIRTQ_AVAIL_FLAGS   0u
#define VIRTQ_AVAIL_IDX     2u
#define VIRTQ_AVAIL_RING(n) (4u + 2u * (n))
/* The used ring (2.7.8): flags, idx, ring[size], avail_event. */
#define VIRTQ_USED_FLAGS   0u
#define VIRTQ_USED_IDX     2u
#define VIRTQ_USED_RING(n) (4u + 8u * (n))

/* --- virtio-mmio, version 2 (4.2.2) --- */

#define VIRTIO_MMIO_MAGIC   UINT32_C(0x74726976) /* "virt" */
#define VIRTIO_MMIO_VERSION UINT32_C(2)

enum virtio_mmio_reg {
    VIRTIO_MMIO_MAGIC_VALUE = 0x000,
    VIRTIO_MMIO_VERSION_REG = 0x004,
    VIRTIO_MMIO_DEVICE_ID = 0x008,
    VIRTIO_MMIO_VENDOR_ID = 0x00c,
    VIRTIO_MMIO_DEVICE_FEATURES = 0x010,
    VIRTIO_MMIO_DEVICE_FEATURES_SEL = 0x014,
    VIRTIO_MMIO_DRIVER_FEATURES = 0x020,
    VIRTIO_MMIO_DRIVER_FEATURES_SEL = 0x024,
    VIRTIO_MMIO_QUEUE_SEL = 0x030,
    VIRTIO_MMIO_QUEUE_NUM_MAX = 0x034,
    VIRTIO_MMIO_QUEUE_NUM = 0x038,
    VIRTIO_MMIO_QUEUE_READY = 0x044,
    VIRTIO_MMIO_QUEUE_NOTIFY = 0x050,
    VIRTIO_MMIO_INTERRUPT_STATUS = 0x060,
    VIRTIO_MMIO_INTERRUPT_ACK = 0x064,
    VIRTIO_MMIO_STATUS = 0x070,
    VIRTIO_MMIO_QUEUE_DESC_LOW = 0x080,
    VIRTIO_MMIO_QUEUE_DESC_HIGH = 0x084,
    VIRTIO_MMIO_QUEUE_DRIVER_LOW = 0x090,
    VIRTIO_MMIO_QUEUE_DRIVER_HIGH = 0x094,
    VIRTIO_MMIO_QUEUE_DEVICE_LOW = 0x0a0,
    VIRTIO_MMIO_QUEUE_DEVICE_HIGH = 0x0a4,
    VIRTIO_MMIO_SHM_SEL = 0x0ac,
    VIRTIO_MMIO_SHM_LEN_LOW = 0x0b0,
    VIRTIO_MMIO_SHM_LEN_HIGH = 0x0b4,
    VIRTIO_MMIO_SHM_BASE_LOW = 0x0b8,
    VIRTIO_MMIO_SHM_BASE_HIGH = 0x0bc,
    VIRTIO_MMIO_QUEUE_RESET = 0x0c0,
    VIRTIO_MMIO_CONFIG_GENERATION = 0x0fc,
    VIRTIO_MMIO_CONFIG = 0x100,
};

/* InterruptStatus and InterruptACK. */
#define VIRTIO_MMIO_INT_VRING  UINT32_C(1)
#define VIRTIO_MMIO_INT_CONFIG UINT32_C(2)

#endif
