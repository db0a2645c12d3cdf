/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/sys.h"

#include "lib/fdt.h"
#include "lib/string.h"
#include "lib/tap.h"

static uint64_t boot_dtb;

uint64_t sys_hvc(uint64_t function, uint64_t argument)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = argument;
    register uint64_t x2 __asm__("x2") = 0;
    register uint64_t x3 __asm__("x3") = 0;

    __asm__ volatile("hvc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     :
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
                       "x16", "x17", "memory");
    return x0;
}

_Noreturn void sys_power_off(void)
{
    sys_hvc(PSCI_SYSTEM_OFF, 0);
    for (;;) {
        sys_wfi();
    }
}

uint64_t sys_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dUL;
}

uint64_t sys_ram_end(void)
{
    return fdt_ram_end(boot_dtb);
}

uint64_t sys_argument(const char *name, uint64_t otherwise)
{
    size_t length = strlen(name);
    const char *at = fdt_bootargs(boot_dtb);

    while (*at != '\0') {
        if (strncmp(at, name, length) == 0 && at[length] == '=') {
            uint64_t value = 0;
            for (at += length + 1; *at >= '0' && *at <= '9'; at++) {
                value = 10 * value + (uint64_t)(*at - '0');
            }
            return value;
        }
        while (*at != '\0' && *at != ' ') {
            at++;
        }
        at += *at == ' ' ? 1 : 0;
    }
    return otherwise;
}

void sys_sync_code(uint64_t start, uint64_t size)
{
    /* CTR_EL0.DminLine and IminLine are at least one word (4 bytes); 4 is the step that suits every
     * CPU. */
    for (uint64_t at = start; at < start + size; at += 4) {
        __asm__ volatile("dc cvau, %0" ::"r"(at) : "memory");
    }
    __asm__ volatile("dsb ish" ::: "memory");
    for (uint64_t at = start; at < start + size; at += 4) {
        __asm__ volatile("ic ivau, %0" ::"r"(at) : "memory");
    }
    __asm__ volatile("dsb ish\n\tisb" ::: "memory");
}

void guest_start(uint64_t dtb)
{
    boot_dtb = dtb;
    guest_main();
    tap_end();
    sys_power_off();
}
