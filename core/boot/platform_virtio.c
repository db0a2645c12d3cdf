/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/platform_virtio.h"
#include "base/addr.h"
#include "boot/fdt_util.h"
#include <libfdt.h>

/* Registers, and the least of a configuration space (Virtual I/O Device Version 1.2, 4.2.2). */
#define FRAME_MIN UINT64_C(0x140)

static bool read_frame(const void *fdt, int node, int gic, struct platform_range *frame,
                       uint32_t *intid)
{
    const char *why;

    return fdt_util_enabled(fdt, node) && fdt_util_reg(fdt, node, 0, frame, &why) == HV_OK &&
           frame->size >= FRAME_MIN && is_aligned(frame->base, 8) &&
           fdt_util_irq(fdt, node, gic, 0, intid, &why) == HV_OK;
}

/* The nearest node that says anything. */
static bool is_coherent(const void *fdt, int node)
{
    for (int at = node; at >= 0; at = fdt_parent_offset(fdt, at)) {
        if (fdt_getprop(fdt, at, "dma-noncoherent", NULL) != NULL)
            return false;
        if (fdt_getprop(fdt, at, "dma-coherent", NULL) != NULL)
            return true;
    }
    return false;
}

void platform_find_virtio(const void *fdt, int gic, struct hal_platform *out)
{
    int node = fdt_node_offset_by_compatible(fdt, -1, "virtio,mmio");

    while (node >= 0 && out->nr_virtio < PLATFORM_MAX_VIRTIO) {
        struct platform_range frame;
        uint32_t intid;

        if (read_frame(fdt, node, gic, &frame, &intid)) {
            bool coherent = is_coherent(fdt, node);
            out->virtio[out->nr_virtio] = frame;
            out->virtio_intid[out->nr_virtio] = intid;
            out->nr_virtio += coherent;
            out->nr_virtio_incoherent += !coherent;
        }
        node = fdt_node_offset_by_compatible(fdt, node, "virtio,mmio");
    }
}
