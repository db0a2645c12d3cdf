/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The PL061 as DDI 0190 describes it and Linux's gpio-pl061 uses it. Nobody presses the button. */
#include "lib/gic.h"
#include "lib/sys.h"
#include "lib/tap.h"

#define GPIO_BASE  0x09030000UL
#define INTID_GPIO 39u

#define GPIODATA  0x3fcu /* of all pins */
#define GPIODIR   0x400u
#define GPIOIS    0x404u
#define GPIOIBE   0x408u
#define GPIOIEV   0x40cu
#define GPIOIE    0x410u
#define GPIORIS   0x414u
#define GPIOMIS   0x418u
#define GPIOIC    0x41cu
#define GPIOAFSEL 0x420u

static uint32_t get(unsigned offset)
{
    return mmio_read32(GPIO_BASE + offset);
}

static void set(unsigned offset, uint32_t value)
{
    mmio_write32(GPIO_BASE + offset, value);
}

static void test_reset_state(void)
{
    tap_eq(get(GPIODATA), 0, "reset: GPIODATA: all pins are low");
    tap_eq(get(GPIODIR), 0, "reset: GPIODIR: inputs");
    tap_eq(get(GPIOIS), 0, "reset: GPIOIS");
    tap_eq(get(GPIOIBE), 0, "reset: GPIOIBE");
    tap_eq(get(GPIOIEV), 0, "reset: GPIOIEV");
    tap_eq(get(GPIOIE), 0, "reset: GPIOIE");
    tap_eq(get(GPIORIS), 0, "reset: GPIORIS");
    tap_eq(get(GPIOMIS), 0, "reset: GPIOMIS");
    tap_eq(get(GPIOAFSEL), 0, "reset: GPIOAFSEL");
}

static void test_identification(void)
{
    static const uint32_t id[] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    bool right = true;

    for (unsigned i = 0; i < 8; i++) {
        right = right && get(0xfe0 + 4 * i) == id[i];
    }
    tap_ok(right, "GPIOPeriphID0-3, GPIOPCellID0-3");
}

static bool reads_back(unsigned offset)
{
    bool good = true;

    for (uint32_t value = 1; value <= 0x80; value <<= 1) {
        set(offset, 0xffffff00 | value);
        good = good && get(offset) == value;
    }
    set(offset, 0);
    return good && get(offset) == 0;
}

static void test_read_back(void)
{
    tap_ok(reads_back(GPIODIR), "GPIODIR reads back");
    tap_ok(reads_back(GPIOIS), "GPIOIS reads back");
    set(GPIOIC, 0xff);
    tap_ok(reads_back(GPIOIBE), "GPIOIBE reads back");
    tap_ok(reads_back(GPIOIEV), "GPIOIEV reads back");
    tap_ok(reads_back(GPIOIE), "GPIOIE reads back");
    tap_ok(reads_back(GPIOAFSEL), "GPIOAFSEL reads back");
}

static void test_data(void)
{
    set(GPIODATA, 0xff);
    tap_eq(get(GPIODATA), 0, "a write to an input is lost");
    set(GPIODIR, 0xf0);
    set(GPIODATA, 0xff);
    tap_eq(get(GPIODATA), 0xf0, "outputs are written");
    set(0x10u << 2, 0);
    tap_eq(get(GPIODATA), 0xe0, "one of them by its address");
    tap_eq(get(0x60u << 2), 0x60, "two are read by theirs");
    tap_eq(get(0), 0, "no pin, no value");
    set(0, 0xff);
    tap_eq(get(GPIODATA), 0xe0, "and nothing is written");
    set(GPIODIR, 0);
    tap_eq(get(GPIODATA), 0, "inputs again: the pins' own levels");
    set(GPIODIR, 0xff);
    set(GPIODATA, 0);
    set(GPIODIR, 0);
}

static void test_levels(void)
{
    set(GPIOIC, 0xff);
    set(GPIOIS, 0xff);
    tap_eq(get(GPIORIS), 0xff, "GPIORIS: low levels");
    tap_eq(get(GPIOMIS), 0, "GPIOMIS: nothing while masked");
    tap_ok(!gic_is_pending(INTID_GPIO), "and nothing is pending");
    set(GPIOIE, 0x08);
    tap_eq(get(GPIOMIS), 0x08, "GPIOMIS: one unmasked");
    tap_ok(gic_is_pending(INTID_GPIO), "and it is pending");
    set(GPIOIC, 0xff);
    tap_eq(get(GPIORIS), 0xff, "GPIOIC does not clear what lasts");
    set(GPIOIEV, 0x08);
    set(GPIOIC, 0x08);
    tap_eq(get(GPIORIS), 0xf7, "high level: it is low");
    tap_ok(!gic_is_pending(INTID_GPIO), "and pending no more");
    set(GPIOIEV, 0);
    tap_ok(gic_is_pending(INTID_GPIO), "low level again");
    set(GPIOIS, 0);
    tap_eq(get(GPIORIS), 0, "edges: there was none");
    set(GPIOIC, 0xff);
    tap_eq(get(GPIORIS), 0, "nothing is left");
    set(GPIOIE, 0);
}

static unsigned taken;

static void on_interrupt(uint32_t intid)
{
    if (intid == INTID_GPIO) {
        taken++;
        set(GPIOIE, 0);
    }
}

static void test_interrupt(void)
{
    gic_log_reset();
    gic_set_callback(on_interrupt);
    gic_enable(INTID_GPIO);
    set(GPIOIS, 0x01);
    set(GPIOIE, 0x01);
    gic_open_window();
    tap_eq(taken, 1, "the interrupt arrives");
    gic_disable(INTID_GPIO);
    set(GPIOIS, 0);
    set(GPIOIC, 0xff);
}

void guest_main(void)
{
    gic_init();
    test_reset_state();
    test_identification();
    test_read_back();
    test_data();
    test_levels();
    test_interrupt();
}
