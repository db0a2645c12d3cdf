/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Loads and stores of every size, extension and transfer register on registers whose access sizes
 * are architected: GICD_IPRIORITYR (8, 32), GICD_IROUTER (32, 64), PL011 (8, 16, 32). Every access
 * must change its register only.
 */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/regs.h"
#include "lib/sys.h"
#include "lib/tap.h"

#define PRIORITIES (GICD_BASE + GIC_IPRIORITYR + 32)
#define ROUTER32   (GICD_BASE + GICD_IROUTER + 8 * 32)
#define BAUD       (PL011_BASE + UART_IBRD)
#define DATA       (PL011_BASE + UART_DR)

/* LDR/STR (register, unsigned offset 0): size in bits 31:30, opc in 23:22 (DDI 0487, C4.1.94). */
enum { OPC_STORE = 0, OPC_LOAD = 1, OPC_LOAD_SIGNED64 = 2, OPC_LOAD_SIGNED32 = 3 };
enum { XZR = 31 };

#define SCTLR_EE (1UL << 25)

static uint64_t random = 0x68616c63796f6e35UL;

static uint32_t encode(unsigned size, unsigned opc, unsigned base, unsigned rt)
{
    return size << 30 | 0x39000000u | opc << 22 | base << 5 | rt;
}

/* One load into register rt; true if rt (unless XZR) got `want` and nothing else changed. */
static bool load_into(unsigned rt, unsigned size, unsigned opc, uint64_t address, uint64_t want)
{
    struct regs_io in;
    struct regs_io out;
    unsigned base = rt == 3 ? 17 : 3;

    regs_fill(&in, &random);
    in.x[base] = address;
    regs_run_insn(encode(size, opc, base, rt), &in, &out);
    return regs_same(&in, &out, 0, rt) && (rt == XZR || out.x[rt] == want);
}

/* One store of register rt, whose value is `value`; true if no register changed. */
static bool store_from(unsigned rt, unsigned size, uint64_t address, uint64_t value)
{
    struct regs_io in;
    struct regs_io out;
    unsigned base = rt == 3 ? 17 : 3;

    regs_fill(&in, &random);
    in.x[base] = address;
    if (rt != XZR) {
        in.x[rt] = value;
    }
    regs_run_insn(encode(size, OPC_STORE, base, rt), &in, &out);
    return regs_same(&in, &out, 0, XZR);
}

static void test_loads(void)
{
    static const struct {
        const char *name;
        unsigned size;
        unsigned opc;
        uint64_t address;
        uint64_t want;
    } loads[] = {
        {"ldrb GICD_IPRIORITYR byte 0", 0, OPC_LOAD, PRIORITIES, 0x80},
        {"ldrb GICD_IPRIORITYR byte 1", 0, OPC_LOAD, PRIORITIES + 1, 0x08},
        {"ldrb GICD_IPRIORITYR byte 2", 0, OPC_LOAD, PRIORITIES + 2, 0x70},
        {"ldrb GICD_IPRIORITYR byte 3", 0, OPC_LOAD, PRIORITIES + 3, 0xf8},
        {"ldrsb w, negative", 0, OPC_LOAD_SIGNED32, PRIORITIES + 3, 0xfffffff8},
        {"ldrsb w, positive", 0, OPC_LOAD_SIGNED32, PRIORITIES + 2, 0x70},
        {"ldrsb x, negative", 0, OPC_LOAD_SIGNED64, PRIORITIES, 0xffffffffffffff80},
        {"ldrsb x, positive", 0, OPC_LOAD_SIGNED64, PRIORITIES + 1, 0x08},
        {"ldr w GICD_IPRIORITYR", 2, OPC_LOAD, PRIORITIES, 0xf8700880},
        {"ldrsw, negative", 2, OPC_LOAD_SIGNED64, PRIORITIES, 0xfffffffff8700880},
        {"ldrsw, positive", 2, OPC_LOAD_SIGNED64, PRIORITIES + 4, 0x18a0c810},
        {"ldr x GICD_IROUTER", 3, OPC_LOAD, ROUTER32, 0x000000a500010203},
        {"ldr w GICD_IROUTER, low", 2, OPC_LOAD, ROUTER32, 0x00010203},
        {"ldr w GICD_IROUTER, high", 2, OPC_LOAD, ROUTER32 + 4, 0xa5},
        {"ldrb UARTIBRD", 0, OPC_LOAD, BAUD, 0x85},
        {"ldrsb w UARTIBRD", 0, OPC_LOAD_SIGNED32, BAUD, 0xffffff85},
        {"ldrsb x UARTIBRD", 0, OPC_LOAD_SIGNED64, BAUD, 0xffffffffffffff85},
        {"ldrh UARTIBRD", 1, OPC_LOAD, BAUD, 0x9385},
        {"ldrsh w, negative", 1, OPC_LOAD_SIGNED32, BAUD, 0xffff9385},
        {"ldrsh x, negative", 1, OPC_LOAD_SIGNED64, BAUD, 0xffffffffffff9385},
        {"ldr w UARTIBRD", 2, OPC_LOAD, BAUD, 0x9385},
        {"ldrsw, 16-bit value", 2, OPC_LOAD_SIGNED64, BAUD, 0x9385},
        {"ldrb UARTPCellID3", 0, OPC_LOAD, PL011_BASE + UART_PCELLID0 + 12, 0xb1},
        {"ldrsb x UARTPCellID3", 0, OPC_LOAD_SIGNED64, PL011_BASE + UART_PCELLID0 + 12,
         0xffffffffffffffb1},
        {"ldrh UARTPCellID3", 1, OPC_LOAD, PL011_BASE + UART_PCELLID0 + 12, 0xb1},
        {"ldrsh w, positive", 1, OPC_LOAD_SIGNED32, PL011_BASE + UART_PCELLID0 + 12, 0xb1},
        {"ldrsh x, positive", 1, OPC_LOAD_SIGNED64, PL011_BASE + UART_PCELLID0 + 12, 0xb1},
        {"ldr w UARTPCellID0", 2, OPC_LOAD, PL011_BASE + UART_PCELLID0, 0x0d},
    };
    bool results[sizeof(loads) / sizeof(loads[0])];

    /* The console's baud rate is what some of these read: nothing is printed until it is restored.
     */
    for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        results[i] = true;
        for (unsigned rt = 0; rt <= XZR; rt++) {
            results[i] &=
                load_into(rt, loads[i].size, loads[i].opc, loads[i].address, loads[i].want);
        }
    }
    con_init();
    for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
        tap_ok(results[i], loads[i].name);
    }
}

/* A store of `size` from every register, read back after each; a store of XZR must write zero. */
static void test_store(const char *name, unsigned size, uint64_t address, uint64_t mask)
{
    unsigned read_size = address == ROUTER32 ? 3 : 2;
    bool good = true;

    for (unsigned rt = 0; rt <= XZR; rt++) {
        uint64_t value = sys_random(&random);
        uint64_t got;
        good = good && store_from(rt, size, address, value);
        got = read_size == 3 ? mmio_read64(address)
                             : mmio_read32(address & ~3UL) >> 8 * (address & 3);
        good = good && (got & mask) == (rt == XZR ? 0 : value & mask);
    }
    tap_ok(good, name);
}

static void test_neighbours(void)
{
    mmio_write32(PRIORITIES, 0xf8700880);
    store_from(9, 0, PRIORITIES + 1, 0xffffffffffffff10);
    tap_eq(mmio_read32(PRIORITIES), 0xf8701080,
           "strb GICD_IPRIORITYR leaves the other bytes alone");
    mmio_write64(ROUTER32, 0x000000a500010203);
    store_from(9, 2, ROUTER32, 0x0000000000030201);
    tap_eq(mmio_read64(ROUTER32), 0x000000a500030201,
           "str w GICD_IROUTER, low, leaves the high half alone");
    store_from(9, 2, ROUTER32 + 4, 0x5a);
    tap_eq(mmio_read64(ROUTER32), 0x0000005a00030201,
           "str w GICD_IROUTER, high, leaves the low half alone");
}

/* One load, and one store, while SCTLR_EL1.EE is set; nothing else may touch memory meanwhile. */
#define BIG_ENDIAN(insn, value, address)                                                           \
    do {                                                                                           \
        uint64_t sctlr_ = SYS_READ("sctlr_el1");                                                   \
        __asm__ volatile("msr sctlr_el1, %[big]\n\tisb\n\t" insn                                   \
                         "\n\tmsr sctlr_el1, %[little]\n\tisb"                                     \
                         : [v] "+&r"(value)                                                        \
                         : [at] "r"(address), [big] "r"(sctlr_ | SCTLR_EE), [little] "r"(sctlr_)   \
                         : "memory");                                                              \
    } while (0)

static void test_big_endian(void)
{
    uint64_t value = 0;

    mmio_write32(PRIORITIES, 0xf8700880);
    BIG_ENDIAN("ldr %w[v], [%[at]]", value, PRIORITIES);
    tap_eq(value, 0x800870f8, "big-endian ldr w");
    BIG_ENDIAN("ldrsw %[v], [%[at]]", value, PRIORITIES);
    tap_eq(value, 0xffffffff800870f8, "big-endian ldrsw");
    BIG_ENDIAN("ldrb %w[v], [%[at]]", value, PRIORITIES + 2);
    tap_eq(value, 0x70, "big-endian ldrb");
    BIG_ENDIAN("ldrh %w[v], [%[at]]", value, PL011_BASE + UART_PCELLID0);
    tap_eq(value, 0x0d00, "big-endian ldrh");
    value = 0x10203040;
    BIG_ENDIAN("str %w[v], [%[at]]", value, PRIORITIES);
    tap_eq(mmio_read32(PRIORITIES), 0x40302010, "big-endian str w");
    value = 0x030201005a000000;
    BIG_ENDIAN("str %[v], [%[at]]", value, ROUTER32);
    tap_eq(mmio_read64(ROUTER32), 0x0000005a00010203, "big-endian str x");
    BIG_ENDIAN("ldr %[v], [%[at]]", value, ROUTER32);
    tap_eq(value, 0x030201005a000000, "big-endian ldr x");
}

/* What these print is the proof: "# " and 31 characters, each from another register with junk above
 * its width. */
static void test_print(unsigned size)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz01234";

    con_printf("# %u-bit: ", 8u << size);
    for (unsigned rt = 0; rt < XZR; rt++) {
        /* The bits above the character's are reserved in UARTDR: junk only where the access does
         * not carry them. */
        uint64_t junk = sys_random(&random) << (8u << size);
        store_from(rt, size, DATA, junk | (unsigned char)text[rt]);
    }
    con_putc('\n');
}

void guest_main(void)
{
    gic_init();
    con_init();
    mmio_write32(PRIORITIES, 0xf8700880);
    mmio_write32(PRIORITIES + 4, 0x18a0c810);
    mmio_write64(ROUTER32, 0x000000a500010203);
    mmio_write32(BAUD, 0x9385);
    test_loads();

    test_store("strb GICD_IPRIORITYR byte 0", 0, PRIORITIES, 0xf8);
    test_store("strb GICD_IPRIORITYR byte 3", 0, PRIORITIES + 3, 0xf8);
    test_store("str w GICD_IPRIORITYR", 2, PRIORITIES, 0xf8f8f8f8);
    test_store("str x GICD_IROUTER", 3, ROUTER32, 0x000000ff00ffffff);
    test_store("strb UARTFBRD", 0, PL011_BASE + UART_FBRD, 0x3f);
    test_store("strh UARTFBRD", 1, PL011_BASE + UART_FBRD, 0x3f);
    test_store("str w UARTFBRD", 2, PL011_BASE + UART_FBRD, 0x3f);
    test_store("strh UARTIBRD", 1, BAUD, 0xffff);
    con_init();
    test_neighbours();
    test_big_endian();
    test_print(0);
    test_print(1);
    test_print(2);
}
