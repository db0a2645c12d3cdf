/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/image.h"
#include "abi/machine.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/fmt.h"
#include "boot/guest_fdt.h"
#include "hal/hal.h"
#include "mem/guest_mem.h"
#include "vm/hv.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Header of an arm64 Image, little-endian (Linux Documentation/arm64/booting). */
#define HEADER_SIZE         64u
#define HEADER_TEXT_OFFSET  8u
#define HEADER_IMAGE_SIZE   16u
#define HEADER_FLAGS        24u
#define HEADER_MAGIC        56u
#define IMAGE_MAGIC         UINT64_C(0x644d5241) /* "ARM\x64" */
#define FLAG_BIG_ENDIAN     BIT(0)
#define OLD_TEXT_OFFSET     UINT64_C(0x80000) /* of images that leave image_size 0 */
#define IMAGE_ALIGN         MIB(2)
#define INITRD_DISTANCE_MAX MIB(128) /* from the start of RAM, if there is that much */

struct range {
    uint64_t base;
    uint64_t size;
};

/* What has its place already: kernel, initrd, devicetree. */
struct plan {
    const struct vm_config *config;
    char *reason;
    struct range taken[3];
    size_t nr_taken;
};

__attribute__((format(printf, 3, 4))) static hv_err refuse(struct plan *plan, hv_err err,
                                                           const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fmt_vsnprintf(plan->reason, IMAGE_REASON_MAX, format, args);
    va_end(args);
    return err;
}

static uint64_t get_le(const unsigned char *at, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | at[bytes];
    return value;
}

static unsigned long long kib(uint64_t bytes)
{
    return (bytes >> 10) + ((bytes & 1023) != 0);
}

/* --- The kernel --- */

struct kernel {
    uint64_t text_offset; /* from an `align` boundary */
    uint64_t align;
    uint64_t span;
    bool flat;
};

static hv_err read_header(struct plan *plan, struct kernel *out)
{
    const struct vm_blob *file = &plan->config->kernel;
    const unsigned char *header = file->data;

    if (file->size >= 2 && header[0] == 0x1f && header[1] == 0x8b)
        return refuse(plan, HV_ERR_FORMAT, "kernel: compressed with gzip, unpack it first");
    if (file->size < HEADER_SIZE || get_le(header + HEADER_MAGIC, 4) != IMAGE_MAGIC) {
        *out = (struct kernel){0, PAGE_SIZE, file->size, true};
        return HV_OK;
    }
    *out = (struct kernel){.align = IMAGE_ALIGN,
                           .text_offset = get_le(header + HEADER_TEXT_OFFSET, 8),
                           .span = get_le(header + HEADER_IMAGE_SIZE, 8)};
    if (out->span == 0) {
        /* Before Linux 3.17: no other field means anything, and how much memory it needs is not
         * known. The other images stay as far away as they can. */
        out->text_offset = OLD_TEXT_OFFSET;
    } else if ((get_le(header + HEADER_FLAGS, 8) & FLAG_BIG_ENDIAN) != 0) {
        return refuse(plan, HV_ERR_FORMAT, "kernel: a big-endian arm64 Image");
    }
    if (out->span < file->size)
        out->span = file->size;
    if (out->text_offset >= IMAGE_ALIGN || !is_aligned(out->text_offset, 4))
        return refuse(plan, HV_ERR_FORMAT,
                      "kernel: text_offset 0x%llx in the Image header is not sound",
                      (unsigned long long)out->text_offset);
    return HV_OK;
}

/* --- Places --- */

static bool fits(const struct plan *plan, uint64_t base, uint64_t size)
{
    if (base < MACHINE_RAM_BASE ||
        range_exceeds(base - MACHINE_RAM_BASE, size, plan->config->memory))
        return false;
    for (size_t i = 0; i < plan->nr_taken; i++)
        if (ranges_overlap(base, size, plan->taken[i].base, plan->taken[i].size))
            return false;
    return true;
}

static void take(struct plan *plan, uint64_t base, uint64_t size)
{
    plan->taken[plan->nr_taken++] = (struct range){base, size};
}

/* Where the bundle wants it: what is wrong with that place, if anything. */
static hv_err take_fixed(struct plan *plan, const char *what, uint64_t base, uint64_t size)
{
    if (!is_aligned(base, PAGE_SIZE))
        return refuse(plan, HV_ERR_ALIGN, "%s-address: 0x%llx is not a multiple of 4 KiB", what,
                      (unsigned long long)base);
    if (base < MACHINE_RAM_BASE ||
        range_exceeds(base - MACHINE_RAM_BASE, size, plan->config->memory))
        return refuse(plan, HV_ERR_RANGE,
                      "%s-address: %llu KiB at 0x%llx do not lie in the VM's memory, %llu KiB at "
                      "0x%llx",
                      what, kib(size), (unsigned long long)base, kib(plan->config->memory),
                      (unsigned long long)MACHINE_RAM_BASE);
    if (!fits(plan, base, size))
        return refuse(plan, HV_ERR_EXIST, "%s-address: %llu KiB at 0x%llx overlap the kernel", what,
                      kib(size), (unsigned long long)base);
    take(plan, base, size);
    return HV_OK;
}

/*
 * The first free place at or after `from`, or else anywhere, at a multiple of `align`. Free places
 * begin at the start of RAM or where something ends.
 */
static bool take_free(struct plan *plan, uint64_t from, uint64_t size, uint64_t align,
                      uint64_t *out)
{
    uint64_t candidates[2 + ARRAY_LEN(plan->taken)] = {from, MACHINE_RAM_BASE};
    size_t n = 2;

    for (size_t i = 0; i < plan->nr_taken; i++)
        candidates[n++] = plan->taken[i].base + plan->taken[i].size;
    for (size_t i = 0; i < n; i++) {
        uint64_t base = align_up(candidates[i], align);
        if (fits(plan, base, size)) {
            take(plan, base, size);
            *out = base;
            return true;
        }
    }
    return false;
}

static hv_err place_kernel(struct plan *plan, const struct kernel *kernel, struct image_layout *out)
{
    uint64_t memory = plan->config->memory;

    out->kernel_file_size = plan->config->kernel.size;
    out->kernel_span = kernel->span;
    if (plan->config->has_kernel_address) {
        out->kernel = plan->config->kernel_address;
        if ((out->kernel & (kernel->align - 1)) != kernel->text_offset)
            return refuse(plan, HV_ERR_ALIGN,
                          "kernel-address: 0x%llx is not 0x%llx above a multiple of %llu KiB",
                          (unsigned long long)out->kernel, (unsigned long long)kernel->text_offset,
                          kib(kernel->align));
        return take_fixed(plan, "kernel", out->kernel, kernel->span);
    }
    out->kernel =
        MACHINE_RAM_BASE + (kernel->flat ? MACHINE_FLAT_TEXT_OFFSET : kernel->text_offset);
    if (range_exceeds(out->kernel - MACHINE_RAM_BASE, kernel->span, memory))
        return refuse(plan, HV_ERR_RANGE,
                      "kernel: needs %llu KiB at 0x%llx, the VM has %llu KiB at 0x%llx",
                      kib(kernel->span), (unsigned long long)out->kernel, kib(memory),
                      (unsigned long long)MACHINE_RAM_BASE);
    take(plan, out->kernel, kernel->span);
    return HV_OK;
}

/*
 * Far enough from a kernel that does not say how much memory it needs, near enough for one that
 * maps little of it in the beginning.
 */
static uint64_t initrd_start(const struct plan *plan, const struct image_layout *out)
{
    uint64_t half = plan->config->memory / 2;
    uint64_t far = MACHINE_RAM_BASE + (half < INITRD_DISTANCE_MAX ? half : INITRD_DISTANCE_MAX);
    uint64_t end = out->kernel + out->kernel_span;

    return align_up(far > end ? far : end, IMAGE_ALIGN);
}

static hv_err place_initrd(struct plan *plan, struct image_layout *out)
{
    uint64_t size = plan->config->initrd.size;
    uint64_t from = initrd_start(plan, out);

    out->initrd_size = size;
    if (size == 0)
        return HV_OK;
    if (plan->config->has_initrd_address) {
        out->initrd = plan->config->initrd_address;
        return take_fixed(plan, "initrd", out->initrd, size);
    }
    if (take_free(plan, from, size, IMAGE_ALIGN, &out->initrd) ||
        take_free(plan, from, size, PAGE_SIZE, &out->initrd))
        return HV_OK;
    return refuse(plan, HV_ERR_RANGE,
                  "initrd: its %llu KiB do not fit beside the kernel's %llu KiB "
                  "in the VM's %llu KiB",
                  kib(size), kib(out->kernel_span), kib(plan->config->memory));
}

/*
 * A flat image finds its devicetree at the start of RAM, where QEMU's virt puts it for firmware:
 * U-Boot looks nowhere else. A kernel finds it behind the initrd. It must not cross a 2 MiB
 * boundary, which its own alignment sees to.
 */
static hv_err place_dtb(struct plan *plan, bool flat, struct image_layout *out)
{
    uint64_t from =
        out->initrd_size != 0 ? out->initrd + out->initrd_size : initrd_start(plan, out);

    out->dtb_span = IMAGE_DTB_SPAN;
    if (flat)
        from = MACHINE_RAM_BASE;
    if (take_free(plan, from, out->dtb_span, IMAGE_ALIGN, &out->dtb) ||
        take_free(plan, from, out->dtb_span, IMAGE_DTB_SPAN, &out->dtb))
        return HV_OK;
    return refuse(plan, HV_ERR_RANGE,
                  "kernel and initrd leave no %llu KiB for the devicetree in the VM's %llu KiB",
                  kib(out->dtb_span), kib(plan->config->memory));
}

hv_err image_layout(const struct vm_config *config, struct image_layout *out,
                    char reason[IMAGE_REASON_MAX])
{
    struct plan plan = {.config = config, .reason = reason};
    struct kernel kernel = {0};
    hv_err err;

    *out = (struct image_layout){0};
    reason[0] = '\0';
    if (config->firmware.size != 0)
        return place_dtb(&plan, true, out);
    if (config->kernel.size == 0)
        return refuse(&plan, HV_ERR_FORMAT, "kernel: missing or empty");
    err = read_header(&plan, &kernel);
    if (err == HV_OK)
        err = place_kernel(&plan, &kernel, out);
    if (err == HV_OK)
        err = place_initrd(&plan, out);
    if (err == HV_OK)
        err = place_dtb(&plan, kernel.flat, out);
    return err;
}

/* --- Loading --- */

/* guest_mem_write(), between whose pieces others have their turn. */
static hv_err load_file(struct vm *vm, uint64_t at, const struct vm_blob *file)
{
    const unsigned char *data = file->data;
    hv_err err = HV_OK;

    for (uint64_t done = 0; err == HV_OK && done < file->size; done += HV_PIECE) {
        uint64_t left = file->size - done;
        uint64_t len = left < HV_PIECE ? left : HV_PIECE;
        err = guest_mem_write(&vm->s2, ipa(at + done), data + done, len);
        hv_worked(vm->hv, len);
    }
    return err;
}

/* The instruction caches may hold what the memory held before: for each mapping that the range
 * touches. */
static hv_err sync_instructions(struct vm *vm, uint64_t at, uint64_t size)
{
    uint64_t end = at + size;

    while (at < end) {
        struct s2_mapping mapping;
        hv_err err = s2_query(&vm->s2, ipa(at), &mapping);
        if (err != HV_OK)
            return err;
        uint64_t inside = at - mapping.ipa.v;
        uint64_t len = mapping.size - inside < end - at ? mapping.size - inside : end - at;
        if (len > HV_PIECE)
            len = HV_PIECE;
        void *ptr = hal_phys_map(pa_add(mapping.pa, inside), len);
        HV_CHECK(ptr != NULL);
        hal_cache_op(ptr, len, HAL_CACHE_SYNC_ICACHE);
        hal_phys_unmap(ptr, len);
        hv_worked(vm->hv, len);
        at += len;
    }
    return HV_OK;
}

static hv_err load_dtb(struct vm *vm, const struct image_layout *layout)
{
    struct hv *hv = vm->hv;
    unsigned order = page_pool_order(layout->dtb_span);
    void *dtb;
    pa_t block;
    hv_err err = page_pool_alloc(&hv->pool, &hv->account, order, &block);

    if (err != HV_OK)
        return err;
    dtb = hal_phys_map(block, layout->dtb_span);
    HV_CHECK(dtb != NULL);
    err = guest_fdt_build(vm, layout, dtb, layout->dtb_span);
    if (err == HV_OK)
        err = guest_mem_write(&vm->s2, ipa(layout->dtb), dtb, layout->dtb_span);
    hal_phys_unmap(dtb, layout->dtb_span);
    page_pool_free(&hv->pool, &hv->account, block, order);
    return err;
}

hv_err image_load(struct vm *vm, const struct image_layout *layout)
{
    const struct vm_config *config = vm->config;
    hv_err err = load_file(vm, layout->kernel, &config->kernel);

    if (err == HV_OK && layout->initrd_size != 0)
        err = load_file(vm, layout->initrd, &config->initrd);
    if (err == HV_OK)
        err = load_dtb(vm, layout);
    if (err == HV_OK)
        err = sync_instructions(vm, layout->kernel, layout->kernel_file_size);
    return err;
}
