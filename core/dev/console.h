/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The machine's console, shared by the log and the guests. Input goes to the guest in focus,
 * through a buffer; when that is full the machine's console interrupt is disabled until there is
 * room, so that no key is lost.
 */
#ifndef DEV_CONSOLE_H
#define DEV_CONSOLE_H

#include "base/lock.h"
#include "base/log.h"
#include "dev/pl011.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_BUFFER 1024u /* a power of two */

/* What the HAL was told about the machine's console interrupt: nothing is not "off", as hal_init()
 * leaves it on. */
enum console_irq { CONSOLE_IRQ_UNTOLD, CONSOLE_IRQ_OFF, CONSOLE_IRQ_ON };

struct console {
    struct spinlock lock; /* rank console: output position; input buffer; focus */
    uint32_t intid;       /* the machine's console interrupt, HAL_INTID_NONE if it has none */
    bool line_start;      /* the last byte written ended a line */
    enum console_irq irq;
    uint32_t notifying; /* how many are telling the focused PL011 of input: it must stay alive */
    uint32_t rx_head;
    uint32_t rx_tail;
    struct pl011 *focus; /* NULL: input is dropped */
    char rx[CONSOLE_BUFFER];
};

/* Nobody has the focus. Leaves the HAL alone: may come before hal_init(), and again after it. */
void console_init(struct console *console, uint32_t intid);
/* A log sink's write: starts a new line first if a guest left one open, and ends lines as a
 * terminal wants it. ctx is the console. */
void console_log_write(void *ctx, const char *text, size_t len);
/*
 * A guest's output, byte by byte as it is, and its input: nothing unless it has the focus. A
 * pl011_backend's write and read; ctx is the struct pl011, whose VM leads to the console.
 */
void console_guest_write(void *ctx, const char *text, size_t len);
size_t console_guest_read(void *ctx, char *buf, size_t size);
/*
 * Which guest gets the input from now on; NULL for none. Input that is still buffered was meant for
 * the one before, and is dropped; what the machine has not been asked for yet is the new one's. The
 * first focus enables the console's interrupt, to this pCPU.
 * When it returns nobody uses the former one any more. No lock of rank dev or higher is held.
 */
void console_set_focus(struct console *console, struct pl011 *pl011);
/* The same, if nobody has the focus. */
void console_claim_focus(struct console *console, struct pl011 *pl011);
/* Leaves the focus to nobody, if `pl011` has it: it is about to be freed. */
void console_drop_focus(struct console *console, struct pl011 *pl011);
/* The machine's console interrupt came: takes the input and tells the guest in focus. One pCPU at
 * a time, the one that the interrupt is routed to. */
void console_interrupt(struct console *console);

#endif
