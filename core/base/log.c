/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/log.h"
#include "base/bits.h"
#include "base/fmt.h"
#include <stdarg.h>
#include <string.h>

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn",   [LOG_NOTICE] = "notice",
    [LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};
_Static_assert(ARRAY_LEN(level_names) == LOG_LEVEL_COUNT, "every level has a name");

static const char *const module_names[] = {
    [LOG_MOD_BOOT] = "boot", [LOG_MOD_MEM] = "mem",   [LOG_MOD_VGIC] = "vgic",
    [LOG_MOD_VM] = "vm",     [LOG_MOD_DEV] = "dev",   [LOG_MOD_PSCI] = "psci",
    [LOG_MOD_EXIT] = "exit", [LOG_MOD_ROLE] = "role",
};
_Static_assert(ARRAY_LEN(module_names) == LOG_MOD_COUNT, "every module has a name");

/* What a text that does not fit ends in. */
static const char log_cut[] = "...";

void log_init(struct log *log, const struct log_sink *sink)
{
    spinlock_init(&log->lock, LOCK_RANK_LOG);
    log->sink = *sink;
    memset(log->level, LOG_NOTICE, sizeof(log->level));
}

/* Index of the name that is exactly the `len` bytes at `word`, or `count`. */
static size_t log_find(const char *const names[], size_t count, const char *word, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], word, len) == 0)
            return i;
    }
    return count;
}

/* One element of a specification, `len` bytes without the comma. A level without a module may only
 * come first. */
static hv_err log_parse_word(uint8_t level[LOG_MOD_COUNT], const char *word, size_t len, bool first)
{
    const char *equals = memchr(word, '=', len);
    const char *value = equals != NULL ? equals + 1 : word;
    size_t found = log_find(level_names, LOG_LEVEL_COUNT, value, len - (size_t)(value - word));

    if (found == LOG_LEVEL_COUNT || (equals == NULL && !first))
        return HV_ERR_FORMAT;
    if (equals == NULL) {
        memset(level, (int)found, LOG_MOD_COUNT);
        return HV_OK;
    }
    size_t module = log_find(module_names, LOG_MOD_COUNT, word, (size_t)(equals - word));
    if (module == LOG_MOD_COUNT)
        return HV_ERR_FORMAT;
    level[module] = (uint8_t)found;
    return HV_OK;
}

static size_t log_word_len(const char *word)
{
    size_t len = 0;

    while (word[len] != ',' && word[len] != '\0')
        len++;
    return len;
}

hv_err log_set_levels(struct log *log, const char *spec)
{
    uint8_t level[LOG_MOD_COUNT];
    const char *word = spec;

    memcpy(level, log->level, sizeof(level));
    for (;;) {
        size_t len = log_word_len(word);
        hv_err err = log_parse_word(level, word, len, word == spec);
        if (err != HV_OK)
            return err;
        if (word[len] == '\0')
            break;
        word += len + 1;
    }
    memcpy(log->level, level, sizeof(level));
    return HV_OK;
}

static bool log_printable(char c)
{
    return c >= 0x20 && c <= 0x7e;
}

/*
 * Ends the text of `len` bytes (as it would be without a limit) in `line` with a newline, in place
 * of the NUL, and returns the length of the line. Nothing in the text may end the line early or
 * steer a terminal.
 */
static size_t log_finish_line(char line[LOG_LINE_MAX], size_t len)
{
    if (len > LOG_LINE_MAX - 1) {
        len = LOG_LINE_MAX - 1;
        memcpy(line + len - strlen(log_cut), log_cut, strlen(log_cut));
    }
    for (size_t i = 0; i < len; i++) {
        if (!log_printable(line[i]))
            line[i] = '?';
    }
    line[len] = '\n';
    return len + 1;
}

void log_write(struct log *log, enum log_module module, enum log_level level, const char *format,
               ...)
{
    char line[LOG_LINE_MAX];
    va_list args;

    if (!log_enabled(log, module, level))
        return;
    /* The time is taken under the lock, so that it never runs backwards from one line to the next.
     */
    spinlock_lock(&log->lock);
    uint64_t micros = log->sink.micros(log->sink.ctx);
    size_t prefix = (size_t)fmt_snprintf(
        line, sizeof(line), "[halcyon %llu.%06u] %s %s: ", (unsigned long long)(micros / 1000000),
        (unsigned)(micros % 1000000), level_names[level], module_names[module]);
    va_start(args, format);
    size_t text = (size_t)fmt_vsnprintf(line + prefix, sizeof(line) - prefix, format, args);
    va_end(args);
    log->sink.write(log->sink.ctx, line, log_finish_line(line, prefix + text));
    spinlock_unlock(&log->lock);
}

const char *log_escape(char *out, size_t out_size, const char *text, size_t len)
{
    size_t used = 0;

    if (out_size == 0)
        return out;
    for (size_t i = 0; i < len && text[i] != '\0'; i++) {
        bool plain = log_printable(text[i]) && text[i] != '\\';
        size_t need = plain ? 1 : 4;
        if (need >= out_size - used)
            break;
        if (plain)
            out[used] = text[i];
        else
            (void)fmt_snprintf(out + used, out_size - used, "\\x%02x", (unsigned char)text[i]);
        used += need;
    }
    out[used] = '\0';
    return out;
}
