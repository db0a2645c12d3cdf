/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Where a machine is in this process: state, stacks and RAM at addresses that are always the same,
 * since core's pointers are part of its state. And hal.h's memory functions.
 */
#include "base/check.h"
#include "hal-sim/internal.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Free in every layout of x86-64 Linux, AddressSanitizer's included: below where libraries are put
 * and above its shadow. */
#define MACHINE_AT UINT64_C(0x200000000000)
#define STACKS_AT  (MACHINE_AT + MIB(64))
#define RAM_AT     (MACHINE_AT + GIB(4))
/* Below each stack, nothing is mapped. */
#define STACK_GUARD  KIB(64)
#define STACK_STRIDE (SIM_STACK_SIZE + STACK_GUARD)

static struct sim_machine *const the_machine = (struct sim_machine *)MACHINE_AT;
static struct sim_host the_host;
static bool exists;

struct sim_machine *sim_machine(void)
{
    return exists ? the_machine : NULL;
}

struct sim_host *sim_host(void)
{
    return &the_host;
}

void *memory_ram(void)
{
    return (void *)RAM_AT; // NOLINT(performance-no-int-to-ptr)
}

void *memory_stack(unsigned cpu)
{
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    return (void *)(STACKS_AT + cpu * STACK_STRIDE + STACK_GUARD);
}

static uint64_t state_size(void)
{
    return align_up(sizeof(struct sim_machine), PAGE_SIZE);
}

static bool map(uint64_t at, uint64_t len, int protection)
{
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    void *want = (void *)at;
    void *got = mmap(want, len, protection,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

    if (got == want)
        return true;
    if (got != MAP_FAILED) {
        (void)munmap(got, len);
        errno = EEXIST;
    }
    return false;
}

static void unmap(uint64_t at, uint64_t len)
{
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    (void)munmap((void *)at, len);
}

static bool open_stacks(unsigned nr_cpus)
{
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        if (mprotect(memory_stack(cpu), SIM_STACK_SIZE, PROT_READ | PROT_WRITE) != 0)
            return false;
    return true;
}

/* A mapping that was there before is not ours to take away. */
static bool map_all(uint64_t ram_size, unsigned nr_cpus)
{
    int error;

    if (!map(MACHINE_AT, state_size(), PROT_READ | PROT_WRITE))
        return false;
    if (map(STACKS_AT, nr_cpus * STACK_STRIDE, PROT_NONE)) {
        if (open_stacks(nr_cpus) && map(RAM_AT, ram_size, PROT_READ | PROT_WRITE))
            return true;
        error = errno;
        unmap(STACKS_AT, nr_cpus * STACK_STRIDE);
        errno = error;
    }
    error = errno;
    unmap(MACHINE_AT, state_size());
    errno = error;
    return false;
}

struct sim_machine *memory_create(const struct sim_machine_config *config, char *reason)
{
    if (exists) {
        (void)snprintf(reason, SIM_REASON_MAX, "there is a machine in this process already");
        return NULL;
    }
    if (!map_all(config->ram_size, config->nr_cpus)) {
        (void)snprintf(reason, SIM_REASON_MAX, "no memory for a machine with %llu MiB: %s",
                       (unsigned long long)(config->ram_size >> 20), strerror(errno));
        return NULL;
    }
    /* Fewer faults, and a process that is quicker to fork. A refusal costs only that. */
    (void)madvise(memory_ram(), config->ram_size, MADV_HUGEPAGE);
    the_host.config = *config;
    exists = true;
    return the_machine;
}

void memory_destroy(void)
{
    unmap(RAM_AT, the_host.config.ram_size);
    unmap(STACKS_AT, the_host.config.nr_cpus * STACK_STRIDE);
    unmap(MACHINE_AT, state_size());
    exists = false;
}

/* The guards between the stacks are left out: they are another mapping, always empty. */
unsigned memory_regions(struct sim_region out[SIM_REGIONS_MAX])
{
    unsigned count = 0;

    out[count++] = (struct sim_region){the_machine, state_size()};
    out[count++] = (struct sim_region){memory_ram(), the_host.config.ram_size};
    for (unsigned cpu = 0; cpu < the_host.config.nr_cpus; cpu++)
        out[count++] = (struct sim_region){memory_stack(cpu), SIM_STACK_SIZE};
    return count;
}

/* --- hal_phys_map() --- */

static bool know(struct sim_machine *machine, uint64_t base, uint64_t size)
{
    if (machine->nr_ranges == SIM_RANGES_MAX)
        return false;
    machine->ranges[machine->nr_ranges++] = (struct sim_range){base, size};
    return true;
}

/* Firmware that made the devicetree would say where it ends; its reader maps its header first. */
#define DTB_WINDOW MIB(2)

void memory_know_boot(struct sim_machine *machine)
{
    uint64_t end = SIM_RAM_BASE + machine->ram_size;
    uint64_t left = end - machine->dtb;

    machine->nr_ranges = 0;
    (void)know(machine, machine->dtb, left < DTB_WINDOW ? left : DTB_WINDOW);
}

/* The first reserved range that touches [base, end), or NULL. */
static const struct platform_range *first_reserved(const struct hal_platform *platform,
                                                   uint64_t base, uint64_t end)
{
    const struct platform_range *first = NULL;

    for (uint32_t i = 0; i < platform->nr_reserved; i++) {
        const struct platform_range *range = &platform->reserved[i];
        if (range->size != 0 && range->base < end && range->base + range->size > base &&
            (first == NULL || range->base < first->base))
            first = range;
    }
    return first;
}

static bool know_ram(struct sim_machine *machine, const struct hal_platform *platform,
                     uint64_t base, uint64_t end)
{
    while (base < end) {
        const struct platform_range *hole = first_reserved(platform, base, end);
        uint64_t stop = hole == NULL ? end : hole->base;

        if (stop > base && !know(machine, base, stop - base))
            return false;
        base = hole == NULL ? end : hole->base + hole->size;
    }
    return true;
}

static bool is_in_ram(const struct sim_machine *machine, uint64_t base, uint64_t len)
{
    return base >= SIM_RAM_BASE && base - SIM_RAM_BASE <= machine->ram_size &&
           len <= machine->ram_size - (base - SIM_RAM_BASE);
}

hv_err memory_know_platform(struct sim_machine *machine, const struct hal_platform *platform)
{
    const struct platform_range *initrd = &platform->initrd;
    uint32_t known = machine->nr_ranges;
    bool all = true;

    for (uint32_t i = 0; i < platform->nr_ram; i++)
        if (!is_in_ram(machine, platform->ram[i].base, platform->ram[i].size))
            return HV_ERR_RANGE;
    for (uint32_t i = 0; i < platform->nr_reserved; i++)
        if (range_exceeds(platform->reserved[i].base, platform->reserved[i].size, UINT64_MAX))
            return HV_ERR_RANGE;
    if (initrd->size != 0 && !is_in_ram(machine, initrd->base, initrd->size))
        return HV_ERR_RANGE;
    for (uint32_t i = 0; i < platform->nr_ram; i++)
        all = all && know_ram(machine, platform, platform->ram[i].base,
                              platform->ram[i].base + platform->ram[i].size);
    if (initrd->size != 0)
        all = all && know(machine, initrd->base, initrd->size);
    if (all)
        return HV_OK;
    machine->nr_ranges = known;
    return HV_ERR_RANGE;
}

/* The image is this program, at its own addresses. */
static bool is_in_image(const struct hal_boot *boot, pa_t base, uint64_t len)
{
    return base.v >= boot->image.v && base.v - boot->image.v < boot->image_size &&
           len <= boot->image_size - (base.v - boot->image.v);
}

void *hal_phys_map(pa_t base, uint64_t len)
{
    const struct sim_machine *machine = sim_machine();

    if (is_in_image(&machine->boot, base, len))
        return (void *)base.v; // NOLINT(performance-no-int-to-ptr)
    for (uint32_t i = 0; i < machine->nr_ranges; i++) {
        const struct sim_range *range = &machine->ranges[i];
        if (base.v >= range->base && base.v - range->base < range->size &&
            len <= range->size - (base.v - range->base))
            return (char *)memory_ram() + (base.v - SIM_RAM_BASE);
    }
    return NULL;
}

void hal_phys_unmap(void *ptr, uint64_t len)
{
    (void)ptr;
    (void)len;
}

void *sim_machine_ram(struct sim_machine *machine, pa_t base, uint64_t len)
{
    return is_in_ram(machine, base.v, len) ? (char *)memory_ram() + (base.v - SIM_RAM_BASE) : NULL;
}

/* --- Translations and caches --- */

/* The host's own accesses are in order, and Unicorn's walker reads the same memory. */
void hal_pt_sync(void)
{
    explore_point(__builtin_return_address(0));
}

/* An engine's TLB has no VMIDs: what is invalidated is more than what was asked for. */
void hal_tlbi_all(void)
{
    const struct sim_machine *machine = sim_machine();

    explore_point(__builtin_return_address(0));
    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++)
        engine_flush_tlb(sim_host()->engine[cpu]);
}

void hal_tlbi_tag(const struct s2_tag *tag)
{
    (void)tag;
    hal_tlbi_all();
}

void hal_tlbi_local(const struct s2_tag *tag)
{
    (void)tag;
    engine_flush_tlb(sim_host()->engine[sim_machine()->self]);
}

void hal_tlbi_range(const struct s2_tag *tag, ipa_t base, uint64_t len)
{
    (void)base;
    (void)len;
    hal_tlbi_tag(tag);
}

/* There is one memory and no cache but the engines' translated code. */
void hal_cache_op(const void *ptr, uint64_t len, enum hal_cache_op op)
{
    const struct sim_machine *machine = sim_machine();
    uint64_t base = (uint64_t)(uintptr_t)ptr - RAM_AT + SIM_RAM_BASE;

    if (op != HAL_CACHE_SYNC_ICACHE || len == 0 || !is_in_ram(machine, base, len))
        return;
    for (unsigned cpu = 0; cpu < machine->nr_cpus; cpu++)
        engine_discard_code(sim_host()->engine[cpu], pa(base), len);
}
