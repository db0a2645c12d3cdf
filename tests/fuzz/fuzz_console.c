/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What is typed at the console while VMs come, go, read and write: against a model of Ctrl-A and
 * the command line. Each byte that is no escape reaches the guest that has the focus, once and in
 * order; each command is taken as it was typed; nothing is kept without a bound.
 */
#include "base/utf8.h"
#include "dev/console.h"
#include "fakehal/fakehal.h"
#include "fuzz.h"

#define VMS   3u
#define QUEUE 65536u
#define INTID 33u

#define DR    0x000u
#define FR    0x018u
#define LCR_H 0x02cu

/* What the architecture of the console says, apart from how it does it. */
struct model {
    bool escape;
    enum { GUEST, ESCAPE, COMMAND, KEY, KEY_END } state;
    unsigned order[VMS]; /* of the VMs on the console */
    unsigned nr;
    int focus;  /* a VM, or -1 */
    int wanted; /* the one that had the focus when it ended, or -1 */
    char typed[81], command[81];
    size_t typed_len;
    bool posted;
    struct {
        uint8_t byte[QUEUE];
        size_t head, tail;
    } queue[VMS];
};

struct world {
    struct console console;
    struct vm_config config[VMS];
    struct vm vm[VMS];
    struct pl011 uart[VMS];
    struct console_port port[VMS];
    struct hv_config hv_config;
    bool posted;
    size_t consumed; /* of the input, by the model */
    struct model model;
};

/* --- The model --- */

static void model_to_guest(struct model *m, char c)
{
    if (m->focus >= 0)
        m->queue[m->focus].byte[m->queue[m->focus].head++ % QUEUE] = (uint8_t)c;
}

static unsigned model_place(const struct model *m, int vm)
{
    unsigned at = 0;

    while (at < m->nr && (int)m->order[at] != vm)
        at++;
    return at;
}

static void model_next(struct model *m)
{
    if (m->nr == 0)
        return;
    m->focus = (int)m->order[m->focus < 0 ? 0 : (model_place(m, m->focus) + 1) % m->nr];
    m->wanted = -1;
}

static void model_escape(struct model *m, char c)
{
    m->state = GUEST;
    if (c == 't')
        model_next(m);
    else if (c == 'c')
        m->state = COMMAND;
    else if (c == '\x01')
        model_to_guest(m, c);
    else if (c != 'l' && c != '?') {
        model_to_guest(m, '\x01');
        model_to_guest(m, c);
    }
    m->typed_len = 0;
}

static void model_command(struct model *m, char c)
{
    if (c == '\r' || c == '\n') {
        m->typed[m->typed_len] = '\0';
        m->state = GUEST;
        if (strspn(m->typed, " ") == m->typed_len || m->posted)
            return;
        memcpy(m->command, m->typed, sizeof(m->command));
        m->posted = true;
    } else if (c == '\x03') {
        m->state = GUEST;
    } else if (c == '\x1b') {
        m->state = KEY;
    } else if (c == '\x15') {
        m->typed_len = 0;
    } else if (c == '\b' || c == '\x7f') {
        m->typed_len -= m->typed_len > 0;
    } else if (c >= ' ' && c <= '~' && m->typed_len < 80) {
        m->typed[m->typed_len++] = c;
    }
}

static void model_type(struct model *m, char c)
{
    if (m->state == KEY) {
        m->state = c == '[' || c == 'O' ? KEY_END : GUEST;
        if (m->state == KEY_END)
            return;
    }
    if (m->state == KEY_END)
        m->state = c >= ' ' && c <= '?' ? KEY_END : GUEST;
    else if (m->state == ESCAPE)
        model_escape(m, c);
    else if (m->state == COMMAND)
        model_command(m, c);
    else if (c == '\x01' && m->escape)
        m->state = ESCAPE;
    else
        model_to_guest(m, c);
}

static void model_attach(struct model *m, unsigned vm)
{
    m->order[m->nr++] = vm;
    m->queue[vm].tail = m->queue[vm].head;
    if (m->focus >= 0 && m->wanted != (int)vm)
        return;
    m->focus = (int)vm;
    m->wanted = -1;
}

static void model_detach(struct model *m, unsigned vm)
{
    unsigned at = model_place(m, (int)vm);

    if (at == m->nr)
        return;
    if (m->focus == (int)vm) {
        m->focus = m->nr > 1 ? (int)m->order[(at + 1) % m->nr] : -1;
        m->wanted = (int)vm;
    }
    m->nr--;
    memmove(m->order + at, m->order + at + 1, (m->nr - at) * sizeof(m->order[0]));
}

/* --- The two together --- */

/* What the console has asked the machine for by now, the model has too. */
static void catch_up(struct world *w)
{
    while (w->consumed < fakehal()->in_head)
        model_type(&w->model, fakehal()->in[w->consumed++]);
}

static void note_posted(void *ctx)
{
    struct world *w = ctx;

    w->posted = true;
}

static void attach(struct world *w, unsigned vm)
{
    const struct pl011_backend backend = {console_guest_write, console_guest_read, &w->port[vm]};

    if (w->port[vm].console != NULL)
        return;
    memset(&w->vm[vm], 0, sizeof(w->vm[vm]));
    w->vm[vm].config = &w->config[vm];
    FUZZ_ASSERT(pl011_init(&w->uart[vm], &w->vm[vm], 0x9000000, INTID, &backend) == HV_OK);
    model_attach(&w->model, vm);
    console_attach(&w->console, &w->port[vm], &w->uart[vm]);
    catch_up(w);
}

static void detach(struct world *w, unsigned vm)
{
    model_detach(&w->model, vm);
    console_detach(&w->port[vm]);
    catch_up(w);
}

static void take(struct world *w)
{
    char command[CONSOLE_COMMAND_SIZE];
    bool taken = console_take_command(&w->console, command, sizeof(command));

    w->posted = false;
    catch_up(w);
    FUZZ_ASSERT(taken == w->model.posted);
    if (taken)
        FUZZ_ASSERT(strcmp(command, w->model.command) == 0);
    w->model.posted = false;
}

static uint32_t uart_access(struct pl011 *uart, uint64_t offset, bool write, uint32_t value)
{
    struct mmio_access access = {.offset = offset, .size = 4, .write = write, .value = value};

    FUZZ_ASSERT(pl011_access(uart, &access));
    return (uint32_t)access.value;
}

/* The guest reads up to `n` bytes: what the model has for it, in order. Returns how many. */
static unsigned guest_reads(struct world *w, unsigned vm, unsigned n)
{
    unsigned got = 0;

    if (w->port[vm].console == NULL)
        return 0;
    for (; got < n && (uart_access(&w->uart[vm], FR, false, 0) & 0x10) == 0; got++) {
        uint32_t byte = uart_access(&w->uart[vm], DR, false, 0);
        catch_up(w);
        FUZZ_ASSERT(w->model.queue[vm].tail < w->model.queue[vm].head);
        FUZZ_ASSERT(byte == w->model.queue[vm].byte[w->model.queue[vm].tail++ % QUEUE]);
    }
    return got;
}

/* Whole characters, of which none is a control but the ends of lines and tabs. */
static void check_clean(const char *text, size_t len)
{
    uint32_t code;

    for (size_t i = 0; i < len;) {
        i += utf8_decode(text + i, len - i, &code);
        FUZZ_ASSERT(code == '\r' || code == '\n' || code == '\t' || (code >= ' ' && code <= '~') ||
                    (code >= 0xa0 && code <= 0x10ffff && code != 0x2028 && code != 0x202e));
    }
}

static void guest_writes(struct world *w, unsigned vm, struct fuzz_input *in)
{
    char text[300];
    size_t n = (size_t)fuzz_take(in, 1) + 1;
    struct console *console = &w->console;

    if (w->port[vm].console == NULL)
        return;
    for (size_t i = 0; i < n; i++)
        text[i] = (char)fuzz_take(in, 1);
    fakehal_console_clear();
    console_guest_write(&w->port[vm], text, n);
    /* One that is not in focus neither steers the terminal nor leaves a line open. */
    if (console->raw || console->focus == &w->port[vm] || console->open_len > 0)
        return;
    check_clean(fakehal()->out, fakehal()->out_len);
    FUZZ_ASSERT(console->line_start || console->input == CONSOLE_INPUT_COMMAND ||
                fakehal()->out_len == 0);
}

static void types(struct fuzz_input *in)
{
    static const char keys[] = "\x01\x01\x01\x01tlc?\r\n\x03\x1b[O \x7f\b\x15stop 1\xff";
    static char text[1024];
    unsigned kind = (unsigned)fuzz_take(in, 1);
    size_t n = kind % 4 == 0 ? 4u * (size_t)fuzz_take(in, 1) : (kind >> 2) % 16;

    for (size_t i = 0; i < n; i++) {
        uint8_t byte = kind % 4 == 0 ? (uint8_t)('a' + i % 26) : (uint8_t)fuzz_take(in, 1);
        text[i] = kind % 4 < 2 ? (char)byte : keys[byte % (sizeof(keys) - 1)];
    }
    fakehal_console_type(text, n);
}

static void check_bounds(struct world *w)
{
    FUZZ_ASSERT(w->console.open_len <= CONSOLE_LINE_MAX);
    FUZZ_ASSERT(w->console.open_held < 4 && w->console.open_held <= w->console.open_len);
    FUZZ_ASSERT(w->console.typed_len <= CONSOLE_COMMAND_MAX);
    FUZZ_ASSERT(w->console.focus == (w->model.focus < 0 ? NULL : &w->port[w->model.focus]));
    for (unsigned vm = 0; vm < VMS; vm++) {
        FUZZ_ASSERT(w->port[vm].rx_head - w->port[vm].rx_tail <= CONSOLE_BUFFER);
        FUZZ_ASSERT(w->port[vm].tx_head - w->port[vm].tx_tail <= CONSOLE_RING);
        FUZZ_ASSERT(w->port[vm].notifying == 0);
    }
}

/* The interrupt comes if there is input and it is enabled. */
static void deliver(struct world *w)
{
    if (fakehal()->cpu[0].enabled[INTID] && fakehal()->in_head < fakehal()->in_len)
        console_interrupt(&w->console);
}

static void step(struct world *w, struct fuzz_input *in)
{
    unsigned op = (unsigned)fuzz_take(in, 1);
    unsigned vm = (op >> 4) % VMS;

    if (op % 16 < 6) {
        types(in);
    } else if (op % 16 < 9) {
        (void)guest_reads(w, vm, (unsigned)fuzz_take(in, 1));
    } else if (op % 16 < 11) {
        guest_writes(w, vm, in);
    } else if (op % 16 == 11) {
        console_print(&w->console, "one\ntwo\n", 8);
    } else if (op % 16 == 12) {
        take(w);
    } else if (op % 16 == 13) {
        attach(w, vm);
    } else if (op % 16 == 14) {
        detach(w, vm);
    } else if (w->port[vm].console != NULL) {
        (void)uart_access(&w->uart[vm], LCR_H, true, 0x10);
        catch_up(w);
        detach(w, vm); /* what the FIFO held is lost: the guest's wish */
        attach(w, vm);
    }
    deliver(w);
    if (w->posted)
        take(w);
    catch_up(w);
    check_bounds(w);
    fakehal_console_clear();
}

/* All that was typed arrives in the end. */
static void drain(struct world *w)
{
    unsigned got;

    do {
        deliver(w);
        if (w->posted)
            take(w);
        got = 0;
        for (unsigned vm = 0; vm < VMS; vm++)
            got += guest_reads(w, vm, UINT32_MAX);
        catch_up(w);
    } while (got > 0 || w->posted);
    /* Without anybody to read it and to look for escapes, it may wait for the next VM. */
    FUZZ_ASSERT(fakehal()->in_head == fakehal()->in_len || (w->model.nr == 0 && !w->model.escape));
    for (unsigned i = 0; i < w->model.nr; i++)
        FUZZ_ASSERT(w->model.queue[w->model.order[i]].tail ==
                    w->model.queue[w->model.order[i]].head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct world *w = calloc(1, sizeof(*w));
    const struct console_command_sink sink = {note_posted, w};
    unsigned flags = (unsigned)fuzz_take(&in, 1);

    FUZZ_ASSERT(w != NULL);
    fakehal_reset();
    fakehal()->platform.uart_intid = INTID;
    fakehal()->cpu[0].enabled[INTID] = true;
    w->hv_config.nr_vms = (flags & 1) != 0 ? 1 : VMS;
    w->hv_config.console = (flags & 2) != 0    ? HV_CONSOLE_FOCUS
                           : (flags & 16) != 0 ? HV_CONSOLE_LINES
                                               : HV_CONSOLE_PREFIX;
    w->hv_config.no_escape = (flags & 12) == 0;
    w->model.escape = !w->hv_config.no_escape;
    w->model.focus = w->model.wanted = -1;
    console_init(&w->console, INTID);
    console_configure(&w->console, &w->hv_config, &sink);
    for (unsigned vm = 0; vm < VMS; vm++) {
        snprintf(w->config[vm].name, sizeof(w->config[vm].name), "vm%u", vm);
        attach(w, vm);
    }
    while (in.left > 0)
        step(w, &in);
    drain(w);
    for (unsigned vm = 0; vm < VMS; vm++)
        console_detach(&w->port[vm]);
    FUZZ_ASSERT(w->console.focus == NULL && list_empty(&w->console.ports));
    free(w);
    return 0;
}
