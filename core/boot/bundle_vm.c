/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/bundle_vm.h"
#include "abi/machine.h"
#include "base/addr.h"
#include "base/bits.h"
#include "base/log.h"
#include "boot/bundle_dev.h"
#include <libfdt.h>
#include <string.h>

/* What is decided once all properties of the node are read, whatever their order. */
struct vm_node {
    struct vm_config *vm;
    const char *images_of; /* NULL: images of its own */
    const fdt64_t *affinity;
    uint32_t nr_masks;
    bool has_quota;
};

/* --- Properties of a VM --- */

static hv_err read_vm_compatible(struct bundle_parser *p, const struct bundle_prop *prop,
                                 void *target)
{
    (void)target;
    return bundle_expect_string(p, prop, "halcyon,vm");
}

static hv_err read_memory(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    struct vm_config *vm = ((struct vm_node *)target)->vm;
    hv_err err = bundle_get_u64(p, prop, &vm->memory);

    if (err != HV_OK)
        return err;
    if (!is_aligned(vm->memory, PAGE_SIZE))
        return bundle_refuse(p, HV_ERR_RANGE, "%s: not a multiple of 4 KiB", prop->text);
    if (vm->memory < VM_MIN_MEMORY)
        return bundle_refuse(p, HV_ERR_RANGE, "%s: %llu KiB, must be at least %llu", prop->text,
                             (unsigned long long)(vm->memory >> 10),
                             (unsigned long long)(VM_MIN_MEMORY >> 10));
    if (range_exceeds(MACHINE_RAM_BASE, vm->memory, BIT(48)))
        return bundle_refuse(p, HV_ERR_RANGE, "%s: more than 48 bits of address hold", prop->text);
    return HV_OK;
}

static hv_err read_vcpus(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    return bundle_get_count(p, prop, 1, MACHINE_MAX_VCPUS, &((struct vm_node *)target)->vm->vcpus);
}

static hv_err read_bootargs(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    return bundle_get_string(p, prop, &((struct vm_node *)target)->vm->bootargs);
}

static hv_err read_kernel(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    return bundle_get_blob(p, prop, &((struct vm_node *)target)->vm->kernel);
}

static hv_err read_firmware(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    struct vm_blob *firmware = &((struct vm_node *)target)->vm->firmware;
    hv_err err = bundle_get_blob(p, prop, firmware);

    if (err == HV_OK && firmware->size > MACHINE_FLASH_SIZE / 2)
        return bundle_refuse(p, HV_ERR_RANGE, "%s: more than a bank of flash holds, 64 MiB",
                             prop->text);
    return err;
}

static hv_err read_initrd(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    return bundle_get_blob(p, prop, &((struct vm_node *)target)->vm->initrd);
}

static hv_err read_kernel_address(struct bundle_parser *p, const struct bundle_prop *prop,
                                  void *target)
{
    struct vm_config *vm = ((struct vm_node *)target)->vm;

    vm->has_kernel_address = true;
    return bundle_get_u64(p, prop, &vm->kernel_address);
}

static hv_err read_initrd_address(struct bundle_parser *p, const struct bundle_prop *prop,
                                  void *target)
{
    struct vm_config *vm = ((struct vm_node *)target)->vm;

    vm->has_initrd_address = true;
    return bundle_get_u64(p, prop, &vm->initrd_address);
}

static hv_err read_images_of(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    return bundle_get_string(p, prop, &((struct vm_node *)target)->images_of);
}

static hv_err read_weight(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    return bundle_get_count(p, prop, 1, VM_WEIGHT_MAX, &((struct vm_node *)target)->vm->weight);
}

static hv_err read_spis(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    return bundle_get_count(p, prop, 1, MACHINE_MAX_SPIS, &((struct vm_node *)target)->vm->spis);
}

static hv_err read_affinity(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    struct vm_node *node = target;

    if (prop->len == 0 || prop->len % 8 != 0)
        return bundle_refuse(p, HV_ERR_FORMAT,
                             "%s: %u bytes long, must be masks of 8: /bits/ 64 <...>", prop->text,
                             prop->len);
    node->affinity = (const fdt64_t *)(const void *)prop->data;
    node->nr_masks = prop->len / 8;
    for (uint32_t i = 0; i < node->nr_masks; i++)
        if (fdt64_ld(&node->affinity[i]) == 0)
            return bundle_refuse(p, HV_ERR_RANGE, "%s: a mask without a CPU", prop->text);
    return HV_OK;
}

static hv_err read_quota(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    struct vm_node *node = target;

    node->has_quota = true;
    return bundle_get_u64(p, prop, &node->vm->quota);
}

static hv_err read_stopped(struct bundle_parser *p, const struct bundle_prop *prop, void *target)
{
    return bundle_get_flag(p, prop, &((struct vm_node *)target)->vm->stopped);
}

static const struct bundle_row vm_rows[] = {
    {"compatible", true, read_vm_compatible},
    {"memory-size", true, read_memory},
    {"vcpus", false, read_vcpus},
    {"bootargs", false, read_bootargs},
    {"kernel", false, read_kernel},
    {"firmware", false, read_firmware},
    {"initrd", false, read_initrd},
    {"kernel-address", false, read_kernel_address},
    {"initrd-address", false, read_initrd_address},
    {"images-of", false, read_images_of},
    {"weight", false, read_weight},
    {"affinity", false, read_affinity},
    {"spis", false, read_spis},
    {"quota", false, read_quota},
    {"stopped", false, read_stopped},
};

_Static_assert(ARRAY_LEN(vm_rows) <= BUNDLE_ROWS_MAX, "more rows than are ticked off");

/* --- What the properties say together --- */

static const struct vm_config *find_vm(const struct hv_config *config, const char *name)
{
    for (uint32_t i = 0; i < config->nr_vms; i++)
        if (strcmp(config->vm[i].name, name) == 0)
            return &config->vm[i];
    return NULL;
}

/* Images are in the bundle once, however many VMs run them. */
static hv_err share_images(struct bundle_parser *p, const struct vm_node *node)
{
    const struct vm_config *other = find_vm(p->out, node->images_of);
    struct vm_config *vm = node->vm;
    char text[BUNDLE_TEXT_MAX];

    if (vm->kernel.size != 0 || vm->initrd.size != 0 || vm->firmware.size != 0 ||
        vm->has_kernel_address || vm->has_initrd_address)
        return bundle_refuse(p, HV_ERR_FORMAT, "images-of: there are images or addresses too");
    if (other == NULL)
        return bundle_refuse(
            p, HV_ERR_FORMAT, "images-of: there is no VM \"%s\" before this one",
            log_escape(text, sizeof(text), node->images_of, strlen(node->images_of)));
    vm->kernel = other->kernel;
    vm->initrd = other->initrd;
    vm->firmware = other->firmware;
    vm->has_kernel_address = other->has_kernel_address;
    vm->has_initrd_address = other->has_initrd_address;
    vm->kernel_address = other->kernel_address;
    vm->initrd_address = other->initrd_address;
    return HV_OK;
}

/* It finds its kernel itself. */
static hv_err check_firmware(struct bundle_parser *p, const struct vm_config *vm)
{
    if (vm->kernel.size != 0 || vm->has_kernel_address)
        return bundle_refuse(p, HV_ERR_FORMAT, "firmware: there is a kernel, too");
    if (vm->initrd.size != 0 || vm->has_initrd_address)
        return bundle_refuse(p, HV_ERR_FORMAT, "firmware: there is an initrd, too");
    return HV_OK;
}

static hv_err finish_images(struct bundle_parser *p, const struct vm_node *node)
{
    if (node->images_of != NULL)
        return share_images(p, node);
    if (node->vm->firmware.size != 0)
        return check_firmware(p, node->vm);
    if (node->vm->kernel.size == 0)
        return bundle_refuse(p, HV_ERR_FORMAT, "kernel: missing");
    if (node->vm->has_initrd_address && node->vm->initrd.size == 0)
        return bundle_refuse(p, HV_ERR_FORMAT, "initrd-address: there is no initrd");
    return HV_OK;
}

static hv_err finish_affinity(struct bundle_parser *p, const struct vm_node *node)
{
    if (node->nr_masks > 1 && node->nr_masks != node->vm->vcpus)
        return bundle_refuse(p, HV_ERR_FORMAT,
                             "affinity: %u masks, must be 1 for all or %u, one for each vCPU",
                             node->nr_masks, node->vm->vcpus);
    for (uint32_t i = 0; i < node->vm->vcpus && node->nr_masks != 0; i++)
        node->vm->affinity[i] = fdt64_ld(&node->affinity[node->nr_masks > 1 ? i : 0]);
    return HV_OK;
}

static hv_err finish_quota(struct bundle_parser *p, const struct vm_node *node)
{
    if (node->has_quota && node->vm->quota < node->vm->memory)
        return bundle_refuse(p, HV_ERR_RANGE, "quota: %llu KiB, less than memory-size",
                             (unsigned long long)(node->vm->quota >> 10));
    return HV_OK;
}

/* --- The node --- */

/* The characters that a node name may have (Devicetree Specification v0.4, 2.2.1). */
static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(",._+-", c) != NULL);
}

static hv_err read_name(struct bundle_parser *p, const char *name, struct vm_config *vm)
{
    size_t len = strlen(name);

    if (len == 0 || len >= VM_NAME_MAX)
        return bundle_refuse(p, HV_ERR_FORMAT, "a VM's name must have 1 to %u characters",
                             VM_NAME_MAX - 1);
    for (size_t i = 0; i < len; i++)
        if (!name_char(name[i]))
            return bundle_refuse(p, HV_ERR_FORMAT,
                                 "a VM's name must be of letters, digits and \",._+-\"");
    if (find_vm(p->out, name) != NULL)
        return bundle_refuse(p, HV_ERR_FORMAT, "another VM has this name");
    memcpy(vm->name, name, len + 1);
    return HV_OK;
}

hv_err bundle_read_vm(struct bundle_parser *p, int offset)
{
    const char *name = fdt_get_name(p->fdt, offset, NULL);
    struct vm_node node = {0};
    hv_err err;

    bundle_set_path(p, "/vms", name);
    if (p->out->nr_vms == HV_MAX_VMS)
        return bundle_refuse(p, HV_ERR_RANGE, "more than %u VMs", HV_MAX_VMS);
    node.vm = &p->out->vm[p->out->nr_vms];
    *node.vm = (struct vm_config){.vcpus = 1, .bootargs = ""};
    err = read_name(p, name, node.vm);
    if (err == HV_OK)
        err = bundle_read_props(p, offset, vm_rows, ARRAY_LEN(vm_rows), &node);
    if (err == HV_OK)
        err = bundle_read_devices(p, offset, node.vm);
    if (err == HV_OK)
        err = finish_images(p, &node);
    if (err == HV_OK)
        err = finish_affinity(p, &node);
    if (err == HV_OK)
        err = finish_quota(p, &node);
    if (err == HV_OK)
        p->out->nr_vms++;
    return err;
}
