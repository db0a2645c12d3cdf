/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The switches of the machine, and the network devices that VMs have on them: a class of
 * dev/registry.h. A switch outlives the VMs; what is behind a port is gone with its VM.
 */
#ifndef DEV_SWITCHES_H
#define DEV_SWITCHES_H

#include "dev/registry.h"
#include "dev/vswitch.h"

struct uplink; /* dev/uplink.h */

#define SWITCHES_MAX 16u

/* Made before the first VM runs, and constant from then on. */
struct switches {
    struct hv *hv;
    uint32_t count;
    struct vswitch *on[SWITCHES_MAX];
};

void switches_init(struct switches *switches, struct hv *hv);
/* Makes the switches that the bundle's network devices name, charged to hv->account. What cannot be
 * made is in the log, and a VM with a device on it does not start. The boot CPU. */
void switches_add_all(struct switches *switches, const struct hv_config *config);
/* NULL: there is no such switch. */
struct vswitch *switches_find(const struct switches *switches, const char *name);
/* Gives all back. There is no VM any more. */
void switches_destroy(struct switches *switches);

/* --- Rows of the registry --- */

#define NET_PROPS 4u
extern const struct dev_prop net_props[NET_PROPS];
/* A dev_class.create. HV_ERR_NOENT: no such switch; as vswitch_attach(); HV_ERR_NOMEM,
 * HV_ERR_QUOTA.
 */
HV_MUST_CHECK hv_err net_create(struct vm *vm, const struct dev_instance *instance);

#endif
