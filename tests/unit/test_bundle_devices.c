/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The devices that a VM's node asks for. */
#include "bundle_fixture.h"
#include "dev_fixture.h"
#include <stdio.h>

#define DISK VM "/disk@0"

static void setup(void)
{
    registry = &dev_fixture_registry;
    bundle();
}

/* Subnodes are added in front: the last one made is the first in the file. */
static void disk(const char *path)
{
    tree_string(path, "compatible", "halcyon,disk");
    tree_cells(path, "queues", 1);
}

CASE(bundle_devices, none)
{
    EXPECT_OK();
    cr_expect_eq(out.vm[0].nr_devices, 0);
}

CASE(bundle_devices, each_kind_of_property)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
    const struct dev_config *dev = out.vm[0].device;

    tree_string(VM "/net@1f", "compatible", "halcyon,net");
    tree_bytes(VM "/net@1f", "mac", mac, 6);
    disk(VM "/disk@3");
    tree_bytes(VM "/disk@3", "image", "IMAGE", 5);
    disk(DISK);
    tree_cells(DISK, "queues", 8);
    tree_u64(DISK, "size", UINT64_C(1) << 40);
    tree_string(DISK, "serial", "12345678901234567890");
    tree_bytes(DISK, "read-only", "", 0);
    EXPECT_OK();
    cr_assert_eq(out.vm[0].nr_devices, 3);
    cr_expect_eq(dev[0].class, &dev_fixture_classes[0]);
    cr_expect_eq(dev[0].unit, 0);
    cr_expect_eq(dev[0].size, UINT64_C(1) << 40);
    cr_expect_str_eq(dev[0].text[1], "12345678901234567890");
    cr_expect_eq(dev[0].text[0], NULL);
    cr_expect(dev[0].flag[3]);
    cr_expect_not(dev[0].flag[0]);
    cr_expect_eq(dev[0].number[2], 8);
    cr_expect_eq(dev[0].number[0], 0);
    cr_expect_eq(dev[0].given, 0x1e, "all but the image");
    cr_expect_eq(dev[0].image.size, 0);
    cr_expect_eq(dev[1].unit, 3);
    cr_expect_eq(dev[1].image.size, 5);
    cr_expect_arr_eq(dev[1].image.data, "IMAGE", 5);
    cr_expect_eq(dev[1].given, 0x11);
    cr_expect_eq(dev[2].class, &dev_fixture_classes[2]);
    cr_expect_eq(dev[2].unit, 0x1f);
    cr_expect_arr_eq(dev[2].mac, mac, 6);
}

CASE(bundle_devices, that_a_vm_has_one_of)
{
    tree_string(VM "/flash", "compatible", "halcyon,flash");
    tree_string(VM "/rtc", "compatible", "halcyon,rtc");
    EXPECT_OK();
    cr_expect_eq(out.vm[0].nr_devices, 2);
    tree_drop_node(VM "/rtc");
    tree_string(VM "/rtc@0", "compatible", "halcyon,rtc");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux/rtc@0: there is one: its name has no @");
}

CASE(bundle_devices, of_each_vm)
{
    disk(DISK);
    tree_string("/vms/a", "compatible", "halcyon,vm");
    tree_u64("/vms/a", "memory-size", 0x100000);
    tree_string("/vms/a", "images-of", "linux");
    disk("/vms/a/disk@0");
    disk("/vms/a/disk@1");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/a: images-of: there is no VM \"linux\" before this one");
    tree_bytes("/vms/a", "kernel", "K", 1);
    tree_drop("/vms/a", "images-of");
    EXPECT_OK();
    cr_expect_eq(out.vm[0].nr_devices, 2);
    cr_expect_eq(out.vm[1].nr_devices, 1);
}

CASE(bundle_devices, names)
{
    static const struct {
        const char *name;
        const char *reason;
    } bad[] = {
        {"dsik@0", "unknown node"},
        {"dis", "unknown node"},
        {"disks@0", "unknown node"},
        {"uart@0", "unknown node"},
        {"@0", "unknown node"},
        {"disk", "its name must be disk@0 to disk@13"},
        {"disk@", "its name must be disk@0 to disk@13"},
        {"disk@14", "its name must be disk@0 to disk@13"},
        {"disk@00", "its name must be disk@0 to disk@13"},
        {"disk@F", "its name must be disk@0 to disk@13"},
        {"disk@1 ", "its name must be disk@0 to disk@13"},
        {"disk@-1", "its name must be disk@0 to disk@13"},
        {"disk@100000000", "its name must be disk@0 to disk@13"},
        {"disk@0@0", "its name must be disk@0 to disk@13"},
    };
    char path[64];
    char text[BUNDLE_REASON_MAX];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bundle();
        (void)snprintf(path, sizeof(path), VM "/%s", bad[i].name);
        (void)snprintf(text, sizeof(text), "%s: %s", path, bad[i].reason);
        disk(path);
        EXPECT_REFUSED(HV_ERR_FORMAT, text);
    }
    bundle();
    disk(VM "/disk\x01");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux/disk\\x01: unknown node");
}

CASE(bundle_devices, compatible)
{
    tree_cells(DISK, "queues", 1);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux/disk@0: compatible: missing");
    tree_string(DISK, "compatible", "halcyon,net");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux/disk@0: compatible: must be \"halcyon,disk\"");
}

static void expect_bad_disk(const char *name, const void *data, size_t len, hv_err err,
                            const char *text)
{
    bundle();
    disk(DISK);
    tree_bytes(DISK, name, data, len);
    EXPECT_REFUSED(err, text);
}

CASE(bundle_devices, values)
{
    expect_bad_disk("image", "", 0, HV_ERR_FORMAT, "/vms/linux/disk@0: image: empty");
    expect_bad_disk("size", "\0\0\0\0", 4, HV_ERR_FORMAT,
                    "/vms/linux/disk@0: size: 4 bytes long, must be 8: /bits/ 64 <...>");
    expect_bad_disk("size", "\0\0\0\0\0\0\1\xff", 8, HV_ERR_RANGE,
                    "/vms/linux/disk@0: size: 511, must be 512 to 1099511627776");
    expect_bad_disk("size", "\0\0\1\0\0\0\0\1", 8, HV_ERR_RANGE,
                    "/vms/linux/disk@0: size: 1099511627777, must be 512 to 1099511627776");
    expect_bad_disk("serial", "a", 1, HV_ERR_FORMAT, "/vms/linux/disk@0: serial: not one string");
    expect_bad_disk("serial", "", 1, HV_ERR_RANGE,
                    "/vms/linux/disk@0: serial: 0 bytes of text, must be 1 to 20");
    expect_bad_disk("serial", "123456789012345678901", 22, HV_ERR_RANGE,
                    "/vms/linux/disk@0: serial: 21 bytes of text, must be 1 to 20");
    expect_bad_disk("read-only", "\0\0\0\1", 4, HV_ERR_FORMAT,
                    "/vms/linux/disk@0: read-only: must have no value");
    expect_bad_disk("queues", "\0\0\0\0", 4, HV_ERR_RANGE,
                    "/vms/linux/disk@0: queues: 0, must be 1 to 8");
    expect_bad_disk("queues", "\0\0\0\x9", 4, HV_ERR_RANGE,
                    "/vms/linux/disk@0: queues: 9, must be 1 to 8");
    expect_bad_disk("sereal", "x", 2, HV_ERR_FORMAT, "/vms/linux/disk@0: sereal: unknown property");
    expect_bad_disk("mac", "123456", 6, HV_ERR_FORMAT, "/vms/linux/disk@0: mac: unknown property");
}

CASE(bundle_devices, a_required_property)
{
    disk(DISK);
    tree_drop(DISK, "queues");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux/disk@0: queues: missing");
}

CASE(bundle_devices, properties_that_do_not_go_together)
{
    disk(DISK);
    tree_bytes(DISK, "image", "IMAGE", 5);
    tree_u64(DISK, "size", 512);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux/disk@0: image: there is a size too");
}

CASE(bundle_devices, addresses)
{
    static const struct {
        const char *mac;
        size_t len;
        hv_err err;
        const char *reason;
    } bad[] = {
        {"\x52\x54\0\0\1", 5, HV_ERR_FORMAT, "5 bytes long, must be 6: [52 54 ...]"},
        {"\x52\x54\0\0\0\1\1", 7, HV_ERR_FORMAT, "7 bytes long, must be 6: [52 54 ...]"},
        {"\0\0\0\0\0\0", 6, HV_ERR_RANGE, "not the address of one station"},
        {"\x01\0\x5e\0\0\1", 6, HV_ERR_RANGE, "not the address of one station"},
        {"\xff\xff\xff\xff\xff\xff", 6, HV_ERR_RANGE, "not the address of one station"},
    };
    char text[BUNDLE_REASON_MAX];

    tree_string(VM "/net@0", "compatible", "halcyon,net");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tree_bytes(VM "/net@0", "mac", bad[i].mac, bad[i].len);
        (void)snprintf(text, sizeof(text), VM "/net@0: mac: %s", bad[i].reason);
        EXPECT_REFUSED(bad[i].err, text);
    }
}

CASE(bundle_devices, nodes_within)
{
    disk(DISK);
    (void)tree_node(DISK "/partition");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux/disk@0: partition: unknown node");
}

CASE(bundle_devices, more_than_there_is_room_for)
{
    char path[64];

    for (unsigned i = 0; i < 33; i++) {
        (void)snprintf(path, sizeof(path), i < 16 ? VM "/net@%x" : VM "/disk@%x", i & 15);
        if (i < 16) {
            tree_string(path, "compatible", "halcyon,net");
            tree_bytes(path, "mac", "\x52\x54\0\0\0\1", 6);
        } else if (i < 32) {
            disk(path);
        } else {
            EXPECT_OK();
            cr_expect_eq(out.vm[0].nr_devices, 32);
            disk(VM "/disk@10");
        }
    }
    EXPECT_REFUSED(HV_ERR_RANGE, "/vms/linux/net@0: more than 32 devices");
}

/* libfdt's writer would refuse to make two nodes with one name. */
CASE(bundle_devices, the_same_twice)
{
    char *name;

    disk(VM "/disk@1");
    disk(VM "/disk@2");
    name = (char *)(uintptr_t)fdt_get_name(tree, fdt_path_offset(tree, VM "/disk@1"), NULL);
    name[5] = '2';
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux/disk@2: there twice");
}

/* The interrupts of what every VM has, and of what it asks for, must be there. */
CASE(bundle_devices, too_few_interrupts)
{
    tree_cells(VM, "spis", 1);
    EXPECT_REFUSED(HV_ERR_RANGE, "/vms/linux: spis: 1, must be at least 2 for uart");
    tree_cells(VM, "spis", 2);
    EXPECT_OK();
    disk(VM "/disk@1");
    disk(DISK);
    EXPECT_REFUSED(HV_ERR_RANGE, "/vms/linux: spis: 2, must be at least 17 for disk");
    tree_cells(VM, "spis", 17);
    EXPECT_REFUSED(HV_ERR_RANGE, "/vms/linux: spis: 17, must be at least 18 for disk");
    tree_cells(VM, "spis", 18);
    EXPECT_OK();
}

CASES_RUN(bundle_devices, setup, NULL)
