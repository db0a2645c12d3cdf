/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/machine_dtb.h"
#include "abi/machine.h"
#include "base/bits.h"
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#define PHANDLE_GIC   1u
#define PHANDLE_CLOCK 2u

/* Linux binding arm,gic-v3: interrupt specifiers of three cells. */
#define IRQ_SPI   0u
#define IRQ_PPI   1u
#define IRQ_LEVEL 4u
#define SPI(intid)                                                                                 \
    {                                                                                              \
        IRQ_SPI, (intid)-32u, IRQ_LEVEL                                                            \
    }
#define PPI(intid)                                                                                 \
    {                                                                                              \
        IRQ_PPI, (intid)-16u, IRQ_LEVEL                                                            \
    }

/* PPIs of virt that nothing here raises: the secure and the non-secure physical timer. */
#define INTID_TIMER_SECURE 29u
#define INTID_TIMER_PHYS   30u

#define CELLS_MAX 12u

/* libfdt's sequential write: the first error stays, and what follows it does nothing. */
struct tree {
    void *fdt;
    int err;
};

#define TREE_DO(tree, call)                                                                        \
    do {                                                                                           \
        if ((tree)->err == 0)                                                                      \
            (tree)->err = (call);                                                                  \
    } while (0)

static void put_begin(struct tree *tree, const char *name)
{
    TREE_DO(tree, fdt_begin_node(tree->fdt, name));
}

static void put_end(struct tree *tree)
{
    TREE_DO(tree, fdt_end_node(tree->fdt));
}

/* `len` counts every byte: a list of strings has NULs inside. */
static void put_bytes(struct tree *tree, const char *name, const void *data, size_t len)
{
    TREE_DO(tree, fdt_property(tree->fdt, name, data, (int)len));
}

#define put_text(tree, name, text) put_bytes(tree, name, text, sizeof(text))

static void put_cell(struct tree *tree, const char *name, uint32_t value)
{
    TREE_DO(tree, fdt_property_u32(tree->fdt, name, value));
}

static void put_u64(struct tree *tree, const char *name, uint64_t value)
{
    TREE_DO(tree, fdt_property_u64(tree->fdt, name, value));
}

/* Ranges of an address and a size, each two cells. */
static void put_reg(struct tree *tree, const uint64_t *values, size_t count)
{
    fdt64_t cells[CELLS_MAX];

    for (size_t i = 0; i < count; i++)
        fdt64_st(&cells[i], values[i]);
    put_bytes(tree, "reg", cells, count * sizeof(cells[0]));
}

static void put_irqs(struct tree *tree, const uint32_t irqs[][3], size_t count)
{
    fdt32_t cells[CELLS_MAX];

    for (size_t i = 0; i < count * 3; i++)
        fdt32_st(&cells[i], irqs[i / 3][i % 3]);
    put_bytes(tree, "interrupts", cells, count * 3 * sizeof(cells[0]));
}

static void put_cpus(struct tree *tree, const struct machine_dtb_facts *facts)
{
    char name[32];

    put_begin(tree, "cpus");
    put_cell(tree, "#address-cells", 1);
    put_cell(tree, "#size-cells", 0);
    for (unsigned cpu = 0; cpu < facts->nr_cpus; cpu++) {
        (void)snprintf(name, sizeof(name), "cpu@%x", (unsigned)machine_dtb_mpidr(cpu));
        put_begin(tree, name);
        put_text(tree, "device_type", "cpu");
        if (facts->cpu == SIM_CPU_CORTEX_A57)
            put_text(tree, "compatible", "arm,cortex-a57");
        else
            put_text(tree, "compatible", "arm,armv8");
        put_text(tree, "enable-method", "psci");
        put_cell(tree, "reg", (uint32_t)machine_dtb_mpidr(cpu));
        put_end(tree);
    }
    put_end(tree);
    put_begin(tree, "psci");
    put_text(tree, "compatible", "arm,psci-1.0\0arm,psci-0.2");
    put_text(tree, "method", "smc");
    put_end(tree);
}

static void put_memory(struct tree *tree, const struct machine_dtb_facts *facts)
{
    const uint64_t range[] = {SIM_RAM_BASE, facts->ram_size};

    put_begin(tree, "memory@40000000");
    put_text(tree, "device_type", "memory");
    put_reg(tree, range, ARRAY_LEN(range));
    put_end(tree);
}

static void put_gic(struct tree *tree)
{
    const uint64_t frames[] = {SIM_GICD_BASE, MACHINE_GICD_SIZE, SIM_GICR_BASE, MACHINE_GICR_SIZE};
    const uint32_t irqs[][3] = {PPI(SIM_INTID_MAINT)};

    put_begin(tree, "intc@8000000");
    put_text(tree, "compatible", "arm,gic-v3");
    put_cell(tree, "#interrupt-cells", 3);
    put_cell(tree, "#address-cells", 2);
    put_cell(tree, "#size-cells", 2);
    put_bytes(tree, "ranges", "", 0);
    put_bytes(tree, "interrupt-controller", "", 0);
    put_cell(tree, "#redistributor-regions", 1);
    put_u64(tree, "redistributor-stride", MACHINE_GICR_STRIDE);
    put_reg(tree, frames, ARRAY_LEN(frames));
    put_irqs(tree, irqs, ARRAY_LEN(irqs));
    put_cell(tree, "phandle", PHANDLE_GIC);
    put_end(tree);
}

static void put_timer(struct tree *tree)
{
    const uint32_t irqs[][3] = {PPI(INTID_TIMER_SECURE), PPI(INTID_TIMER_PHYS),
                                PPI(SIM_INTID_VTIMER), PPI(SIM_INTID_HYPTIMER)};

    put_begin(tree, "timer");
    put_text(tree, "compatible", "arm,armv8-timer\0arm,armv7-timer");
    put_bytes(tree, "always-on", "", 0);
    put_irqs(tree, irqs, ARRAY_LEN(irqs));
    put_end(tree);
}

static void put_uart(struct tree *tree)
{
    const uint64_t frame[] = {SIM_UART_BASE, MACHINE_UART_SIZE};
    const uint32_t irqs[][3] = {SPI(SIM_UART_INTID)};
    fdt32_t clocks[2];

    put_begin(tree, "apb-pclk");
    put_text(tree, "compatible", "fixed-clock");
    put_cell(tree, "#clock-cells", 0);
    put_cell(tree, "clock-frequency", MACHINE_UART_HZ);
    put_cell(tree, "phandle", PHANDLE_CLOCK);
    put_end(tree);
    put_begin(tree, "pl011@9000000");
    put_text(tree, "compatible", "arm,pl011\0arm,primecell");
    put_reg(tree, frame, ARRAY_LEN(frame));
    put_irqs(tree, irqs, ARRAY_LEN(irqs));
    fdt32_st(&clocks[0], PHANDLE_CLOCK);
    fdt32_st(&clocks[1], PHANDLE_CLOCK);
    put_bytes(tree, "clocks", clocks, sizeof(clocks));
    put_text(tree, "clock-names", "uartclk\0apb_pclk");
    put_end(tree);
}

/* SplitMix64 (Steele, Lea and Flood, 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void put_chosen(struct tree *tree, const struct machine_dtb_facts *facts)
{
    uint64_t state = facts->seed;
    fdt64_t seed[4];

    put_begin(tree, "chosen");
    put_text(tree, "stdout-path", "/pl011@9000000");
    if (facts->initrd_size > 0) {
        put_u64(tree, "linux,initrd-start", facts->initrd);
        put_u64(tree, "linux,initrd-end", facts->initrd + facts->initrd_size);
    }
    if (facts->seed != 0) {
        for (size_t i = 0; i < ARRAY_LEN(seed); i++)
            fdt64_st(&seed[i], next_random(&state));
        put_bytes(tree, "rng-seed", seed, sizeof(seed));
        put_u64(tree, "kaslr-seed", next_random(&state));
    }
    put_end(tree);
}

bool machine_dtb_write(const struct machine_dtb_facts *facts, void *out, char *reason)
{
    struct tree tree = {out, fdt_create(out, (int)MACHINE_DTB_SIZE)};

    TREE_DO(&tree, fdt_finish_reservemap(out));
    put_begin(&tree, "");
    put_text(&tree, "compatible", "linux,dummy-virt");
    put_text(&tree, "model", "halcyon-sim");
    put_cell(&tree, "#address-cells", 2);
    put_cell(&tree, "#size-cells", 2);
    put_cell(&tree, "interrupt-parent", PHANDLE_GIC);
    put_cpus(&tree, facts);
    put_memory(&tree, facts);
    put_gic(&tree);
    put_timer(&tree);
    put_uart(&tree);
    put_chosen(&tree, facts);
    put_end(&tree);
    TREE_DO(&tree, fdt_finish(out));
    if (tree.err == 0)
        return true;
    (void)snprintf(reason, MACHINE_DTB_REASON_MAX, "the machine's devicetree: %s",
                   fdt_strerror(tree.err));
    return false;
}

uint64_t machine_dtb_mpidr(unsigned cpu)
{
    return (uint64_t)(cpu / 16) << 8 | cpu % 16;
}
