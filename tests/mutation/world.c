/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "mutation/world.h"
#include "base/fmt.h"
#include "boot/platform.h"
#include "hal/hal.h"
#include "role/ram.h"
#include "vm/sched.h"
#include <stdarg.h>
#include <string.h>

#define FDT_HEADER_SIZE 40u

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void print(const char *format, ...)
{
    char line[200];
    va_list args;

    va_start(args, format);
    (void)fmt_vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    hal_console_write(line, strlen(line));
}

_Noreturn void world_give_up(const char *why)
{
    print("Bail out! %s\r\n", why);
    hal_halt(HAL_HALT_OFF);
}

static void discover(struct hv *hv, const struct hal_boot *boot)
{
    char reason[PLATFORM_REASON_MAX] = "the machine's devicetree is not readable";
    const unsigned char *header = hal_phys_map(boot->dtb, FDT_HEADER_SIZE);

    if (header == NULL)
        world_give_up(reason);
    uint64_t size = (uint64_t)header[4] << 24 | (uint64_t)header[5] << 16 |
                    (uint64_t)header[6] << 8 | header[7];
    const void *fdt = hal_phys_map(boot->dtb, size);
    if (fdt == NULL ||
        platform_discover(fdt, size, hal_cpu_mpidr(), &hv->platform, reason) != HV_OK)
        world_give_up(reason);
    hv->platform.dtb = (struct platform_range){boot->dtb.v, size};
}

static uint64_t log_time(void *ctx)
{
    (void)ctx;
    return hal_time_now() / (hal_time_hz() / 1000000);
}

struct world *world_begin(const struct hal_boot *boot)
{
    struct world *world = boot->arena;
    struct hv *hv = &world->hv;
    const struct log_sink sink = {console_log_write, log_time, &world->console};

    if (boot->arena_size < sizeof(*world))
        world_give_up("the arena is too small");
    console_init(&world->console, HAL_INTID_NONE);
    log_init(&hv->log, &sink);
    hv->console = &world->console;
    discover(hv, boot);
    if (hal_init(&hv->platform) != HV_OK)
        world_give_up("hal_init() failed");
    console_init(&world->console, hv->platform.uart_intid);
    hal_id_regs(&hv->idregs);
    idreg_virtualise(&hv->idregs, s2_ipa_bits(&hv->idregs), &hv->guest_idregs);
    page_pool_init(&hv->pool);
    vmids_init(&hv->vmids, 255);
    hv->account.limit = UINT64_MAX;
    const struct platform_range taken[] = {
        {boot->image.v, boot->image_size},
        hv->platform.dtb,
        hv->platform.initrd,
    };
    if (ram_give_to_pool(&hv->platform, taken, ARRAY_LEN(taken), &hv->pool) != HV_OK)
        world_give_up("there is no RAM");
    sched_init_pcpu(hv, 0);
    sched_online(&hv->pcpu[0]);
    return world;
}

void world_ok(struct world *world, bool condition, const char *name)
{
    print("%sok %u - %s\r\n", condition ? "" : "not ", ++world->count, name);
}

void world_eq(struct world *world, uint64_t got, uint64_t want, const char *name)
{
    if (got == want)
        world_ok(world, true, name);
    else
        print("not ok %u - %s: got 0x%llx, want 0x%llx\r\n", ++world->count, name,
              (unsigned long long)got, (unsigned long long)want);
}

_Noreturn void world_end(struct world *world)
{
    if (world->count > 0)
        print("1..%u\r\n", world->count);
    hal_halt(HAL_HALT_OFF);
}
