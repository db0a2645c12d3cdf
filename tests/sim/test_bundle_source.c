/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Bundles in devicetree source, as dtc compiles them. */
#include "boot/bundle.h"
#include "cases.h"
#include "dev/registry.h"
#include "scratch.h"
#include "sim/bundle_source.h"
#include <sys/stat.h>

static char reason[BUNDLE_MAKE_REASON_MAX];
static struct bundle_blob blob;

static void begin(void)
{
    scratch_begin();
    blob = (struct bundle_blob){NULL, 0};
}

static void finish(void)
{
    bundle_free(&blob);
    scratch_end();
}

static const char *source(const char *text)
{
    const char *path = scratch_path("b.dts");

    scratch_write(path, text, strlen(text));
    return path;
}

#define VM(properties)                                                                             \
    "/dts-v1/;\n/ { compatible = \"halcyon,bundle\"; halcyon { no-escape; }; vms { a {\n"          \
    "compatible = \"halcyon,vm\"; memory-size = /bits/ 64 <0x100000>;\n" properties "}; }; };\n"

CASE(bundle_source, names)
{
    cr_expect(bundle_is_source("a.dts"));
    cr_expect(bundle_is_source("./x/y.z.dts"));
    cr_expect_not(bundle_is_source(".dts"));
    cr_expect_not(bundle_is_source("a.dtb"));
    cr_expect_not(bundle_is_source("a.dts.old"));
    cr_expect_not(bundle_is_source(""));
}

CASE(bundle_source, compiles)
{
    char words[BUNDLE_REASON_MAX];
    struct hv_config config;
    struct bundle_facts facts;

    /* Beside the source, whatever this process's directory is. */
    scratch_write(scratch_path("k"), "kernel!", 7);
    cr_assert(bundle_read(source(VM("kernel = /incbin/(\"k\");")), &blob, reason), "%s", reason);
    cr_assert_eq(bundle_parse(blob.data, blob.size, &dev_registry, &config, words), HV_OK, "%s",
                 words);
    cr_expect_eq(config.vm[0].kernel.size, 7);
    cr_expect_eq(memcmp(config.vm[0].kernel.data, "kernel!", 7), 0);
    bundle_facts(&blob, &facts);
    cr_expect_eq(facts.memory, 0x100000);
    cr_expect_not(facts.escapes);
}

static void expect_refused(const char *path, const char *text)
{
    cr_assert_not(bundle_read(path, &blob, reason));
    cr_expect_not_null(strstr(reason, text), "\"%s\" has no \"%s\"", reason, text);
    cr_expect_null(strchr(reason, '\n'));
    cr_expect_null(blob.data);
}

CASE(bundle_source, refused)
{
    expect_refused(source("/dts-v1/;\n/ { a = <1 };\n"), "dtc: Error: ");
    cr_expect_not_null(strstr(reason, "b.dts:2."), "with the line: %s", reason);
    expect_refused(source(VM("kernel = /incbin/(\"none\");")), "none");
    expect_refused(source("\x1b[2J\n"), "dtc: Error: ");
    expect_refused(scratch_path("none.dts"), "none.dts: No such file");
    scratch_write(scratch_path("empty.dts"), "", 0);
    expect_refused(scratch_path("empty.dts"), "empty.dts: empty");
    cr_assert_eq(mkfifo(scratch_path("pipe.dts"), 0600), 0);
    expect_refused(scratch_path("pipe.dts"), "not a regular file");
}

/* A name is no option of dtc's. */
CASE(bundle_source, a_name_like_an_option)
{
    char *before = getcwd(NULL, 0);

    cr_assert_eq(chdir(scratch_directory), 0);
    scratch_write("-h.dts", VM("kernel = [00];"), strlen(VM("kernel = [00];")));
    cr_expect(bundle_read("-h.dts", &blob, reason), "%s", reason);
    cr_assert_eq(chdir(before), 0);
    free(before);
}

CASE(bundle_source, without_dtc)
{
    char *before = strdup(getenv("PATH"));

    cr_assert_eq(setenv("PATH", scratch_directory, 1), 0);
    expect_refused(source(VM("kernel = [00];")), "not installed: run ci/setup");
    cr_assert_eq(setenv("PATH", before, 1), 0);
    free(before);
}

/* A dtc of another kind must not bring this process down. */
static void expect_of_dtc(const char *script, const char *text)
{
    char *before = strdup(getenv("PATH"));
    char *path = NULL;

    scratch_write(scratch_path("dtc"), script, strlen(script));
    cr_assert_eq(chmod(scratch_path("dtc"), 0700), 0);
    cr_assert_geq(asprintf(&path, "%s:%s", scratch_directory, before), 0);
    cr_assert_eq(setenv("PATH", path, 1), 0);
    expect_refused(source(VM("kernel = [00];")), text);
    cr_assert_eq(setenv("PATH", before, 1), 0);
    free(path);
    free(before);
}

CASE(bundle_source, odd_compilers)
{
    expect_of_dtc("#!/bin/sh\nexit 1\n", "does not say why");
    expect_of_dtc("#!/bin/sh\nexit 0\n", "made nothing of it");
    expect_of_dtc("#!/bin/sh\nkill -9 $$\n", "does not say why");
    expect_of_dtc("#!/bin/sh\nprintf 'a\\tb\\nc' >&2\nexit 1\n", "dtc: a?b");
    expect_of_dtc("#!/bin/sh\ntruncate -s 1073741825 /dev/stdout\n", "more than 1 GiB");
}

CASES_RUN(bundle_source, begin, finish)
