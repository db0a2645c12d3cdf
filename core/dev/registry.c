/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/registry.h"
#include "abi/machine.h"
#include "base/bits.h"
#include "base/check.h"
#include "dev/console.h"
#include "dev/flash.h"
#include "dev/pl011.h"
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

static hv_err uart_create(struct vm *vm, const struct dev_class *row)
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
    err = pl011_init(&uart->pl011, vm, row->base, row->intid, &backend);
    if (err == HV_OK)
        console_attach(hv->console, &uart->port, &uart->pl011);
    return err;
}

/* It has no state: nothing to destroy. */
static hv_err flash_create(struct vm *vm, const struct dev_class *row)
{
    const struct mmio_region region = {row->base, row->size, flash_access, NULL, row->name};

    return mmio_bus_add(&vm->bus, &region);
}

static const char pl011_compatible[] = "arm,pl011\0arm,primecell";

const struct dev_class dev_registry[] = {
    {
        .name = "pl011",
        .compatible = pl011_compatible,
        .compatible_len = sizeof(pl011_compatible),
        .base = MACHINE_UART_BASE,
        .size = MACHINE_UART_SIZE,
        .intid = MACHINE_INTID_UART,
        .clock_hz = MACHINE_UART_HZ,
        .create = uart_create,
    },
    {
        .name = "flash",
        .base = MACHINE_FLASH_BASE,
        .size = MACHINE_FLASH_SIZE,
        .create = flash_create,
    },
};
const size_t dev_registry_count = ARRAY_LEN(dev_registry);

hv_err dev_create_all(struct vm *vm)
{
    for (size_t i = 0; i < dev_registry_count; i++) {
        hv_err err = dev_registry[i].create(vm, &dev_registry[i]);
        if (err != HV_OK)
            return err;
    }
    return HV_OK;
}
