/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/registry.h"
#include "abi/machine.h"
#include "base/bits.h"
#include "base/check.h"
#include "dev/balloon_device.h"
#include "dev/console.h"
#include "dev/console_device.h"
#include "dev/disk_device.h"
#include "dev/flash.h"
#include "dev/pl011.h"
#include "dev/pl031.h"
#include "dev/pl061.h"
#include "dev/rng_device.h"
#include "dev/switches.h"
#include "dev/vsock_device.h"
#include "hal/hal.h"
#include "vm/hv.h"

/* A device instance with the block of pages that it lives in. */
struct uart {
    struct pl011 pl011;
    struct console_port port;
    pa_t block;
};

static void uart_destroy(struct vm *vm, void *dev)
{
    struct uart *uart = dev;
    pa_t block = uart->block;

    console_detach(&uart->port);
    hal_phys_unmap(uart, sizeof(*uart));
    page_pool_free(&vm->hv->pool, &vm->hv->account, block, page_pool_order(sizeof(*uart)));
}

static hv_err uart_create(struct vm *vm, const struct dev_instance *instance)
{
    struct hv *hv = vm->hv;
    struct pl011_backend backend = {console_guest_write, console_guest_read, NULL};
    struct uart *uart;
    pa_t block;
    hv_err err = page_pool_alloc(&hv->pool, &hv->account, page_pool_order(sizeof(*uart)), &block);

    if (err != HV_OK)
        return err;
    uart = hal_phys_map(block, sizeof(*uart));
    HV_CHECK(uart != NULL);
    uart->block = block;
    uart->port.console = NULL;
    err = vm_add_device(vm, uart, uart_destroy);
    if (err != HV_OK) {
        uart_destroy(vm, uart);
        return err;
    }
    backend.ctx = &uart->port;
    err = pl011_init(&uart->pl011, vm, instance->base, instance->intid, &backend);
    if (err == HV_OK)
        console_attach(hv->console, &uart->port, &uart->pl011);
    return err;
}

/* A literal with its length: with inner terminators it is a list of strings. */
#define STRINGS(member, literal) .member = (literal), .member##_len = sizeof(literal)

/* Of both chips, in bytes. */
static const uint8_t bank_width[] = {0, 0, 0, 4};
static const struct dev_fdt_prop flash_fdt_props[] = {
    {"bank-width", bank_width, sizeof(bank_width)},
};

/* The PL061's pin 3 is a key, KEY_POWER of Linux (bindings pl061-gpio and gpio-keys): active high,
 * as QEMU's virt has it. */
#define GPIO_PHANDLE "\0\0\x80\0"

static const struct dev_fdt_prop gpio_props[] = {
    {"gpio-controller", "", 0},
    {"#gpio-cells", "\0\0\0\2", 4},
    {"phandle", GPIO_PHANDLE, 4},
};

static const struct dev_fdt_prop gpio_keys_props[] = {{"compatible", "gpio-keys", 10}};

static const struct dev_fdt_prop power_key_props[] = {
    {"label", "GPIO Key Poweroff", 18},
    {"linux,code", "\0\0\0\x74", 4},
    {"gpios",
     GPIO_PHANDLE "\0\0\0\3"
                  "\0\0\0\0",
     12},
};

static const struct dev_fdt_extra gpio_keys = {
    .name = "gpio-keys",
    .props = gpio_keys_props,
    .nr_props = ARRAY_LEN(gpio_keys_props),
    .child = "poweroff",
    .child_props = power_key_props,
    .nr_child_props = ARRAY_LEN(power_key_props),
};

static const struct dev_class classes[] = {
    {
        .always = true,
        .base = MACHINE_UART_BASE,
        .size = MACHINE_UART_SIZE,
        .intid = MACHINE_INTID_UART,
        .name = "pl011",
        STRINGS(compatible, "arm,pl011\0arm,primecell"),
        .clock_hz = MACHINE_UART_HZ,
        STRINGS(clocks, "uartclk\0apb_pclk"),
        .console = true,
        .create = uart_create,
    },
    {
        .always = true,
        .base = MACHINE_RTC_BASE,
        .size = MACHINE_RTC_SIZE,
        .intid = MACHINE_INTID_RTC,
        .name = "pl031",
        STRINGS(compatible, "arm,pl031\0arm,primecell"),
        .clock_hz = MACHINE_UART_HZ,
        STRINGS(clocks, "apb_pclk"),
        .create = pl031_create,
    },
    {
        .always = true,
        .base = MACHINE_GPIO_BASE,
        .size = MACHINE_GPIO_SIZE,
        .intid = MACHINE_INTID_GPIO,
        .name = "pl061",
        STRINGS(compatible, "arm,pl061\0arm,primecell"),
        .clock_hz = MACHINE_UART_HZ,
        STRINGS(clocks, "apb_pclk"),
        .fdt_props = gpio_props,
        .nr_fdt_props = ARRAY_LEN(gpio_props),
        .fdt_extra = &gpio_keys,
        .create = pl061_create,
    },
    {
        .bundle = "flash",
        .always = true,
        .max = 1,
        .props = flash_props,
        .nr_props = FLASH_NR_PROPS,
        .check = flash_check,
        .base = MACHINE_FLASH_BASE,
        .size = MACHINE_FLASH_SIZE,
        .name = "flash",
        STRINGS(compatible, "cfi-flash"),
        .banks = 2,
        .fdt_props = flash_fdt_props,
        .nr_fdt_props = ARRAY_LEN(flash_fdt_props),
        .create = flash_create,
    },
    {
        .bundle = "disk",
        .max = VM_CONFIG_DEVICES,
        .props = disk_props,
        .nr_props = DISK_PROPS,
        .check = disk_check,
        .virtio = true,
        .name = "disk",
        .create = disk_create,
    },
    {
        .bundle = "net",
        .max = VM_CONFIG_DEVICES,
        .props = net_props,
        .nr_props = NET_PROPS,
        .virtio = true,
        .name = "net",
        .create = net_create,
    },
    {
        .bundle = "balloon",
        .max = 1,
        .props = balloon_props,
        .nr_props = BALLOON_PROPS,
        .virtio = true,
        .name = "balloon",
        .create = balloon_device_create,
    },
    {
        .bundle = "console",
        .max = 1,
        .props = console_props,
        .nr_props = CONSOLE_PROPS,
        .virtio = true,
        .name = "console",
        .create = console_device_create,
    },
    {
        .bundle = "rng",
        .max = 1,
        .virtio = true,
        .name = "rng",
        .create = rng_device_create,
    },
    {
        .bundle = "vsock",
        .max = 1,
        .props = vsock_props,
        .nr_props = VSOCK_PROPS,
        .virtio = true,
        .name = "vsock",
        .create = vsock_device_create,
    },
};

const struct dev_registry dev_registry = {classes, ARRAY_LEN(classes)};

/* --- Instances --- */

static const struct dev_config *find_config(const struct vm_config *config,
                                            const struct dev_class *class)
{
    for (uint32_t i = 0; i < config->nr_devices; i++)
        if (config->device[i].class == class)
            return &config->device[i];
    return NULL;
}

/* The next instance of `class`, `slots` of virtio-mmio being taken. */
static void place(const struct dev_class *class, const struct dev_config *config, uint32_t slots,
                  struct dev_instance *out)
{
    *out = (struct dev_instance){class, config, class->base, class->size, class->intid};
    if (!class->virtio)
        return;
    out->base = MACHINE_VIRTIO_BASE + slots * MACHINE_VIRTIO_STRIDE;
    out->size = MACHINE_VIRTIO_STRIDE;
    out->intid = MACHINE_INTID_VIRTIO + slots;
}

bool dev_instance(const struct dev_registry *registry, const struct vm_config *config, uint32_t n,
                  struct dev_instance *out)
{
    uint32_t seen = 0;
    uint32_t slots = 0;

    for (size_t i = 0; i < registry->count; i++) {
        const struct dev_class *class = &registry->class[i];
        if (!class->always)
            continue;
        place(class, find_config(config, class), slots, out);
        slots += class->virtio;
        if (seen++ == n)
            return true;
    }
    for (uint32_t i = 0; i < config->nr_devices; i++) {
        const struct dev_class *class = config->device[i].class;
        if (class->always)
            continue;
        place(class, &config->device[i], slots, out);
        slots += class->virtio;
        if (seen++ == n)
            return true;
    }
    return false;
}

hv_err dev_create_all(struct vm *vm)
{
    struct dev_instance instance;

    for (uint32_t n = 0; dev_instance(vm->hv->devices, vm->config, n, &instance); n++) {
        hv_err err = HV_OK;
        if (instance.intid != 0 && instance.intid - GIC_FIRST_SPI >= vm->vgic.nr_spis)
            return HV_ERR_RANGE;
        err = instance.class->create(vm, &instance);
        if (err != HV_OK)
            return err;
    }
    return HV_OK;
}
