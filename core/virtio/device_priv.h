/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of the transport share. */
#ifndef VIRTIO_DEVICE_PRIV_H
#define VIRTIO_DEVICE_PRIV_H

#include "virtio/device.h"

/* --- device_regs.c --- */

/* All of it as at the beginning, but for `epoch`. Lock held, or before anybody knows it. */
void virtio_device_clear(struct virtio_device *dev);

/* --- device.c: lock held --- */

/* `bits` of InterruptStatus are set, or cleared; the line follows. */
void virtio_raise(struct virtio_device *dev, uint32_t bits);
void virtio_lower(struct virtio_device *dev, uint32_t bits);

#endif
