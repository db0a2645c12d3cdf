/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is to run: filled from a VM bundle (boot/bundle.h) or by a program, and read by everything
 * else. Plain data. */
#ifndef VM_CONFIG_H
#define VM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#define VM_NAME_MAX   32u /* with the terminator */
#define HV_MAX_VMS    16u
#define VM_MIN_MEMORY UINT64_C(0x100000) /* 1 MiB */

/* Bytes that live as long as the hypervisor; data is NULL if there are none. */
struct vm_blob {
    const void *data;
    uint64_t size;
};

struct vm_config {
    char name[VM_NAME_MAX]; /* printable ASCII */
    uint64_t memory;        /* bytes, a multiple of 4 KiB */
    uint32_t vcpus;         /* 1..MACHINE_MAX_VCPUS */
    const char *bootargs;   /* never NULL; lives as long as the hypervisor */
    struct vm_blob kernel;  /* arm64 Image or flat image */
    struct vm_blob initrd;
    bool has_kernel_address; /* where the bundle wants them; otherwise the image format decides */
    bool has_initrd_address;
    uint64_t kernel_address; /* IPA */
    uint64_t initrd_address; /* IPA */
};

struct hv_config {
    const char *log; /* log_set_levels() specification; NULL: defaults */
    uint32_t nr_vms;
    struct vm_config vm[HV_MAX_VMS];
};

#endif
