/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/image.h"
#include "prng.h"
#include "vm_fixture.h"
#include <libfdt.h>

#define M   UINT64_C(0x100000)
#define RAM UINT64_C(0x40000000)

static struct vm_config config;
static struct image_layout layout;
static char reason[IMAGE_REASON_MAX];
static unsigned char header[64]; /* the kernel's first bytes; layouts look no further */

static void put_le(unsigned char *at, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static void flat(uint64_t memory, uint64_t size)
{
    memset(header, 0, sizeof(header));
    config = (struct vm_config){
        .name = "t", .memory = memory, .vcpus = 1, .bootargs = "", .kernel = {header, size}};
}

/* An arm64 Image of `size` bytes. */
static void image(uint64_t memory, uint64_t size, uint64_t text_offset, uint64_t image_size)
{
    flat(memory, size);
    put_le(header + 8, text_offset);
    put_le(header + 16, image_size);
    put_le(header + 24, 0xa); /* little-endian, 4 KiB pages, anywhere */
    memcpy(header + 56, "ARM\x64", 4);
}

static void initrd(uint64_t size)
{
    config.initrd = (struct vm_blob){"", size};
}

static bool apart(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a_size == 0 || b_size == 0 || a + a_size <= b || b + b_size <= a;
}

/* What every accepted layout must be like, whatever led to it. */
static void check_layout(void)
{
    uint64_t end = RAM + config.memory;

    cr_assert(layout.kernel >= RAM && layout.kernel_span <= end - layout.kernel);
    cr_assert_geq(layout.kernel_span, layout.kernel_file_size);
    cr_assert_eq(layout.kernel_file_size, config.kernel.size);
    cr_assert_eq(layout.initrd_size, config.initrd.size);
    cr_assert_eq(layout.dtb_span, 0x10000);
    cr_assert(layout.dtb >= RAM && layout.dtb_span <= end - layout.dtb);
    cr_assert_eq(layout.dtb % 0x10000, 0, "it does not cross a 2 MiB boundary");
    if (layout.initrd_size != 0)
        cr_assert(layout.initrd >= RAM && layout.initrd_size <= end - layout.initrd);
    cr_assert(apart(layout.kernel, layout.kernel_span, layout.dtb, layout.dtb_span));
    cr_assert(apart(layout.kernel, layout.kernel_span, layout.initrd, layout.initrd_size));
    cr_assert(apart(layout.dtb, layout.dtb_span, layout.initrd, layout.initrd_size));
}

static void expect_layout(uint64_t kernel, uint64_t kernel_span, uint64_t initrd_at, uint64_t dtb)
{
    cr_assert_eq(image_layout(&config, &layout, reason), HV_OK, "%s", reason);
    cr_expect_eq(layout.kernel, kernel, "kernel %llx", (unsigned long long)layout.kernel);
    cr_expect_eq(layout.kernel_span, kernel_span);
    cr_expect_eq(layout.initrd, initrd_at, "initrd %llx", (unsigned long long)layout.initrd);
    cr_expect_eq(layout.dtb, dtb, "dtb %llx", (unsigned long long)layout.dtb);
    cr_expect_str_empty(reason);
    check_layout();
}

static void expect_refused(hv_err err, const char *text)
{
    cr_assert_eq(image_layout(&config, &layout, reason), err, "%s", reason);
    cr_expect_str_eq(reason, text);
}

CASE(image, arm64_image)
{
    image(512 * M, 30 * M, 0, 31 * M);
    initrd(5 * M);
    expect_layout(RAM, 31 * M, RAM + 128 * M, RAM + 134 * M);
    initrd(0);
    expect_layout(RAM, 31 * M, 0, RAM + 128 * M);
    /* The file is larger than what the header claims. */
    image(512 * M, 30 * M, 0x80000, 20 * M);
    expect_layout(RAM + 0x80000, 30 * M, 0, RAM + 128 * M);
    /* A kernel that reaches beyond the initrd's usual place. */
    image(512 * M, 30 * M, 0, 199 * M);
    initrd(5 * M);
    expect_layout(RAM, 199 * M, RAM + 200 * M, RAM + 206 * M);
    /* Little memory: half of it. */
    image(64 * M, 20 * M, 0, 21 * M);
    initrd(M);
    expect_layout(RAM, 21 * M, RAM + 32 * M, RAM + 34 * M);
}

CASE(image, arm64_image_before_3_17)
{
    /* image_size 0: text_offset may be in any byte order, and is 0x80000. */
    image(512 * M, 10 * M, 0x800000000000000, 0);
    put_le(header + 24, 1);
    expect_layout(RAM + 0x80000, 10 * M, 0, RAM + 128 * M);
}

CASE(image, flat_image)
{
    /* U-Boot looks for its devicetree at the start of RAM. */
    flat(128 * M, M);
    expect_layout(RAM + 0x80000, M, 0, RAM);
    initrd(M);
    expect_layout(RAM + 0x80000, M, RAM + 64 * M, RAM);
    flat(M, 16);
    expect_layout(RAM + 0x80000, 16, 0, RAM);
    /* Too short for a header that would end at 64. */
    image(M, 63, 0x10000, 100);
    expect_layout(RAM + 0x80000, 63, 0, RAM);
}

/* It is in the flash, at address 0; the devicetree is where it looks for it. */
CASE(image, firmware)
{
    flat(64 * M, 0);
    config.kernel.data = NULL;
    config.firmware = (struct vm_blob){header, sizeof(header)};
    cr_assert_eq(image_layout(&config, &layout, reason), HV_OK, "%s", reason);
    cr_expect_eq(layout.kernel, 0);
    cr_expect_eq(layout.kernel_file_size, 0);
    cr_expect_eq(layout.initrd_size, 0);
    cr_expect_eq(layout.dtb, RAM);
}

CASE(image, fits_exactly)
{
    image(16 * M, 15 * M, 0, 16 * M - 0x10000);
    expect_layout(RAM, 16 * M - 0x10000, 0, RAM + 16 * M - 0x10000);
    image(16 * M, 15 * M, 0, 16 * M - 0xffff);
    expect_refused(HV_ERR_RANGE, "kernel and initrd leave no 64 KiB for the devicetree in the VM's "
                                 "16384 KiB");
    image(16 * M, 10 * M, 0, 10 * M);
    initrd(6 * M - 0x10000);
    expect_layout(RAM, 10 * M, RAM + 10 * M, RAM + 16 * M - 0x10000);
    initrd(6 * M);
    expect_refused(HV_ERR_RANGE, "kernel and initrd leave no 64 KiB for the devicetree in the VM's "
                                 "16384 KiB");
    initrd(6 * M + 1);
    expect_refused(HV_ERR_RANGE, "initrd: its 6145 KiB do not fit beside the kernel's 10240 KiB in "
                                 "the VM's 16384 KiB");
    flat(M, M - 0x80000);
    expect_layout(RAM + 0x80000, M - 0x80000, 0, RAM);
    flat(M, M - 0x80000 + 1);
    expect_refused(HV_ERR_RANGE,
                   "kernel: needs 513 KiB at 0x40080000, the VM has 1024 KiB at 0x40000000");
}

CASE(image, kernel_refused)
{
    image(512 * M, 30 * M, 0, 513 * M);
    expect_refused(HV_ERR_RANGE,
                   "kernel: needs 525312 KiB at 0x40000000, the VM has 524288 KiB at 0x40000000");
    image(512 * M, 513 * M, 0, M);
    expect_refused(HV_ERR_RANGE,
                   "kernel: needs 525312 KiB at 0x40000000, the VM has 524288 KiB at 0x40000000");
    image(512 * M, 30 * M, 0x80000, UINT64_MAX);
    cr_expect_eq(image_layout(&config, &layout, reason), HV_ERR_RANGE);
    image(512 * M, 30 * M, 2 * M, 30 * M);
    expect_refused(HV_ERR_FORMAT, "kernel: text_offset 0x200000 in the Image header is not sound");
    image(512 * M, 30 * M, UINT64_MAX - 3, 30 * M);
    expect_refused(HV_ERR_FORMAT,
                   "kernel: text_offset 0xfffffffffffffffc in the Image header is not sound");
    image(512 * M, 30 * M, 2, 30 * M);
    expect_refused(HV_ERR_FORMAT, "kernel: text_offset 0x2 in the Image header is not sound");
    image(512 * M, 30 * M, 0, 30 * M);
    header[24] |= 1;
    expect_refused(HV_ERR_FORMAT, "kernel: a big-endian arm64 Image");
    flat(512 * M, M);
    memcpy(header, "\x1f\x8b\x08", 3);
    expect_refused(HV_ERR_FORMAT, "kernel: compressed with gzip, unpack it first");
    flat(512 * M, 0);
    expect_refused(HV_ERR_FORMAT, "kernel: missing or empty");
}

static void kernel_at(uint64_t at)
{
    config.has_kernel_address = true;
    config.kernel_address = at;
}

static void initrd_at(uint64_t at)
{
    config.has_initrd_address = true;
    config.initrd_address = at;
}

CASE(image, fixed_addresses)
{
    image(512 * M, 10 * M, 0x80000, 10 * M);
    initrd(3 * M);
    kernel_at(RAM + 64 * M + 0x80000);
    initrd_at(RAM + 0x1000);
    expect_layout(RAM + 64 * M + 0x80000, 10 * M, RAM + 0x1000, RAM + 4 * M);
    initrd_at(RAM + 509 * M);
    expect_layout(RAM + 64 * M + 0x80000, 10 * M, RAM + 509 * M, RAM);
    /* A flat kernel over the start of RAM, and an initrd that only fits below the kernel. */
    flat(16 * M, 2 * M);
    kernel_at(RAM);
    expect_layout(RAM, 2 * M, 0, RAM + 2 * M);
    kernel_at(RAM + 14 * M);
    initrd(12 * M);
    expect_layout(RAM + 14 * M, 2 * M, RAM, RAM + 12 * M);
}

CASE(image, fixed_addresses_refused)
{
    image(16 * M, 4 * M, 0x80000, 4 * M);
    initrd(2 * M);
    kernel_at(RAM);
    expect_refused(HV_ERR_ALIGN, "kernel-address: 0x40000000 is not 0x80000 above a multiple of "
                                 "2048 KiB");
    kernel_at(RAM + 12 * M + 0x80000);
    expect_refused(HV_ERR_RANGE, "kernel-address: 4096 KiB at 0x40c80000 do not lie in the VM's "
                                 "memory, 16384 KiB at 0x40000000");
    kernel_at(0x80000);
    cr_expect_eq(image_layout(&config, &layout, reason), HV_ERR_RANGE);
    kernel_at(UINT64_MAX - 0x17ffff);
    cr_expect_eq(image_layout(&config, &layout, reason), HV_ERR_RANGE);
    kernel_at(RAM + 0x80000);
    initrd_at(RAM + 4 * M);
    expect_refused(HV_ERR_EXIST, "initrd-address: 2048 KiB at 0x40400000 overlap the kernel");
    initrd_at(RAM + 5 * M + 1);
    expect_refused(HV_ERR_ALIGN, "initrd-address: 0x40500001 is not a multiple of 4 KiB");
    initrd_at(RAM + 15 * M);
    expect_refused(HV_ERR_RANGE, "initrd-address: 2048 KiB at 0x40f00000 do not lie in the VM's "
                                 "memory, 16384 KiB at 0x40000000");
    flat(16 * M, M);
    kernel_at(RAM + 4);
    expect_refused(HV_ERR_ALIGN, "kernel-address: 0x40000004 is not 0x0 above a multiple of 4 KiB");
}

/* Whatever the sizes and addresses: a sound layout or a reason. */
CASE(image, random_layouts)
{
    uint64_t state = 0x1a9e;
    unsigned good = 0;

    for (unsigned i = 0; i < 8000; i++) {
        uint64_t r = prng_next(&state);
        uint64_t memory = M + prng_next(&state) % (64 * M) / 4096 * 4096;
        uint64_t size = 64 + prng_next(&state) % (memory / 2);
        if ((r & 1) != 0)
            image(memory, size, r >> 8 & 0x1ffffc, prng_next(&state) % memory);
        else
            flat(memory, size);
        if ((r & 2) != 0)
            initrd(1 + prng_next(&state) % (memory / 2));
        if ((r & 12) == 12)
            kernel_at(RAM - M + prng_next(&state) % (memory + 2 * M) / 4096 * 4096);
        if ((r & 48) == 48)
            initrd_at(RAM - M + prng_next(&state) % (memory + 2 * M) / 4096 * 4096);
        if (image_layout(&config, &layout, reason) == HV_OK) {
            check_layout();
            good++;
        } else {
            cr_assert_neq(reason[0], '\0');
            cr_assert_lt(strlen(reason), IMAGE_REASON_MAX);
        }
    }
    cr_expect_gt(good, 2000);
    cr_expect_lt(good, 8000);
}

/* --- Loading --- */

static unsigned char guest_byte(struct fixture *f, uint64_t at)
{
    struct s2_mapping mapping;

    cr_assert_eq(s2_query(&f->vm->s2, ipa(at), &mapping), HV_OK);
    return *(unsigned char *)fakehal_mem(pa(mapping.pa.v + at - mapping.ipa.v), 1);
}

static void load_setup(struct fixture *f, unsigned char *kernel, size_t size)
{
    fixture_hv(f, MIB(16), 1);
    for (size_t i = 0; i < size; i++)
        kernel[i] = (unsigned char)(i * 7 + i / 256);
    f->config.memory = 4 * M;
    f->config.kernel = (struct vm_blob){kernel, size};
    f->config.initrd = (struct vm_blob){"ramdisk", 7};
    fixture_create(f, 1);
    cr_assert_eq(image_layout(&f->config, &layout, reason), HV_OK, "%s", reason);
}

CASE(image, loads)
{
    static unsigned char kernel[0x190001];
    struct fixture f;
    uint64_t synced = 0;
    char dtb[4096];

    load_setup(&f, kernel, sizeof(kernel));
    fakehal_log_clear();
    cr_assert_eq(image_load(f.vm, &layout), HV_OK);
    for (size_t i = 0; i < sizeof(kernel); i += 997)
        cr_assert_eq(guest_byte(&f, layout.kernel + i), kernel[i], "%zu", i);
    cr_expect_eq(guest_byte(&f, layout.kernel + sizeof(kernel) - 1), kernel[sizeof(kernel) - 1]);
    cr_expect_eq(guest_byte(&f, layout.kernel + sizeof(kernel)), 0);
    for (size_t i = 0; i < 7; i++)
        cr_expect_eq(guest_byte(&f, layout.initrd + i), "ramdisk"[i]);
    for (size_t i = 0; i < sizeof(dtb); i++)
        dtb[i] = (char)guest_byte(&f, layout.dtb + i);
    cr_expect_eq(fdt_check_full(dtb, sizeof(dtb)), 0);
    for (uint64_t i = 0; i < fakehal()->log_len; i++)
        if (fakehal_log(i)->kind == FAKEHAL_CACHE_OP && fakehal_log(i)->op == HAL_CACHE_SYNC_ICACHE)
            synced += fakehal_log(i)->len;
    cr_expect_eq(synced, sizeof(kernel), "the kernel's instructions, all and nothing else");
    fixture_end(&f);
}

CASE(image, load_fails)
{
    static unsigned char kernel[4096];
    static char bootargs[4096];
    struct fixture f;

    memset(bootargs, 'x', sizeof(bootargs) - 1);
    load_setup(&f, kernel, sizeof(kernel));
    page_pool_fail_nth(&f.hv->pool, 1);
    cr_expect_eq(image_load(f.vm, &layout), HV_ERR_NOMEM, "no page for the devicetree");
    layout.dtb_span = 0x1000;
    f.config.bootargs = bootargs;
    cr_expect_eq(image_load(f.vm, &layout), HV_ERR_NOMEM, "a devicetree that does not fit");
    f.config.bootargs = "";
    layout.dtb = RAM + 4 * M;
    cr_expect_eq(image_load(f.vm, &layout), HV_ERR_NOENT);
    layout.initrd = RAM + 4 * M - 3;
    cr_expect_eq(image_load(f.vm, &layout), HV_ERR_NOENT);
    layout.kernel = RAM + 4 * M;
    cr_expect_eq(image_load(f.vm, &layout), HV_ERR_NOENT);
    fixture_end(&f);
}

CASES_RUN(image, NULL, NULL)
