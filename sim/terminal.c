/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/terminal.h"
#include "base/bits.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S      1000000000u
#define LAST_WORDS_NS UINT64_C(1000000000)
#define GRACE_S       5u    /* until a signal that nobody looked at ends the process all the same */
#define WRITE_MAX     4096u /* no more than a pipe surely takes at once (PIPE_BUF) */
#define CRASH_STACK   65536u

/* What the handlers need to know: signal handlers have no argument for it. */
static struct {
    struct termios saved;
    struct termios raw;
    bool started;
    bool input;                   /* there may be more */
    bool terminal;                /* raw mode is wanted while in the foreground */
    volatile sig_atomic_t is_raw; /* and is set */
    volatile sig_atomic_t ended;
} state;

/* Crashes happen on stacks of all kinds, full ones too. */
static char crash_stack[CRASH_STACK];

/* --- The mode --- */

/* A background process must not touch the terminal. One that is not ours to control is no shell's.
 */
static bool in_foreground(void)
{
    pid_t group = tcgetpgrp(STDIN_FILENO);

    return group < 0 || group == getpgrp();
}

static void set_raw(void)
{
    if (!state.terminal || !in_foreground())
        return;
    state.is_raw = 1;
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &state.raw);
}

static void set_saved(void)
{
    if (!state.is_raw)
        return;
    state.is_raw = 0;
    if (in_foreground())
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &state.saved);
}

/* --- Signals --- */

static void die_by(int signal)
{
    sigset_t one;

    (void)sigemptyset(&one);
    (void)sigaddset(&one, signal);
    (void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    (void)raise(signal);
    (void)sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static void on_end(int signal)
{
    int saved_errno = errno;

    if (state.ended != 0) {
        set_saved();
        die_by(signal == SIGALRM ? state.ended : signal);
    }
    state.ended = signal;
    (void)alarm(GRACE_S);
    errno = saved_errno;
}

static void on_continue(int signal)
{
    int saved_errno = errno;

    (void)signal;
    set_raw();
    errno = saved_errno;
}

static void on_stop(int signal);

static const struct sigaction stop_action = {.sa_handler = on_stop};

static void on_stop(int signal)
{
    int saved_errno = errno;

    set_saved();
    die_by(signal); /* which for this one means to stop here until SIGCONT */
    (void)sigaction(signal, &stop_action, NULL);
    set_raw();
    errno = saved_errno;
}

static void on_crash(int signal, siginfo_t *info, void *context);

enum signal_use { USE_END, USE_CRASH, USE_STOP, USE_CONTINUE, USE_IGNORE };

static const struct signal_row {
    int signal;
    enum signal_use use;
} signal_rows[] = {
    {SIGINT, USE_END},     {SIGTERM, USE_END},  {SIGHUP, USE_END},       {SIGQUIT, USE_END},
    {SIGALRM, USE_END},    {SIGUSR1, USE_END},  {SIGUSR2, USE_END},      {SIGXCPU, USE_END},
    {SIGSEGV, USE_CRASH},  {SIGBUS, USE_CRASH}, {SIGFPE, USE_CRASH},     {SIGILL, USE_CRASH},
    {SIGABRT, USE_CRASH},  {SIGTSTP, USE_STOP}, {SIGCONT, USE_CONTINUE}, {SIGPIPE, USE_IGNORE},
    {SIGXFSZ, USE_IGNORE},
};

/* As they were before terminal_start(). */
static struct sigaction old_actions[ARRAY_LEN(signal_rows)];

static struct sigaction action_for(enum signal_use use)
{
    switch (use) {
    case USE_END:
        return (struct sigaction){.sa_handler = on_end};
    case USE_CRASH:
        return (struct sigaction){.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    case USE_STOP:
        return stop_action;
    case USE_CONTINUE:
        return (struct sigaction){.sa_handler = on_continue, .sa_flags = SA_RESTART};
    case USE_IGNORE:
        break;
    }
    return (struct sigaction){.sa_handler = SIG_IGN};
}

static void restore_action(int signal)
{
    for (size_t i = 0; i < ARRAY_LEN(signal_rows); i++)
        if (signal_rows[i].signal == signal)
            (void)sigaction(signal, &old_actions[i], NULL);
}

/* A fault happens again on return, for whoever wants to look at it; what was sent is sent again. */
static void on_crash(int signal, siginfo_t *info, void *context)
{
    sigset_t one;

    (void)context;
    set_saved();
    restore_action(signal);
    if (info->si_code > 0 && signal != SIGABRT)
        return;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, signal);
    (void)raise(signal);
    (void)sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static void take_signals(void)
{
    stack_t stack = {.ss_sp = crash_stack, .ss_size = sizeof(crash_stack)};
    stack_t old;

    /* A sanitizer may have set one up. */
    if (sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE) != 0)
        (void)sigaltstack(&stack, NULL);
    for (size_t i = 0; i < ARRAY_LEN(signal_rows); i++) {
        struct sigaction action = action_for(signal_rows[i].use);
        (void)sigaction(signal_rows[i].signal, NULL, &old_actions[i]);
        if (old_actions[i].sa_handler != SIG_IGN || signal_rows[i].use == USE_CONTINUE)
            (void)sigaction(signal_rows[i].signal, &action, NULL);
    }
}

/* The signals that ask for the end, for the moments in which one must not slip through. */
static void block_ends(sigset_t *before)
{
    sigset_t ends;

    (void)sigemptyset(&ends);
    for (size_t i = 0; i < ARRAY_LEN(signal_rows); i++)
        if (signal_rows[i].use == USE_END || signal_rows[i].use == USE_STOP ||
            signal_rows[i].use == USE_CONTINUE)
            (void)sigaddset(&ends, signal_rows[i].signal);
    (void)sigprocmask(SIG_BLOCK, &ends, before);
}

/* --- Start and end --- */

void terminal_secure_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int flags = fd == STDERR_FILENO ? O_WRONLY : O_RDONLY;
        /* The lowest free number is this one. */
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", flags) < 0)
            _exit(1);
    }
}

/* The sanitizers end a process without the handlers of atexit(). */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

void terminal_start(bool input)
{
    sigset_t before;

    block_ends(&before);
    state.ended = 0;
    state.input = input;
    state.terminal = input && tcgetattr(STDIN_FILENO, &state.saved) == 0;
    state.raw = state.saved;
    cfmakeraw(&state.raw);
    if (!state.started) {
        take_signals();
        (void)atexit(terminal_stop);
        if (__sanitizer_set_death_callback != NULL)
            __sanitizer_set_death_callback(set_saved);
    }
    state.started = true;
    set_raw();
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

void terminal_leave(void)
{
    sigset_t before;

    block_ends(&before);
    set_saved();
    state.terminal = false;
    state.input = false;
    (void)alarm(0);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

void terminal_stop(void)
{
    sigset_t before;

    if (!state.started)
        return;
    terminal_leave();
    block_ends(&before);
    state.started = false;
    for (size_t i = 0; i < ARRAY_LEN(signal_rows); i++)
        (void)sigaction(signal_rows[i].signal, &old_actions[i], NULL);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

int terminal_signal(void)
{
    return state.ended;
}

void terminal_die(int signal)
{
    terminal_stop();
    die_by(signal);
    _exit(128 + signal);
}

/* --- Input and output --- */

bool terminal_has_input(void)
{
    return state.input;
}

bool terminal_is_raw(void)
{
    return state.is_raw != 0;
}

/* Waits until `fd` is ready, a signal came, or `ns` have passed. No signal slips in between the
 * look at state.ended and the wait. True if it is ready. */
static bool wait_for(int fd, short events, uint64_t ns, uint64_t ns_after_end)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    struct timespec limit;
    sigset_t before;
    int ready;

    block_ends(&before);
    if (state.ended != 0 && ns > ns_after_end)
        ns = ns_after_end;
    limit.tv_sec = (time_t)(ns / NS_PER_S);
    limit.tv_nsec = (long)(ns % NS_PER_S);
    ready = ppoll(&wanted, 1, ns == TERMINAL_FOREVER ? NULL : &limit, &before);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return ready > 0;
}

size_t terminal_read(void *buf, size_t size)
{
    ssize_t got;

    if (!state.input || !wait_for(STDIN_FILENO, POLLIN, 0, 0))
        return 0;
    got = read(STDIN_FILENO, buf, size);
    if (got > 0)
        return (size_t)got;
    if (got == 0 || (errno != EINTR && errno != EAGAIN))
        state.input = false;
    return 0;
}

void terminal_wait(uint64_t ns)
{
    (void)wait_for(state.input ? STDIN_FILENO : -1, POLLIN, ns, 0);
}

bool terminal_write(const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        size_t piece = len < WRITE_MAX ? len : WRITE_MAX;
        ssize_t done;

        if (!wait_for(STDOUT_FILENO, POLLOUT, TERMINAL_FOREVER, LAST_WORDS_NS)) {
            if (state.ended == 0)
                continue;
            if (!wait_for(STDOUT_FILENO, POLLOUT, LAST_WORDS_NS, LAST_WORDS_NS)) {
                errno = ETIMEDOUT;
                return false;
            }
        }
        done = write(STDOUT_FILENO, at, piece);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            return false;
        if (done > 0) {
            at += done;
            len -= (size_t)done;
        }
    }
    return true;
}
