/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The second bank of flash, by the data sheet of its chips (28F256P30) and JESD68.01: two of 16
 * bits side by side, sectors of 256 KiB. What bare QEMU's model does otherwise is in
 * known_differences.txt.
 */
#include "lib/con.h"
#include "lib/mmu.h"
#include "lib/sys.h"
#include "lib/tap.h"

#define BANK0  0x00000000UL
#define BANK1  0x04000000UL
#define SECTOR 0x40000UL
#define PLACE  (BANK1 + 5 * SECTOR)

enum {
    PROGRAM = 0x400040,
    ERASE = 0x200020,
    CLEAR_STATUS = 0x500050,
    LOCK = 0x600060,
    READ_STATUS = 0x700070,
    READ_ID = 0x900090,
    QUERY = 0x980098,
    BUFFER = 0xe800e8,
    CONFIRM = 0xd000d0,
    READ_ARRAY = 0xff00ff,
    READY = 0x800080,
};

static uint16_t read16(uint64_t address)
{
    uint32_t value;

    __asm__ volatile("ldrh %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return (uint16_t)value;
}

static void write16(uint64_t address, uint16_t value)
{
    __asm__ volatile("strh %w0, [%1]" ::"r"((uint32_t)value), "r"(address) : "memory");
}

static uint32_t status(void)
{
    mmio_write32(BANK1, READ_STATUS);
    return mmio_read32(BANK1);
}

static void array(void)
{
    mmio_write32(BANK1, READ_ARRAY);
}

static void clear(void)
{
    mmio_write32(BANK1, CLEAR_STATUS);
    array();
}

static uint32_t erase(uint64_t at)
{
    mmio_write32(at, ERASE);
    mmio_write32(at, CONFIRM);
    return status();
}

static uint32_t program(uint64_t at, uint32_t word)
{
    mmio_write32(at, PROGRAM);
    mmio_write32(at, word);
    return status();
}

static void fill_buffer(uint64_t at, unsigned words, uint32_t first)
{
    mmio_write32(at, BUFFER);
    mmio_write32(at, (words - 1) * 0x10001);
    for (unsigned i = 0; i < words; i++)
        mmio_write32(at + i * 4, first + i);
}

static unsigned differing(uint64_t at, unsigned words, uint32_t first, uint32_t step)
{
    unsigned count = 0;

    for (unsigned i = 0; i < words; i++)
        count += mmio_read32(at + i * 4) != first + i * step;
    return count;
}

static void test_identity(void)
{
    mmio_write32(BANK1, READ_ID);
    tap_eq(mmio_read32(BANK1), 0x00890089, "identifier: manufacturer, of both chips");
    tap_eq(mmio_read32(BANK1 + 4), 0x00180018, "identifier: device");
    tap_eq(mmio_read32(BANK1 + 8), 0, "identifier: the block is not locked");
    tap_eq(mmio_read64(BANK1), 0x0018001800890089UL, "identifier: 64 bits are two words");
    mmio_write32(BANK1, QUERY);
    tap_eq(mmio_read32(BANK1 + 0x40), 0x00510051, "query: Q");
    tap_eq(mmio_read8(BANK1 + 0x40), 'Q', "query: a byte");
    tap_eq(mmio_read8(BANK1 + 0x41), 0, "query: a byte has its lane of the bus");
    for (unsigned i = 0; i < 0x52; i++)
        con_printf("# CFI_%u: 0x%x\n", i, mmio_read32(BANK1 + i * 4));
    mmio_write32(BANK1, READ_ID);
    tap_eq(mmio_read32(BANK1), 0x00890089, "query mode takes a command");
    array();
}

static void test_erase(void)
{
    tap_eq(erase(PLACE), READY, "erase: status");
    tap_eq(mmio_read32(PLACE + 0x1234), READY, "the status is at every address");
    array();
    tap_eq(differing(PLACE, SECTOR / 4, 0xffffffff, 0), 0, "erase: all ones");
    tap_eq(program(PLACE, 0), READY, "a word, to see it erased");
    mmio_write32(PLACE, ERASE);
    mmio_write32(PLACE, READ_ARRAY);
    (void)status();
    clear();
    tap_eq(mmio_read32(PLACE), 0, "erase: not before it is confirmed");
}

static void test_program(void)
{
    tap_eq(erase(PLACE), READY, "erase again");
    tap_eq(program(PLACE, 0x12345678), READY, "program: status");
    write16(PLACE + 10, 0x40);
    write16(PLACE + 10, 0xabcd);
    mmio_write8(PLACE + 13, 0x10);
    mmio_write8(PLACE + 13, 0x5a);
    tap_eq(status(), READY, "program: 16 and 8 bits");
    array();
    tap_eq(mmio_read32(PLACE), 0x12345678, "program: a word");
    tap_eq(mmio_read32(PLACE + 4), 0xffffffff, "program: not its neighbour");
    tap_eq(mmio_read32(PLACE + 8), 0xabcdffff, "program: 16 bits");
    tap_eq(mmio_read32(PLACE + 12), 0xffff5aff, "program: 8 bits");
    tap_eq(mmio_read64(PLACE), 0xffffffff12345678UL, "array: 64 bits");
}

static void test_bits(void)
{
    (void)program(PLACE, 0xffff00ff);
    array();
    tap_eq(mmio_read32(PLACE), 0x12340078, "program: bits are cleared only");
}

static void test_buffer(void)
{
    tap_eq(erase(PLACE), READY, "erase for the buffer");
    mmio_write32(PLACE + 0x80, BUFFER);
    tap_eq(mmio_read32(PLACE + 0x80), READY, "buffer: there is one");
    mmio_write32(PLACE + 0x80, 0);
    mmio_write32(PLACE + 0x80, 0xffffffff);
    mmio_write32(PLACE + 0x80, CONFIRM);
    fill_buffer(PLACE + 0x1080, 32, 0x1000);
    mmio_write32(BANK1, CONFIRM);
    tap_eq(status(), READY, "buffer: 32 words");
    fill_buffer(PLACE + 0x2000, 1024, 0x2000);
    mmio_write32(BANK1, CONFIRM);
    tap_eq(status(), READY, "buffer: 1024 words");
    array();
    tap_eq(differing(PLACE + 0x1080, 32, 0x1000, 1), 0, "buffer: what 32 words are");
    tap_eq(differing(PLACE + 0x2000, 1024, 0x2000, 1), 0, "buffer: what 1024 words are");
    tap_eq(mmio_read32(PLACE + 0x107c) & mmio_read32(PLACE + 0x1100), 0xffffffff,
           "buffer: not its neighbours");
}

static void test_not_confirmed(void)
{
    fill_buffer(PLACE + 0x4000, 4, 0);
    mmio_write32(BANK1, READ_ARRAY);
    tap_eq(status(), 0xb000b0, "buffer, not confirmed: a sequence error");
    clear();
    tap_eq(mmio_read32(PLACE + 0x4000), 0xffffffff, "buffer, not confirmed: nothing");
}

static void test_status(void)
{
    clear();
    tap_eq(status(), READY, "clear status: ready all the same");
    tap_eq(mmio_read8(BANK1 + 1), 0, "status: a byte has its lane of the bus");
    tap_eq(read16(BANK1 + 2), 0x80, "status: the other chip's");
    tap_eq(mmio_read32(BANK0) == READY, false, "status: the other bank goes on");
    array();
}

static void test_lock(void)
{
    mmio_write32(PLACE, LOCK);
    mmio_write32(PLACE, 0x010001);
    tap_eq(status(), READY, "lock: status");
    mmio_write32(PLACE, READ_ID);
    tap_eq(mmio_read32(PLACE + 8), 0x00010001, "lock: the block says so");
    tap_eq(erase(PLACE), 0xa200a2, "lock: no erase");
    clear();
    tap_eq(program(PLACE + 0x8000, 0), 0x920092, "lock: no programming");
    clear();
    mmio_write32(PLACE, LOCK);
    mmio_write32(PLACE, CONFIRM);
    tap_eq(status(), READY, "unlock: status");
    tap_eq(erase(PLACE), READY, "unlock: erase");
    array();
}

/* Memory while it is read: instructions, pairs, cache maintenance. */
static void test_memory(void)
{
    uint64_t low;
    uint64_t high;

    (void)program(PLACE, 0xd2800540);     /* mov x0, #42 */
    (void)program(PLACE + 4, 0xd65f03c0); /* ret */
    array();
    tap_eq(((uint64_t(*)(void))PLACE)(), 42, "memory: its instructions");
    (void)program(PLACE, 0xd2800140); /* a mov of other bits: #10 */
    array();
    tap_eq(((uint64_t(*)(void))PLACE)(), 10, "memory: its instructions, programmed anew");
    __asm__ volatile("ldp %0, %1, [%2]" : "=r"(low), "=r"(high) : "r"(PLACE) : "memory");
    tap_eq(low, 0xd65f03c0d2800140UL, "memory: ldp");
    tap_eq(high, 0xffffffffffffffffUL, "memory: ldp, the second");
    __asm__ volatile("dc cvac, %0\n\tdc civac, %0\n\tic ivau, %0\n\tdsb sy\n\tisb" ::"r"(PLACE)
                     : "memory");
    tap_eq(mmio_read32(PLACE), 0xd2800140, "memory: cache maintenance");
}

static void test_many(void)
{
    unsigned wrong = 0;

    wrong += erase(PLACE) != READY;
    for (unsigned i = 0; i < 1000; i++) {
        wrong += program(PLACE + i * 4, i) != READY;
        array();
        wrong += mmio_read32(PLACE + i * 4) != i;
    }
    tap_eq(wrong, 0, "1000 words, each read");
    wrong = differing(PLACE, 1000, 0, 1);
    tap_eq(wrong, 0, "1000 words, all read");
}

void guest_main(void)
{
    test_identity();
    test_erase();
    test_program();
    test_bits();
    test_buffer();
    test_not_confirmed();
    test_status();
    test_lock();
    test_memory();
    test_many();
    mmu_on();
    test_program();
    test_buffer();
    test_many();
}
