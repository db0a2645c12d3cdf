/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The bundle's first VM, with as many vCPUs as it asks for, all on the one pCPU: what core can do
 * and the role does not offer yet. The guest says what is wrong.
 */
#include "boot/bundle.h"
#include "boot/image.h"
#include "dev/registry.h"
#include "exit/exit.h"
#include "hal/hal.h"
#include "mutation/world.h"

static struct vm *launch(struct hv *hv, const struct vm_config *config)
{
    char reason[IMAGE_REASON_MAX];
    struct image_layout layout;
    struct vm *vm;

    if (image_layout(config, &layout, reason) != HV_OK)
        world_give_up(reason);
    if (vm_create(hv, config, 1, &vm) != HV_OK || dev_create_all(vm) != HV_OK ||
        image_load(vm, &layout) != HV_OK)
        world_give_up("the VM could not be made");
    vm_start(vm, ipa(layout.kernel), layout.dtb);
    return vm;
}

_Noreturn void core_main(const struct hal_boot *boot)
{
    struct world *world = world_begin(boot);
    struct hv *hv = &world->hv;
    char reason[BUNDLE_REASON_MAX] = "there is no bundle";
    const void *blob = hal_phys_map(pa(hv->platform.initrd.base), hv->platform.initrd.size);

    if (hv->platform.initrd.size == 0 || blob == NULL ||
        bundle_parse(blob, hv->platform.initrd.size, &world->config, reason) != HV_OK)
        world_give_up(reason);
    struct vm *vm = launch(hv, &world->config.vm[0]);
    while (hv->nr_running > 0)
        exit_run(&hv->pcpu[0]);
    if (vm->state != VM_OFF)
        world_give_up("the VM did not power off");
    vm_destroy(vm);
    world_end(world);
}
