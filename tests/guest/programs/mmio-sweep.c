/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Reads and writes of every size over every device frame, aligned and not. A value, nothing, or an
 * abort are all right; a hang or a stopped VM is not. About 750,000 accesses.
 */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"
#include "lib/trap.h"

struct region {
    const char *name;
    uint64_t base;
    uint64_t size;
    uint64_t byte_step;       /* between byte accesses; other sizes touch every aligned offset */
    uint64_t misaligned_step; /* between misaligned accesses, odd */
};

static uint64_t random = 0x68616c63796f6e38UL;

static void do_read(uint64_t address, unsigned size)
{
    switch (size) {
    case 1:
        __asm__ volatile("ldrb w9, [%0]" ::"r"(address) : "x9", "memory");
        break;
    case 2:
        __asm__ volatile("ldrh w9, [%0]" ::"r"(address) : "x9", "memory");
        break;
    case 4:
        __asm__ volatile("ldr w9, [%0]" ::"r"(address) : "x9", "memory");
        break;
    default:
        __asm__ volatile("ldr x9, [%0]" ::"r"(address) : "x9", "memory");
        break;
    }
}

static void do_write(uint64_t address, unsigned size, uint64_t value)
{
    switch (size) {
    case 1:
        __asm__ volatile("strb %w1, [%0]" ::"r"(address), "r"(value) : "memory");
        break;
    case 2:
        __asm__ volatile("strh %w1, [%0]" ::"r"(address), "r"(value) : "memory");
        break;
    case 4:
        __asm__ volatile("str %w1, [%0]" ::"r"(address), "r"(value) : "memory");
        break;
    default:
        __asm__ volatile("str %1, [%0]" ::"r"(address), "r"(value) : "memory");
        break;
    }
}

static uint64_t pick_value(uint64_t address)
{
    /* Whatever reaches UARTDR is printed: keep it to one harmless character. */
    if (address - PL011_BASE < 8) {
        return 0x2323232323232323UL; /* # in every byte */
    }
    uint64_t value = sys_random(&random);
    switch (value >> 62) {
    case 0:
        return 0;
    case 1:
        return ~0UL;
    default:
        return value;
    }
}

static void touch(uint64_t address, unsigned size, bool write)
{
    if (write) {
        do_write(address, size, pick_value(address));
    } else {
        do_read(address, size);
    }
}

static void sweep(const struct region *region, bool write)
{
    for (unsigned size = 1; size <= 8; size *= 2) {
        uint64_t step = size == 1 ? region->byte_step : size;
        for (uint64_t offset = 0; offset < region->size; offset += step) {
            touch(region->base + offset, size, write);
        }
        for (uint64_t offset = 1; size > 1 && offset < region->size;
             offset += region->misaligned_step) {
            if (offset % size != 0) {
                touch(region->base + offset, size, write);
            }
        }
    }
}

static const struct region regions[] = {
    {"PL011", PL011_BASE, 0x1000, 1, 1},
    {"GICD", GICD_BASE, 0x10000, 3, 37},
    {"GICR, RD frame", GICR_BASE, 0x10000, 3, 37},
    {"GICR, SGI frame", GICR_SGI_BASE, 0x10000, 3, 37},
    {"GITS", GITS_BASE, 0x11000, 3, 37},
};

void guest_main(void)
{
    static const char *const read_names[] = {
        "PL011: reads",           "GICD: reads", "GICR, RD frame: reads",
        "GICR, SGI frame: reads", "GITS: reads",
    };
    static const char *const write_names[] = {
        "PL011: writes",           "GICD: writes", "GICR, RD frame: writes",
        "GICR, SGI frame: writes", "GITS: writes",
    };

    con_init();
    for (unsigned i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
        trap_expect(TRAP_NEXT);
        sweep(&regions[i], false);
        trap_done();
        tap_ok(true, read_names[i]);

        con_putc('#');
        trap_expect(TRAP_NEXT);
        sweep(&regions[i], true);
        trap_done();
        con_init();
        con_putc('\n');
        tap_ok(true, write_names[i]);
    }

    gic_init();
    gic_enable(2);
    gic_send_self(2);
    sys_irq_unmask();
    tap_ok(gic_wait_taken(1) && gic_log.order[0] == 2, "set up again, the GIC delivers an SGI");
}
