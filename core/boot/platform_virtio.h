/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The part of boot/platform.c that looks for virtio-mmio devices. */
#ifndef BOOT_PLATFORM_VIRTIO_H
#define BOOT_PLATFORM_VIRTIO_H

#include "hal/platform.h"

/*
 * Fills out->virtio[] with the frames that the devicetree names (Linux binding virtio,mmio),
 * whatever is in them. `gic` is the interrupt controller's node. A frame that cannot be used is
 * left out: the machine runs without it. So is, and counted, one that is not said to be coherent
 * with the CPUs' caches (dma-coherent, of the node or a bus above it).
 */
void platform_find_virtio(const void *fdt, int gic, struct hal_platform *out);

#endif
