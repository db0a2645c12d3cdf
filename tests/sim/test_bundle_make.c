/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Bundles made by halcyon-sim, as core reads them. */
#include "boot/bundle.h"
#include "cases.h"
#include "dev/registry.h"
#include "scratch.h"
#include "sim/bundle_make.h"
#include <fcntl.h>
#include <sys/stat.h>

static char reason[BUNDLE_MAKE_REASON_MAX];
static char words[BUNDLE_REASON_MAX];
static struct bundle_blob blob;
static struct bundle_facts facts;
static struct hv_config config;
static struct sim_options options;

static void begin(void)
{
    scratch_begin();
    options = (struct sim_options){.append = "", .memory = UINT64_C(0x8000000), .smp = 1, .vms = 1};
    strcpy(reason, "unset");
    blob = (struct bundle_blob){NULL, 0};
}

static void finish(void)
{
    bundle_free(&blob);
    scratch_end();
}

static void parse(void)
{
    cr_assert_eq(bundle_parse(blob.data, blob.size, &dev_registry, &config, words), HV_OK, "%s",
                 words);
    cr_assert_eq(config.nr_vms, options.vms);
    bundle_facts(&blob, &facts);
    cr_expect(facts.escapes);
}

static void expect_bytes(const struct vm_blob *got, const char *bytes, size_t size)
{
    cr_assert_eq(got->size, size);
    cr_expect_eq(memcmp(got->data, bytes, size), 0);
}

CASE(bundle_make, one_kernel)
{
    const char kernel[] = "\x7f"
                          "ELF or whatever\0 it is";

    options.kernel = scratch_path("kernel");
    scratch_write(options.kernel, kernel, sizeof(kernel));
    cr_assert(bundle_make(&options, &blob, reason), "%s", reason);
    parse();
    cr_expect_str_eq(config.vm[0].name, "linux");
    cr_expect_eq(config.vm[0].memory, UINT64_C(0x8000000));
    cr_expect_eq(config.vm[0].vcpus, 1);
    cr_expect_str_eq(config.vm[0].bootargs, "");
    expect_bytes(&config.vm[0].kernel, kernel, sizeof(kernel));
    cr_expect_eq(config.vm[0].initrd.size, 0);
    cr_expect_not(config.vm[0].has_kernel_address || config.vm[0].has_initrd_address);
    cr_expect_null(config.log);
    cr_expect_eq(facts.memory, UINT64_C(0x8000000));
    cr_expect_eq(config.vm[0].weight, 0, "what is not said is not in it");
    cr_expect_eq(config.vmids, 0);
}

CASE(bundle_make, networks)
{
    static char append[2048];

    memset(append, 'a', sizeof(append) - 1);
    options.append = append;
    options.kernel = scratch_path("kernel");
    scratch_write(options.kernel, "kernel", 6);
    options.vms = options.nr_weights = HV_MAX_VMS;
    for (unsigned i = 0; i < HV_MAX_VMS; i++)
        options.weights[i] = 1;
    options.net = options.net_user = true;
    cr_assert(bundle_make(&options, &blob, reason), "%s", reason);
    parse();
    for (unsigned i = 0; i < HV_MAX_VMS; i++) {
        cr_assert_eq(config.vm[i].nr_devices, 1);
        cr_expect_str_eq(config.vm[i].device[0].class->bundle, "net");
        cr_expect(config.vm[i].device[0].flag[1], "its switch has the uplink");
    }
    bundle_free(&blob);
    options.net_user = false;
    cr_assert(bundle_make(&options, &blob, reason), "%s", reason);
    parse();
    cr_expect_eq(config.vm[0].nr_devices, 1);
    cr_expect_not(config.vm[0].device[0].flag[1]);
}

CASE(bundle_make, disks)
{
    char image[1500];
    const struct dev_config *disk;

    memset(image, 0x42, sizeof(image));
    options.kernel = scratch_path("kernel");
    scratch_write(options.kernel, "k", 1);
    options.disk[0] = (struct sim_disk_option){.file = scratch_path("image"), .ram = true};
    options.disk[0].file_len = (unsigned)strlen(options.disk[0].file);
    scratch_write(options.disk[0].file, image, sizeof(image));
    options.disk[1] = (struct sim_disk_option){.ram = true, .size = 8192, .read_only = true};
    options.disk[2] = (struct sim_disk_option){.file = "m", .file_len = 1};
    options.disk[3] = (struct sim_disk_option){.file = "n", .file_len = 1, .read_only = true};
    options.nr_disks = 4;
    cr_assert(bundle_make(&options, &blob, reason), "%s", reason);
    parse();
    cr_assert_eq(config.vm[0].nr_devices, 4);
    disk = config.vm[0].device;
    for (uint32_t i = 0; i < 4; i++)
        cr_expect_eq(disk[i].unit, i);
    expect_bytes(&disk[0].image, image, sizeof(image));
    cr_expect_eq(disk[0].size, 0);
    cr_expect_eq(disk[1].size, 8192);
    cr_expect(disk[1].flag[0]);
    cr_expect_not(disk[2].flag[0]);
    cr_expect_eq(disk[2].number[0], 0);
    cr_expect_eq(disk[3].number[0], 1);
    cr_expect(disk[3].flag[0]);
    cr_expect_eq(facts.memory, UINT64_C(0x8000000) + 1500 + 8192);
}

CASE(bundle_make, disks_of_several_vms_share_an_image)
{
    options.kernel = scratch_path("kernel");
    scratch_write(options.kernel, "k", 1);
    options.disk[0] = (struct sim_disk_option){
        .file = options.kernel, .file_len = (unsigned)strlen(options.kernel), .ram = true};
    options.nr_disks = 1;
    options.vms = 2;
    options.disk[0].size = GIB(4);
    cr_assert(bundle_make(&options, &blob, reason), "%s", reason);
    parse();
    expect_bytes(&config.vm[0].device[0].image, "k", 1);
    cr_expect_eq(config.vm[1].device[0].image.size, 0);
    cr_expect_str_eq(config.vm[1].device[0].text[1], "vm0");
    cr_expect_eq(facts.memory, 2 * (UINT64_C(0x8000000) + GIB(1)), "a huge one is not filled");
}

CASE(bundle_make, disks_refused)
{
    options.kernel = scratch_path("kernel");
    scratch_write(options.kernel, "kernel", 6);
    options.nr_disks = 1;
    options.disk[0] = (struct sim_disk_option){.file = "/nowhere/d", .file_len = 10, .ram = true};
    cr_assert_not(bundle_make(&options, &blob, reason));
    cr_expect_not_null(strstr(reason, "/nowhere/d: No such file"), "%s", reason);
    options.disk[0] = (struct sim_disk_option){.file = options.kernel,
                                               .file_len = (unsigned)strlen(options.kernel),
                                               .ram = true,
                                               .size = 5};
    cr_assert_not(bundle_make(&options, &blob, reason));
    cr_expect_not_null(strstr(reason, "larger than --disk's size"), "%s", reason);
}

CASE(bundle_make, everything)
{
    char initrd[70001];

    for (size_t i = 0; i < sizeof(initrd); i++)
        initrd[i] = (char)(i ^ i >> 8);
    options.kernel = scratch_path("kernel");
    options.initrd = scratch_path("initrd");
    options.append = "console=ttyAMA0 x=\"a \xc3\xa4\" quiet";
    options.log = "warn,vm=debug";
    options.smp = 3;
    options.memory = UINT64_C(0x123456000);
    scratch_write(options.kernel, "k", 1);
    scratch_write(options.initrd, initrd, sizeof(initrd));
    cr_assert(bundle_make(&options, &blob, reason), "%s", reason);
    parse();
    cr_expect_eq(config.vm[0].memory, UINT64_C(0x123456000));
    cr_expect_eq(config.vm[0].vcpus, 3);
    cr_expect_str_eq(config.vm[0].bootargs, options.append);
    expect_bytes(&config.vm[0].kernel, "k", 1);
    expect_bytes(&config.vm[0].initrd, initrd, sizeof(initrd));
    cr_expect_str_eq(config.log, "warn,vm=debug");
}

CASE(bundle_make, several)
{
    static const char *const names[] = {"vm0", "vm1", "vm2"};

    options.kernel = scratch_path("kernel");
    options.initrd = scratch_path("initrd");
    options.append = "quiet";
    options.vms = 3;
    options.smp = 2;
    options.nr_weights = 3;
    memcpy(options.weights, (const unsigned[]){1, 2, 1000}, 3 * sizeof(unsigned));
    options.vmids = 2;
    options.console = "lines";
    scratch_write(options.kernel, "k", 1);
    scratch_write(options.initrd, "rd", 2);
    cr_assert(bundle_make(&options, &blob, reason), "%s", reason);
    parse();
    cr_expect_eq(config.vmids, 2);
    cr_expect_eq(config.console, HV_CONSOLE_LINES);
    cr_expect_eq(facts.memory, UINT64_C(0x18000000));
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_str_eq(config.vm[i].name, names[i]);
        cr_expect_eq(config.vm[i].vcpus, 2);
        cr_expect_eq(config.vm[i].weight, options.weights[i]);
        cr_expect_eq(config.vm[i].memory, UINT64_C(0x8000000));
        cr_expect_str_eq(config.vm[i].bootargs, "quiet");
        expect_bytes(&config.vm[i].kernel, "k", 1);
        expect_bytes(&config.vm[i].initrd, "rd", 2);
        cr_expect_eq(config.vm[i].kernel.data, config.vm[0].kernel.data, "once in the bundle");
    }
}

/* All that can be asked for at once has room. */
CASE(bundle_make, the_most)
{
    static char append[2048];

    memset(append, 'a', sizeof(append) - 1);
    options.kernel = scratch_path("kernel");
    options.append = append;
    options.log = "warn,vm=debug";
    options.vms = 16;
    options.smp = 16;
    options.nr_weights = 16;
    for (unsigned i = 0; i < 16; i++)
        options.weights[i] = i + 1;
    options.vmids = 65535;
    scratch_write(options.kernel, "k", 1);
    cr_assert(bundle_make(&options, &blob, reason), "%s", reason);
    parse();
    cr_expect_str_eq(config.vm[15].name, "vm15");
    cr_expect_str_eq(config.vm[15].bootargs, append);
}

/* To the byte, padding included: the recording of a run names its bundle by its hash. */
CASE(bundle_make, no_byte_is_left_to_chance)
{
    const char *kernel;

    options.kernel = scratch_path("kernel");
    scratch_write(options.kernel, "12345", 5);
    cr_assert(bundle_make(&options, &blob, reason), "%s", reason);
    parse();
    kernel = config.vm[0].kernel.data;
    cr_expect_eq(memcmp(kernel, "12345\0\0", 8), 0);
}

static void expect_refused(const char *text)
{
    cr_assert_not(bundle_make(&options, &blob, reason));
    cr_expect_not_null(strstr(reason, text), "\"%s\" has no \"%s\"", reason, text);
    cr_expect_null(blob.data);
}

CASE(bundle_make, files_refused)
{
    int fd;

    options.kernel = scratch_path("none");
    expect_refused("none: No such file");
    options.kernel = scratch_directory;
    expect_refused("not a regular file");
    options.kernel = "/dev/zero";
    expect_refused("not a regular file");
    options.kernel = scratch_path("pipe");
    cr_assert_eq(mkfifo(options.kernel, 0600), 0);
    expect_refused("not a regular file");
    options.kernel = scratch_path("empty");
    scratch_write(options.kernel, "", 0);
    expect_refused("empty: empty");
    options.kernel = scratch_path("huge");
    fd = open(options.kernel, O_CREAT | O_WRONLY, 0600);
    cr_assert_eq(ftruncate(fd, (off_t)1 << 40), 0);
    cr_expect_eq(close(fd), 0);
    expect_refused("huge: 1048576 MiB, more than the 1024 MiB that fit");
    options.initrd = options.kernel;
    options.kernel = scratch_path("kernel");
    scratch_write(options.kernel, "k", 1);
    expect_refused("huge: 1048576 MiB");
    cr_assert_eq(truncate(options.initrd, (off_t)1 << 30), 0);
    expect_refused("together have more than 1 GiB");
}

CASE(bundle_make, reads_any_file)
{
    const char *path = scratch_path("bundle");

    scratch_write(path, "no bundle", 9);
    cr_assert(bundle_read(path, &blob, reason), "%s", reason);
    cr_expect_eq(blob.size, 9);
    cr_expect_eq(memcmp(blob.data, "no bundle", 9), 0);
    bundle_facts(&blob, &facts);
    cr_expect_eq(facts.memory, 0, "which core will refuse");
    cr_expect(facts.escapes);
    bundle_free(&blob);
    cr_expect_not(bundle_read(scratch_path("none"), &blob, reason));
    cr_expect_not_null(strstr(reason, "none: No such file"));
    cr_expect_not(bundle_read("/dev/null", &blob, reason));
    cr_expect_not_null(strstr(reason, "not a regular file"));
}

CASES_RUN(bundle_make, begin, finish)
