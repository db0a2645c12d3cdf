/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the parts of the console share. Everything here is called with console->lock held. */
#ifndef DEV_CONSOLE_INTERNAL_H
#define DEV_CONSOLE_INTERNAL_H

#include "dev/console.h"

/* --- console_out.c: what is shown --- */

/* Ends the line that is open, if there is one. */
void console_fresh_line(struct console *console);
/* The hypervisor's own lines, on lines of their own. */
void console_show(struct console *console, const char *text, size_t len);
/* "[halcyon] <what><text>" as such a line. */
void console_notice(struct console *console, const char *what, const char *text);
/* A guest's output: shown, or kept. */
void console_port_write(struct console_port *port, const char *text, size_t len);
/* Shows what was kept and need not be any more, of all ports, and the open line again. */
void console_show_kept(struct console *console);
/* The focused guest's line stays unfinished: what comes is on a new one. */
void console_leave_line(struct console *console);
/* Shows everything that was kept of a port, whatever the mode: nothing comes after it. */
void console_flush_port(struct console_port *port);

/* --- console_in.c: what is typed --- */

/* Whether console_input_byte() has room for what a byte may become. */
bool console_input_room(const struct console *console);
/* A byte that was typed. May set call_sink, and `notify` of the port that gets it. */
void console_input_byte(struct console *console, char c);

/* --- console.c --- */

/* Without taking input, and without a word to anybody. */
void console_change_focus(struct console *console, struct console_port *port);

static inline struct console_port *console_port_at(struct list_node *node)
{
    return list_entry(node, struct console_port, node);
}

static inline bool console_prompt_open(const struct console *console)
{
    return console->input == CONSOLE_INPUT_COMMAND;
}

#endif
