/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "vm/mmio_bus.h"
#include <stddef.h>

/* Index of the first region that ends above `at`; count if there is none. */
static uint32_t bus_search(const struct mmio_bus *bus, uint64_t at)
{
    uint32_t low = 0;
    uint32_t high = bus->count;

    while (low < high) {
        uint32_t mid = (low + high) / 2;
        const struct mmio_region *region = &bus->region[mid];
        if (at > region->base + (region->size - 1))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

hv_err mmio_bus_add(struct mmio_bus *bus, const struct mmio_region *region)
{
    if (region->size == 0 || region->access == NULL)
        return HV_ERR_INVAL;
    uint64_t last = region->base + (region->size - 1);
    if (last < region->base)
        return HV_ERR_RANGE;
    uint32_t pos = bus_search(bus, region->base);
    if (pos < bus->count && bus->region[pos].base <= last)
        return HV_ERR_EXIST;
    if (bus->count == MMIO_BUS_REGIONS)
        return HV_ERR_NOMEM;
    for (uint32_t i = bus->count; i > pos; i--)
        bus->region[i] = bus->region[i - 1];
    bus->region[pos] = *region;
    bus->count++;
    return HV_OK;
}

const struct mmio_region *mmio_bus_find(const struct mmio_bus *bus, ipa_t at)
{
    uint32_t pos = bus_search(bus, at.v);

    if (pos == bus->count || at.v < bus->region[pos].base)
        return NULL;
    return &bus->region[pos];
}
