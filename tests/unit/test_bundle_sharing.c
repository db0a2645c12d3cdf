/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The properties of a bundle by which VMs share the machine, and one VM's images with another. */
#include "bundle_fixture.h"

/* libfdt adds a subnode before its siblings: "linux" comes after this one. */
static void add_first(const char *path)
{
    tree_string(path, "compatible", "halcyon,vm");
    tree_u64(path, "memory-size", 0x100000);
    tree_bytes(path, "kernel", "K", 1);
}

CASE(bundle_sharing, settings_of_the_hypervisor)
{
    bundle();
    tree_string("/halcyon", "console", "focus");
    tree_bytes("/halcyon", "no-escape", "", 0);
    tree_cells("/halcyon", "pcpus", 64);
    tree_cells("/halcyon", "vmids", 65535);
    EXPECT_OK();
    cr_expect_eq(out.console, HV_CONSOLE_FOCUS);
    cr_expect(out.no_escape);
    cr_expect_eq(out.pcpus, 64);
    cr_expect_eq(out.vmids, 65535);
    tree_string("/halcyon", "console", "prefix");
    tree_cells("/halcyon", "pcpus", 1);
    tree_cells("/halcyon", "vmids", 2);
    EXPECT_OK();
    cr_expect_eq(out.console, HV_CONSOLE_PREFIX);
    cr_expect_eq(out.pcpus, 1);
    cr_expect_eq(out.vmids, 2);
    tree_string("/halcyon", "console", "lines");
    EXPECT_OK();
    cr_expect_eq(out.console, HV_CONSOLE_LINES);
}

CASE(bundle_sharing, bad_settings)
{
    expect_bad("/halcyon", "console", "", 0, HV_ERR_FORMAT, "/halcyon: console: not one string");
    expect_bad("/halcyon", "console", "raw", 4, HV_ERR_FORMAT,
               "/halcyon: console: must be \"prefix\", \"focus\" or \"lines\"");
    expect_bad("/halcyon", "console", "focus\0", 7, HV_ERR_FORMAT,
               "/halcyon: console: not one string");
    expect_bad("/halcyon", "no-escape", "\0\0\0\1", 4, HV_ERR_FORMAT,
               "/halcyon: no-escape: must have no value");
    expect_bad("/halcyon", "pcpus", "\0\0\0\0", 4, HV_ERR_RANGE,
               "/halcyon: pcpus: 0, must be 1 to 64");
    expect_bad("/halcyon", "pcpus", "\0\0\0\x41", 4, HV_ERR_RANGE,
               "/halcyon: pcpus: 65, must be 1 to 64");
    expect_bad("/halcyon", "pcpus", "\0\0\0\0\0\0\0\1", 8, HV_ERR_FORMAT,
               "/halcyon: pcpus: 8 bytes long, must be 4");
    expect_bad("/halcyon", "vmids", "\0\0\0\1", 4, HV_ERR_RANGE,
               "/halcyon: vmids: 1, must be 2 to 65535");
    expect_bad("/halcyon", "vmids", "\0\1\0\0", 4, HV_ERR_RANGE,
               "/halcyon: vmids: 65536, must be 2 to 65535");
    expect_bad("/halcyon", "vmids", "", 0, HV_ERR_FORMAT,
               "/halcyon: vmids: 0 bytes long, must be 4");
}

CASE(bundle_sharing, limits_of_a_vm)
{
    bundle();
    tree_cells(VM, "weight", 1000);
    tree_cells(VM, "spis", 988);
    tree_u64(VM, "quota", 0x20000000);
    tree_bytes(VM, "stopped", "", 0);
    EXPECT_OK();
    cr_expect_eq(out.vm[0].weight, 1000);
    cr_expect_eq(out.vm[0].spis, 988);
    cr_expect_eq(out.vm[0].quota, 0x20000000);
    cr_expect(out.vm[0].stopped);
    tree_cells(VM, "weight", 1);
    tree_cells(VM, "spis", 32);
    tree_u64(VM, "quota", UINT64_MAX);
    EXPECT_OK();
    cr_expect_eq(out.vm[0].weight, 1);
    cr_expect_eq(out.vm[0].spis, 32);
    cr_expect_eq(out.vm[0].quota, UINT64_MAX);
}

CASE(bundle_sharing, bad_limits)
{
    expect_bad(VM, "weight", "\0\0\0\0", 4, HV_ERR_RANGE,
               "/vms/linux: weight: 0, must be 1 to 1000");
    expect_bad(VM, "weight", "\0\0\3\xe9", 4, HV_ERR_RANGE,
               "/vms/linux: weight: 1001, must be 1 to 1000");
    expect_bad(VM, "weight", "\0\1", 2, HV_ERR_FORMAT,
               "/vms/linux: weight: 2 bytes long, must be 4");
    expect_bad(VM, "spis", "\0\0\0\0", 4, HV_ERR_RANGE, "/vms/linux: spis: 0, must be 1 to 988");
    expect_bad(VM, "spis", "\0\0\3\xdd", 4, HV_ERR_RANGE,
               "/vms/linux: spis: 989, must be 1 to 988");
    expect_bad(VM, "spis", "", 0, HV_ERR_FORMAT, "/vms/linux: spis: 0 bytes long, must be 4");
    expect_bad(VM, "quota", "\0\0\0\1", 4, HV_ERR_FORMAT,
               "/vms/linux: quota: 4 bytes long, must be 8: /bits/ 64 <...>");
    expect_bad(VM, "quota", "\0\0\0\0\0\0\0\0", 8, HV_ERR_RANGE,
               "/vms/linux: quota: 0 KiB, less than memory-size");
    expect_bad(VM, "quota", "\0\0\0\0\x1f\xff\xff\xff", 8, HV_ERR_RANGE,
               "/vms/linux: quota: 524287 KiB, less than memory-size");
    expect_bad(VM, "stopped", "yes", 4, HV_ERR_FORMAT, "/vms/linux: stopped: must have no value");
}

CASE(bundle_sharing, one_mask_is_for_all)
{
    bundle();
    tree_cells(VM, "vcpus", 16);
    tree_u64(VM, "affinity", UINT64_C(0x8000000000000001));
    EXPECT_OK();
    for (int i = 0; i < 16; i++)
        cr_expect_eq(out.vm[0].affinity[i], UINT64_C(0x8000000000000001));
    /* vCPUs that there are not have none. */
    tree_cells(VM, "vcpus", 2);
    EXPECT_OK();
    for (int i = 2; i < 16; i++)
        cr_expect_eq(out.vm[0].affinity[i], 0);
}

CASE(bundle_sharing, one_mask_for_each)
{
    bundle();
    /* libfdt puts it before vcpus, which says how many there must be. */
    tree_cells(VM, "vcpus", 3);
    tree_cells(VM, "affinity", 0, 1, 0, 2, 0x80000000, 0);
    EXPECT_OK();
    cr_expect_eq(out.vm[0].affinity[0], 1);
    cr_expect_eq(out.vm[0].affinity[1], 2);
    cr_expect_eq(out.vm[0].affinity[2], UINT64_C(0x8000000000000000));
    cr_expect_eq(out.vm[0].affinity[3], 0);
    tree_cells(VM, "vcpus", 2);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux: affinity: 3 masks, must be 1 for all or 2, one for "
                                  "each vCPU");
    tree_cells(VM, "vcpus", 4);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux: affinity: 3 masks, must be 1 for all or 4, one for "
                                  "each vCPU");
}

CASE(bundle_sharing, bad_affinity)
{
    expect_bad(VM, "affinity", "", 0, HV_ERR_FORMAT,
               "/vms/linux: affinity: 0 bytes long, must be masks of 8: /bits/ 64 <...>");
    expect_bad(VM, "affinity", "\0\0\0\1", 4, HV_ERR_FORMAT,
               "/vms/linux: affinity: 4 bytes long, must be masks of 8: /bits/ 64 <...>");
    expect_bad(VM, "affinity", "\0\0\0\0\0\0\0\1\0\0\0\1", 12, HV_ERR_FORMAT,
               "/vms/linux: affinity: 12 bytes long, must be masks of 8: /bits/ 64 <...>");
    expect_bad(VM, "affinity", "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0", 16, HV_ERR_RANGE,
               "/vms/linux: affinity: a mask without a CPU");
    expect_bad(VM, "affinity", "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1", 16, HV_ERR_FORMAT,
               "/vms/linux: affinity: 2 masks, must be 1 for all or 1, one for each vCPU");
}

CASE(bundle_sharing, images_of_an_earlier_vm)
{
    bundle();
    add_first("/vms/first");
    tree_bytes("/vms/first", "initrd", "RD", 2);
    tree_u64("/vms/first", "kernel-address", 0x40200000);
    tree_u64("/vms/first", "initrd-address", 0x48000000);
    tree_drop(VM, "kernel");
    tree_string(VM, "images-of", "first");
    EXPECT_OK();
    cr_assert_eq(out.nr_vms, 2);
    cr_expect_str_eq(out.vm[1].name, "linux");
    cr_expect_eq(out.vm[1].memory, 0x20000000);
    cr_expect_eq(out.vm[1].kernel.data, out.vm[0].kernel.data);
    cr_expect_eq(out.vm[1].kernel.size, 1);
    cr_expect_eq(out.vm[1].initrd.data, out.vm[0].initrd.data);
    cr_expect_eq(out.vm[1].initrd.size, 2);
    cr_expect(out.vm[1].has_kernel_address);
    cr_expect_eq(out.vm[1].kernel_address, 0x40200000);
    cr_expect(out.vm[1].has_initrd_address);
    cr_expect_eq(out.vm[1].initrd_address, 0x48000000);
}

CASE(bundle_sharing, images_of_a_vm_that_has_them_from_another)
{
    bundle();
    add_first("/vms/b");
    tree_drop("/vms/b", "kernel");
    tree_string("/vms/b", "images-of", "a");
    add_first("/vms/a");
    tree_drop(VM, "kernel");
    tree_string(VM, "images-of", "b");
    EXPECT_OK();
    cr_assert_eq(out.nr_vms, 3);
    cr_expect_eq(out.vm[2].kernel.data, out.vm[0].kernel.data);
    cr_expect_eq(out.vm[2].initrd.size, 0);
    cr_expect_not(out.vm[2].has_kernel_address);
    cr_expect_not(out.vm[2].has_initrd_address);
}

/* `linux` with images-of and without a kernel, in a bundle whose first VM is "first". */
static void expect_no_images(const char *name, size_t len, const char *text)
{
    bundle();
    add_first("/vms/first");
    tree_drop(VM, "kernel");
    tree_bytes(VM, "images-of", name, len);
    EXPECT_REFUSED(HV_ERR_FORMAT, text);
}

CASE(bundle_sharing, images_of_no_vm)
{
    expect_no_images("other", 6, "/vms/linux: images-of: there is no VM \"other\" before this one");
    expect_no_images("linux", 6, "/vms/linux: images-of: there is no VM \"linux\" before this one");
    expect_no_images("", 1, "/vms/linux: images-of: there is no VM \"\" before this one");
    expect_no_images("\x1b[2J", 5,
                     "/vms/linux: images-of: there is no VM \"\\x1b[2J\" before this one");
    expect_no_images("first", 5, "/vms/linux: images-of: not one string");
    expect_no_images("", 0, "/vms/linux: images-of: not one string");
    /* A VM that comes later is none. */
    bundle();
    add_first("/vms/first");
    tree_drop("/vms/first", "kernel");
    tree_string("/vms/first", "images-of", "linux");
    EXPECT_REFUSED(HV_ERR_FORMAT,
                   "/vms/first: images-of: there is no VM \"linux\" before this one");
}

CASE(bundle_sharing, images_of_another_and_its_own)
{
    static const struct {
        const char *name;
        const char *data;
        size_t len;
    } rows[] = {
        {"kernel", "K", 1},
        {"initrd", "RD", 2},
        {"kernel-address", "\0\0\0\0\x40\x20\0\0", 8},
        {"initrd-address", "\0\0\0\0\x48\0\0\0", 8},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bundle();
        add_first("/vms/first");
        tree_drop(VM, "kernel");
        tree_string(VM, "images-of", "first");
        tree_bytes(VM, rows[i].name, rows[i].data, rows[i].len);
        EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux: images-of: there are images or addresses too");
    }
}

CASES_RUN(bundle_sharing, NULL, NULL)
