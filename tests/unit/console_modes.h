/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The console with the ports of three VMs, what they say, and what is seen of it. */
#ifndef TESTS_CONSOLE_MODES_H
#define TESTS_CONSOLE_MODES_H

#include "console_fixture.h"

#define ALPHA 0u
#define BETA  1u
#define GAMMA 2u

static struct console_fixture c;
static struct console *console;

static inline void setup(void)
{
    console_fixture(&c);
    console = &c.f.console;
    console_fixture_configure(&c);
    for (unsigned i = 0; i < PORTS; i++)
        console_fixture_attach(&c, i);
    console_fixture_output("");
}

static inline void finish(void)
{
    console_fixture_end(&c);
}

static inline void says(unsigned i, const char *text)
{
    console_guest_write(&c.port[i], text, strlen(text));
}

/* As a driver does it: byte by byte. */
static inline void spells(unsigned i, const char *text)
{
    for (; *text != '\0'; text++)
        console_guest_write(&c.port[i], text, 1);
}

static inline void print(const char *text)
{
    console_print(console, text, strlen(text));
}

static inline void keys(const char *text)
{
    console_fixture_type(&c, text, strlen(text));
}

static inline void expect(const char *text)
{
    console_fixture_output(text);
}

#endif
