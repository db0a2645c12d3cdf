/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console's life, its ports and its focus, and the way of the input from the HAL to a PL011. */
#include "dev/console.h"
#include "dev/console_internal.h"
#include "hal/hal.h"
#include <string.h>

void console_init(struct console *console, uint32_t intid)
{
    *console = (struct console){.intid = intid, .line_start = true, .raw = true};
    spinlock_init(&console->lock, LOCK_RANK_CONSOLE);
    list_init(&console->ports);
}

void console_configure(struct console *console, const struct hv_config *config,
                       const struct console_command_sink *sink)
{
    spinlock_lock(&console->lock);
    console->raw = config->nr_vms <= 1;
    console->mode = config->console;
    console->escape = !config->no_escape;
    if (sink != NULL)
        console->sink = *sink;
    spinlock_unlock(&console->lock);
}

void console_set_mode(struct console *console, enum hv_console_mode mode)
{
    spinlock_lock(&console->lock);
    console_leave_line(console);
    console->raw = false;
    console->mode = mode;
    console_show_kept(console);
    spinlock_unlock(&console->lock);
}

/* --- Output --- */

void console_print(struct console *console, const char *text, size_t len)
{
    spinlock_lock(&console->lock);
    console_show(console, text, len);
    spinlock_unlock(&console->lock);
}

void console_log_write(void *ctx, const char *text, size_t len)
{
    console_print(ctx, text, len);
}

void console_guest_write(void *ctx, const char *text, size_t len)
{
    struct console_port *port = ctx;
    struct console *console = port->console;

    spinlock_lock(&console->lock);
    console_port_write(port, text, len);
    spinlock_unlock(&console->lock);
}

/* --- Input --- */

/* Without an interrupt that the HAL can enable there is no input, which costs the guests no more
 * than their keyboard. */
static void set_irq(struct console *console, bool enable)
{
    enum console_irq irq = enable ? CONSOLE_IRQ_ON : CONSOLE_IRQ_OFF;

    if (console->intid == HAL_INTID_NONE || irq == console->irq)
        return;
    if (hal_irq_enable(console->intid, enable) != HV_OK)
        console->intid = HAL_INTID_NONE;
    console->irq = irq;
}

void console_route(struct console *console)
{
    spinlock_lock(&console->lock);
    if (console->irq == CONSOLE_IRQ_ON) {
        console->irq = CONSOLE_IRQ_OFF;
        set_irq(console, true);
    }
    spinlock_unlock(&console->lock);
}

/*
 * Takes the machine's input until there is no more of it or no room. The lock is held. Reading on
 * until nothing is left matters: the HAL's interrupt need not come again for what is left over.
 * Byte by byte, as each may change the port that the next one is for, and its room.
 */
static void rx_fill(struct console *console)
{
    char c;

    if (console->intid == HAL_INTID_NONE)
        return;
    while (console_input_room(console) && hal_console_read(&c, 1) == 1)
        console_input_byte(console, c);
    set_irq(console, console_input_room(console));
}

static struct console_port *find_untold(struct console *console)
{
    for (struct list_node *node = console->ports.next; node != &console->ports; node = node->next)
        if (console_port_at(node)->notify)
            return console_port_at(node);
    return NULL;
}

/*
 * Tells the PL011s that have input that they were not told of. The lock is held, but not while one
 * is told, as a PL011's ranks below it: `notifying` keeps the PL011 alive.
 */
static void tell_ports(struct console *console)
{
    struct console_port *port;

    while ((port = find_untold(console)) != NULL) {
        port->notify = false;
        port->notifying++;
        spinlock_unlock(&console->lock);
        port->poll(port->device);
        spinlock_lock(&console->lock);
        port->notifying--;
    }
}

/* Lets the lock go, and the sink know. It does not change once there are guests. */
static void unlock_and_call(struct console *console)
{
    bool call = console->call_sink && console->sink.posted != NULL;

    console->call_sink = false;
    spinlock_unlock(&console->lock);
    if (call)
        console->sink.posted(console->sink.ctx);
}

/* A guest has made room: it may be that the console waits for that. The caller's PL011 takes what
 * comes for it when its FIFO is empty; the others cannot be told with its lock held. */
static void read_on(struct console_port *port)
{
    struct console *console = port->console;

    rx_fill(console);
    port->notify = false;
    if (find_untold(console) != NULL)
        console->call_sink = true;
}

size_t console_guest_read(void *ctx, char *buf, size_t size)
{
    struct console_port *port = ctx;
    struct console *console = port->console;
    size_t n = 0;

    spinlock_lock(&console->lock);
    while (n < size && port->rx_tail != port->rx_head)
        buf[n++] = port->rx[port->rx_tail++ % CONSOLE_BUFFER];
    if (n > 0 && console->irq != CONSOLE_IRQ_ON)
        read_on(port);
    unlock_and_call(console);
    return n;
}

void console_interrupt(struct console *console)
{
    spinlock_lock(&console->lock);
    rx_fill(console);
    tell_ports(console);
    unlock_and_call(console);
}

bool console_take_command(struct console *console, char *buf, size_t size)
{
    bool taken;
    size_t len;

    spinlock_lock(&console->lock);
    tell_ports(console);
    taken = console->command_posted;
    if (taken) {
        len = strlen(console->command);
        len = len < size - 1 ? len : size - 1;
        memcpy(buf, console->command, len);
        buf[len] = '\0';
        console->command_posted = false;
    }
    spinlock_unlock(&console->lock);
    return taken;
}

/* --- Ports --- */

void console_change_focus(struct console *console, struct console_port *port)
{
    console_leave_line(console);
    console->wanted[0] = '\0';
    console->focus = port;
}

/* What came before makes no interrupt any more if the firmware has let that one pass. The lock is
 * held, and let go. */
static void take_focus(struct console *console, struct console_port *port)
{
    console_change_focus(console, port);
    console_show_kept(console);
    if (port != NULL)
        rx_fill(console);
    tell_ports(console);
    unlock_and_call(console);
}

void console_set_focus(struct console *console, struct console_port *port)
{
    spinlock_lock(&console->lock);
    take_focus(console, port);
}

void console_attach_line(struct console *console, struct console_port *port, const char *name,
                         void (*poll)(void *device), void *device)
{
    bool wanted;

    *port = (struct console_port){.console = console, .poll = poll, .device = device, .name = name};
    spinlock_lock(&console->lock);
    list_insert_before(&console->ports, &port->node);
    wanted = console->wanted[0] != '\0' && strcmp(console->wanted, port->name) == 0;
    if (wanted && !console->raw) {
        console_change_focus(console, port);
        console_notice(console, "focus: ", port->name);
    }
    if (wanted || console->focus == NULL)
        take_focus(console, port);
    else
        spinlock_unlock(&console->lock);
}

static void poll_pl011(void *device)
{
    pl011_poll(device);
}

void console_attach(struct console *console, struct console_port *port, struct pl011 *pl011)
{
    console_attach_line(console, port, pl011->vm->config->name, poll_pl011, pl011);
}

/* From `port`, which is still in the list, to the one after it. It comes back with the VM. */
static void pass_focus_on(struct console *console, const struct console_port *port)
{
    struct list_node *node = port->node.next;
    struct console_port *next;

    if (node == &console->ports)
        node = node->next;
    next = node != &port->node ? console_port_at(node) : NULL;
    console_change_focus(console, next);
    memcpy(console->wanted, port->name, strlen(port->name) + 1);
    if (next == NULL || console->raw)
        return;
    console_notice(console, "focus: ", next->name);
    console_show_kept(console);
}

void console_detach(struct console_port *port)
{
    struct console *console = port->console;

    if (console == NULL)
        return;
    spinlock_lock(&console->lock);
    console_flush_port(port);
    if (console->focus == port)
        pass_focus_on(console, port);
    list_remove(&port->node);
    while (port->notifying != 0) {
        spinlock_unlock(&console->lock);
        hal_cpu_relax();
        spinlock_lock(&console->lock);
    }
    port->console = NULL;
    /* The interrupt may be off as the one before had no room. */
    if (console->irq == CONSOLE_IRQ_OFF && (console->focus != NULL || console->escape))
        rx_fill(console);
    tell_ports(console);
    unlock_and_call(console);
}
