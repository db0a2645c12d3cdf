/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The machine's console, shared by the log, the guests and the operator (docs/console.md). Each
 * VM's UART is a port. Input goes to the port in focus, into a buffer; when that is full the
 * machine's console interrupt is disabled until there is room, so that no key is lost. Ctrl-A and a
 * key are for the console itself, if console_configure() says so.
 *
 * Any function may be called on any pCPU. All take console->lock.
 */
#ifndef DEV_CONSOLE_H
#define DEV_CONSOLE_H

#include "base/list.h"
#include "base/lock.h"
#include "base/log.h"
#include "dev/pl011.h"
#include "vm/config.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONSOLE_BUFFER       2048u /* of input that a guest has not taken; a power of two */
#define CONSOLE_RING         4096u /* of output that is not shown yet; a power of two */
#define CONSOLE_LINE_MAX     256u  /* bytes of a guest's line; longer ones are shown in parts */
#define CONSOLE_COMMAND_MAX  80u   /* characters of a command */
#define CONSOLE_COMMAND_SIZE (CONSOLE_COMMAND_MAX + 1) /* with the terminator */

/* What the HAL was told about the machine's console interrupt: nothing is not "off", as hal_init()
 * leaves it on. */
enum console_irq { CONSOLE_IRQ_UNTOLD, CONSOLE_IRQ_OFF, CONSOLE_IRQ_ON };

/* Whom the next byte of input is for. */
enum console_input {
    CONSOLE_INPUT_GUEST,
    CONSOLE_INPUT_ESCAPE,  /* Ctrl-A came */
    CONSOLE_INPUT_COMMAND, /* the command line is open */
    CONSOLE_INPUT_KEY,     /* ESC closed it: it may be the first byte of a cursor key */
    CONSOLE_INPUT_KEY_END, /* it was: the key's last byte is to come */
    CONSOLE_INPUT_COUNT
};

/* A VM's end of the console. Embedded in its device's memory; guarded by console->lock. */
struct console_port {
    struct list_node node;      /* of console->ports, in the order of attachment */
    struct console *console;    /* NULL: not attached */
    void (*poll)(void *device); /* tells the device that there is input */
    void *device;
    const char *name;   /* the VM's, or of one of its devices */
    uint32_t notifying; /* how many are telling the device of input: it must stay alive */
    bool notify;        /* it has input that the device was not told of */
    uint32_t rx_head;
    uint32_t rx_tail;
    uint32_t tx_head;
    uint32_t tx_tail;
    uint64_t tx_lost; /* bytes that the ring had no room for since it was last shown */
    char rx[CONSOLE_BUFFER];
    char tx[CONSOLE_RING]; /* output that is not shown yet */
};

/* Who executes what is typed into the command line. */
struct console_command_sink {
    /*
     * There may be something for console_take_command(): sees to it that somebody calls it soon. No
     * lock of rank log or console is held, but one of rank dev may be: takes only locks above it.
     */
    void (*posted)(void *ctx);
    void *ctx;
};

struct console {
    struct spinlock lock; /* rank console: output position, ports, focus, command line */
    uint32_t intid;       /* the machine's console interrupt, HAL_INTID_NONE if it has none */
    bool line_start;      /* the last byte written ended a line */
    bool raw;             /* one VM: its output is shown as it is */
    bool escape;          /* Ctrl-A is the console's */
    bool returned;        /* the focused line had a carriage return that is not shown yet */
    bool command_posted;
    bool call_sink;
    enum hv_console_mode mode; /* unless raw */
    enum console_irq irq;
    enum console_input input;
    struct list_node ports;
    struct console_port *focus; /* NULL: input is dropped */
    char wanted[VM_NAME_MAX];   /* the focus when its VM ended: has it again when it is back */
    struct console_command_sink sink;
    uint32_t open_len;  /* PREFIX only: of the focused guest's line that is not ended */
    uint32_t open_held; /* of these the last, not shown yet: a character that is not whole */
    char open[CONSOLE_LINE_MAX]; /* the end of that line, to show it again */
    uint32_t typed_len;
    char typed[CONSOLE_COMMAND_MAX];
    char command[CONSOLE_COMMAND_SIZE];
};

/* No port, raw, without escapes. Leaves the HAL alone: may come before hal_init(), and again after
 * it. */
void console_init(struct console *console, uint32_t intid);
/* Raw if there is one VM, else config->console; with Ctrl-A unless config->no_escape. `sink` may be
 * NULL: no commands. Before any port is attached. */
void console_configure(struct console *console, const struct hv_config *config,
                       const struct console_command_sink *sink);
/* Not raw any more. What was kept back and `mode` shows is shown. */
void console_set_mode(struct console *console, enum hv_console_mode mode);

/*
 * Text of the hypervisor's own, whole lines that end in '\n': starts on a line of its own, and ends
 * lines as a terminal wants it. What was open (a prompt) is shown again below it. No lock of rank
 * console is held.
 */
void console_print(struct console *console, const char *text, size_t len);
/* The same as a log sink's write; ctx is the console. */
void console_log_write(void *ctx, const char *text, size_t len);
/*
 * A guest's output and its input: a pl011_backend's write and read; ctx is the struct console_port,
 * which is attached.
 */
void console_guest_write(void *ctx, const char *text, size_t len);
size_t console_guest_read(void *ctx, char *buf, size_t size);

/*
 * From now on `pl011`, which is initialised, is on the console under its VM's name. It gets the
 * focus if nobody has it, or if its VM had it when it ended and nobody was chosen since. The first
 * focus enables the console's interrupt, to this pCPU. No lock of rank vgic or higher is held.
 */
void console_attach(struct console *console, struct console_port *port, struct pl011 *pl011);
/* The same for any other device, under `name`, at most VM_NAME_MAX - 1 bytes that live as long as
 * the port. `poll` is called with no lock held but those below rank vgic, on any pCPU. */
void console_attach_line(struct console *console, struct console_port *port, const char *name,
                         void (*poll)(void *device), void *device);
/*
 * The VM ends: shows what of its output is not shown yet, and gives the focus to the next port.
 * When it returns nobody uses the port or its PL011: it waits for those that tell it of input on
 * other pCPUs, so no lock of rank vgic or higher is held. Nothing if the port is not attached.
 */
void console_detach(struct console_port *port);
/*
 * Which port gets the input from now on; NULL for none. Input that it had not taken when it lost
 * the focus is still its own; what the machine has not been asked for yet is the new one's. No lock
 * of rank vgic or higher is held.
 */
void console_set_focus(struct console *console, struct console_port *port);
/* The console's interrupt comes to this pCPU from now on, if it is on at all. */
void console_route(struct console *console);
/* The machine's console interrupt came: takes the input and tells the guests. No lock of rank vgic
 * or higher is held. */
void console_interrupt(struct console *console);
/*
 * Takes the command that was typed: true with its text, terminated and cut to fit, in `buf` of
 * `size` bytes, at least one. Printable ASCII, at most CONSOLE_COMMAND_MAX characters, not only
 * spaces. Until it is taken the next one is refused. Also tells the guests of input that could not
 * be told where it was found. No lock of rank vgic or higher is held.
 */
bool console_take_command(struct console *console, char *buf, size_t size);

#endif
