/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is to run: filled from a VM bundle (boot/bundle.h) or by a program, and read by everything
 * else. Plain data. */
#ifndef VM_CONFIG_H
#define VM_CONFIG_H

#include "abi/machine.h"
#include <stdbool.h>
#include <stdint.h>

#define VM_NAME_MAX       32u /* with the terminator */
#define HV_MAX_VMS        16u
#define VM_MIN_MEMORY     UINT64_C(0x100000) /* 1 MiB */
#define VM_WEIGHT_MAX     1000u
#define VM_WEIGHT_DEFAULT 100u
#define HV_MIN_VMIDS      2u
#define VM_CONFIG_DEVICES 32u /* those that a VM can ask for */
#define DEV_NUMBERS       4u  /* values of each kind that a device's configuration has room for */
#define DEV_MAC_SIZE      6u

/* Bytes that live as long as the hypervisor; data is NULL if there are none. */
struct vm_blob {
    const void *data;
    uint64_t size;
};

struct dev_class; /* dev/registry.h */

/*
 * A device that a VM asks for. What each member means is the class's to say, in its table of
 * properties; what is not given is 0.
 */
struct dev_config {
    const struct dev_class *class;
    uint32_t unit;        /* which of the VM's devices of this class; no two are the same */
    uint32_t given;       /* bit n: property n of the class's table is there */
    struct vm_blob image; /* lives as long as the hypervisor */
    uint64_t size;
    uint64_t quota;
    uint32_t number[DEV_NUMBERS];
    const char *text[2]; /* NULL: none; otherwise lives as long as the hypervisor */
    bool flag[DEV_NUMBERS];
    uint8_t mac[DEV_MAC_SIZE];
};

struct vm_config {
    char name[VM_NAME_MAX];  /* printable ASCII */
    uint64_t memory;         /* bytes, a multiple of 4 KiB */
    uint32_t vcpus;          /* 1..MACHINE_MAX_VCPUS */
    const char *bootargs;    /* never NULL; lives as long as the hypervisor */
    struct vm_blob kernel;   /* arm64 Image or flat image */
    struct vm_blob firmware; /* what is in the first bank of its flash, and is entered there if
                                there is no kernel */
    struct vm_blob initrd;
    bool has_kernel_address; /* where the bundle wants them; otherwise the image format decides */
    bool has_initrd_address;
    uint64_t kernel_address; /* IPA */
    uint64_t initrd_address; /* IPA */
    uint32_t weight;         /* share of CPU time of each vCPU, 1..VM_WEIGHT_MAX; 0: default */
    uint32_t spis;           /* of its distributor, 1..MACHINE_MAX_SPIS; 0: default */
    /* Bit n: vCPU i may run on pCPU n; 0: on all. Bits of pCPUs that there are not mean nothing. */
    uint64_t affinity[MACHINE_MAX_VCPUS];
    uint64_t quota; /* bytes of memory in all that it may cost; 0: what its kind needs */
    bool stopped;   /* made, but not started with the machine */
    uint32_t nr_devices;
    struct dev_config device[VM_CONFIG_DEVICES]; /* beside those that every VM has */
};

/* What of several guests' output is shown; a machine with one VM shows all of it as it is. */
enum hv_console_mode {
    HV_CONSOLE_PREFIX, /* whole lines of all guests, each with its VM's name */
    HV_CONSOLE_FOCUS,  /* the guest in focus, as it is */
    HV_CONSOLE_LINES,  /* as PREFIX, and the one in focus is no exception: whole lines only */
};

struct hv_config {
    const char *log; /* log_set_levels() specification; NULL: defaults */
    enum hv_console_mode console;
    bool no_escape; /* Ctrl-A means nothing to the hypervisor */
    uint32_t pcpus; /* use at most so many physical CPUs; 0: all */
    uint32_t vmids; /* use at most so many VMIDs, HV_MIN_VMIDS..VMID_MAX; 0: all */
    uint32_t nr_vms;
    struct vm_config vm[HV_MAX_VMS];
};

#endif
