/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/console.h"
#include "hal/hal.h"
#include "vm/hv.h"
#include <string.h>

void console_init(struct console *console, uint32_t intid)
{
    *console = (struct console){.intid = intid, .line_start = true};
    spinlock_init(&console->lock, LOCK_RANK_CONSOLE);
}

void console_log_write(void *ctx, const char *text, size_t len)
{
    struct console *console = ctx;

    spinlock_lock(&console->lock);
    if (!console->line_start)
        hal_console_write("\r\n", 2);
    while (len > 0) {
        const char *newline = memchr(text, '\n', len);
        size_t part = newline != NULL ? (size_t)(newline - text) : len;

        hal_console_write(text, part);
        if (newline != NULL) {
            hal_console_write("\r\n", 2);
            part++;
        }
        console->line_start = newline != NULL;
        text += part;
        len -= part;
    }
    spinlock_unlock(&console->lock);
}

static struct console *console_of(const struct pl011 *pl011)
{
    return pl011->vm->hv->console;
}

void console_guest_write(void *ctx, const char *text, size_t len)
{
    struct console *console = console_of(ctx);
    size_t n = len;

    spinlock_lock(&console->lock);
    hal_console_write(text, len);
    /* A carriage return neither opens nor ends a line. */
    while (n > 0 && text[n - 1] == '\r')
        n--;
    if (n > 0)
        console->line_start = text[n - 1] == '\n';
    spinlock_unlock(&console->lock);
}

static uint32_t rx_room(const struct console *console)
{
    return CONSOLE_BUFFER - (console->rx_head - console->rx_tail);
}

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

/*
 * Takes the machine's input until there is no more of it or no room. The lock is held. Reading on
 * until nothing is left matters: the HAL's interrupt need not come again for what is left over.
 */
static void rx_fill(struct console *console)
{
    uint32_t room;

    while ((room = rx_room(console)) > 0) {
        uint32_t at = console->rx_head % CONSOLE_BUFFER;
        uint32_t part = room < CONSOLE_BUFFER - at ? room : CONSOLE_BUFFER - at;
        uint32_t n = (uint32_t)hal_console_read(console->rx + at, part);

        if (console->focus != NULL)
            console->rx_head += n;
        if (n < part)
            break;
    }
    set_irq(console, room > 0);
}

size_t console_guest_read(void *ctx, char *buf, size_t size)
{
    struct pl011 *pl011 = ctx;
    struct console *console = console_of(pl011);
    size_t n = 0;

    spinlock_lock(&console->lock);
    if (console->focus == pl011) {
        while (n < size && console->rx_tail != console->rx_head)
            buf[n++] = console->rx[console->rx_tail++ % CONSOLE_BUFFER];
        if (n > 0 && console->irq != CONSOLE_IRQ_ON)
            rx_fill(console);
    }
    spinlock_unlock(&console->lock);
    return n;
}

/* Tells `focus` that there may be input; NULL: nobody. Its lock ranks below the console's, so that
 * the lock is not held; `notifying` keeps it alive. */
static void notify(struct console *console, struct pl011 *focus)
{
    if (focus == NULL)
        return;
    pl011_poll(focus);
    spinlock_lock(&console->lock);
    console->notifying--;
    spinlock_unlock(&console->lock);
}

/* The lock is held, and given up while console_interrupt() uses the focus that there is. */
static void change_focus(struct console *console, struct pl011 *pl011)
{
    while (console->notifying != 0) {
        spinlock_unlock(&console->lock);
        hal_cpu_relax();
        spinlock_lock(&console->lock);
    }
    console->focus = pl011;
    console->rx_tail = console->rx_head;
    /* What came before makes no interrupt any more if the firmware has let that one pass. */
    if (pl011 != NULL && console->intid != HAL_INTID_NONE)
        rx_fill(console);
    console->notifying += pl011 != NULL;
}

void console_set_focus(struct console *console, struct pl011 *pl011)
{
    spinlock_lock(&console->lock);
    change_focus(console, pl011);
    spinlock_unlock(&console->lock);
    notify(console, pl011);
}

void console_claim_focus(struct console *console, struct pl011 *pl011)
{
    struct pl011 *changed = NULL;

    spinlock_lock(&console->lock);
    if (console->focus == NULL) {
        change_focus(console, pl011);
        changed = pl011;
    }
    spinlock_unlock(&console->lock);
    notify(console, changed);
}

void console_drop_focus(struct console *console, struct pl011 *pl011)
{
    spinlock_lock(&console->lock);
    if (console->focus == pl011)
        change_focus(console, NULL);
    spinlock_unlock(&console->lock);
}

void console_interrupt(struct console *console)
{
    struct pl011 *focus;

    spinlock_lock(&console->lock);
    rx_fill(console);
    focus = console->focus;
    console->notifying += focus != NULL;
    spinlock_unlock(&console->lock);
    notify(console, focus);
}
