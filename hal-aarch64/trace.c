/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The trace of exits: into memory that the machine's devicetree reserves for it, from where a
 * debugger or an emulator's monitor takes it. docs/trace.md.
 */
#include "abi/trace.h"
#include "base/bits.h"
#include "hal/hal.h"
#include "internal.h"
#include <stdatomic.h>
#include <string.h>

static struct trace_buffer *buffer; /* NULL: there is none */
static struct trace_record *records;
static uint64_t capacity;

/* What only the HAL knows of: the range must not be the image's. Core has checked the rest. */
static bool trace_is_usable(const struct platform_range *range)
{
    uint64_t image = (uint64_t)__image_start;

    return range->size > sizeof(struct trace_buffer) &&
           is_aligned(range->base, _Alignof(struct trace_buffer)) &&
           !ranges_overlap(range->base, range->size, image, (uint64_t)__image_end - image);
}

hv_err trace_init(const struct hal_platform *platform)
{
    const struct platform_range *range = &platform->trace;
    hv_err err;

    if (range->size == 0)
        return HV_OK;
    if (!trace_is_usable(range))
        return HV_ERR_RANGE;
    err = mmu_map(range->base, range->size, MMU_DATA);
    if (err != HV_OK)
        return err;
    buffer = (struct trace_buffer *)range->base;
    records = (struct trace_record *)(buffer + 1);
    capacity = (range->size - sizeof(*buffer)) / sizeof(*records);
    memset(buffer, 0, sizeof(*buffer));
    buffer->version = TRACE_VERSION;
    buffer->record_size = sizeof(*records);
    buffer->counter_hz = hal_time_hz();
    buffer->capacity = capacity;
    dsb(ish);
    memcpy(buffer->magic, TRACE_BUFFER_MAGIC, sizeof(buffer->magic));
    return HV_OK;
}

bool hal_trace_enabled(void)
{
    return buffer != NULL;
}

void hal_trace(const struct trace_record *record)
{
    uint64_t slot = atomic_fetch_add_explicit(&buffer->count, 1, memory_order_relaxed);

    if (slot < capacity)
        records[slot] = *record;
}
