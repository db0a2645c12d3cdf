/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A console with up to three VMs ("alpha", "beta", "gamma"), each with a PL011 at its port. */
#ifndef TESTS_CONSOLE_FIXTURE_H
#define TESTS_CONSOLE_FIXTURE_H

#include "vm_fixture.h"

#define DR    0x000
#define FR    0x018
#define LCR_H 0x02c
#define IMSC  0x038

#define FR_RXFE 0x10u
#define PORTS   3u

struct console_fixture {
    struct fixture f;
    struct hv_config config;
    struct vm_config vm_config[PORTS];
    struct vm *vm[PORTS];
    struct pl011 uart[PORTS];
    struct console_port port[PORTS];
    uint64_t lives;
    unsigned posted;
};

/* The machine and its VMs; nothing is attached. */
static inline void console_fixture(struct console_fixture *c)
{
    static const char *const names[PORTS] = {"alpha", "beta", "gamma"};

    memset(c, 0, sizeof(*c));
    fixture_hv(&c->f, MIB(16), 1);
    c->config.nr_vms = PORTS;
    for (unsigned i = 0; i < PORTS; i++) {
        c->vm_config[i] = c->f.config;
        strcpy(c->vm_config[i].name, names[i]);
        cr_assert_eq(vm_create(c->f.hv, &c->vm_config[i], (uint16_t)(i + 1), &c->vm[i]), HV_OK);
    }
}

static inline void console_fixture_count(void *ctx)
{
    struct console_fixture *c = ctx;

    c->posted++;
}

static inline void console_fixture_configure(struct console_fixture *c)
{
    const struct console_command_sink sink = {console_fixture_count, c};

    console_configure(&c->f.console, &c->config, &sink);
}

/* A (new) life of VM `i`. */
static inline void console_fixture_attach(struct console_fixture *c, unsigned i)
{
    const struct pl011_backend backend = {console_guest_write, console_guest_read, &c->port[i]};

    cr_assert_eq(pl011_init(&c->uart[i], c->vm[i], 0x9000000 + c->lives++ * 0x1000, 33, &backend),
                 HV_OK);
    console_attach(&c->f.console, &c->port[i], &c->uart[i]);
}

static inline void console_fixture_end(struct console_fixture *c)
{
    for (unsigned i = 0; i < PORTS; i++) {
        console_detach(&c->port[i]);
        vm_destroy(c->vm[i]);
    }
    cr_assert(list_empty(&c->f.console.ports));
    cr_assert_null(c->f.console.focus);
    fixture_end(&c->f);
}

static inline uint32_t uart_read(struct pl011 *pl011, uint64_t offset)
{
    struct mmio_access access = {.offset = offset, .size = 4};

    cr_assert(pl011_access(pl011, &access));
    return (uint32_t)access.value;
}

static inline void uart_write(struct pl011 *pl011, uint64_t offset, uint32_t value)
{
    struct mmio_access access = {.offset = offset, .size = 4, .value = value, .write = true};

    cr_assert(pl011_access(pl011, &access));
}

/* Input arrives; the machine's interrupt is delivered if it is enabled. */
static inline void console_fixture_type(struct console_fixture *c, const char *text, size_t len)
{
    fakehal_console_type(text, len);
    if (fakehal()->cpu[0].enabled[UART_INTID])
        console_interrupt(&c->f.console);
}

static inline void console_fixture_output(const char *text)
{
    cr_expect_str_eq(fakehal()->out != NULL ? fakehal()->out : "", text);
    fakehal_console_clear();
}

#endif
