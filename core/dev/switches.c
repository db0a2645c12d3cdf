/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/switches.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal/hal.h"
#include "virtio/net.h"
#include <string.h>

#define DEFAULT_SWITCH "default"

/* Their numbers in dev_config.given, too. */
enum { PROP_MAC, PROP_SWITCH, PROP_GUARDED, PROP_UPLINK };

const struct dev_prop net_props[NET_PROPS] = {
    [PROP_MAC] = {"mac", DEV_PROP_MAC, false, offsetof(struct dev_config, mac), 0, 0},
    [PROP_SWITCH] = {"switch", DEV_PROP_STRING, false, offsetof(struct dev_config, text[0]), 1,
                     VSWITCH_NAME_MAX - 1},
    [PROP_GUARDED] = {"guarded", DEV_PROP_FLAG, false, offsetof(struct dev_config, flag[0]), 0, 0},
    [PROP_UPLINK] = {"uplink", DEV_PROP_FLAG, false, offsetof(struct dev_config, flag[1]), 0, 0},
};

static const char *switch_name(const struct dev_config *config)
{
    return config->text[0] != NULL ? config->text[0] : DEFAULT_SWITCH;
}

/* --- Switches --- */

void switches_init(struct switches *switches, struct hv *hv)
{
    *switches = (struct switches){.hv = hv};
}

struct vswitch *switches_find(const struct switches *switches, const char *name)
{
    for (uint32_t i = 0; i < switches->count; i++)
        if (strcmp(switches->on[i]->name, name) == 0)
            return switches->on[i];
    return NULL;
}

static hv_err add(struct switches *switches, const char *name)
{
    struct hv *hv = switches->hv;
    unsigned order = page_pool_order(sizeof(struct vswitch));
    struct vswitch *on;
    pa_t block;
    hv_err err = HV_ERR_NOMEM;

    if (switches_find(switches, name) != NULL)
        return HV_OK;
    if (switches->count < SWITCHES_MAX)
        err = page_pool_alloc(&hv->pool, &hv->account, order, &block);
    if (err != HV_OK)
        return err;
    on = hal_phys_map(block, PAGE_SIZE << order);
    HV_CHECK(on != NULL);
    vswitch_init(on, hv, name);
    on->block = block;
    switches->on[switches->count++] = on;
    return HV_OK;
}

void switches_add_all(struct switches *switches, const struct hv_config *config)
{
    for (uint32_t slot = 0; slot < config->nr_vms; slot++) {
        const struct vm_config *vm = &config->vm[slot];
        for (uint32_t i = 0; i < vm->nr_devices; i++) {
            const struct dev_config *device = &vm->device[i];
            if (device->class->create != net_create)
                continue;
            hv_err err = add(switches, switch_name(device));
            if (err != HV_OK)
                log_write(&switches->hv->log, LOG_MOD_DEV, LOG_ERROR, "%s: net %u: switch %s: %s",
                          vm->name, device->unit, switch_name(device), hv_err_str(err));
        }
    }
}

void switches_destroy(struct switches *switches)
{
    struct hv *hv = switches->hv;
    unsigned order = page_pool_order(sizeof(struct vswitch));

    while (switches->count > 0) {
        struct vswitch *on = switches->on[--switches->count];
        pa_t block = on->block;
        hal_phys_unmap(on, PAGE_SIZE << order);
        page_pool_free(&hv->pool, &hv->account, block, order);
    }
}

/* --- Devices --- */

struct net_device {
    struct virtio_net net; /* first: what destroy() gets */
    struct vswitch_port port;
    pa_t block;
    void *frames;
    pa_t frames_block;
};

#define DEVICE_ORDER page_pool_order(sizeof(struct net_device))
#define FRAMES_SIZE  (VSWITCH_QUEUE * VSWITCH_FRAME_SIZE)

static void free_frames(struct vm *vm, const struct net_device *device)
{
    hal_phys_unmap(device->frames, FRAMES_SIZE);
    page_pool_free(&vm->hv->pool, &vm->account, device->frames_block, page_pool_order(FRAMES_SIZE));
}

static void free_device(struct vm *vm, struct net_device *device)
{
    pa_t block = device->block;

    hal_phys_unmap(device, PAGE_SIZE << DEVICE_ORDER);
    page_pool_free(&vm->hv->pool, &vm->account, block, DEVICE_ORDER);
}

static void device_destroy(struct vm *vm, void *dev)
{
    struct net_device *device = dev;

    vswitch_detach(&device->port);
    free_frames(vm, device);
    free_device(vm, device);
}

static hv_err alloc_frames(struct vm *vm, struct net_device *device)
{
    hv_err err = page_pool_alloc(&vm->hv->pool, &vm->account, page_pool_order(FRAMES_SIZE),
                                 &device->frames_block);

    if (err != HV_OK)
        return err;
    device->frames = hal_phys_map(device->frames_block, FRAMES_SIZE);
    HV_CHECK(device->frames != NULL);
    return HV_OK;
}

static hv_err alloc_device(struct vm *vm, struct net_device **out)
{
    pa_t block;
    hv_err err = page_pool_alloc(&vm->hv->pool, &vm->account, DEVICE_ORDER, &block);

    if (err != HV_OK)
        return err;
    *out = hal_phys_map(block, PAGE_SIZE << DEVICE_ORDER);
    HV_CHECK(*out != NULL);
    (*out)->block = block;
    err = alloc_frames(vm, *out);
    if (err != HV_OK)
        free_device(vm, *out);
    return err;
}

/* A locally administered address of a single station (IEEE 802, 8.4) that says whose it is. */
static void set_mac(struct vswitch_port *port, const struct vm *vm, const struct dev_config *config)
{
    const uint8_t own[NET_MAC_LEN] = {0x02, 'h', 'c', 'l', (uint8_t)vm->id, (uint8_t)config->unit};

    if ((config->given & BIT(PROP_MAC)) != 0)
        memcpy(port->net.mac, config->mac, NET_MAC_LEN);
    else
        memcpy(port->net.mac, own, NET_MAC_LEN);
}

static hv_err connect(struct vm *vm, struct net_device *device, struct vswitch *on,
                      const struct dev_instance *instance)
{
    hv_err err;

    set_mac(&device->port, vm, instance->config);
    device->port.slot = vm->id - 1u;
    device->port.unit = instance->config->unit;
    device->port.guarded = instance->config->flag[0];
    err = vswitch_attach(on, &device->port, device->frames);
    if (err == HV_OK)
        err = virtio_net_create(&device->net, vm, instance->base, instance->intid,
                                &device->port.net, device_destroy);
    return err;
}

hv_err net_create(struct vm *vm, const struct dev_instance *instance)
{
    const struct switches *switches = vm->hv->switches;
    struct vswitch *on =
        switches == NULL ? NULL : switches_find(switches, switch_name(instance->config));
    struct net_device *device;
    hv_err err;

    if (on == NULL)
        return HV_ERR_NOENT;
    err = alloc_device(vm, &device);
    if (err != HV_OK)
        return err;
    err = connect(vm, device, on, instance);
    if (err != HV_OK)
        device_destroy(vm, device);
    return err;
}
