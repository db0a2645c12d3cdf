/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The machine's network: frames that the outside gave it wait here, those of core go outside. */
#include "base/check.h"
#include "hal-sim/internal.h"
#include <string.h>

static void update_line(struct sim_machine *machine)
{
    irqchip_set_level(&machine->irqchip, 0, SIM_NET_INTID, machine->net_count > 0);
}

bool sim_machine_net_input(struct sim_machine *machine, const void *frame, size_t len)
{
    struct sim_net_frame *slot =
        &machine->net[(machine->net_head + machine->net_count) % SIM_NET_QUEUE];

    HV_CHECK(sim_host()->config.net_send != NULL && len > 0 && len <= HAL_NET_FRAME_MAX);
    if (machine->net_count == SIM_NET_QUEUE)
        return false;
    slot->len = (uint16_t)len;
    memcpy(slot->data, frame, len);
    machine->net_count++;
    update_line(machine);
    return true;
}

hv_err hal_net_info(uint32_t *intid)
{
    if (sim_host()->config.net_send == NULL)
        return HV_ERR_UNSUPPORTED;
    *intid = SIM_NET_INTID;
    return HV_OK;
}

void hal_net_send(const void *frame, size_t len)
{
    const struct sim_machine_config *config = &sim_host()->config;

    HV_CHECK(config->net_send != NULL && len > 0 && len <= HAL_NET_FRAME_MAX);
    config->net_send(config->ctx, frame, len);
}

size_t hal_net_receive(void *frame)
{
    struct sim_machine *machine = sim_machine();
    const struct sim_net_frame *slot = &machine->net[machine->net_head];
    size_t len = 0;

    if (machine->net_count > 0) {
        len = slot->len;
        memcpy(frame, slot->data, len);
        machine->net_head = (machine->net_head + 1) % SIM_NET_QUEUE;
        machine->net_count--;
    }
    update_line(machine);
    return len;
}
