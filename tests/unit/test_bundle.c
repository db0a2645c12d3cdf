/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "bundle_fixture.h"
#include "prng.h"
#include <stdio.h>

CASE(bundle, smallest)
{
    bundle();
    EXPECT_OK();
    cr_expect_eq(out.nr_vms, 1);
    cr_expect_eq(out.log, NULL);
    cr_expect_str_eq(out.vm[0].name, "linux");
    cr_expect_eq(out.vm[0].memory, 0x20000000);
    cr_expect_eq(out.vm[0].vcpus, 1);
    cr_expect_str_eq(out.vm[0].bootargs, "");
    cr_expect_eq(out.vm[0].kernel.size, 6);
    cr_expect_arr_eq(out.vm[0].kernel.data, "KERNEL", 6);
    cr_expect_eq(out.vm[0].initrd.data, NULL);
    cr_expect_eq(out.vm[0].initrd.size, 0);
    cr_expect_not(out.vm[0].has_kernel_address);
    cr_expect_not(out.vm[0].has_initrd_address);
    cr_expect_eq(out.vm[0].weight, 0);
    cr_expect_eq(out.vm[0].spis, 0);
    cr_expect_eq(out.vm[0].quota, 0);
    cr_expect_not(out.vm[0].stopped);
    for (int i = 0; i < 16; i++)
        cr_expect_eq(out.vm[0].affinity[i], 0);
    cr_expect_eq(out.console, HV_CONSOLE_PREFIX);
    cr_expect_not(out.no_escape);
    cr_expect_eq(out.pcpus, 0);
    cr_expect_eq(out.vmids, 0);
    cr_expect_str_empty(reason);
}

CASE(bundle, everything)
{
    bundle();
    tree_string("/halcyon", "log", "info,mem=debug");
    tree_cells(VM, "vcpus", 8);
    tree_string(VM, "bootargs", "console=ttyAMA0 quiet");
    tree_bytes(VM, "initrd", "RD", 2);
    tree_u64(VM, "kernel-address", 0x40200000);
    tree_u64(VM, "initrd-address", 0x48000000);
    tree_string("/vms/a,._+-Z9", "compatible", "halcyon,vm");
    tree_u64("/vms/a,._+-Z9", "memory-size", 0x100000);
    tree_bytes("/vms/a,._+-Z9", "kernel", "K", 1);
    EXPECT_OK();
    cr_expect_str_eq(out.log, "info,mem=debug");
    cr_assert_eq(out.nr_vms, 2);
    /* Subnodes are added in front. */
    cr_expect_str_eq(out.vm[0].name, "a,._+-Z9");
    cr_expect_eq(out.vm[0].memory, 0x100000);
    cr_expect_str_eq(out.vm[1].name, "linux");
    cr_expect_eq(out.vm[1].vcpus, 8);
    cr_expect_str_eq(out.vm[1].bootargs, "console=ttyAMA0 quiet");
    cr_expect_eq(out.vm[1].initrd.size, 2);
    cr_expect(out.vm[1].has_kernel_address);
    cr_expect_eq(out.vm[1].kernel_address, 0x40200000);
    cr_expect(out.vm[1].has_initrd_address);
    cr_expect_eq(out.vm[1].initrd_address, 0x48000000);
    cr_expect((const char *)out.vm[1].kernel.data >= (const char *)tree &&
                  (const char *)out.vm[1].kernel.data < (const char *)tree + TREE_SIZE,
              "images are used in place");
}

CASE(bundle, bad_strings)
{
    expect_bad("/", "compatible", "halcyon,vm", 11, HV_ERR_FORMAT,
               "/: compatible: must be \"halcyon,bundle\"");
    expect_bad("/", "compatible", "halcyon,bundle", 14, HV_ERR_FORMAT,
               "/: compatible: not one string");
    expect_bad(VM, "compatible", "halcyon,vm\0x", 13, HV_ERR_FORMAT,
               "/vms/linux: compatible: not one string");
    expect_bad(VM, "compatible", "linux", 6, HV_ERR_FORMAT,
               "/vms/linux: compatible: must be \"halcyon,vm\"");
    expect_bad(VM, "bootargs", "", 0, HV_ERR_FORMAT, "/vms/linux: bootargs: not one string");
    expect_bad(VM, "bootargs", "quiet", 5, HV_ERR_FORMAT, "/vms/linux: bootargs: not one string");
    expect_bad("/halcyon", "log", "loud", 5, HV_ERR_FORMAT,
               "/halcyon: log: must be LEVEL or LEVEL,MODULE=LEVEL,...");
    expect_bad("/halcyon", "log", "info", 4, HV_ERR_FORMAT, "/halcyon: log: not one string");
}

CASE(bundle, bad_numbers)
{
    expect_bad(VM, "memory-size", "\0\0\0", 4, HV_ERR_FORMAT,
               "/vms/linux: memory-size: 4 bytes long, must be 8: /bits/ 64 <...>");
    expect_bad(VM, "memory-size", "\0\0\0\0\0\0\0", 8, HV_ERR_RANGE,
               "/vms/linux: memory-size: 0 KiB, must be at least 1024");
    expect_bad(VM, "memory-size", "\0\0\0\0\0\x0f\xf0\0", 8, HV_ERR_RANGE,
               "/vms/linux: memory-size: 1020 KiB, must be at least 1024");
    expect_bad(VM, "memory-size", "\0\0\0\0\x20\0\x08\0", 8, HV_ERR_RANGE,
               "/vms/linux: memory-size: not a multiple of 4 KiB");
    expect_bad(VM, "memory-size", "\0\0\xff\xff\xc0\0\x10\0", 8, HV_ERR_RANGE,
               "/vms/linux: memory-size: more than 48 bits of address hold");
    expect_bad(VM, "memory-size", "\xff\xff\xff\xff\xff\xff\xf0\0", 8, HV_ERR_RANGE,
               "/vms/linux: memory-size: more than 48 bits of address hold");
    expect_bad(VM, "vcpus", "\0\0\0\0\0\0\0\1", 8, HV_ERR_FORMAT,
               "/vms/linux: vcpus: 8 bytes long, must be 4");
    expect_bad(VM, "vcpus", "\0\0\0\0", 4, HV_ERR_RANGE, "/vms/linux: vcpus: 0, must be 1 to 16");
    expect_bad(VM, "vcpus", "\0\0\0\x11", 4, HV_ERR_RANGE,
               "/vms/linux: vcpus: 17, must be 1 to 16");
    expect_bad(VM, "kernel-address", "\x40\x20\0\0", 4, HV_ERR_FORMAT,
               "/vms/linux: kernel-address: 4 bytes long, must be 8: /bits/ 64 <...>");
    expect_bad(VM, "initrd-address", "", 0, HV_ERR_FORMAT,
               "/vms/linux: initrd-address: 0 bytes long, must be 8: /bits/ 64 <...>");
    expect_bad(VM, "initrd-address", "\0\0\0\0\x48\0\0\0", 8, HV_ERR_FORMAT,
               "/vms/linux: initrd-address: there is no initrd");
}

CASE(bundle, bad_images)
{
    expect_bad(VM, "kernel", "", 0, HV_ERR_FORMAT, "/vms/linux: kernel: empty");
    expect_bad(VM, "initrd", "", 0, HV_ERR_FORMAT, "/vms/linux: initrd: empty");
}

CASE(bundle, missing)
{
    bundle();
    tree_drop(VM, "kernel");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux: kernel: missing");
    tree_drop(VM, "memory-size");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux: memory-size: missing");
    tree_drop(VM, "compatible");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux: compatible: missing");
    tree_drop_node(VM);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms: no VM");
    tree_drop_node("/vms");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/: vms: missing");
    tree_drop("/", "compatible");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/: compatible: missing");
}

CASE(bundle, firmware)
{
    bundle();
    tree_drop(VM, "kernel");
    tree_bytes(VM, "firmware", "FIRM", 4);
    EXPECT_OK();
    cr_expect_eq(out.vm[0].firmware.size, 4);
    cr_expect_arr_eq(out.vm[0].firmware.data, "FIRM", 4);
    tree_bytes(VM, "kernel", "K", 1);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux: firmware: there is a kernel, too");
    tree_drop(VM, "kernel");
    tree_u64(VM, "kernel-address", 0x40200000);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux: firmware: there is a kernel, too");
    tree_drop(VM, "kernel-address");
    tree_bytes(VM, "initrd", "I", 1);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux: firmware: there is an initrd, too");
    tree_drop(VM, "initrd");
    tree_bytes(VM, "firmware", "", 0);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux: firmware: empty");
}

CASE(bundle, unknown)
{
    expect_bad("/", "model", "x", 2, HV_ERR_FORMAT, "/: model: unknown property");
    expect_bad("/vms", "x", "", 0, HV_ERR_FORMAT, "/vms: x: unknown property");
    expect_bad("/halcyon", "logs", "", 0, HV_ERR_FORMAT, "/halcyon: logs: unknown property");
    expect_bad(VM, "kernal", "", 0, HV_ERR_FORMAT, "/vms/linux: kernal: unknown property");
    expect_bad(VM, "\xff\n\\", "", 0, HV_ERR_FORMAT,
               "/vms/linux: \\xff\\x0a\\x5c: unknown property");
    bundle();
    (void)tree_node("/chosen");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/chosen: unknown node");
    bundle();
    (void)tree_node("/halcyon/x");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/halcyon: x: unknown node");
    bundle();
    (void)tree_node(VM "/dsik@0");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux/dsik@0: unknown node");
}

/* libfdt's own functions would not write a second one. */
static void rename_node(const char *path, const char *name)
{
    const char *old = fdt_get_name(tree, tree_node(path), NULL);

    cr_assert_eq(strlen(old), strlen(name));
    memcpy((char *)(uintptr_t)old, name, strlen(name));
}

CASE(bundle, twice)
{
    static const char name[] = "vcpus\0vcpuz";
    char *found = NULL;

    bundle();
    tree_node("/vmz");
    rename_node("/vmz", "vms");
    /* The empty one comes first; take a full one for the second to be reached. */
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms: no VM");
    bundle();
    tree_string("/vmz/b", "compatible", "halcyon,vm");
    tree_u64("/vmz/b", "memory-size", 0x100000);
    tree_bytes("/vmz/b", "kernel", "K", 1);
    rename_node("/vmz", "vms");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms: there twice");
    bundle();
    tree_string("/vms/linuy", "compatible", "halcyon,vm");
    tree_u64("/vms/linuy", "memory-size", 0x100000);
    tree_bytes("/vms/linuy", "kernel", "K", 1);
    rename_node("/vms/linuy", "linux");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux: another VM has this name");
    bundle();
    tree_cells(VM, "vcpus", 1);
    tree_cells(VM, "vcpuz", 1);
    for (size_t i = 0; i + sizeof(name) <= TREE_SIZE && found == NULL; i++)
        if (memcmp(tree + i, name, sizeof(name)) == 0)
            found = (char *)tree + i;
    cr_assert_neq(found, NULL);
    found[10] = 's';
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux: vcpus: there twice");
}

static void add_vm(const char *name)
{
    char path[96];

    (void)snprintf(path, sizeof(path), "/vms/%s", name);
    tree_string(path, "compatible", "halcyon,vm");
    tree_u64(path, "memory-size", 0x100000);
    tree_bytes(path, "kernel", "K", 1);
}

CASE(bundle, names)
{
    bundle();
    add_vm("a-name-of-thirty-one-characters");
    EXPECT_OK();
    cr_expect_str_eq(out.vm[0].name, "a-name-of-thirty-one-characters");
    add_vm("a-name-of-thirty-two-characters.");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/a-name-of-thirty-two-characters.: a VM's name must have 1 "
                                  "to 31 characters");
    bundle();
    add_vm("linux@0");
    EXPECT_REFUSED(HV_ERR_FORMAT,
                   "/vms/linux@0: a VM's name must be of letters, digits and \",._+-\"");
    bundle();
    add_vm("\xc3\x28\x1b[2J");
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/\\xc3(\\x1b[2J: a VM's name must be of letters, digits and "
                                  "\",._+-\"");
    bundle();
    add_vm("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    cr_assert_eq(parse(), HV_ERR_FORMAT);
    cr_expect_lt(strlen(reason), BUNDLE_REASON_MAX);
    bundle();
    add_vm("x");
    *(char *)(uintptr_t)fdt_get_name(tree, tree_node("/vms/x"), NULL) = '\0';
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/: a VM's name must have 1 to 31 characters");
}

CASE(bundle, too_many)
{
    char name[16];

    bundle();
    for (int i = 1; i < 16; i++) {
        (void)snprintf(name, sizeof(name), "vm%d", i);
        add_vm(name);
    }
    EXPECT_OK();
    cr_expect_eq(out.nr_vms, 16);
    add_vm("vm16");
    EXPECT_REFUSED(HV_ERR_RANGE, "/vms/linux: more than 16 VMs");
}

CASE(bundle, deep)
{
    char path[4096] = VM;

    bundle();
    for (int i = 0; i < 6; i++)
        strcat(path, "/x");
    (void)tree_node(path);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/vms/linux/x: unknown node");
    for (int i = 0; i < 500; i++)
        strcat(path, "/x");
    (void)tree_node(path);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/: nodes are nested deeper than 8 levels");
}

CASE(bundle, blob)
{
    bundle();
    cr_assert_eq(fdt_add_mem_rsv(tree, 0, 1), 0);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/: memory reservations mean nothing in a bundle");
    bundle();
    cr_assert_eq(bundle_parse(tree + 4, sizeof(tree) - 4, registry, &out, reason), HV_ERR_FORMAT);
    tree[0] = 0xd1;
    EXPECT_REFUSED(HV_ERR_FORMAT, "/: not a devicetree blob, or a damaged one: FDT_ERR_BADMAGIC");
    bundle();
    fdt_set_totalsize(tree, TREE_SIZE + 1);
    EXPECT_REFUSED(HV_ERR_FORMAT, "/: not a devicetree blob, or a damaged one: FDT_ERR_TRUNCATED");
    fdt_set_totalsize(tree, UINT32_MAX);
    cr_expect_eq(parse(), HV_ERR_FORMAT);
    cr_expect_eq(bundle_parse("\0\0\0\0\0\0\0", 0, registry, &out, reason), HV_ERR_FORMAT);
}

CASE(bundle, truncated_at_every_length)
{
    bundle();
    cr_assert_eq(fdt_pack(tree), 0);
    for (size_t size = 0; size < fdt_totalsize(tree); size++) {
        /* On the heap, where a sanitizer watches its end. */
        void *copy = malloc(size + 1);
        memcpy(copy, tree, size);
        cr_assert_eq(bundle_parse(copy, size, registry, &out, reason), HV_ERR_FORMAT, "%zu", size);
        cr_assert_eq(out.nr_vms, 0);
        free(copy);
    }
}

CASE(bundle, random_corruption)
{
    uint64_t state = 0xb0d1e;
    unsigned refused = 0;

    bundle();
    tree_string("/halcyon", "log", "info,mem=debug");
    tree_string(VM, "bootargs", "quiet");
    cr_assert_eq(fdt_pack(tree), 0);
    size_t size = fdt_totalsize(tree);
    unsigned char *copy = malloc(size);
    for (unsigned i = 0; i < 20000; i++) {
        memcpy(copy, tree, size);
        for (uint64_t n = prng_next(&state) % 3 + 1; n > 0; n--)
            copy[prng_next(&state) % size] = (unsigned char)prng_next(&state);
        if (bundle_parse(copy, size, registry, &out, reason) != HV_OK) {
            refused++;
            cr_assert_neq(reason[0], '\0');
            cr_assert_lt(strlen(reason), BUNDLE_REASON_MAX);
            continue;
        }
        cr_assert_eq(out.nr_vms, 1);
        cr_assert_eq(out.vm[0].memory % 4096, 0);
        cr_assert_geq(out.vm[0].memory, 0x100000);
        cr_assert_leq(strlen(out.vm[0].name), 31);
        const unsigned char *kernel = out.vm[0].kernel.data;
        cr_assert(kernel >= copy && kernel + out.vm[0].kernel.size <= copy + size);
    }
    free(copy);
    cr_expect_gt(refused, 10000);
    cr_expect_lt(refused, 20000);
}

CASES_RUN(bundle, NULL, NULL)
