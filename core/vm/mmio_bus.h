/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The devices of a VM by guest-physical address: a sorted array, found by binary search. Filled
 * before the VM runs. */
#ifndef VM_MMIO_BUS_H
#define VM_MMIO_BUS_H

#include "arch/mmio.h"
#include "base/addr.h"
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

#define MMIO_BUS_REGIONS 64u

/*
 * Makes one access to a device. false: the device allows no such access (size, alignment,
 * direction), and the guest takes a synchronous external abort. Called on the pCPU of the vCPU that
 * makes the access, no lock held.
 */
typedef bool mmio_access_fn(void *dev, struct mmio_access *access);

struct mmio_region {
    uint64_t base;
    uint64_t size;
    mmio_access_fn *access;
    void *dev;
    const char *name;
};

struct mmio_bus {
    uint32_t count;
    struct mmio_region region[MMIO_BUS_REGIONS]; /* ascending, disjoint */
};

/* HV_ERR_EXIST if it overlaps a region, HV_ERR_NOMEM if the bus is full, HV_ERR_INVAL if empty,
 * HV_ERR_RANGE if it wraps. */
HV_MUST_CHECK hv_err mmio_bus_add(struct mmio_bus *bus, const struct mmio_region *region);

/* The region that holds `at`, or NULL. O(log n). */
const struct mmio_region *mmio_bus_find(const struct mmio_bus *bus, ipa_t at);

#endif
