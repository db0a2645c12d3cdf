/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A hypervisor instance with a console over fakehal, and one VM, for the tests of core/dev and
 * core/boot. */
#ifndef TESTS_DEV_FIXTURE_H
#define TESTS_DEV_FIXTURE_H

#include "dev/console.h"
#include "fakehal/fakehal.h"
#include "vm/hv.h"
#include "vm/sched.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define UART_INTID 33u /* of the machine */

struct fixture {
    struct hv *hv;
    struct console console;
    struct vm_config config;
    struct vm *vm;
    uint64_t free_pages; /* before any VM */
};

static inline uint64_t fixture_micros(void *ctx)
{
    (void)ctx;
    return 0;
}

static inline void fixture_hv(struct fixture *f, uint64_t ram)
{
    const struct log_sink sink = {console_log_write, fixture_micros, &f->console};

    fakehal_reset();
    memset(f, 0, sizeof(*f));
    f->hv = calloc(1, sizeof(*f->hv));
    console_init(&f->console, UART_INTID);
    f->hv->console = &f->console;
    f->hv->platform = fakehal()->platform;
    f->hv->account.limit = UINT64_MAX;
    fakehal_add_ram(pa(0x80000000), ram);
    log_init(&f->hv->log, &sink);
    page_pool_init(&f->hv->pool);
    cr_assert_eq(page_pool_add(&f->hv->pool, pa(0x80000000), ram), HV_OK);
    hal_id_regs(&f->hv->idregs);
    idreg_virtualise(&f->hv->idregs, 40, &f->hv->guest_idregs);
    sched_init_pcpu(f->hv, 0);
    f->free_pages = page_pool_free_pages(&f->hv->pool);
    f->config = (struct vm_config){.name = "g", .memory = 0x200000, .vcpus = 1, .bootargs = ""};
}

static inline void fixture_create(struct fixture *f, uint32_t vcpus)
{
    f->config.vcpus = vcpus;
    cr_assert_eq(vm_create(f->hv, &f->config, 1, &f->vm), HV_OK);
}

/* Nothing may be left behind. Criterion overlooks a failed assertion in a .fini, but not an abort.
 */
static inline void fixture_end(struct fixture *f)
{
    if (f->vm != NULL)
        vm_destroy(f->vm);
    if (page_pool_free_pages(&f->hv->pool) != f->free_pages || f->hv->account.used != 0)
        fakehal_fail("pages leaked");
    free(f->hv);
}

static inline bool fixture_uart_line(const struct fixture *f)
{
    return f->vm->vgic.spi[1].level; /* INTID 33 is SPI 1 */
}

/* xorshift64*: a fixed sequence on every machine. */
static inline uint64_t fixture_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

#endif
