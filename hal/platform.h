/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the machine is made of, as discovered from its devicetree by core and handed to hal_init().
 * Plain data. */
#ifndef HAL_PLATFORM_H
#define HAL_PLATFORM_H

#include "base/addr.h"
#include <stdbool.h>
#include <stdint.h>

#define PLATFORM_MAX_CPUS     64u
#define PLATFORM_MAX_RAM      16u
#define PLATFORM_MAX_RESERVED 32u
#define PLATFORM_MAX_GICR     8u
#define PLATFORM_MAX_VIRTIO   32u

struct platform_range {
    uint64_t base;
    uint64_t size;
};

struct hal_platform {
    struct platform_range ram[PLATFORM_MAX_RAM];
    uint32_t nr_ram;
    struct platform_range reserved[PLATFORM_MAX_RESERVED]; /* firmware's; never given to anybody */
    uint32_t nr_reserved;
    uint64_t cpu_mpidr[PLATFORM_MAX_CPUS]; /* affinity fields of MPIDR_EL1; [0] is the boot CPU */
    uint32_t nr_cpus;
    struct platform_range gicd;
    struct platform_range gicr[PLATFORM_MAX_GICR];
    uint32_t nr_gicr;
    uint64_t gicr_stride; /* 0: by GICR_TYPER */
    uint32_t gic_maintenance_intid;
    uint32_t timer_hyp_intid;   /* CNTHP */
    uint32_t timer_virt_intid;  /* CNTV, given to guests through hardware-linked list registers */
    struct platform_range rtc;  /* a PL031; size 0: none found */
    struct platform_range uart; /* size 0: none found */
    uint32_t uart_intid;
    /* Frames of virtio-mmio devices, in the order of the devicetree; most of them may be empty.
     * Their accesses to memory are coherent with the CPUs' caches; those that are not were left
     * out. */
    uint32_t nr_virtio;
    uint32_t nr_virtio_incoherent;
    uint32_t virtio_intid[PLATFORM_MAX_VIRTIO];
    struct platform_range virtio[PLATFORM_MAX_VIRTIO];
    struct platform_range initrd; /* /chosen linux,initrd-start and -end; size 0: none */
    struct platform_range dtb;
    struct platform_range trace; /* for records of exits: whole pages of RAM that are reserved for
                                    nothing else; size 0: none */
    uint64_t seed[2]; /* /chosen rng-seed or kaslr-seed: what the firmware has of randomness */
    bool has_seed;
};

#endif
