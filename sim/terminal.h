/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Standard input and output as the machine's serial line, and the signals that may end a run. If
 * input is a terminal it is raw while the program runs, and what it was before on every way out:
 * return, exit(), a signal that ends or stops the process, a crash. Works as well with pipes,
 * files, /dev/null and closed descriptors.
 *
 * One a process: signals are the process's. One thread.
 */
#ifndef SIM_TERMINAL_H
#define SIM_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERMINAL_FOREVER UINT64_MAX

/* Opens /dev/null for those of descriptors 0 to 2 that are closed, so that no file of ours gets
 * their numbers. Writing to a standard output that was closed fails all the same. Call it first. */
void terminal_secure_descriptors(void);

/*
 * Takes over the signals and, if `input` is wanted, standard input. SIGINT, SIGTERM, SIGHUP,
 * SIGQUIT and others that end a process are noted (terminal_signal()) the first time, and end it
 * the second time, or after five seconds in which the program did not come to its end by itself;
 * those that were ignored stay so. SIGPIPE and SIGXFSZ become errors of write().
 */
void terminal_start(bool input);
/* Puts back the terminal, for messages; the signals are still taken. */
void terminal_leave(void);
/* Puts back the terminal and the signals. Any number of times. */
void terminal_stop(void);

/* The signal that asked for the end, or 0. */
int terminal_signal(void);
/* Ends the process as that signal ends one. */
_Noreturn void terminal_die(int signal);

/* Whether there may be more input; false after its end, an error, or if it was not wanted. */
bool terminal_has_input(void);
/* Whether input is a terminal in raw mode: keys are typed, and lines end in "\r\n". */
bool terminal_is_raw(void);
/* Takes what is there, without waiting; 0: nothing for now, or the end. */
size_t terminal_read(void *buf, size_t size);
/* Waits for input, a signal, or until `ns` have passed. */
void terminal_wait(uint64_t ns);
/* Writes all of it to standard output, waiting as long as it takes; after an ending signal, at most
 * a second. False: it cannot, and errno says why. */
bool terminal_write(const void *data, size_t len);

#endif
