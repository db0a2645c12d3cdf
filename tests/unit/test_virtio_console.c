/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console device: port 0 on the machine's console, control messages, ports between two VMs. */
#include "dev/console_device.h"
#include "virtio/console.h"
#include "virtio_peers.h"

#define QUEUES 10u

#define F_MULTIPORT (UINT64_C(1) << 1)

/* 5.3.6.2 */
enum { READY, ADD, REMOVE, PORT_READY, CONSOLE, RESIZE, OPEN, NAME };

static struct virtio_console_hub hub;

static hv_err create(const char *peer, uint32_t ports)
{
    struct dev_config config = {.text = {peer}, .number = {ports}};
    const struct dev_instance instance = {
        .base = VIRTIO_BASE, .intid = VIRTIO_INTID, .config = &config};

    return console_device_create(f.vm, &instance);
}

static void make_other(const char *peer, uint32_t ports)
{
    peer_make(1, "h");
    be(1);
    cr_assert_eq(create(peer, ports), HV_OK);
    be(0);
}

static void setup_console(void)
{
    setup();
    peers_begin();
    virtio_console_hub_init(&hub);
    f.hv->consoles = &hub;
    cr_assert_eq(create("h", 4), HV_OK);
    make_other("g", 4);
}

static void finish_console(void)
{
    peers_end();
    finish();
}

static void go(uint64_t features)
{
    go_with(features, QUEUES);
}

static void *mem(uint64_t where)
{
    return driver_mem(&drv[fakehal()->self][0], where, 0x1000);
}

static uint64_t buffer(unsigned q)
{
    return DATA + q * 0x2000;
}

/* Offers `len` bytes to send; it is not looked at yet. */
static void stage_send(unsigned q, const void *data, uint32_t len)
{
    struct driver *d = &drv[fakehal()->self][q];
    struct driver_seg s = {buffer(q), len};

    memcpy(mem(buffer(q)), data, len);
    driver_offer(d, driver_chain(d, &s, 1, 0));
    notify(q);
}

static bool sent(unsigned q)
{
    return taken_back(q) != UINT32_MAX;
}

static void send_all(unsigned q, const void *data, uint32_t len)
{
    stage_send(q, data, len);
    settle();
    cr_assert(sent(q));
}

static void say(uint32_t port, uint16_t event, uint16_t value)
{
    struct virtio_console_control control = {port, event, value};

    send_all(3, &control, sizeof(control));
}

static void want(unsigned q, uint32_t len)
{
    struct driver *d = &drv[fakehal()->self][q];
    struct driver_seg s = {buffer(q), len};

    driver_offer(d, driver_chain(d, &s, 0, 1));
    notify(q);
    settle();
}

/* What came into the buffer that want() offered; UINT32_MAX: nothing. */
static uint32_t got(unsigned q)
{
    return taken_back(q);
}

static void expect_text(unsigned q, const char *text)
{
    cr_assert_eq(got(q), strlen(text));
    cr_assert_eq(memcmp(mem(buffer(q)), text, strlen(text)), 0);
}

static void expect_message(uint32_t port, uint16_t event, uint16_t value, const char *name)
{
    const struct virtio_console_control control = {port, event, value};

    want(2, 64);
    cr_assert_eq(got(2), 8 + strlen(name), "event %u of port %u", event, port);
    cr_assert_eq(memcmp(mem(buffer(2)), &control, 8), 0);
    cr_assert_eq(memcmp((char *)mem(buffer(2)) + 8, name, strlen(name)), 0);
}

/* Port 1 of the VM that is at work is known to its driver, and open. */
static void open_port(const char *name, bool connected)
{
    say(1, PORT_READY, 1);
    expect_message(1, NAME, 1, name);
    expect_message(1, OPEN, connected, "");
    say(1, OPEN, 1);
}

/* --- Port 0 --- */

CASE(virtio_console, identity)
{
    cr_assert_eq(rd(R_DEVICE_ID), 3);
    cr_assert_eq(offered_features(), F_VERSION_1 | F_INDIRECT | F_EVENT_IDX | F_MULTIPORT);
    cr_assert_eq(rd(R_CONFIG + 4), 4);
    cr_assert_eq(rd(R_CONFIG), 0);
    wr(R_QUEUE_SEL, 9);
    cr_assert_eq(rd(R_QUEUE_NUM_MAX), 256);
    wr(R_QUEUE_SEL, 10);
    cr_assert_eq(rd(R_QUEUE_NUM_MAX), 0);
}

CASE(virtio_console, output)
{
    go(0);
    fakehal_console_clear();
    send_all(1, "hello\r\n", 7);
    cr_assert(fakehal_console_has("hello"));
    send_all(1, "", 0);
}

/* A UART may be slow: others have their turn in between. */
CASE(virtio_console, a_long_output_goes_in_small_pieces)
{
    static char text[1000];
    unsigned pieces = 0;

    go(0);
    memset(text, 'a', sizeof(text));
    fakehal_console_clear();
    stage_send(1, text, sizeof(text));
    for (size_t before = 0; pcpu(0)->resched; pieces++) {
        (void)next(0);
        cr_assert_leq(fakehal()->out_len, before + 32);
        before = fakehal()->out_len;
    }
    cr_assert_geq(pieces, 32);
    cr_assert_eq(fakehal()->out_len, sizeof(text), "each byte once");
    cr_assert(sent(1));
}

CASE(virtio_console, input)
{
    struct console_port *port = list_entry(f.console.ports.next->next, struct console_port, node);

    go(0);
    port = list_entry(f.console.ports.next, struct console_port, node);
    cr_assert_str_eq(port->name, "g.hvc");
    console_set_focus(&f.console, port);
    want(0, 16);
    cr_assert_eq(got(0), UINT32_MAX);
    fakehal_console_type("ls\r", 3);
    console_interrupt(&f.console);
    settle();
    expect_text(0, "ls\r");
    fakehal_console_type("0123456789", 10);
    console_interrupt(&f.console);
    want(0, 4);
    expect_text(0, "0123");
    want(0, 16);
    expect_text(0, "456789");
}

/* The other queues mean nothing without VIRTIO_CONSOLE_F_MULTIPORT. */
CASE(virtio_console, one_port_only)
{
    struct virtio_console_control control = {0, READY, 1};

    go(0);
    stage_send(3, &control, sizeof(control));
    settle();
    cr_assert(!sent(3));
}

/* --- Messages --- */

CASE(virtio_console, ports_are_announced)
{
    go(F_MULTIPORT);
    want(2, 64);
    cr_assert_eq(got(2), UINT32_MAX, "not before the driver is ready");
    say(UINT32_MAX, READY, 1);
    settle();
    cr_assert_eq(got(2), 8);
    for (uint32_t n = 1; n < 4; n++)
        expect_message(n, ADD, 1, "");
    say(0, PORT_READY, 1);
    expect_message(0, CONSOLE, 1, "");
    expect_message(0, NAME, 1, "console");
    expect_message(0, OPEN, 1, "");
    say(2, PORT_READY, 1);
    expect_message(2, NAME, 1, "h.2");
    expect_message(2, OPEN, 0, "");
}

CASE(virtio_console, messages_that_mean_nothing)
{
    static const struct virtio_console_control bad[] = {
        {4, PORT_READY, 1}, {UINT32_MAX, OPEN, 1}, {0, 99, 1},
        {0, ADD, 1},        {0, READY, 0},         {1, OPEN, 0},
    };

    go(F_MULTIPORT);
    for (unsigned i = 0; i < 6; i++)
        say(bad[i].id, bad[i].event, bad[i].value);
    want(2, 64);
    cr_assert_eq(got(2), UINT32_MAX);
    cr_assert_eq(rd(R_STATUS) & S_NEEDS_RESET, 0);
}

static void expect_broken(void)
{
    settle();
    cr_assert_neq(rd(R_STATUS) & S_NEEDS_RESET, 0);
    go(F_MULTIPORT);
}

CASE(virtio_console, bad_buffers)
{
    struct driver_seg nowhere = {GUEST_RAM + GUEST_SIZE, 8};

    go(F_MULTIPORT);
    stage_send(3, "1234567", 7);
    expect_broken();
    for (unsigned q = 1; q < 6; q += 2) {
        driver_offer(&drv[0][q], driver_chain(&drv[0][q], &nowhere, 1, 0));
        notify(q);
        expect_broken();
    }
    want(0, 0);
    expect_broken();
    say(0, READY, 1);
    want(2, 7);
    expect_broken();
}

/* --- Between VMs --- */

static void connect_both(void)
{
    be(1);
    go(F_MULTIPORT);
    be(0);
    go(F_MULTIPORT);
    open_port("h.1", false);
    be(1);
    open_port("g.1", true);
    be(0);
    expect_message(1, OPEN, 1, "");
}

CASE(virtio_console, from_one_to_the_other)
{
    connect_both();
    send_all(5, "to the other", 12);
    be(1);
    want(4, 100);
    expect_text(4, "to the other");
    want(4, 100);
    cr_assert_eq(got(4), UINT32_MAX);
    send_all(5, "and back", 8);
    be(0);
    want(4, 100);
    expect_text(4, "and back");
    be(1);
    be(0);
}

CASE(virtio_console, to_nobody)
{
    go(F_MULTIPORT);
    open_port("h.1", false);
    send_all(5, "lost", 4);
    be(1);
    go(F_MULTIPORT);
    open_port("g.1", true);
    want(4, 100);
    cr_assert_eq(got(4), UINT32_MAX, "what was sent before is not there");
    be(0);
}

/* 4 KiB wait at the receiver; more waits at the sender, and nothing is lost or twice there. */
CASE(virtio_console, backpressure)
{
    static char text[4096];
    uint32_t seen = 0;

    connect_both();
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < sizeof(text); k++)
            text[k] = (char)((i * sizeof(text) + k) % 251);
        struct driver_seg s = {DATA + 0x20000 + i * 0x1000, sizeof(text)};
        memcpy(mem(s.at), text, sizeof(text));
        driver_offer(&drv[0][5], driver_chain(&drv[0][5], &s, 1, 0));
    }
    notify(5);
    settle();
    cr_assert(sent(5));
    cr_assert(!sent(5), "the other one has no room");
    be(1);
    while (seen < 3 * sizeof(text)) {
        want(4, 200);
        uint32_t len = got(4);
        cr_assert_leq(len, 200, "after %u", seen);
        for (uint32_t k = 0; k < len; k++, seen++)
            cr_assert_eq(((uint8_t *)mem(buffer(4)))[k], seen % 251, "byte %u", seen);
    }
    be(0);
    cr_assert(sent(5));
    cr_assert(sent(5));
}

/* What was sent in part is forgotten with its queue, and the next buffer is sent from its start. */
CASE(virtio_console, a_queue_is_stopped_in_the_middle_of_a_buffer)
{
    static char text[0x1000];
    uint32_t seen = 0;
    uint32_t len;

    connect_both();
    memset(text, 'x', sizeof(text));
    send_all(5, "0123456789", 10);
    stage_send(5, text, sizeof(text));
    settle();
    cr_assert(!sent(5), "ten bytes of it wait");
    wr(R_QUEUE_SEL, 5);
    wr(R_QUEUE_READY, 0);
    cr_assert(set_queue(5, &drv[0][5], RINGS + 5 * 0x3000, 16));
    be(1);
    do {
        want(4, 200);
        len = got(4);
        seen += len != UINT32_MAX ? len : 0;
    } while (len != UINT32_MAX);
    cr_assert_eq(seen, 4096, "what was taken of it");
    be(0);
    cr_assert(!sent(5));
    send_all(5, "anew", 4);
    be(1);
    expect_text(4, "anew");
    be(0);
}

/* Closing frees who waits. */
static void fill_up(void)
{
    static char text[0x1000];

    connect_both();
    stage_send(5, text, sizeof(text));
    stage_send(5, text, sizeof(text));
    settle();
    cr_assert(sent(5));
    cr_assert(!sent(5));
}

CASE(virtio_console, the_other_one_closes)
{
    fill_up();
    be(1);
    say(1, OPEN, 0);
    be(0);
    cr_assert(sent(5));
    expect_message(1, OPEN, 0, "");
}

CASE(virtio_console, the_other_one_is_reset)
{
    fill_up();
    be(1);
    wr(R_STATUS, 0);
    be(0);
    settle();
    cr_assert(sent(5));
    expect_message(1, OPEN, 0, "");
}

CASE(virtio_console, the_other_vm_ends_and_comes_back)
{
    fill_up();
    fixture_destroy(&f, vms[1]);
    at(0);
    settle();
    cr_assert(sent(5));
    expect_message(1, OPEN, 0, "");
    make_other("g", 4);
    be(1);
    go(F_MULTIPORT);
    open_port("g.1", true);
    be(0);
    expect_message(1, OPEN, 1, "");
    send_all(5, "again", 5);
    be(1);
    want(4, 100);
    expect_text(4, "again");
    be(0);
}

/* Nobody is connected to who does not want to be, or has fewer ports. */
CASE(virtio_console, who_is_connected)
{
    static const struct {
        const char *peer;
        uint32_t ports;
    } rows[] = {{NULL, 4}, {"x", 4}, {"h", 4}, {"g", 1}};

    for (unsigned i = 0; i < 4; i++) {
        fixture_destroy(&f, vms[1]);
        make_other(rows[i].peer, rows[i].ports);
        go(F_MULTIPORT);
        open_port("h.1", false);
        send_all(5, "lost", 4);
    }
}

CASE(virtio_console, no_memory)
{
    peer_make(2, "i");
    be(2);
    struct vm *vm = f.vm;
    uint64_t limit = vm->account.limit;
    vm->account.limit = vm->account.used;
    cr_assert_eq(create(NULL, 0), HV_ERR_QUOTA);
    vm->account.limit = limit;
    vm->nr_devices = VM_MAX_DEVICES;
    cr_assert_eq(create(NULL, 0), HV_ERR_NOMEM);
    vm->nr_devices = 0;
    be(0);
}

CASES_RUN(virtio_console, setup_console, finish_console)
