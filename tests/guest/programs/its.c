/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* LPIs and the ITS: 1,000 of them mapped, injected by INT, moved, invalidated, discarded; none is
 * lost and none comes twice. */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

#define GITS_CTLR    (GITS_BASE + 0x00)
#define GITS_TYPER   (GITS_BASE + 0x08)
#define GITS_CBASER  (GITS_BASE + 0x80)
#define GITS_CWRITER (GITS_BASE + 0x88)
#define GITS_CREADR  (GITS_BASE + 0x90)
#define GITS_BASER   (GITS_BASE + 0x100)
#define GITS_PIDR2   (GITS_BASE + 0xffe8)

#define GICR_PROPBASER (GICR_BASE + 0x70)
#define GICR_PENDBASER (GICR_BASE + 0x78)

#define VALID  (1UL << 63)
#define PTZ    (1UL << 62)
#define CACHED (7UL << 59 | 1UL << 10) /* of GITS_BASER<n> and GITS_CBASER; inner shareable */

#define FIRST_LPI  8192u
#define NR_LPIS    1000u
#define NR_DEVICES 4u
#define PER_DEVICE 250u
#define EVENT_BITS 8u
#define QUEUE_SIZE 0x1000u
#define KIB_64     0x10000

#define CMD_MOVI    0x01u
#define CMD_INT     0x03u
#define CMD_CLEAR   0x04u
#define CMD_SYNC    0x05u
#define CMD_MAPD    0x08u
#define CMD_MAPC    0x09u
#define CMD_MAPTI   0x0au
#define CMD_MAPI    0x0bu
#define CMD_INV     0x0cu
#define CMD_INVALL  0x0du
#define CMD_MOVALL  0x0eu
#define CMD_DISCARD 0x0fu

static uint8_t device_table[KIB_64] __attribute__((aligned(KIB_64)));
static uint8_t collection_table[KIB_64] __attribute__((aligned(KIB_64)));
static uint8_t pending_table[KIB_64] __attribute__((aligned(KIB_64)));
static uint8_t translations[NR_DEVICES][0x4000] __attribute__((aligned(KIB_64)));
static uint8_t queue[QUEUE_SIZE] __attribute__((aligned(KIB_64)));
/* INTIDs up to 65535. */
static volatile uint8_t config[KIB_64 - FIRST_LPI] __attribute__((aligned(KIB_64)));

static volatile uint32_t arrived[NR_LPIS];
static volatile uint32_t strangers;
static uint64_t redist;

static void on_lpi(uint32_t intid)
{
    if (intid >= FIRST_LPI && intid - FIRST_LPI < NR_LPIS) {
        arrived[intid - FIRST_LPI]++;
    } else {
        strangers++;
    }
}

static void forget(void)
{
    gic_log_reset();
    for (unsigned i = 0; i < NR_LPIS; i++) {
        arrived[i] = 0;
    }
    strangers = 0;
}

/* --- Commands --- */

static bool its_wait(void)
{
    uint64_t start = timer_now();

    while (mmio_read64(GITS_CREADR) != mmio_read64(GITS_CWRITER)) {
        if (timer_now() - start > 2 * timer_frequency()) {
            return mmio_read64(GITS_CREADR) == mmio_read64(GITS_CWRITER);
        }
    }
    return true;
}

static void its_post(uint64_t dw0, uint64_t dw1, uint64_t dw2, uint64_t dw3)
{
    uint64_t at = mmio_read64(GITS_CWRITER);
    uint64_t next = (at + 32) % QUEUE_SIZE;
    volatile uint64_t *slot = (volatile uint64_t *)(void *)(queue + at);

    if (next == mmio_read64(GITS_CREADR)) {
        (void)its_wait();
    }
    slot[0] = dw0;
    slot[1] = dw1;
    slot[2] = dw2;
    slot[3] = dw3;
    sys_dsb();
    mmio_write64(GITS_CWRITER, next);
}

/* LPI `i` is event i % PER_DEVICE of device i / PER_DEVICE. */
static void its_event(uint64_t command, unsigned i, uint64_t collection)
{
    its_post(command | (uint64_t)(i / PER_DEVICE) << 32,
             i % PER_DEVICE | (uint64_t)(FIRST_LPI + i) << 32, collection, 0);
}

static void its_each(uint64_t command, unsigned first, unsigned step, uint64_t collection)
{
    for (unsigned i = first; i < NR_LPIS; i += step) {
        its_event(command, i, collection);
    }
    its_post(CMD_SYNC, 0, redist << 16, 0);
    (void)its_wait();
}

static void set_config(unsigned i, uint8_t priority, bool enabled)
{
    config[i] = (uint8_t)(priority | (enabled ? 1u : 0u));
    sys_dsb();
}

/* Each of them, from `first` on by `step`, has arrived `times` times, and no other one has. */
static bool only_these(unsigned first, unsigned step, unsigned times)
{
    for (unsigned i = 0; i < NR_LPIS; i++) {
        bool meant = i >= first && (i - first) % step == 0;
        if (arrived[i] != (meant ? times : 0)) {
            con_printf("# LPI %u came %u times\n", FIRST_LPI + i, arrived[i]);
            return false;
        }
    }
    return strangers == 0;
}

/* --- Set-up --- */

static void test_identification(void)
{
    uint64_t typer = mmio_read64(GITS_TYPER);

    tap_ok((mmio_read32(GICD_BASE + GICD_TYPER) & (1u << 17)) != 0, "GICD_TYPER.LPIS is set");
    tap_ok(((mmio_read32(GICD_BASE + GICD_TYPER) >> 19) & 0x1f) >= 13,
           "GICD_TYPER.IDbits: LPIs have room");
    tap_ok((mmio_read64(GICR_BASE + GICR_TYPER) & 1) != 0, "GICR_TYPER.PLPIS is set");
    tap_eq((mmio_read32(GITS_PIDR2) >> 4) & 0xf, 3, "GITS_PIDR2: GICv3");
    tap_ok((typer & 1) != 0, "GITS_TYPER.Physical is set");
    tap_ok((typer & (1u << 19)) == 0, "GITS_TYPER.PTA is clear");
    tap_ok(((typer >> 13) & 0x1f) >= 2 && ((typer >> 8) & 0x1f) >= EVENT_BITS - 1,
           "GITS_TYPER: enough DeviceIDs and EventIDs");
    tap_ok(((typer >> 4) & 0xf) < sizeof(translations[0]) >> EVENT_BITS,
           "GITS_TYPER: the translation tables are large enough");
    tap_ok(mmio_read32(GITS_TYPER) == (uint32_t)typer &&
               mmio_read32(GITS_TYPER + 4) == (uint32_t)(typer >> 32),
           "GITS_TYPER reads the same as two words");
    tap_eq(mmio_read32(GITS_CTLR) & 0x80000001u, 0x80000000u, "GITS_CTLR: disabled, quiescent");
}

static void set_table(uint64_t type, const uint8_t *table)
{
    for (unsigned n = 0; n < 8; n++) {
        uint64_t baser = mmio_read64(GITS_BASER + 8 * n);
        if (((baser >> 56) & 7) == type) {
            mmio_write64(GITS_BASER + 8 * n, VALID | CACHED | (uintptr_t)table | 2u << 8);
        }
    }
}

static void test_setup(void)
{
    for (unsigned i = 0; i < NR_LPIS; i++) {
        set_config(i, GIC_PRIORITY_DEFAULT, true);
    }
    mmio_write64(GICR_PROPBASER, (uintptr_t)config | 7u << 7 | 1u << 10 | 15u);
    mmio_write64(GICR_PENDBASER, (uintptr_t)pending_table | 7u << 7 | 1u << 10 | PTZ);
    mmio_write32(GICR_BASE + GICR_CTLR, 1);
    tap_eq(mmio_read32(GICR_BASE + GICR_CTLR) & 1, 1, "GICR_CTLR.EnableLPIs can be set");
    set_table(1, device_table);
    set_table(4, collection_table);
    mmio_write64(GITS_CBASER, VALID | CACHED | (uintptr_t)queue);
    mmio_write64(GITS_CWRITER, 0);
    tap_eq(mmio_read64(GITS_CREADR), 0, "GITS_CREADR is 0 after a write of GITS_CBASER");
    mmio_write32(GITS_CTLR, 1);
    tap_eq(mmio_read32(GITS_CTLR) & 1, 1, "GITS_CTLR.Enabled can be set");
    redist = (mmio_read64(GICR_BASE + GICR_TYPER) >> 8) & 0xffff;
    its_post(CMD_MAPC, 0, VALID | redist << 16 | 0, 0);
    its_post(CMD_MAPC, 0, VALID | redist << 16 | 1, 0);
    for (unsigned device = 0; device < NR_DEVICES; device++) {
        its_post(CMD_MAPD | (uint64_t)device << 32, EVENT_BITS - 1,
                 VALID | (uintptr_t)translations[device], 0);
    }
    its_each(CMD_MAPTI, 0, 1, 0);
    tap_ok(its_wait(), "1,000 LPIs are mapped");
}

/* --- Delivery --- */

static void test_int(void)
{
    forget();
    its_each(CMD_INT, 0, 1, 0);
    gic_open_window();
    tap_ok(only_these(0, 1, 1), "1,000 pending LPIs arrive once each");
    tap_eq(SYS_READ(ICC_HPPIR1), GIC_SPURIOUS, "and nothing is pending then");
    forget();
    its_event(CMD_INT, 7, 0);
    its_event(CMD_INT, 7, 0);
    (void)its_wait();
    gic_open_window();
    tap_eq(arrived[7], 1, "pending twice, it arrives once");
}

static void test_storm(void)
{
    bool right = true;

    forget();
    sys_irq_unmask();
    for (unsigned i = 0; i < 5 * NR_LPIS; i++) {
        its_event(CMD_INT, i % NR_LPIS, 0);
        right = right && gic_wait_taken(i + 1);
    }
    sys_irq_mask();
    tap_ok(right && only_these(0, 1, 5), "5,000 LPIs, one after the other");
}

static void test_order(void)
{
    forget();
    set_config(10, 0xc0, true);
    set_config(20, 0x40, true);
    set_config(30, 0x80, true);
    for (unsigned i = 10; i <= 30; i += 10) {
        its_event(CMD_INV, i, 0);
        its_event(CMD_INT, i, 0);
    }
    (void)its_wait();
    gic_set_priority(3, 0x60);
    gic_enable(3);
    gic_send_self(3);
    gic_open_window();
    tap_ok(gic_log.taken == 4 && gic_log.order[0] == FIRST_LPI + 20 && gic_log.order[1] == 3 &&
               gic_log.order[2] == FIRST_LPI + 30 && gic_log.order[3] == FIRST_LPI + 10,
           "LPIs and an SGI arrive in the order of their priorities");
    gic_disable(3);
    for (unsigned i = 10; i <= 30; i += 10) {
        set_config(i, GIC_PRIORITY_DEFAULT, true);
    }
    its_post(CMD_INVALL, 0, 0, 0);
    (void)its_wait();
}

static void test_clear(void)
{
    forget();
    its_each(CMD_INT, 0, 1, 0);
    its_each(CMD_CLEAR, 0, 2, 0);
    gic_open_window();
    tap_ok(only_these(1, 2, 1), "CLEAR takes back what is pending");
}

static void test_configuration(void)
{
    forget();
    set_config(5, GIC_PRIORITY_DEFAULT, false);
    its_event(CMD_INV, 5, 0);
    its_event(CMD_INT, 5, 0);
    (void)its_wait();
    gic_open_window();
    tap_eq(gic_log.taken, 0, "disabled by INV: does not arrive");
    set_config(5, GIC_PRIORITY_DEFAULT, true);
    its_event(CMD_INV, 5, 0);
    (void)its_wait();
    gic_open_window();
    tap_ok(gic_log.taken == 1 && arrived[5] == 1, "enabled by INV: arrives, it was kept pending");

    forget();
    for (unsigned i = 0; i < NR_LPIS; i++) {
        set_config(i, GIC_PRIORITY_DEFAULT, false);
    }
    its_post(CMD_INVALL, 0, 0, 0);
    its_each(CMD_INT, 0, 1, 0);
    gic_open_window();
    tap_eq(gic_log.taken, 0, "INVALL disables all of a collection");
    for (unsigned i = 0; i < NR_LPIS; i++) {
        set_config(i, GIC_PRIORITY_DEFAULT, true);
    }
    its_post(CMD_INVALL, 0, 0, 0);
    (void)its_wait();
    gic_open_window();
    tap_ok(only_these(0, 1, 1), "INVALL enables them: all arrive");
}

static void test_move(void)
{
    forget();
    its_each(CMD_INT, 0, 1, 0);
    its_each(CMD_MOVI, 0, 2, 1);
    its_post(CMD_MOVALL, 0, redist << 16, redist << 16);
    (void)its_wait();
    gic_open_window();
    tap_ok(only_these(0, 1, 1), "MOVI and MOVALL lose nothing that is pending");
    forget();
    its_post(CMD_MAPC, 0, 1, 0);
    its_each(CMD_INT, 0, 1, 0);
    gic_open_window();
    tap_ok(only_these(1, 2, 1), "a collection that is not mapped delivers nothing");
    its_post(CMD_MAPC, 0, VALID | redist << 16 | 1, 0);
    its_each(CMD_INT, 0, 2, 0);
    gic_open_window();
    tap_ok(only_these(0, 1, 1), "and delivers once it is mapped again");
}

static void test_discard(void)
{
    forget();
    its_each(CMD_INT, 0, 5, 0);
    its_each(CMD_DISCARD, 0, 5, 0);
    gic_open_window();
    tap_eq(gic_log.taken, 0, "DISCARD takes the pending state");
    forget();
    its_each(CMD_INT, 0, 1, 0);
    gic_open_window();
    bool right = strangers == 0;
    for (unsigned i = 0; i < NR_LPIS; i++) {
        right = right && arrived[i] == (i % 5 == 0 ? 0 : 1);
    }
    tap_ok(right, "and the mapping, of these alone");
    its_each(CMD_MAPTI, 0, 5, 0);
    forget();
    its_each(CMD_INT, 0, 1, 0);
    gic_open_window();
    tap_ok(only_these(0, 1, 1), "mapped again, all arrive");
}

static void test_nonsense(void)
{
    forget();
    its_post(0xee, 0, 0, 0);
    its_post(CMD_INT | 9UL << 32, 0, 0, 0);
    its_post(CMD_INT, 1u << EVENT_BITS, 0, 0);
    its_post(CMD_MAPTI, 3 | 17UL << 32, 0, 0);
    its_post(CMD_MAPC, 0, VALID | 0xffffUL << 16 | 3, 0);
    its_event(CMD_INT, 11, 0);
    tap_ok(its_wait(), "wrong commands do not stop the queue");
    gic_open_window();
    tap_ok(gic_log.taken == 1 && arrived[11] == 1, "and the right one behind them is served");
}

static void test_unmap(void)
{
    forget();
    for (unsigned device = 0; device < NR_DEVICES; device++) {
        its_post(CMD_MAPD | (uint64_t)device << 32, 0, 0, 0);
    }
    its_each(CMD_INT, 0, 1, 0);
    gic_open_window();
    tap_eq(gic_log.taken, 0, "devices that are unmapped deliver nothing");
    mmio_write32(GITS_CTLR, 0);
    tap_eq(mmio_read32(GITS_CTLR) & 0x80000001u, 0x80000000u, "GITS_CTLR: quiescent again");
}

void guest_main(void)
{
    gic_init();
    gic_set_callback(on_lpi);
    test_identification();
    test_setup();
    test_int();
    test_storm();
    test_order();
    test_clear();
    test_configuration();
    test_move();
    test_discard();
    test_nonsense();
    test_unmap();
}
