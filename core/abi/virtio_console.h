/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Virtio console device (Virtual I/O Device Version 1.2, 5.3). */
#ifndef ABI_VIRTIO_CONSOLE_H
#define ABI_VIRTIO_CONSOLE_H

#include "base/bits.h"
#include <stddef.h>
#include <stdint.h>

/* 5.3.3 */
#define VIRTIO_CONSOLE_F_SIZE        BIT(0)
#define VIRTIO_CONSOLE_F_MULTIPORT   BIT(1)
#define VIRTIO_CONSOLE_F_EMERG_WRITE BIT(2)

/* 5.3.2: queues, in pairs */
#define VIRTIO_CONSOLE_QUEUE_RX(port)   ((port) == 0 ? 0u : 2u + 2u * (port))
#define VIRTIO_CONSOLE_QUEUE_TX(port)   (VIRTIO_CONSOLE_QUEUE_RX(port) + 1u)
#define VIRTIO_CONSOLE_QUEUE_CONTROL_RX 2u /* what the device says */
#define VIRTIO_CONSOLE_QUEUE_CONTROL_TX 3u

/* 5.3.4 */
struct virtio_console_config {
    uint16_t cols;
    uint16_t rows;
    uint32_t max_nr_ports;
    uint32_t emerg_wr;
};
_Static_assert(sizeof(struct virtio_console_config) == 12, "5.3.4");
_Static_assert(offsetof(struct virtio_console_config, max_nr_ports) == 4, "5.3.4");

/* 5.3.6.2 */
struct virtio_console_control {
    uint32_t id;
    uint16_t event;
    uint16_t value;
};
_Static_assert(sizeof(struct virtio_console_control) == 8, "5.3.6.2");

#define VIRTIO_CONSOLE_DEVICE_READY  0u
#define VIRTIO_CONSOLE_DEVICE_ADD    1u
#define VIRTIO_CONSOLE_DEVICE_REMOVE 2u
#define VIRTIO_CONSOLE_PORT_READY    3u
#define VIRTIO_CONSOLE_CONSOLE_PORT  4u
#define VIRTIO_CONSOLE_RESIZE        5u
#define VIRTIO_CONSOLE_PORT_OPEN     6u
#define VIRTIO_CONSOLE_PORT_NAME     7u

#endif
