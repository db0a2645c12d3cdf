/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Fields, filters, hashes and words of trace records. */
#include "cases.h"
#include "prng.h"
#include "sim/trace/trace_filter.h"
#include "sim/trace/trace_hash.h"
#include "sim/trace/trace_text.h"
#include "trace_fixture.h"
#include <stdbool.h>

static struct trace_record record_of(unsigned n)
{
    struct trace_record record;
    uint8_t bytes[TR_SIZE];

    tr_record(bytes, n);
    memcpy(&record, bytes, TR_SIZE);
    return record;
}

/* --- Fields --- */

CASE(trace_text, fields_are_where_the_format_has_them)
{
    static const struct {
        const char *name;
        unsigned offset;
        unsigned size;
    } fields[] = {
        {"time", 0, 8},   {"pc", 8, 8},    {"addr", 16, 8},   {"arg", 24, 8},
        {"value", 32, 8}, {"esr", 40, 4},  {"pstate", 44, 4}, {"vm", 48, 2},
        {"vcpu", 50, 2},  {"pcpu", 52, 2}, {"class", 54, 1},  {"outcome", 55, 1},
    };

    for (unsigned i = 0; i < 12; i++) {
        struct trace_record a = record_of(1);
        struct trace_record b = a;
        uint8_t *byte = (uint8_t *)&b + fields[i].offset;
        byte[fields[i].size - 1] ^= 0x80;
        cr_expect_str_eq(trace_field_name(i), fields[i].name);
        cr_expect_eq(trace_field_differ(&a, &b), 1u << i, "%s", fields[i].name);
        cr_expect_neq(trace_field_get(&a, (enum trace_field)i),
                      trace_field_get(&b, (enum trace_field)i));
        memset((uint8_t *)&b + fields[i].offset, 0xff, fields[i].size);
        cr_expect_eq(trace_field_get(&b, (enum trace_field)i),
                     ~UINT64_C(0) >> (64 - 8 * fields[i].size));
        trace_field_clear(&a, 1u << i);
        trace_field_clear(&b, 1u << i);
        cr_expect_arr_eq(&a, &b, TR_SIZE);
        cr_expect_eq(trace_field_get(&a, (enum trace_field)i), 0);
    }
    cr_expect_null(trace_field_name(12));
}

CASE(trace_text, names)
{
    uint32_t bits = 0;

    cr_expect(trace_parse_names("time", trace_field_name, &bits));
    cr_expect_eq(bits, 1);
    cr_expect(trace_parse_names("outcome,pc,pc", trace_field_name, &bits));
    cr_expect_eq(bits, 1u << 11 | 1u << 1);
    cr_expect(trace_parse_names("hvc,irq,sync", trace_class_name, &bits));
    cr_expect_eq(bits, 1u << TRACE_HVC | 1u << TRACE_IRQ | 1u << TRACE_SYNC);
    cr_expect(trace_parse_names("stopped", trace_outcome_name, &bits));
    cr_expect_eq(bits, 1u << TRACE_STOPPED);
    static const char *const bad[] = {"", ",", "hvc,", ",hvc", "hv", "hvcx", "HVC", "hvc smc", "?"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not(trace_parse_names(bad[i], trace_class_name, &bits), "\"%s\"", bad[i]);
}

/* --- Numbers and ranges --- */

CASE(trace_text, ranges)
{
    struct trace_range range;

    cr_expect(trace_parse_range("12", &range));
    cr_expect(range.low == 12 && range.high == 12);
    cr_expect(trace_parse_range("010-0x10", &range));
    cr_expect(range.low == 10 && range.high == 16);
    cr_expect(trace_parse_range("0xffff800008000000-0xFFFFFFFFFFFFFFFF", &range));
    cr_expect(range.low == UINT64_C(0xffff800008000000) && range.high == UINT64_MAX);
    cr_expect(trace_parse_range("18446744073709551615", &range));
    cr_expect_eq(range.low, UINT64_MAX);
    static const char *const bad[] = {
        "",
        "-",
        "1-",
        "-1",
        "2-1",
        "+1",
        " 1",
        "1 ",
        "0x",
        "0x-1",
        "0xg",
        "1-0x",
        "1-2-3",
        "a",
        "1a",
        "18446744073709551616",
        "0x10000000000000000",
        "1--2",
        "0x 1",
        "0x0x1",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not(trace_parse_range(bad[i], &range), "\"%s\"", bad[i]);
}

CASE(trace_text, filters)
{
    struct trace_record record = record_of(3);
    struct trace_filter filter;

    trace_filter_init(&filter);
    for (unsigned n = 0; n < 45; n++) {
        struct trace_record any = record_of(n);
        cr_expect(trace_filter_passes(&filter, &any));
    }
    for (unsigned i = 0; i < TRACE_FIELDS; i++) {
        uint64_t value = trace_field_get(&record, (enum trace_field)i);
        trace_filter_init(&filter);
        filter.range[i] = (struct trace_range){value, value};
        cr_expect(trace_filter_passes(&filter, &record), "%s", trace_field_name(i));
        filter.range[i] = (struct trace_range){value + 1, UINT64_MAX};
        cr_expect_not(trace_filter_passes(&filter, &record), "%s", trace_field_name(i));
        filter.range[i] = (struct trace_range){0, value - 1};
        cr_expect_not(trace_filter_passes(&filter, &record), "%s", trace_field_name(i));
    }
    trace_filter_init(&filter);
    filter.classes = 1u << record.class;
    filter.outcomes = 1u << record.outcome;
    cr_expect(trace_filter_passes(&filter, &record));
    filter.outcomes = ~filter.outcomes;
    cr_expect_not(trace_filter_passes(&filter, &record));
    filter.outcomes = UINT32_MAX;
    filter.classes = ~filter.classes;
    cr_expect_not(trace_filter_passes(&filter, &record));
}

/* --- Hashes --- */

/* XXH3-128 of 80 bytes of 0, and of that digest (low half first) with 64 more: by libxxhash's
 * streaming functions, a byte at a time. */
CASE(trace_text, hash_is_the_one_that_is_documented)
{
    const struct trace_record zero = {.time = 0};
    struct trace_hash hash = {0, 0, 0};
    char text[TRACE_HASH_TEXT_SIZE];

    cr_expect_str_eq(trace_hash_text(&hash, text), "00000000000000000000000000000000");
    trace_hash_add(&hash, &zero);
    cr_expect_str_eq(trace_hash_text(&hash, text), "7b86d8edc64b380a86da9cd1ba60ecd5");
    trace_hash_add(&hash, &zero);
    cr_expect_str_eq(trace_hash_text(&hash, text), "cc8506222f82bf14f0c6e2fd20335e7a");
    cr_expect_eq(hash.count, 2);
}

CASE(trace_text, hash_depends_on_every_bit_and_the_order)
{
    struct trace_hash good = {0, 0, 0};

    for (unsigned i = 0; i < 4; i++) {
        struct trace_record record = record_of(i);
        trace_hash_add(&good, &record);
    }
    for (unsigned bit = 0; bit < 8 * TR_SIZE * 4; bit++) {
        struct trace_record records[4];
        struct trace_hash hash = {0, 0, 0};
        for (unsigned i = 0; i < 4; i++)
            records[i] = record_of(i);
        ((uint8_t *)records)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        for (unsigned i = 0; i < 4; i++)
            trace_hash_add(&hash, &records[i]);
        cr_assert(hash.low != good.low && hash.high != good.high, "bit %u", bit);
    }
    struct trace_hash other = {0, 0, 0};
    static const unsigned order[] = {0, 2, 1, 3};
    for (unsigned i = 0; i < 4; i++) {
        struct trace_record record = record_of(order[i]);
        trace_hash_add(&other, &record);
    }
    cr_expect(other.low != good.low && other.high != good.high);
}

CASE(trace_text, hash_goes_on_from_a_copy)
{
    struct trace_hash whole = {0, 0, 0};
    struct trace_hash part = {0, 0, 0};
    uint8_t a[TRACE_HASH_SIZE], b[TRACE_HASH_SIZE];

    for (unsigned i = 0; i < 10; i++) {
        struct trace_record record = record_of(i);
        trace_hash_add(&whole, &record);
        if (i == 4)
            part = whole;
        else if (i > 4)
            trace_hash_add(&part, &record);
    }
    trace_hash_digest(&whole, a);
    trace_hash_digest(&part, b);
    cr_expect_arr_eq(a, b, TRACE_HASH_SIZE);
    cr_expect_eq(part.count, 10);
}

/* --- Words --- */

static void expect_words(struct trace_record record, const char *words)
{
    char line[TRACE_TEXT_MAX];

    trace_text_line(&record, 7, line);
    cr_expect_not_null(strstr(line, words), "\"%s\" is not in: %s", words, line);
    cr_expect_eq(strncmp(line, "      7 ", 8), 0, "%s", line);
}

#define SYS(op0, op1, crn, crm, op2)                                                               \
    ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)

CASE(trace_text, words_of_calls_and_registers)
{
    const uint32_t pfr0 = SYS(3, 0, 0, 4, 0);
    const uint32_t unknown = SYS(3, 3, 11, 12, 5);

    expect_words((struct trace_record){.class = TRACE_HVC, .addr = 0x84000000, .value = 0x10001},
                 " hvc    pc 0x0000000000000000 resumed  PSCI_VERSION(0x0) -> 0x10001");
    expect_words((struct trace_record){.class = TRACE_SMC, .addr = 0xc4000003, .arg = 1},
                 "PSCI_CPU_ON_64(0x1) -> 0x0");
    expect_words(
        (struct trace_record){
            .class = TRACE_HVC, .outcome = TRACE_STOPPED, .addr = 0x84000008, .value = 0x84000008},
        "stopped  PSCI_SYSTEM_OFF(0x0)");
    expect_words((struct trace_record){.class = TRACE_HVC, .addr = 0x12345678, .arg = 9},
                 "resumed  x0 0x12345678 x1 0x9 -> 0x0");
    expect_words((struct trace_record){.class = TRACE_HVC, .esr = 0x5a001234, .addr = 0x84000000},
                 "#0x1234 x0 0x84000000 x1 0x0");
    expect_words(
        (struct trace_record){.class = TRACE_SYSREG, .esr = 0x62000001 | pfr0, .value = 17},
        "read ID_AA64PFR0_EL1 -> 0x11");
    expect_words((struct trace_record){.class = TRACE_SYSREG,
                                       .esr = 0x62000000 | pfr0,
                                       .value = 17,
                                       .outcome = TRACE_INJECTED},
                 "injected write ID_AA64PFR0_EL1 <- 0x11");
    expect_words((struct trace_record){.class = TRACE_SYSREG, .esr = 0x62000001 | unknown},
                 "read S3_3_C11_C12_5 -> 0x0");
}

CASE(trace_text, words_of_aborts_and_interrupts)
{
    expect_words((struct trace_record){.class = TRACE_MMIO,
                                       .esr = 0x93c38047, /* ISV, 8 bytes, x3, WnR */
                                       .addr = 0x9000000,
                                       .arg = 0xffff800010000000,
                                       .value = 0x41},
                 "write 8 at IPA 0x9000000 <- 0x41, VA 0xffff800010000000");
    expect_words((struct trace_record){.class = TRACE_MMIO,
                                       .outcome = TRACE_INJECTED,
                                       .esr = 0x92000007,
                                       .addr = 0x9000000,
                                       .arg = 0x123},
                 "IPA 0x9000000, VA 0x123: ");
    expect_words((struct trace_record){.class = TRACE_FETCH, .esr = 0x82000006, .addr = 0x30000000},
                 "translation fault, level 2");
    expect_words((struct trace_record){.class = TRACE_WFX, .esr = 0x06000001}, "WFE");
    expect_words((struct trace_record){.class = TRACE_IRQ, .addr = 27}, "resumed  INTID 27");
    expect_words((struct trace_record){.class = TRACE_IRQ, .addr = 1023}, "none to acknowledge");
    expect_words(
        (struct trace_record){
            .time = 99, .pcpu = 1, .vm = 2, .vcpu = 3, .pc = 0x40080000, .outcome = TRACE_BLOCKED},
        "           99 cpu1 vm2.3 sync   pc 0x0000000040080000 blocked ");
}

/* Records of no range at all: text of printable characters, with an end. */
CASE(trace_text, words_of_anything)
{
    uint64_t state = 99;

    for (unsigned i = 0; i < 20000; i++) {
        struct trace_record record;
        char line[TRACE_TEXT_MAX];
        uint64_t words[TR_SIZE / 8];

        for (unsigned k = 0; k < TR_SIZE / 8; k++)
            words[k] = prng_next(&state);
        memcpy(&record, words, TR_SIZE);
        if (i % 2 != 0)
            record.class = (uint8_t)(record.class % 9);
        memset(line, 0, sizeof(line));
        trace_text_line(&record, prng_next(&state), line);
        cr_assert_lt(strlen(line), TRACE_TEXT_MAX);
        for (const char *c = line; *c != '\0'; c++)
            cr_assert(*c >= ' ' && *c <= '~', "%s", line);
    }
}

CASES_RUN(trace_text, NULL, NULL)
