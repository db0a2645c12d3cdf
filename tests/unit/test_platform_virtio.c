/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Frames of virtio-mmio in the machine's devicetree. */
#include "platform_fixture.h"

static void add_frame(const char *path, uint32_t base, uint32_t size, uint32_t spi)
{
    tree_string(path, "compatible", "virtio,mmio");
    tree_cells(path, "reg", 0, base, 0, size);
    tree_cells(path, "interrupts", 0, spi, 1);
    tree_bytes(path, "dma-coherent", "", 0);
}

CASE(platform_virtio, none)
{
    tree_virt();
    EXPECT_OK();
    cr_expect_eq(out.nr_virtio, 0);
}

CASE(platform_virtio, in_the_order_of_the_tree)
{
    tree_virt();
    add_frame("/virtio_mmio@a000000", 0xa000000, 0x200, 16);
    add_frame("/virtio_mmio@a000200", 0xa000200, 0x200, 17);
    EXPECT_OK();
    cr_assert_eq(out.nr_virtio, 2);
    /* libfdt adds nodes at the front. */
    expect_range(&out.virtio[0], 0xa000200, 0x200);
    cr_expect_eq(out.virtio_intid[0], 49);
    expect_range(&out.virtio[1], 0xa000000, 0x200);
    cr_expect_eq(out.virtio_intid[1], 48);
}

CASE(platform_virtio, those_that_cannot_be_used_are_left_out)
{
    tree_virt();
    add_frame("/virtio_mmio@a000000", 0xa000000, 0x200, 16);
    tree_string("/virtio_mmio@a000000", "status", "disabled");
    add_frame("/virtio_mmio@a000200", 0xa000200, 0x100, 17);
    add_frame("/virtio_mmio@a000404", 0xa000404, 0x200, 18);
    add_frame("/virtio_mmio@a000600", 0xa000600, 0x200, 19);
    tree_bytes("/virtio_mmio@a000600", "interrupts", "", 0);
    add_frame("/virtio_mmio@a000800", 0xa000800, 0x200, 20);
    tree_bytes("/virtio_mmio@a000800", "reg", "", 0);
    add_frame("/virtio_mmio@a000a00", 0xa000a00, 0x200, 21);
    EXPECT_OK();
    cr_assert_eq(out.nr_virtio, 1);
    expect_range(&out.virtio[0], 0xa000a00, 0x200);
    cr_expect_eq(out.virtio_intid[0], 53);
}

/* Nobody cleans caches for them. Linux, of_dma_is_coherent(): the nearest node that says so. */
CASE(platform_virtio, not_coherent)
{
    tree_virt();
    add_frame("/virtio_mmio@a000000", 0xa000000, 0x200, 16);
    tree_drop("/virtio_mmio@a000000", "dma-coherent");
    add_frame("/virtio_mmio@a000200", 0xa000200, 0x200, 17);
    EXPECT_OK();
    cr_assert_eq(out.nr_virtio, 1);
    cr_expect_eq(out.virtio_intid[0], 49);
    cr_expect_eq(out.nr_virtio_incoherent, 1);
    tree_bytes("/", "dma-coherent", "", 0);
    EXPECT_OK();
    cr_expect_eq(out.nr_virtio, 2, "the bus is");
    cr_expect_eq(out.nr_virtio_incoherent, 0);
    tree_bytes("/virtio_mmio@a000000", "dma-noncoherent", "", 0);
    EXPECT_OK();
    cr_expect_eq(out.nr_virtio, 1);
    cr_expect_eq(out.nr_virtio_incoherent, 1);
}

CASE(platform_virtio, as_many_as_there_is_room_for)
{
    tree_virt();
    for (uint32_t i = 0; i < PLATFORM_MAX_VIRTIO + 1; i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "/virtio_mmio@%x", 0xa000000 + i * 0x200);
        add_frame(path, 0xa000000 + i * 0x200, 0x200, i);
    }
    EXPECT_OK();
    cr_expect_eq(out.nr_virtio, PLATFORM_MAX_VIRTIO);
}

CASES_RUN(platform_virtio, NULL, NULL)
