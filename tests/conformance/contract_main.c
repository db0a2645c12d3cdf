/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/fmt.h"
#include "boot/platform.h"
#include "conformance/contract.h"
#include <stdarg.h>
#include <string.h>

#define DTB_HEADER_SIZE 40u

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

bool contract_ok(struct contract *ct, bool condition, const char *name)
{
    ct->count++;
    ct->failed += condition ? 0 : 1;
    print("%sok %u - %s\r\n", condition ? "" : "not ", ct->count, name);
    return condition;
}

bool contract_eq(struct contract *ct, uint64_t got, uint64_t want, const char *name)
{
    if (got == want)
        return contract_ok(ct, true, name);
    ct->count++;
    ct->failed++;
    print("not ok %u - %s: got 0x%llx, want 0x%llx\r\n", ct->count, name, (unsigned long long)got,
          (unsigned long long)want);
    return false;
}

void contract_say(const char *text)
{
    print("# %s\r\n", text);
}

static hv_err discover(struct contract *ct)
{
    char reason[PLATFORM_REASON_MAX] = "its header is not readable";
    const unsigned char *header = hal_phys_map(ct->boot->dtb, DTB_HEADER_SIZE);
    const void *fdt = NULL;
    uint64_t size = 0;
    hv_err err = HV_ERR_FORMAT;

    if (header != NULL) {
        size = (uint64_t)header[4] << 24 | (uint64_t)header[5] << 16 | (uint64_t)header[6] << 8 |
               header[7];
        fdt = hal_phys_map(ct->boot->dtb, size);
    }
    if (fdt != NULL)
        err = platform_discover(fdt, size, hal_cpu_mpidr(), &ct->platform, reason);
    if (err != HV_OK)
        print("# devicetree: %s\r\n", reason);
    return err;
}

_Noreturn void contract_finish(struct contract *ct)
{
    print("1..%u\r\n", ct->count);
    hal_halt(HAL_HALT_OFF);
}

_Noreturn void core_main(const struct hal_boot *boot)
{
    struct contract *ct = boot->arena;

    ct->boot = boot;
    contract_check_boot(ct);
    if (contract_ok(ct, discover(ct) == HV_OK, "the machine's devicetree is readable and sound") &&
        contract_ok(ct, hal_init(&ct->platform) == HV_OK, "hal_init")) {
        contract_check_cpu(ct);
        contract_check_phys(ct);
        contract_check_time(ct);
        contract_check_irq(ct);
        contract_check_vcpu(ct);
        contract_check_disk(ct);
        if (ct->platform.nr_cpus > 1)
            contract_check_smp(ct);
    }
    contract_finish(ct);
}
