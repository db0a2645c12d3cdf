/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/log.h"
#include "cases.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sink that keeps the last line and looks at the lock while it has it. */
struct record {
    struct log log;
    uint64_t now;
    unsigned calls;
    size_t len;
    char line[1024];
};

static void record_write(void *ctx, const char *text, size_t len)
{
    struct record *record = ctx;

    cr_assert_lt(len, sizeof(record->line));
    cr_assert(atomic_load(&record->log.lock.held), "the lock is not held");
    record->calls++;
    record->len = len;
    memcpy(record->line, text, len);
    record->line[len] = '\0';
}

static uint64_t record_micros(void *ctx)
{
    const struct record *record = ctx;

    return record->now;
}

static void record_init(struct record *record)
{
    memset(record, 0, sizeof(*record));
    const struct log_sink sink = {
        .write = record_write,
        .micros = record_micros,
        .ctx = record,
    };
    log_init(&record->log, &sink);
}

static const char *const levels[] = {"error", "warn", "notice", "info", "debug"};
static const char *const modules[] = {"boot", "mem", "vgic", "vm", "dev", "psci", "exit", "role"};

CASE(log, line_format)
{
    struct record r;

    record_init(&r);
    r.now = 12345678;
    log_write(&r.log, LOG_MOD_ROLE, LOG_NOTICE, "vm %d has %s", 3, "stopped");
    cr_assert_str_eq(r.line, "[halcyon 12.345678] notice role: vm 3 has stopped\n");
    cr_assert_eq(r.calls, 1);
    cr_assert_not(atomic_load(&r.log.lock.held), "lock not released");
}

CASE(log, time_format)
{
    const struct {
        uint64_t micros;
        const char *text;
    } cases[] = {
        {0, "0.000000"},
        {1, "0.000001"},
        {999999, "0.999999"},
        {1000000, "1.000000"},
        {UINT64_C(3600000000), "3600.000000"},
        {UINT64_MAX, "18446744073709.551615"},
    };
    struct record r;
    char expect[80];

    record_init(&r);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        r.now = cases[i].micros;
        log_write(&r.log, LOG_MOD_VM, LOG_ERROR, "x");
        snprintf(expect, sizeof(expect), "[halcyon %s] error vm: x\n", cases[i].text);
        cr_assert_str_eq(r.line, expect);
    }
}

CASE(log, every_level_of_every_module_is_named_and_filtered)
{
    struct record r;
    char expect[80];

    record_init(&r);
    for (unsigned limit = 0; limit < 5; limit++) {
        for (unsigned m = 0; m < 8; m++) {
            r.log.level[m] = (uint8_t)limit;
            for (unsigned l = 0; l < 5; l++) {
                unsigned before = r.calls;
                log_write(&r.log, (enum log_module)m, (enum log_level)l, "t");
                cr_assert_eq(r.calls - before, l <= limit ? 1 : 0);
                if (l > limit)
                    continue;
                snprintf(expect, sizeof(expect), "[halcyon 0.000000] %s %s: t\n", levels[l],
                         modules[m]);
                cr_assert_str_eq(r.line, expect);
            }
        }
    }
}

CASE(log, starts_at_notice)
{
    struct record r;

    record_init(&r);
    for (unsigned m = 0; m < 8; m++) {
        cr_assert(log_enabled(&r.log, (enum log_module)m, LOG_NOTICE));
        cr_assert_not(log_enabled(&r.log, (enum log_module)m, LOG_INFO));
    }
}

/* Texts around the length that just fits: the line never exceeds the limit and shows that it was
 * cut. */
CASE(log, long_text_is_cut)
{
    const char prefix[] = "[halcyon 0.000000] notice vm: ";
    const size_t fits = 255 - strlen(prefix);
    struct record r;
    char text[2000];

    record_init(&r);
    for (size_t len = fits - 5; len < sizeof(text); len += len < fits + 5 ? 1 : 97) {
        memset(text, 'a', len);
        text[len] = '\0';
        log_write(&r.log, LOG_MOD_VM, LOG_NOTICE, "%s", text);
        bool cut = len > fits;
        cr_assert_eq(r.len, cut ? 256 : strlen(prefix) + len + 1, "text of %zu", len);
        cr_assert_eq(strncmp(r.line, prefix, strlen(prefix)), 0);
        cr_assert_str_eq(r.line + r.len - 4, cut ? "...\n" : "aaa\n", "text of %zu", len);
        cr_assert_eq(r.line[r.len - 5], 'a');
        cr_assert_eq(strchr(r.line, '\n'), r.line + r.len - 1);
    }
}

CASE(log, text_cannot_forge_a_line)
{
    struct record r;

    record_init(&r);
    log_write(&r.log, LOG_MOD_BOOT, LOG_WARN, "%s", "a\n[halcyon 9.9] b\r\x1b[2J\t\x7f\x80\xff~ ");
    cr_assert_str_eq(r.line, "[halcyon 0.000000] warn boot: a?[halcyon 9.9] b??[2J????~ \n");
}

CASE(log, a_disabled_line_takes_neither_time_nor_lock)
{
    struct record r;

    record_init(&r);
    spinlock_lock(&r.log.lock); /* to take it again would fail */
    log_write(&r.log, LOG_MOD_BOOT, LOG_DEBUG, "x");
    spinlock_unlock(&r.log.lock);
    cr_assert_eq(r.calls, 0);
}

CASE(log, levels_from_a_specification)
{
    struct record r;

    record_init(&r);
    cr_assert_eq(log_set_levels(&r.log, "debug"), HV_OK);
    for (unsigned m = 0; m < 8; m++)
        cr_assert_eq(r.log.level[m], LOG_DEBUG);
    cr_assert_eq(log_set_levels(&r.log, "error,vgic=info,role=warn"), HV_OK);
    for (unsigned m = 0; m < 8; m++) {
        unsigned expect = m == LOG_MOD_VGIC ? LOG_INFO : m == LOG_MOD_ROLE ? LOG_WARN : LOG_ERROR;
        cr_assert_eq(r.log.level[m], expect, "module %u", m);
    }
    cr_assert_eq(log_set_levels(&r.log, "mem=debug,mem=notice"), HV_OK);
    cr_assert_eq(r.log.level[LOG_MOD_MEM], LOG_NOTICE);
    cr_assert_eq(r.log.level[LOG_MOD_BOOT], LOG_ERROR);
}

CASE(log, every_name_is_understood)
{
    struct record r;
    char spec[40];

    record_init(&r);
    for (unsigned m = 0; m < 8; m++) {
        for (unsigned l = 0; l < 5; l++) {
            snprintf(spec, sizeof(spec), "%s=%s", modules[m], levels[l]);
            cr_assert_eq(log_set_levels(&r.log, spec), HV_OK, "%s", spec);
            cr_assert_eq(r.log.level[m], l, "%s", spec);
        }
    }
}

CASE(log, malformed_specifications_change_nothing)
{
    const char *const specs[] = {
        "",
        ",",
        "loud",
        "debug,",
        "debug,info",
        "vm=info,debug",
        "vm",
        "vm=",
        "=info",
        "=",
        "vm=loud",
        "cpu=info",
        "vm=info,,",
        "vm=info,cpu=info",
        "DEBUG",
        " debug",
        "debug ",
        "vm =info",
        "vm=info=info",
        "debu",
        "debugs",
        "vm=info,vm",
        "v=info",
        "vmm=info",
        "debug;vm=info",
        "\xff\xfe",
        "vm=\x01",
        "debug,vm",
    };
    struct record r;

    record_init(&r);
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        cr_assert_eq(log_set_levels(&r.log, specs[i]), HV_ERR_FORMAT, "\"%s\"", specs[i]);
        for (unsigned m = 0; m < 8; m++)
            cr_assert_eq(r.log.level[m], LOG_NOTICE, "\"%s\"", specs[i]);
    }
}

CASE(log, escape_known_texts)
{
    char out[64];

    cr_assert_str_eq(log_escape(out, sizeof(out), "plain ~!", 8), "plain ~!");
    cr_assert_str_eq(log_escape(out, sizeof(out), "a\nb", 3), "a\\x0ab");
    cr_assert_str_eq(log_escape(out, sizeof(out), "\\", 1), "\\x5c");
    cr_assert_str_eq(log_escape(out, sizeof(out), "\x7f\x80\xff\x1f", 4), "\\x7f\\x80\\xff\\x1f");
    cr_assert_str_eq(log_escape(out, sizeof(out), "ab\0cd", 5), "ab");
    cr_assert_str_eq(log_escape(out, sizeof(out), "abcd", 2), "ab");
    cr_assert_str_eq(log_escape(out, sizeof(out), NULL, 0), "");
    cr_assert_eq(log_escape(out, sizeof(out), "x", 1), out);
}

CASE(log, escape_cuts_between_characters)
{
    char out[8];

    memset(out, 'z', sizeof(out));
    cr_assert_eq(log_escape(out, 0, "abc", 3), out);
    cr_assert_eq(out[0], 'z');
    cr_assert_str_eq(log_escape(out, 1, "abc", 3), "");
    cr_assert_str_eq(log_escape(out, 2, "abc", 3), "a");
    cr_assert_str_eq(log_escape(out, 4, "\nabc", 4), "");
    cr_assert_str_eq(log_escape(out, 5, "\nabc", 4), "\\x0a");
    cr_assert_str_eq(log_escape(out, 8, "abcd\n", 5), "abcd");
    cr_assert_str_eq(log_escape(out, 8, "abc\nd", 5), "abc\\x0a");
}

static unsigned hex_digit(char c)
{
    const char digits[] = "0123456789abcdef";
    const char *found = strchr(digits, c);

    cr_assert(found != NULL && c != '\0');
    return (unsigned)(found - digits);
}

/* Undoes the escape and compares with the bytes that went in. */
static void expect_unescaped(const char *text, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        cr_assert(*text >= 0x20 && *text <= 0x7e);
        if (*text == '\\') {
            cr_assert_eq(text[1], 'x');
            unsigned byte = hex_digit(text[2]) * 16 + hex_digit(text[3]);
            cr_assert_eq((unsigned char)bytes[i], byte);
            text += 4;
        } else {
            cr_assert_eq(bytes[i], *text);
            text++;
        }
    }
    cr_assert_eq(*text, '\0');
}

CASE(log, escape_is_reversible)
{
    char bytes[32];
    char out[4 * sizeof(bytes) + 1];

    srand(3);
    for (int round = 0; round < 2000; round++) {
        size_t len = (size_t)rand() % sizeof(bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(rand() % 255 + 1);
        expect_unescaped(log_escape(out, sizeof(out), bytes, len), bytes, len);
    }
}

CASES_RUN(log, NULL, NULL)
