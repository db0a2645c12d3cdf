/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the console shows: whose bytes, in which form, on which line. */
#include "base/bits.h"
#include "base/fmt.h"
#include "base/utf8.h"
#include "dev/console_internal.h"
#include "hal/hal.h"
#include <string.h>

#define NOTICE_SIZE 96u

static const char prompt[] = "halcyon> ";

void console_fresh_line(struct console *console)
{
    if (!console->line_start)
        hal_console_write("\r\n", 2);
    console->line_start = true;
}

/* Bytes as they are. A carriage return neither opens nor ends a line. */
static void put(struct console *console, const char *text, size_t len)
{
    size_t n = len;

    if (len == 0)
        return;
    hal_console_write(text, len);
    while (n > 0 && text[n - 1] == '\r')
        n--;
    if (n > 0)
        console->line_start = text[n - 1] == '\n';
}

static void put_lines(struct console *console, const char *text, size_t len)
{
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
}

static void put_prefix(struct console *console, const struct console_port *port)
{
    put(console, port->name, strlen(port->name));
    put(console, ": ", 2);
}

/* What the focused guest's line ends in, if that is a part of a character. */
static void show_held(struct console *console)
{
    put(console, console->open + console->open_len - console->open_held, console->open_held);
    console->open_held = 0;
}

/* Shows again what was open before other lines came. */
static void show_open(struct console *console)
{
    if (console_prompt_open(console)) {
        console_fresh_line(console);
        put(console, prompt, strlen(prompt));
        put(console, console->typed, console->typed_len);
    } else if (console->open_len > 0) {
        console_fresh_line(console);
        put_prefix(console, console->focus);
        put(console, console->open, console->open_len - console->open_held);
    }
}

void console_show(struct console *console, const char *text, size_t len)
{
    console_fresh_line(console);
    put_lines(console, text, len);
    show_open(console);
}

void console_notice(struct console *console, const char *what, const char *text)
{
    char line[NOTICE_SIZE];

    (void)fmt_snprintf(line, sizeof(line), "[halcyon] %s%s\n", what, text);
    console_show(console, line, strlen(line));
}

static uint32_t kept(const struct console_port *port)
{
    return port->tx_head - port->tx_tail;
}

static void keep(struct console_port *port, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (kept(port) == CONSOLE_RING) {
            port->tx_tail++;
            port->tx_lost++;
        }
        port->tx[port->tx_head++ % CONSOLE_RING] = text[i];
    }
}

/* On a line of its own, and nothing is shown again after it. */
static void say_lost(struct console_port *port)
{
    char line[NOTICE_SIZE];

    if (port->tx_lost == 0)
        return;
    console_fresh_line(port->console);
    (void)fmt_snprintf(line, sizeof(line), "[halcyon] %s: %llu bytes of output lost\n", port->name,
                       (unsigned long long)port->tx_lost);
    put_lines(port->console, line, strlen(line));
    port->tx_lost = 0;
}

/* Characters that would steer the terminal, end the line, or have it read in another order than it
 * was written in: the C1 controls, the separators of lines, and what is for bidirectional text. */
static const struct {
    uint32_t first;
    uint32_t last;
} unshown[] = {
    {0x80, 0x9f}, {0x61c, 0x61c}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
};

static bool is_harmless(uint32_t code)
{
    if (code < 0x80)
        return (code >= ' ' && code <= '~') || code == '\t';
    for (size_t i = 0; i < ARRAY_LEN(unshown); i++)
        if (code >= unshown[i].first && code <= unshown[i].last)
            return false;
    return code != UTF8_INVALID && code != UTF8_CUT;
}

/* Of a control sequence at the start of text[0..len) (ECMA-48: ESC [ ... up to a byte of 0x40-0x7e;
 * else ESC and one byte). */
static size_t escape_len(const char *text, size_t len)
{
    size_t n = 2;

    if (len < 2 || text[1] != '[')
        return len < 2 ? len : 2;
    while (n < len && ((uint8_t)text[n] < 0x40 || (uint8_t)text[n] > 0x7e))
        n++;
    return n < len ? n + 1 : n;
}

/* How many of the bytes at `text` are shown together, and what instead of them; NULL: themselves.
 */
static size_t look_at(const char *text, size_t len, const char **instead)
{
    uint32_t code;

    *instead = "";
    if (*text == '\x1b')
        return escape_len(text, len);
    size_t n = utf8_decode(text, len, &code);
    *instead = is_harmless(code) ? NULL : code < 0x80 ? "?" : UTF8_REPLACEMENT;
    return n;
}

/* Without what a line of others may not do to the terminal. */
static void put_clean(struct console *console, const char *text, size_t len)
{
    const char *instead;
    size_t from = 0;
    size_t at = 0;

    while (at < len) {
        size_t n = look_at(text + at, len - at, &instead);
        if (instead != NULL) {
            put(console, text + from, at - from);
            put(console, instead, strlen(instead));
            from = at + n;
        }
        at += n;
    }
    put(console, text + from, at - from);
}

/*
 * Takes one line of what is kept, or a part of one that is too long; with `all`, also one that has
 * not ended. Returns whether there was one; its text is without its end.
 */
static bool take_line(struct console_port *port, char text[CONSOLE_LINE_MAX], size_t *len, bool all)
{
    uint32_t left = kept(port);
    uint32_t n = 0;

    /* A line of the greatest length may still have its "\r\n" behind it. */
    while (n < left && n < CONSOLE_LINE_MAX + 2 &&
           port->tx[(port->tx_tail + n) % CONSOLE_RING] != '\n')
        n++;
    bool ended = n < left && n < CONSOLE_LINE_MAX + 2;
    if (left == 0 || (!ended && !all && n < CONSOLE_LINE_MAX + 2))
        return false;
    uint32_t end = n;
    while (end > 0 && port->tx[(port->tx_tail + end - 1) % CONSOLE_RING] == '\r')
        end--;
    bool cut = end > CONSOLE_LINE_MAX;
    if (cut)
        end = CONSOLE_LINE_MAX;
    for (uint32_t i = 0; i < end; i++)
        text[i] = port->tx[(port->tx_tail + i) % CONSOLE_RING];
    *len = end;
    if (cut) {
        *len = utf8_whole(text, end);
        n = (uint32_t)*len;
        ended = false;
    }
    port->tx_tail += n + ended;
    return true;
}

/* Shows the lines that are kept, each after the VM's name. Nothing is shown again after them. */
static void put_kept_lines(struct console_port *port, bool all)
{
    struct console *console = port->console;
    char line[VM_NAME_MAX + 2 + CONSOLE_LINE_MAX];
    size_t start = (size_t)fmt_snprintf(line, sizeof(line), "%s: ", port->name);
    size_t len;

    say_lost(port);
    while (take_line(port, line + start, &len, all)) {
        console_fresh_line(console);
        put_clean(console, line, start + len);
        put(console, "\r\n", 2);
    }
}

/* A byte of the focused guest's line, which may be the first of a character: other lines come
 * between characters only. */
static void append_open(struct console *console, char byte)
{
    uint32_t code;

    if (console->open_len == CONSOLE_LINE_MAX) {
        uint32_t from = CONSOLE_LINE_MAX / 2;
        /* Not from the middle of a character on. */
        while (from < CONSOLE_LINE_MAX / 2 + UTF8_MAX - 1 && (console->open[from] & 0xc0) == 0x80)
            from++;
        console->open_len -= from;
        memcpy(console->open, console->open + from, console->open_len);
    }
    console->open[console->open_len++] = byte;
    console->open_held++;
    while (console->open_held > 0) {
        const char *held = console->open + console->open_len - console->open_held;
        size_t n = utf8_decode(held, console->open_held, &code);
        if (code == UTF8_CUT)
            return;
        put(console, held, n);
        console->open_held -= (uint32_t)n;
    }
}

/* Bytes of the focused guest's line that are no ends of lines. */
static void put_open(struct console *console, const char *text, size_t len)
{
    if (console->open_len == 0 || console->returned) {
        if (console->open_len == 0)
            console_fresh_line(console);
        else
            put(console, "\r", 1);
        put_prefix(console, console->focus);
        console->open_len = 0;
    }
    console->returned = false;
    for (size_t i = 0; i < len; i++)
        append_open(console, text[i]);
}

static void end_open(struct console *console)
{
    if (console->open_len == 0) {
        console_fresh_line(console);
        put_prefix(console, console->focus);
    }
    put(console, "\r\n", 2);
    console->open_len = 0;
    console->returned = false;
}

/* The focused guest among others: as it comes, but with its name at the start of each line. A
 * carriage return waits for what follows it, so that the name is not overwritten. */
static void put_focused(struct console *console, const char *text, size_t len)
{
    size_t n;

    for (; len > 0; text += n, len -= n) {
        for (n = 0; n < len && text[n] != '\r' && text[n] != '\n'; n++) {
        }
        if (n > 0) {
            put_open(console, text, n);
            continue;
        }
        show_held(console);
        if (*text == '\n')
            end_open(console);
        else
            console->returned = true;
        n = 1;
    }
}

/* Another guest's lines, each when it ends. */
static void collect(struct console_port *port, const char *text, size_t len)
{
    struct console *console = port->console;
    bool shown = false;

    for (size_t i = 0; i < len; i++) {
        keep(port, &text[i], 1);
        if (text[i] == '\n' || kept(port) >= CONSOLE_LINE_MAX + 2) {
            put_kept_lines(port, false);
            shown = true;
        }
    }
    if (shown)
        show_open(console);
}

void console_port_write(struct console_port *port, const char *text, size_t len)
{
    struct console *console = port->console;
    bool focused = port == console->focus;

    if (console_prompt_open(console))
        keep(port, text, len);
    else if (console->raw || (focused && console->mode == HV_CONSOLE_FOCUS))
        put(console, text, len);
    else if (console->mode == HV_CONSOLE_FOCUS)
        keep(port, text, len);
    else if (focused && console->mode == HV_CONSOLE_PREFIX)
        put_focused(console, text, len);
    else
        collect(port, text, len);
}

/* Passes what is kept on to `show`, oldest first. */
static void drain(struct console_port *port,
                  void (*show)(struct console *console, const char *text, size_t len))
{
    while (kept(port) > 0) {
        uint32_t at = port->tx_tail % CONSOLE_RING;
        uint32_t n = kept(port) < CONSOLE_RING - at ? kept(port) : CONSOLE_RING - at;

        port->tx_tail += n;
        show(port->console, port->tx + at, n);
    }
}

void console_show_kept(struct console *console)
{
    struct console_port *focus = console->focus;

    if (console_prompt_open(console))
        return;
    for (struct list_node *node = console->ports.next; node != &console->ports; node = node->next) {
        struct console_port *port = console_port_at(node);
        if (console->raw) {
            say_lost(port);
            drain(port, put);
        } else if (console->mode == HV_CONSOLE_LINES ||
                   (console->mode == HV_CONSOLE_PREFIX && port != focus)) {
            put_kept_lines(port, false);
        }
    }
    if (focus == NULL || (console->mode == HV_CONSOLE_LINES && !console->raw))
        return;
    say_lost(focus);
    show_open(console);
    drain(focus, console->mode == HV_CONSOLE_PREFIX && !console->raw ? put_focused : put);
}

void console_leave_line(struct console *console)
{
    if (console->open_len > 0 && !console_prompt_open(console)) {
        show_held(console);
        console_fresh_line(console);
    }
    console->open_held = 0;
    console->open_len = 0;
    console->returned = false;
}

void console_flush_port(struct console_port *port)
{
    struct console *console = port->console;

    if (kept(port) == 0 && port->tx_lost == 0)
        return;
    console_fresh_line(console);
    if (console->raw) {
        say_lost(port);
        drain(port, put);
    } else {
        put_kept_lines(port, true);
    }
    show_open(console);
}
