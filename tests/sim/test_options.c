/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cases.h"
#include "sim/options_parse.h"
#include <stdint.h>
#include <stdio.h>

#define ARGS_MAX 1100

static struct sim_options options;
static char message[OPTIONS_MESSAGE_MAX];

/* argv is writable and ends with NULL, as main() gets it. */
static bool parse(const char *const words[], int count)
{
    char *argv[ARGS_MAX] = {NULL};
    bool good;

    for (int i = 0; i < count; i++)
        argv[i] = strdup(words[i]);
    memset(message, 'x', sizeof(message));
    good = options_parse(count, argv, &options, message);
    cr_expect(memchr(message, '\0', sizeof(message)) != NULL);
    cr_expect_null(strchr(message, '\n'));
    cr_expect_eq(good, message[0] == '\0');
    /* getopt_long() may change the order: all are freed, whatever it is. The options keep pointers
     * into them, which is why the last ones live until the next call. */
    static char *old[ARGS_MAX];
    for (int i = 0; i < ARGS_MAX; i++) {
        free(old[i]);
        old[i] = argv[i];
    }
    return good;
}

#define WORDS(...)                                                                                 \
    (const char *const[]){"halcyon-sim", __VA_ARGS__},                                             \
        (int)(sizeof((const char *const[]){"halcyon-sim", __VA_ARGS__}) / sizeof(char *))
#define ACCEPT(...) cr_assert(parse(WORDS(__VA_ARGS__)), "%s", message)
#define REFUSE(text, ...)                                                                          \
    do {                                                                                           \
        cr_assert_not(parse(WORDS(__VA_ARGS__)), "accepted, wanted: %s", text);                    \
        cr_expect_not_null(strstr(message, text), "\"%s\" has no \"%s\"", message, text);          \
    } while (0)

static void forget(void)
{
    (void)parse((const char *const[]){"x"}, 1);
    (void)parse((const char *const[]){NULL}, 0);
}

CASE(options, defaults)
{
    ACCEPT("--kernel", "Image");
    cr_expect_eq(options.action, SIM_ACTION_RUN);
    cr_expect_str_eq(options.kernel, "Image");
    cr_expect_null(options.bundle);
    cr_expect_null(options.restore);
    cr_expect_str_eq(options.append, "console=ttyAMA0");
    cr_expect_null(options.log);
    cr_expect_eq(options.memory, UINT64_C(0x20000000));
    cr_expect_eq(options.smp, 1);
    cr_expect_eq(options.vms, 1);
    cr_expect_eq(options.nr_weights, 0);
    cr_expect_eq(options.vmids, 0);
    cr_expect_eq(options.nr_control, 0);
    cr_expect_eq(options.pcpus, 1);
    cr_expect_eq(options.machine_memory, 0);
    cr_expect_eq(options.cpu, SIM_CPU_CORTEX_A57);
    cr_expect_eq(options.seed, 1);
    cr_expect_eq(options.epoch, 1767225600, "2026-01-01");
    cr_expect_eq(options.max_insns, UINT64_MAX);
    cr_expect_eq(options.snapshot_at, UINT64_MAX);
    cr_expect_not(options.stats || options.hash || options.no_input || options.snapshot_quit ||
                  options.input_raw);
}

CASE(options, every_value)
{
    ACCEPT("--kernel", "K", "--initrd=I", "--append", "a b", "--memory", "1G", "--smp", "8",
           "--pcpus=64", "--cpu", "max", "--seed", "0x10", "--log=warn,vgic=debug",
           "--epoch=4294967295");
    cr_expect_str_eq(options.initrd, "I");
    cr_expect_str_eq(options.append, "a b");
    cr_expect_str_eq(options.log, "warn,vgic=debug");
    cr_expect_eq(options.memory, UINT64_C(0x40000000));
    cr_expect_eq(options.smp, 8);
    cr_expect_eq(options.pcpus, 64);
    cr_expect_eq(options.cpu, SIM_CPU_MAX);
    cr_expect_eq(options.seed, 16);
    cr_expect_eq(options.epoch, 4294967295);
    ACCEPT("--trace=T", "--record=R", "--snapshot=S", "--snapshot-on", "~ # ", "--snapshot-quit",
           "--stats", "--hash", "--no-input", "B", "--max-insns", "18446744073709551614");
    cr_expect_str_eq(options.bundle, "B", "an argument may come before an option");
    cr_expect_str_eq(options.trace, "T");
    cr_expect_str_eq(options.record, "R");
    cr_expect_str_eq(options.snapshot, "S");
    cr_expect_str_eq(options.snapshot_on, "~ # ");
    cr_expect(options.stats && options.hash && options.no_input && options.snapshot_quit);
    cr_expect_eq(options.max_insns, UINT64_MAX - 1);
    ACCEPT("--restore", "S", "--replay", "R", "--snapshot", "S", "--snapshot-at", "5");
    cr_expect_str_eq(options.restore, "S");
    cr_expect_eq(options.snapshot_at, 5);
    ACCEPT("B", "--input-on=login: ");
    cr_expect_str_eq(options.input_on, "login: ");
    ACCEPT("--append=", "--kernel=K");
    cr_expect_str_eq(options.append, "");
    ACCEPT("--machine-memory", "4M", "--", "--odd-name");
    cr_expect_str_eq(options.bundle, "--odd-name");
    cr_expect_eq(options.machine_memory, 0x400000);
    ACCEPT("--kernel=K", "--vms=3", "--weights", "1,0x10,1000", "--vmids", "65535");
    cr_expect_eq(options.vms, 3);
    cr_expect_eq(options.nr_weights, 3);
    cr_expect_eq(options.weights[0], 1);
    cr_expect_eq(options.weights[1], 16);
    cr_expect_eq(options.weights[2], 1000);
    cr_expect_eq(options.vmids, 65535);
    cr_expect_null(options.console);
    ACCEPT("--kernel=K", "--console", "lines");
    cr_expect_str_eq(options.console, "lines");
    ACCEPT("--kernel=K", "--weights=5", "--vms=16",
           "--weights=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16");
    cr_expect_eq(options.nr_weights, 16, "the last word counts");
    cr_expect_eq(options.weights[15], 16);
    ACCEPT("--bundle", "F.dts", "--input-raw");
    cr_expect_str_eq(options.bundle, "F.dts");
    cr_expect(options.input_raw);
    ACCEPT("--kernel=K", "--write-bundle=B");
    cr_expect_eq(options.action, SIM_ACTION_WRITE_BUNDLE);
}

CASE(options, sizes)
{
    static const struct {
        const char *text;
        uint64_t size;
    } rows[] = {{"512", UINT64_C(0x20000000)},  {"512M", UINT64_C(0x20000000)},
                {"512m", UINT64_C(0x20000000)}, {"1024K", UINT64_C(0x100000)},
                {"2g", UINT64_C(0x80000000)},   {"1048576B", UINT64_C(0x100000)}};
    static const char *const bad[] = {"",
                                      "M",
                                      "0",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1MM",
                                      "0x10M",
                                      "1.5G",
                                      "1Q",
                                      "99999999999999999999",
                                      "17592186044416M",
                                      "1\n"};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ACCEPT("--kernel=K", "--memory", rows[i].text);
        cr_expect_eq(options.memory, rows[i].size, "%s", rows[i].text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        REFUSE("not a size", "--kernel=K", "--memory", bad[i]);
    REFUSE("from 1M", "--kernel=K", "--memory", "1020K");
    REFUSE("steps of 4K", "--kernel=K", "--memory", "1025K");
    REFUSE("to 64G", "--kernel=K", "--memory", "1T");
    REFUSE("steps of 2M", "B", "--machine-memory", "5M");
    REFUSE("from 4M", "B", "--machine-memory", "2M");
}

CASE(options, values_refused)
{
    REFUSE("--smp 0: must be a number from 1 to 16", "--kernel=K", "--smp", "0");
    REFUSE("from 1 to 16", "--kernel=K", "--smp=17");
    REFUSE("from 1 to 16", "--kernel=K", "--smp=two");
    REFUSE("--vms 0: must be a number from 1 to 16", "--kernel=K", "--vms=0");
    REFUSE("from 1 to 16", "--kernel=K", "--vms=17");
    REFUSE("--vmids 1: must be a number from 2 to 65535", "--kernel=K", "--vmids=1");
    REFUSE("from 2 to 65535", "--kernel=K", "--vmids=65536");
    REFUSE("from 2 to 65535", "--kernel=K", "--vmids=many");
    REFUSE("--console raw: must be prefix, focus or lines", "--kernel=K", "--console=raw");
    REFUSE("--weights 0: must be numbers from 1 to 1000", "--kernel=K", "--weights=0");
    REFUSE("numbers from 1 to 1000", "--kernel=K", "--weights=1001");
    REFUSE("numbers from 1 to 1000", "--kernel=K", "--weights=");
    REFUSE("numbers from 1 to 1000", "--kernel=K", "--vms=2", "--weights=1,");
    REFUSE("numbers from 1 to 1000", "--kernel=K", "--vms=2", "--weights=,1");
    REFUSE("numbers from 1 to 1000", "--kernel=K", "--vms=2", "--weights=1,a");
    REFUSE("at most 16", "--kernel=K", "--weights=1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1");
    REFUSE("--weights: 2 of them for 1 VMs: give one for each", "--kernel=K", "--weights=1,1");
    REFUSE("--weights: 2 of them for 3 VMs", "--kernel=K", "--weights=1,1", "--vms=3");
    REFUSE("from 1 to 64", "B", "--pcpus=65");
    REFUSE("cortex-a57 or max", "B", "--cpu=host");
    REFUSE("--seed -1: not a number below 2^64", "B", "--seed", "-1");
    REFUSE("not a number", "B", "--seed=18446744073709551616");
    REFUSE("not a number", "B", "--seed=0x");
    REFUSE("not a number", "B", "--seed=");
    REFUSE("not a number", "B", "--max-insns=1e9");
    REFUSE("at least 1", "B", "--max-insns=0");
    REFUSE("--log loud: must be LEVEL", "--kernel=K", "--log=loud");
    REFUSE("--snapshot-on: the text must have 1 to 255 bytes", "B", "--snapshot=S",
           "--snapshot-on=");
    REFUSE("--input-on: the text must have 1 to 255 bytes", "B", "--input-on=");
    REFUSE("name is empty", "--kernel=");
    REFUSE("name is empty", "B", "--trace=");
}

CASE(options, words_refused)
{
    REFUSE("unknown or ambiguous option '--frob'; see --help", "--frob", "B");
    REFUSE("unknown or ambiguous option '--snap'", "--snap", "B");
    REFUSE("two dashes", "-kernel", "K");
    REFUSE("two dashes", "B", "-m");
    REFUSE("--kernel needs a value", "--kernel");
    REFUSE("--stats takes no value", "B", "--stats=yes");
    REFUSE("'C': there is one BUNDLE at most", "B", "C");
    REFUSE("'C': there is one BUNDLE at most", "--bundle=B", "C");
    REFUSE("nothing to run", "--stats");
    REFUSE("option '--?[2J", "--\x1b[2J", "B");
    cr_assert_not(parse((const char *const[]){"halcyon-sim"}, 1));
    cr_expect_not_null(strstr(message, "nothing to run"));
    cr_assert_not(parse((const char *const[]){NULL}, 0));
}

CASE(options, combinations_refused)
{
    REFUSE("--kernel with a BUNDLE: ", "--kernel=K", "B");
    REFUSE("--kernel with --restore: ", "--kernel=K", "--restore=S");
    REFUSE("BUNDLE with --restore: ", "B", "--restore=S");
    REFUSE("--initrd: it goes with --kernel", "B", "--initrd=I");
    REFUSE("`bootargs`", "B", "--append=x");
    REFUSE("`vcpus`", "B", "--smp=2");
    REFUSE("`memory-size`", "B", "--memory=1G");
    REFUSE("a node for each VM", "B", "--vms=2");
    REFUSE("`weight`", "B", "--weights=2");
    REFUSE("/halcyon `console`", "B", "--console=lines");
    REFUSE("/halcyon `vmids`", "B", "--vmids=2");
    REFUSE("--input-raw with --no-input: ", "B", "--input-raw", "--no-input");
    REFUSE("--input-raw with --replay: ", "B", "--input-raw", "--replay=P");
    REFUSE("--kernel with a BUNDLE: ", "--kernel=K", "--bundle=B");
    REFUSE("BUNDLE with --restore: ", "--bundle=B", "--restore=S");
    REFUSE("name is empty", "--bundle=");
    REFUSE("/halcyon `log`", "B", "--log=debug");
    REFUSE("--memory: ", "--restore=S", "--memory=1G");
    REFUSE("--pcpus with --restore: ", "--restore=S", "--pcpus=2");
    REFUSE("--cpu with --restore: ", "--restore=S", "--cpu=max");
    REFUSE("--machine-memory with --restore: ", "--restore=S", "--machine-memory=1G");
    REFUSE("up to 4294967295", "B", "--epoch=4294967296");
    REFUSE("not a number", "B", "--epoch=now");
    REFUSE("--epoch with --restore: ", "--restore=S", "--epoch=2");
    REFUSE("--seed with --restore: ", "--restore=S", "--seed=2");
    REFUSE("--record with --replay: ", "B", "--record=R", "--replay=P");
    REFUSE("--input-on with --no-input: ", "B", "--input-on=x", "--no-input");
    REFUSE("--input-on with --replay: ", "B", "--input-on=x", "--replay=P");
    REFUSE("--snapshot F", "B", "--snapshot-at=1");
    REFUSE("--snapshot F", "B", "--snapshot-on=x");
    REFUSE("--snapshot F", "B", "--snapshot-quit");
    REFUSE("one of the two", "B", "--snapshot=S", "--snapshot-at=1", "--snapshot-on=x");
    REFUSE("--write-bundle: ", "B", "--write-bundle=W");
    REFUSE("nothing runs", "--kernel=K", "--write-bundle=W", "--trace=T");
    REFUSE("name the same file", "B", "--trace=F", "--record=F");
    REFUSE("name the same file", "--kernel=K", "--write-bundle=K");
    REFUSE("name the same file", "B", "--replay=F", "--trace=F");
    REFUSE("name the same file", "--trace=B", "B");
    ACCEPT("B", "--trace=/dev/null", "--record=/dev/null");
}

CASE(options, firmware)
{
    ACCEPT("--firmware", "F", "--smp=2", "--write-bundle=B");
    cr_expect_str_eq(options.firmware, "F");
    cr_expect_str_eq(options.kernel, "F");
    REFUSE("--firmware with --kernel: ", "--firmware=F", "--kernel=K");
    REFUSE("--firmware with --initrd: ", "--firmware=F", "--initrd=I");
    REFUSE("--firmware with a BUNDLE: ", "--firmware=F", "B");
    REFUSE("--firmware with --restore: ", "--firmware=F", "--restore=S");
    REFUSE("name is empty", "--firmware=");
    REFUSE("name the same file", "--firmware=F", "--write-bundle=F");
    ACCEPT("--kernel=K");
    cr_expect_null(options.firmware);
}

CASE(options, control)
{
    ACCEPT("B", "--control", "list", "--control-on", "~ # ", "--control=stop 1", "--no-input");
    cr_assert_eq(options.nr_control, 2);
    cr_expect_null(options.control[0].on);
    cr_expect_str_eq(options.control[0].command, "list");
    cr_expect_str_eq(options.control[1].on, "~ # ");
    cr_expect_str_eq(options.control[1].command, "stop 1");
    REFUSE("--control: a command has 1 to 80 printable characters", "B", "--control=");
    REFUSE("1 to 80", "B", "--control", "stop\r");
    REFUSE("1 to 80", "B", "--control", "\xc3\xa4");
    REFUSE("1 to 80", "B", "--control",
           "123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 1");
    REFUSE("--control-on: after it comes its --control", "B", "--control=list", "--control-on=x");
    REFUSE("--control-on twice", "B", "--control-on=x", "--control-on=y", "--control=list");
    REFUSE("--control-on: the text must have 1 to 255 bytes", "B", "--control-on=");
    REFUSE("--control-on: say what comes then", "B", "--control-on=x");
    REFUSE("--control with --replay: ", "B", "--control=list", "--replay=P");
}

CASE(options, control_has_an_end)
{
    const char *words[2 + 1025 + 1] = {"halcyon-sim", "B"};
    int count = 2;

    for (int i = 0; i < 1024; i++)
        words[count++] = "--control=list";
    cr_assert(parse(words, count), "%s", message);
    cr_expect_eq(options.nr_control, 1024);
    words[count++] = "--control=list";
    cr_assert_not(parse(words, count));
    cr_expect_str_eq(message, "--control: at most 1024 commands");
}

CASE(options, help_and_version)
{
    ACCEPT("--help");
    cr_expect_eq(options.action, SIM_ACTION_HELP);
    ACCEPT("-h", "--frob");
    cr_expect_eq(options.action, SIM_ACTION_HELP);
    ACCEPT("--version", "--smp=0");
    cr_expect_eq(options.action, SIM_ACTION_VERSION);
    REFUSE("from 1 to 64", "--pcpus=0", "--help");
    cr_expect_not_null(strstr(options_version(), "halcyon-sim "));
}

CASE(options, net)
{
    ACCEPT("--kernel=K", "--net=switch");
    cr_expect(options.net && !options.net_user);
    ACCEPT("--kernel=K", "--net=user");
    cr_expect(options.net && options.net_user);
    cr_expect_eq(options.nr_forwards, 0);
    ACCEPT("--net=user", "B");
    ACCEPT("--kernel=K", "--net=user,hostfwd=tcp:127.0.0.1:8080-10.0.2.16:80,hostfwd=udp::53-:5353,"
                         "hostfwd=::1-:65535");
    cr_assert_eq(options.nr_forwards, 3);
    cr_expect(!options.forward[0].udp);
    cr_expect_eq(options.forward[0].host, 0x7f000001);
    cr_expect_eq(options.forward[0].host_port, 8080);
    cr_expect_eq(options.forward[0].guest, 0x0a000210);
    cr_expect_eq(options.forward[0].guest_port, 80);
    cr_expect(options.forward[1].udp);
    cr_expect_eq(options.forward[1].host, 0);
    cr_expect_eq(options.forward[1].guest, 0x0a00020f);
    cr_expect_eq(options.forward[1].guest_port, 5353);
    cr_expect(!options.forward[2].udp);
    cr_expect_eq(options.forward[2].guest_port, 65535);
}

CASE(options, net_refused)
{
    static const char *const bad[] = {
        "hostfwd=",
        "hostfwd=tcp",
        "hostfwd=tcp:1:2",
        "hostfwd=sctp::1-:2",
        "hostfwd=ip::1-:2",
        "hostfwd=tcp::0-:2",
        "hostfwd=tcp::65536-:2",
        "hostfwd=tcp::1x-:2",
        "hostfwd=tcp::-:2",
        "hostfwd=tcp::1-:",
        "hostfwd=tcp::1-:123456",
        "hostfwd=tcp:localhost:1-:2",
        "hostfwd=tcp:1.2.3:1-:2",
        "hostfwd=tcp:127.000.000.0001:1-:2",
        "hostfwd=tcp::1-1.2.3.4.5:2",
        "hostfwd=tcp::1-2",
    };
    char word[64];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(word, sizeof(word), "--net=user,%s", bad[i]);
        REFUSE("is not hostfwd=", "--kernel=K", word);
    }
    REFUSE("switch, or user with", "--kernel=K", "--net=tap");
    REFUSE("switch, or user with", "--kernel=K", "--net=users");
    REFUSE("switch, or user with", "--kernel=K", "--net=switch,hostfwd=tcp::1-:2");
    REFUSE("after user comes hostfwd=", "--kernel=K", "--net=user,");
    REFUSE("after user comes hostfwd=", "--kernel=K", "--net=user,restrict=on");
    REFUSE("goes with --kernel F", "--net=switch", "B");
    REFUSE("would not be in it", "--kernel=K", "--net=user", "--snapshot=S");
    REFUSE("leave --net out", "--net=user", "--restore=S");
    char many[600] = "--net=user";
    for (unsigned i = 0; i < 17; i++)
        strcat(many, ",hostfwd=tcp::80-:80");
    REFUSE("at most 16", "--kernel=K", many);
}

CASE(options, disks)
{
    char path[SIM_DISK_FILE_MAX];

    ACCEPT("--kernel=K", "--disk=a/b", "--disk=c,ro", "--disk=d,ram,size=2M", "--disk=size=512K",
           "--disk=e,ro,ram");
    cr_assert_eq(options.nr_disks, 5);
    options_disk_path(&options.disk[0], path);
    cr_expect_str_eq(path, "a/b");
    cr_expect_not(options.disk[0].read_only || options.disk[0].ram);
    cr_expect_eq(options.disk[0].size, 0);
    options_disk_path(&options.disk[1], path);
    cr_expect_str_eq(path, "c");
    cr_expect(options.disk[1].read_only && !options.disk[1].ram);
    options_disk_path(&options.disk[2], path);
    cr_expect_str_eq(path, "d");
    cr_expect(options.disk[2].ram && options.disk[2].size == 0x200000);
    cr_expect_eq(options.disk[3].file_len, 0);
    cr_expect(options.disk[3].ram && options.disk[3].size == 0x80000);
    cr_expect(options.disk[4].ram && options.disk[4].read_only);
    ACCEPT("B", "--disk=F");
    ACCEPT("--kernel=K", "--vms=2", "--disk=F,ram");
}

CASE(options, disks_refused)
{
    char name[SIM_DISK_FILE_MAX + 8];

    REFUSE("name is empty", "--kernel=K", "--disk=");
    REFUSE("name is empty", "--kernel=K", "--disk=,ram");
    REFUSE("come ro, ram or size=SIZE", "--kernel=K", "--disk=F,rw");
    REFUSE("come ro, ram or size=SIZE", "--kernel=K", "--disk=F,,ro");
    REFUSE("disk: size x: not a size", "--kernel=K", "--disk=size=x");
    REFUSE("come ro, ram or size=SIZE", "--kernel=K", "--disk=size=");
    REFUSE("too many digits", "--kernel=K", "--disk=size=000000000000000000000000001");
    REFUSE("a file's size is what it is", "--kernel=K", "--disk=F,size=1M");
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    REFUSE("too long", "--kernel=K", "--disk", name);
    REFUSE("at most 8 disks", "--kernel=K", "--disk=a,ram", "--disk=a,ram", "--disk=a,ram",
           "--disk=a,ram", "--disk=a,ram", "--disk=a,ram", "--disk=a,ram", "--disk=a,ram",
           "--disk=a,ram");
    REFUSE("in a bundle it is a node", "B", "--disk=F,ram");
    REFUSE("at most 4 that are files", "B", "--disk=a", "--disk=b", "--disk=c", "--disk=d",
           "--disk=e");
    REFUSE("--disk with --restore", "--restore=S", "--disk=a");
    REFUSE("--disk with --snapshot", "B", "--snapshot=S", "--disk=a");
    REFUSE("--disk with --vms", "--kernel=K", "--vms=2", "--disk=a");
}

/* Each option that is taken is in the text, and each in the text is taken. */
CASE(options, help_names_every_option)
{
    static const char *const names[] = {
        "kernel",   "initrd",       "append",      "memory",        "smp",        "disk",
        "log",      "write-bundle", "restore",     "pcpus",         "cpu",        "machine-memory",
        "seed",     "no-input",     "max-insns",   "trace",         "record",     "replay",
        "snapshot", "snapshot-at",  "snapshot-on", "snapshot-quit", "stats",      "hash",
        "help",     "version",      "input-on",    "bundle",        "vms",        "weights",
        "vmids",    "input-raw",    "console",     "control",       "control-on", "epoch",
        "net"};
    char word[32];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(word, sizeof(word), "--%s", names[i]);
        cr_expect_not_null(strstr(options_help(), word), "%s", word);
        (void)parse((const char *const[]){"halcyon-sim", word}, 2);
        cr_expect_null(strstr(message, "unknown"), "%s", message);
    }
}

/* A terminal has 80 columns until one knows better. */
CASE(options, help_fits_a_terminal)
{
    for (const char *line = options_help(); *line != '\0'; line += strcspn(line, "\n") + 1)
        cr_expect_leq(strcspn(line, "\n"), 80, "%.*s", (int)strcspn(line, "\n"), line);
}

CASES_RUN(options, NULL, forget)
