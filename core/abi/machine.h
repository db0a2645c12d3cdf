/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The machine that every guest sees: a subset of QEMU's virt, at its addresses and interrupt
 * numbers. */
#ifndef ABI_MACHINE_H
#define ABI_MACHINE_H

#include <stdint.h>

#define MACHINE_FLASH_BASE UINT64_C(0x00000000)
#define MACHINE_FLASH_SIZE UINT64_C(0x08000000) /* two banks of 64 MiB */

#define MACHINE_GICD_BASE UINT64_C(0x08000000)
#define MACHINE_GICD_SIZE UINT64_C(0x00010000)
#define MACHINE_GICR_BASE UINT64_C(0x080a0000)
#define MACHINE_GICR_STRIDE                                                                        \
    UINT64_C(0x00020000)                       /* one redistributor: RD_base and SGI_base frames */
#define MACHINE_GICR_SIZE UINT64_C(0x00f60000) /* room for 123 redistributors */

#define MACHINE_GITS_BASE UINT64_C(0x08080000)
#define MACHINE_GITS_SIZE UINT64_C(0x00020000) /* control frame and translation frame */

#define MACHINE_UART_BASE UINT64_C(0x09000000)
#define MACHINE_UART_SIZE UINT64_C(0x00001000)
#define MACHINE_UART_HZ   UINT32_C(24000000) /* apb_pclk, as of the other PrimeCells */

#define MACHINE_RTC_BASE UINT64_C(0x09010000)
#define MACHINE_RTC_SIZE UINT64_C(0x00001000)

#define MACHINE_GPIO_BASE UINT64_C(0x09030000)
#define MACHINE_GPIO_SIZE UINT64_C(0x00001000)

/* Transport n of virtio-mmio is at n strides, with the interrupt n further on. */
#define MACHINE_VIRTIO_BASE   UINT64_C(0x0a000000)
#define MACHINE_VIRTIO_STRIDE UINT64_C(0x00000200)
#define MACHINE_NR_VIRTIO     32u

#define MACHINE_RAM_BASE UINT64_C(0x40000000)
#define MACHINE_FLAT_TEXT_OFFSET                                                                   \
    UINT64_C(0x80000) /* where a flat image goes, from the start of RAM */

/* INTIDs. SPI n is INTID 32 + n, PPI n is INTID 16 + n. */
#define MACHINE_INTID_PTIMER UINT32_C(30)
#define MACHINE_INTID_VTIMER UINT32_C(27)
#define MACHINE_INTID_UART   UINT32_C(33)
#define MACHINE_INTID_RTC    UINT32_C(34)
#define MACHINE_INTID_GPIO   UINT32_C(39)
#define MACHINE_INTID_VIRTIO UINT32_C(48) /* of transport 0 */

/* SPIs that the guest's distributor implements if its configuration does not say, as QEMU's virt,
 * and at most: INTIDs 32 to 1019 (IHI 0069, 2.2). */
#define MACHINE_NR_SPIS  256u
#define MACHINE_MAX_SPIS 988u

/* vCPUs of a VM: what Aff0 of an SGI's target list names without a range selector. */
#define MACHINE_MAX_VCPUS 16u

#endif
