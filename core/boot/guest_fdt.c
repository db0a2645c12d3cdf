/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/guest_fdt.h"
#include "abi/machine.h"
#include "base/bits.h"
#include "base/fmt.h"
#include "dev/registry.h"
#include "vm/hv.h"
#include <libfdt.h>
#include <stdbool.h>
#include <string.h>

#define PHANDLE_GIC   1u
#define PHANDLE_ITS   2u
#define PHANDLE_CLOCK 3u /* and on, one for each class at most: below DEV_PHANDLE_FIRST */

/* Interrupt specifiers (Linux binding arm,gic-v3). */
#define IRQ_SPI        0u
#define IRQ_PPI        1u
#define IRQ_LEVEL_HIGH 4u

#define AFFINITY_MASK (BITS(39, 32) | BITS(23, 0))

/* A tree being written. After an error nothing more is written. */
struct writer {
    void *fdt;
    int err;
};

static void begin_node(struct writer *w, const char *name)
{
    if (w->err == 0)
        w->err = fdt_begin_node(w->fdt, name);
}

static void begin_node_at(struct writer *w, const char *name, uint64_t unit)
{
    char text[48];

    (void)fmt_snprintf(text, sizeof(text), "%s@%llx", name, (unsigned long long)unit);
    begin_node(w, text);
}

static void end_node(struct writer *w)
{
    if (w->err == 0)
        w->err = fdt_end_node(w->fdt);
}

static void put(struct writer *w, const char *name, const void *data, size_t len)
{
    if (w->err == 0)
        w->err = fdt_property(w->fdt, name, data, (int)len);
}

static void put_string(struct writer *w, const char *name, const char *text)
{
    put(w, name, text, strlen(text) + 1);
}

/* A literal: with its inner terminators it may be a list of strings. */
#define PUT_STRINGS(w, name, literal) put(w, name, literal, sizeof(literal))

static void put_cells(struct writer *w, const char *name, const uint32_t *cells, size_t count)
{
    fdt32_t out[12];

    for (size_t i = 0; i < count; i++)
        fdt32_st(&out[i], cells[i]);
    put(w, name, out, count * sizeof(out[0]));
}

static void put_u32(struct writer *w, const char *name, uint32_t value)
{
    put_cells(w, name, &value, 1);
}

static void put_u64s(struct writer *w, const char *name, const uint64_t *values, size_t count)
{
    fdt64_t out[4];

    for (size_t i = 0; i < count; i++)
        fdt64_st(&out[i], values[i]);
    put(w, name, out, count * sizeof(out[0]));
}

static void put_reg(struct writer *w, uint64_t base, uint64_t size)
{
    put_u64s(w, "reg", (const uint64_t[]){base, size}, 2);
}

static void write_root(struct writer *w)
{
    PUT_STRINGS(w, "compatible", "halcyon,virt\0linux,dummy-virt");
    PUT_STRINGS(w, "model", "linux,dummy-virt");
    put_u32(w, "#address-cells", 2);
    put_u32(w, "#size-cells", 2);
    put_u32(w, "interrupt-parent", PHANDLE_GIC);
}

/* The console is the first device that can be one. */
static void write_stdout(struct writer *w, const struct vm *vm)
{
    struct dev_instance instance;
    char path[48];

    for (uint32_t n = 0; dev_instance(vm->hv->devices, vm->config, n, &instance); n++) {
        if (!instance.class->console)
            continue;
        (void)fmt_snprintf(path, sizeof(path), "/%s@%llx", instance.class->name,
                           (unsigned long long)instance.base);
        put_string(w, "stdout-path", path);
        return;
    }
}

/* Seeds of the guest's own random numbers, new ones for each tree, if the machine has any to give.
 */
static void write_seeds(struct writer *w, struct random *random)
{
    uint64_t seed[5];

    if (!random->seeded)
        return;
    for (size_t i = 0; i < ARRAY_LEN(seed); i++)
        seed[i] = random_next(random);
    put_u64s(w, "kaslr-seed", &seed[0], 1);
    put_u64s(w, "rng-seed", &seed[1], 4);
}

static void write_chosen(struct writer *w, const struct vm *vm, const struct image_layout *layout)
{
    begin_node(w, "chosen");
    write_seeds(w, &vm->hv->random);
    if (vm->config->bootargs[0] != '\0')
        put_string(w, "bootargs", vm->config->bootargs);
    write_stdout(w, vm);
    if (layout->initrd_size != 0) {
        uint64_t end = layout->initrd + layout->initrd_size;
        put_u64s(w, "linux,initrd-start", &layout->initrd, 1);
        put_u64s(w, "linux,initrd-end", &end, 1);
    }
    end_node(w);
}

static void write_memory(struct writer *w, const struct vm *vm)
{
    begin_node_at(w, "memory", MACHINE_RAM_BASE);
    PUT_STRINGS(w, "device_type", "memory");
    put_reg(w, MACHINE_RAM_BASE, vm->config->memory);
    end_node(w);
}

static void write_cpus(struct writer *w, const struct vm *vm)
{
    begin_node(w, "cpus");
    put_u32(w, "#address-cells", 2);
    put_u32(w, "#size-cells", 0);
    for (uint32_t i = 0; i < vm->nr_vcpus; i++) {
        uint64_t affinity = vm->vcpu[i].arch.config.vmpidr_el2 & AFFINITY_MASK;
        begin_node_at(w, "cpu", affinity);
        PUT_STRINGS(w, "device_type", "cpu");
        PUT_STRINGS(w, "compatible", "arm,armv8");
        put_u64s(w, "reg", &affinity, 1);
        if (vm->nr_vcpus > 1)
            PUT_STRINGS(w, "enable-method", "psci");
        end_node(w);
    }
    end_node(w);
}

static void write_psci(struct writer *w)
{
    begin_node(w, "psci");
    PUT_STRINGS(w, "compatible", "arm,psci-1.0\0arm,psci-0.2");
    PUT_STRINGS(w, "method", "hvc");
    end_node(w);
}

/* Secure, non-secure, virtual and hypervisor timer, as QEMU's virt has them. */
static void write_timer(struct writer *w)
{
    static const uint32_t interrupts[] = {
        IRQ_PPI, 13, IRQ_LEVEL_HIGH, IRQ_PPI, 14, IRQ_LEVEL_HIGH,
        IRQ_PPI, 11, IRQ_LEVEL_HIGH, IRQ_PPI, 10, IRQ_LEVEL_HIGH,
    };

    begin_node(w, "timer");
    PUT_STRINGS(w, "compatible", "arm,armv8-timer\0arm,armv7-timer");
    put_cells(w, "interrupts", interrupts, ARRAY_LEN(interrupts));
    put(w, "always-on", "", 0);
    end_node(w);
}

/* Messages carry a DeviceID: one cell. */
static void write_its(struct writer *w)
{
    begin_node_at(w, "its", MACHINE_GITS_BASE);
    PUT_STRINGS(w, "compatible", "arm,gic-v3-its");
    put_reg(w, MACHINE_GITS_BASE, MACHINE_GITS_SIZE);
    put(w, "msi-controller", "", 0);
    put_u32(w, "#msi-cells", 1);
    put_u32(w, "phandle", PHANDLE_ITS);
    end_node(w);
}

/* The redistributor region has exactly the frames that are there. */
static void write_gic(struct writer *w, const struct vm *vm)
{
    const uint64_t reg[] = {
        MACHINE_GICD_BASE,
        MACHINE_GICD_SIZE,
        MACHINE_GICR_BASE,
        MACHINE_GICR_STRIDE * vm->nr_vcpus,
    };

    begin_node_at(w, "intc", MACHINE_GICD_BASE);
    PUT_STRINGS(w, "compatible", "arm,gic-v3");
    put_u64s(w, "reg", reg, ARRAY_LEN(reg));
    put_u32(w, "#redistributor-regions", 1);
    put(w, "interrupt-controller", "", 0);
    put_u32(w, "#interrupt-cells", 3);
    put_u32(w, "#address-cells", 2);
    put_u32(w, "#size-cells", 2);
    put(w, "ranges", "", 0);
    put_u32(w, "phandle", PHANDLE_GIC);
    write_its(w);
    end_node(w);
}

/* --- Devices --- */

/* Of the clock that serves all devices with this frequency: named after the first class that has
 * it. */
static uint32_t clock_phandle(const struct dev_registry *registry, uint32_t hz)
{
    uint32_t i = 0;

    while (registry->class[i].clock_hz != hz)
        i++;
    return PHANDLE_CLOCK + i;
}

/* Unless an instance before the n-th has brought it. */
static void write_clock(struct writer *w, const struct vm *vm, uint32_t n, uint32_t hz)
{
    struct dev_instance other;
    char name[32];

    for (uint32_t i = 0; i < n && dev_instance(vm->hv->devices, vm->config, i, &other); i++)
        if (other.class->compatible != NULL && other.class->clock_hz == hz)
            return;
    (void)fmt_snprintf(name, sizeof(name), "clock-%u", hz);
    begin_node(w, name);
    PUT_STRINGS(w, "compatible", "fixed-clock");
    put_u32(w, "#clock-cells", 0);
    put_u32(w, "clock-frequency", hz);
    put_string(w, "clock-output-names", name);
    put_u32(w, "phandle", clock_phandle(vm->hv->devices, hz));
    end_node(w);
}

static void put_clocks(struct writer *w, const struct vm *vm, const struct dev_class *class)
{
    uint32_t cells[4];
    size_t count = 0;

    for (size_t i = 0; i < class->clocks_len && count < ARRAY_LEN(cells); i++)
        if (class->clocks[i] == '\0')
            cells[count++] = clock_phandle(vm->hv->devices, class->clock_hz);
    put(w, "clock-names", class->clocks, class->clocks_len);
    put_cells(w, "clocks", cells, count);
}

static void put_all(struct writer *w, const struct dev_fdt_prop *props, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(w, props[i].name, props[i].data, props[i].len);
}

static void write_extra(struct writer *w, const struct dev_fdt_extra *extra)
{
    begin_node(w, extra->name);
    put_all(w, extra->props, extra->nr_props);
    begin_node(w, extra->child);
    put_all(w, extra->child_props, extra->nr_child_props);
    end_node(w);
    end_node(w);
}

static void put_interrupt(struct writer *w, uint32_t intid)
{
    put_cells(w, "interrupts", (const uint32_t[]){IRQ_SPI, intid - GIC_FIRST_SPI, IRQ_LEVEL_HIGH},
              3);
}

/* A transport says by its registers what it is. */
static void write_virtio(struct writer *w, const struct dev_instance *instance)
{
    begin_node_at(w, "virtio_mmio", instance->base);
    PUT_STRINGS(w, "compatible", "virtio,mmio");
    put_reg(w, instance->base, instance->size);
    put_interrupt(w, instance->intid);
    put(w, "dma-coherent", "", 0);
    end_node(w);
}

static void put_banks(struct writer *w, const struct dev_instance *instance)
{
    uint64_t count = instance->class->banks > 1 ? 2 : 1;
    uint64_t size = instance->size / count;

    put_u64s(w, "reg", (const uint64_t[]){instance->base, size, instance->base + size, size},
             2 * count);
}

static void write_device(struct writer *w, const struct vm *vm, uint32_t n,
                         const struct dev_instance *instance)
{
    const struct dev_class *class = instance->class;

    if (class->virtio)
        write_virtio(w, instance);
    if (class->compatible == NULL)
        return;
    if (class->clock_hz != 0)
        write_clock(w, vm, n, class->clock_hz);
    begin_node_at(w, class->name, instance->base);
    put(w, "compatible", class->compatible, class->compatible_len);
    put_banks(w, instance);
    if (instance->intid != 0)
        put_interrupt(w, instance->intid);
    if (class->clock_hz != 0)
        put_clocks(w, vm, class);
    put_all(w, class->fdt_props, class->nr_fdt_props);
    end_node(w);
    if (class->fdt_extra != NULL)
        write_extra(w, class->fdt_extra);
}

static void write_devices(struct writer *w, const struct vm *vm)
{
    struct dev_instance instance;

    for (uint32_t n = 0; dev_instance(vm->hv->devices, vm->config, n, &instance); n++)
        write_device(w, vm, n, &instance);
}

hv_err guest_fdt_build(const struct vm *vm, const struct image_layout *layout, void *buf,
                       size_t size)
{
    struct writer w = {.fdt = buf, .err = fdt_create(buf, (int)size)};

    if (w.err == 0)
        w.err = fdt_finish_reservemap(buf);
    begin_node(&w, "");
    write_root(&w);
    write_chosen(&w, vm, layout);
    write_memory(&w, vm);
    write_cpus(&w, vm);
    write_psci(&w);
    write_timer(&w);
    write_gic(&w, vm);
    write_devices(&w, vm);
    end_node(&w);
    if (w.err == 0)
        w.err = fdt_finish(buf);
    return w.err == 0 ? HV_OK : HV_ERR_NOMEM;
}
