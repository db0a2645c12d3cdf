/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What is typed: the guest's keys, the console's own (Ctrl-A), and the command line. */
#include "base/bits.h"
#include "dev/console_internal.h"
#include "hal/hal.h"
#include <string.h>

#define CTRL_A    '\x01'
#define CTRL_C    '\x03'
#define BACKSPACE '\x08'
#define CTRL_U    '\x15'
#define ESC       '\x1b'
#define DELETE    '\x7f'

static uint32_t rx_room(const struct console_port *port)
{
    return CONSOLE_BUFFER - (port->rx_head - port->rx_tail);
}

/* A byte of input may become two: a Ctrl-A that was kept, and itself. */
bool console_input_room(const struct console *console)
{
    return console->focus == NULL || console->input >= CONSOLE_INPUT_COMMAND ||
           rx_room(console->focus) >= 2;
}

static void to_guest(struct console *console, char c)
{
    struct console_port *port = console->focus;

    if (port == NULL)
        return;
    port->rx[port->rx_head++ % CONSOLE_BUFFER] = c;
    port->notify = true;
}

/* --- Ctrl-A and a key --- */

static void next_vm(struct console *console)
{
    struct list_node *node = console->focus != NULL ? &console->focus->node : &console->ports;

    if (list_empty(&console->ports)) {
        console_notice(console, "focus: ", "there is no VM");
        return;
    }
    node = node->next != &console->ports ? node->next : node->next->next;
    console_change_focus(console, console_port_at(node));
    console_notice(console, "focus: ", console->focus->name);
    console_show_kept(console);
}

static void toggle_mode(struct console *console)
{
    bool prefix = console->mode == HV_CONSOLE_PREFIX;

    if (console->raw) {
        console_notice(console, "mode: ", "raw, as there is one VM");
        return;
    }
    console_leave_line(console);
    console->mode = prefix ? HV_CONSOLE_FOCUS : HV_CONSOLE_PREFIX;
    console_notice(console, "mode: ", prefix ? "focus" : "prefix");
    console_show_kept(console);
}

static void open_command(struct console *console)
{
    if (console->sink.posted == NULL) {
        console_notice(console, "", "no commands");
        return;
    }
    console->input = CONSOLE_INPUT_COMMAND;
    console->typed_len = 0;
    console_show(console, "", 0);
}

static void ctrl_a(struct console *console)
{
    to_guest(console, CTRL_A);
}

static void help(struct console *console)
{
    static const char text[] = "Ctrl-A t       input to the next VM\n"
                               "Ctrl-A l       lines of all VMs, or only the VM with the input\n"
                               "Ctrl-A c       a command; Ctrl-C leaves\n"
                               "Ctrl-A Ctrl-A  a Ctrl-A for the VM\n"
                               "Ctrl-A ?       this list\n";

    console_show(console, text, strlen(text));
}

static const struct {
    char key;
    void (*act)(struct console *console);
} escapes[] = {
    {'t', next_vm}, {'l', toggle_mode}, {'c', open_command}, {CTRL_A, ctrl_a}, {'?', help},
};

static void input_guest(struct console *console, char c)
{
    if (console->escape && c == CTRL_A)
        console->input = CONSOLE_INPUT_ESCAPE;
    else
        to_guest(console, c);
}

static void input_escape(struct console *console, char c)
{
    console->input = CONSOLE_INPUT_GUEST;
    for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
        if (escapes[i].key == c) {
            escapes[i].act(console);
            return;
        }
    }
    to_guest(console, CTRL_A);
    to_guest(console, c);
}

/* --- The command line --- */

static void rub_out(struct console *console, uint32_t count)
{
    for (; count > 0 && console->typed_len > 0; count--) {
        hal_console_write("\b \b", 3);
        console->typed_len--;
    }
}

static void leave(struct console *console, enum console_input input)
{
    console_fresh_line(console);
    console->input = input;
}

static void enter(struct console *console)
{
    uint32_t len = console->typed_len;
    bool empty = true;

    for (uint32_t i = 0; i < len; i++)
        empty = empty && console->typed[i] == ' ';
    leave(console, CONSOLE_INPUT_GUEST);
    console_show_kept(console);
    if (!empty && console->command_posted) {
        console_notice(console, "busy: ", "the command before is not done");
    } else if (!empty) {
        memcpy(console->command, console->typed, len);
        console->command[len] = '\0';
        console->command_posted = true;
        console->call_sink = true;
    }
}

static void input_command(struct console *console, char c)
{
    if (c == '\r' || c == '\n') {
        enter(console);
    } else if (c == CTRL_C || c == ESC) {
        leave(console, c == ESC ? CONSOLE_INPUT_KEY : CONSOLE_INPUT_GUEST);
        console_show_kept(console);
    } else if (c == BACKSPACE || c == DELETE) {
        rub_out(console, 1);
    } else if (c == CTRL_U) {
        rub_out(console, CONSOLE_COMMAND_MAX);
    } else if (c >= 0x20 && c <= 0x7e && console->typed_len < CONSOLE_COMMAND_MAX) {
        console->typed[console->typed_len++] = c;
        hal_console_write(&c, 1);
    }
}

/* What a cursor key sends after its ESC was never meant for the guest (ECMA-48 5.4: ESC [, then
 * bytes of 0x20-0x3f, then one of 0x40-0x7e; ESC O and one byte in application mode). */
static void input_key(struct console *console, char c)
{
    console->input = CONSOLE_INPUT_GUEST;
    if (c == '[' || c == 'O')
        console->input = CONSOLE_INPUT_KEY_END;
    else
        input_guest(console, c);
}

static void input_key_end(struct console *console, char c)
{
    if (c < 0x20 || c > 0x3f)
        console->input = CONSOLE_INPUT_GUEST;
}

static void (*const inputs[])(struct console *console, char c) = {
    [CONSOLE_INPUT_GUEST] = input_guest,     [CONSOLE_INPUT_ESCAPE] = input_escape,
    [CONSOLE_INPUT_COMMAND] = input_command, [CONSOLE_INPUT_KEY] = input_key,
    [CONSOLE_INPUT_KEY_END] = input_key_end,
};
_Static_assert(ARRAY_LEN(inputs) == CONSOLE_INPUT_COUNT, "every state has a function");

void console_input_byte(struct console *console, char c)
{
    inputs[console->input](console, c);
}
