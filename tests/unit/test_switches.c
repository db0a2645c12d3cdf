/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Switches as a bundle asks for them, devices on them, and the machine's own network. */
#include "dev/switches.h"
#include "dev/uplink.h"
#include "vm_fixture.h"
#include <stdio.h>

static struct fixture f;
static struct hv_config config;
static struct switches switches;

static const struct dev_class *net_class(void)
{
    for (size_t i = 0; i < dev_registry.count; i++)
        if (dev_registry.class[i].create == net_create)
            return &dev_registry.class[i];
    cr_assert_fail("the registry has no network device");
    return NULL;
}

/* Device `unit` of VM `slot`, on the switch of this name. */
static struct dev_config *ask_for(unsigned slot, unsigned unit, const char *name)
{
    struct vm_config *vm = &config.vm[slot];
    struct dev_config *device = &vm->device[vm->nr_devices++];

    *device = (struct dev_config){.class = net_class(), .unit = unit, .text = {name}};
    return device;
}

static void setup(void)
{
    fixture_hv(&f, MIB(8), 1);
    memset(&config, 0, sizeof(config));
    config.nr_vms = 2;
    for (unsigned slot = 0; slot < 2; slot++)
        config.vm[slot] = (struct vm_config){
            .name = "g", .memory = MIB(1), .vcpus = 1, .bootargs = "", .kernel = {"", 1}};
    switches_init(&switches, f.hv);
    f.hv->switches = &switches;
}

/* The VM of place `slot`, with its devices. */
static hv_err make(unsigned slot, struct vm **vm)
{
    cr_assert_eq(vm_create(f.hv, &config.vm[slot], (uint16_t)(slot + 1), vm), HV_OK);
    return dev_create_all(*vm);
}

static void finish(void)
{
    switches_destroy(&switches);
    fixture_end(&f);
}

static struct vswitch_port *port(unsigned n)
{
    cr_assert_not_null(switches.on[0]->port[n]);
    return switches.on[0]->port[n];
}

CASE(switches, made_by_name)
{
    ask_for(0, 0, NULL);
    ask_for(0, 1, "other");
    ask_for(1, 0, "default");
    switches_add_all(&switches, &config);
    cr_assert_eq(switches.count, 2);
    cr_assert_eq(switches_find(&switches, "default"), switches.on[0]);
    cr_assert_eq(switches_find(&switches, "other"), switches.on[1]);
    cr_assert_null(switches_find(&switches, "oth"));
}

CASE(switches, at_most_sixteen)
{
    static char names[17][4];
    struct vm *vm;

    for (unsigned i = 0; i < 17; i++) {
        snprintf(names[i], sizeof(names[i]), "s%u", i);
        ask_for(i / 16, i, names[i]);
    }
    switches_add_all(&switches, &config);
    cr_assert_eq(switches.count, 16);
    cr_assert_eq(make(1, &vm), HV_ERR_NOENT, "on the one that there is not");
    vm_destroy(vm);
    f.hv->switches = NULL;
    cr_assert_eq(make(1, &vm), HV_ERR_NOENT);
    vm_destroy(vm);
}

CASE(switches, addresses)
{
    struct dev_config *given = ask_for(0, 3, NULL);
    struct vm *vm[2];

    given->given = 1;
    memcpy(given->mac, "\x02mine!", 6);
    ask_for(1, 5, NULL);
    switches_add_all(&switches, &config);
    cr_assert_eq(make(0, &vm[0]), HV_OK);
    cr_assert_eq(make(1, &vm[1]), HV_OK);
    cr_assert_arr_eq(port(0)->net.mac, "\x02mine!", 6);
    cr_assert_eq(port(0)->slot, 0);
    cr_assert_eq(port(0)->unit, 3);
    cr_assert(!port(0)->guarded);
    cr_assert_arr_eq(port(1)->net.mac, ((const uint8_t[]){2, 'h', 'c', 'l', 2, 5}), 6);
    cr_assert_eq(port(1)->slot, 1);
    vm_destroy(vm[0]);
    cr_assert_null(switches.on[0]->port[0]);
    vm_destroy(vm[1]);
}

CASE(switches, an_address_that_is_guarded_twice)
{
    struct vm *vm[2];

    for (unsigned slot = 0; slot < 2; slot++) {
        struct dev_config *device = ask_for(slot, 0, NULL);
        device->given = 1;
        device->flag[0] = true;
        memcpy(device->mac, "\x02mine!", 6);
    }
    switches_add_all(&switches, &config);
    cr_assert_eq(make(0, &vm[0]), HV_OK);
    cr_assert_eq(make(1, &vm[1]), HV_ERR_EXIST);
    vm_destroy(vm[0]);
    vm_destroy(vm[1]);
}

CASE(switches, no_memory)
{
    struct vm *vm;
    hv_err err = HV_ERR_NOMEM;

    ask_for(0, 0, NULL);
    page_pool_fail_nth(&f.hv->pool, 1);
    switches_add_all(&switches, &config);
    cr_assert_eq(switches.count, 0);
    switches_add_all(&switches, &config);
    cr_assert_eq(switches.count, 1);
    for (unsigned nth = 1; err != HV_OK; nth++) {
        cr_assert_lt(nth, 20);
        cr_assert_eq(vm_create(f.hv, &config.vm[0], 1, &vm), HV_OK);
        page_pool_fail_nth(&f.hv->pool, nth);
        err = dev_create_all(vm);
        cr_assert(err == HV_OK || err == HV_ERR_NOMEM);
        page_pool_fail_nth(&f.hv->pool, 0);
        vm_destroy(vm);
        cr_assert_null(switches.on[0]->port[0]);
    }
}

CASE(switches, no_interrupt_or_no_room_on_the_bus)
{
    struct dev_instance instance;
    struct vm *vm;

    ask_for(0, 0, NULL);
    switches_add_all(&switches, &config);
    cr_assert_eq(make(0, &vm), HV_OK);
    instance = (struct dev_instance){net_class(), &config.vm[0].device[0], 0x0a000000, 0x200, 48};
    cr_assert_neq(net_create(vm, &instance), HV_OK, "its registers are there already");
    cr_assert_null(switches.on[0]->port[1]);
    vm_destroy(vm);
}

/* --- The machine's network --- */

#define NET_INTID 70u

static void with_uplink(void)
{
    fakehal()->net_intid = NET_INTID;
    ask_for(0, 0, NULL)->flag[1] = true;
    switches_add_all(&switches, &config);
    cr_assert_not_null(switches.uplink);
}

CASE(switches, no_network)
{
    ask_for(0, 0, NULL)->flag[1] = true;
    switches_add_all(&switches, &config);
    cr_assert_null(switches.uplink);
    cr_assert_not_null(
        strstr(fakehal()->out, "switch default has no uplink: the machine has no network"));
    cr_assert(!switches_interrupt(&switches, NET_INTID));
    cr_assert(!switches_interrupt(NULL, NET_INTID));
    switches_route(&switches);
    switches_route(NULL);
}

CASE(switches, one_switch_has_it)
{
    with_uplink();
    ask_for(0, 1, NULL)->flag[1] = true;
    ask_for(1, 0, "other")->flag[1] = true;
    fakehal_console_clear();
    switches_add_all(&switches, &config);
    cr_assert_not_null(strstr(fakehal()->out, "switch other has no uplink: another switch has it"));
    cr_assert_null(strstr(fakehal()->out, "switch default"));
    cr_assert(fakehal()->cpu[0].enabled[NET_INTID]);
}

CASE(switches, uplink_without_memory)
{
    fakehal()->net_intid = NET_INTID;
    ask_for(0, 0, NULL)->flag[1] = true;
    for (unsigned nth = 2; nth < 4; nth++) {
        page_pool_fail_nth(&f.hv->pool, nth);
        switches_add_all(&switches, &config);
        cr_assert_null(switches.uplink);
        switches_destroy(&switches);
    }
}

CASE(switches, uplink_without_an_interrupt)
{
    fakehal()->net_intid = 5000;
    ask_for(0, 0, NULL)->flag[1] = true;
    switches_add_all(&switches, &config);
    cr_assert_null(switches.uplink);
    cr_assert_null(switches.on[0]->port[0]);
}

/* A frame as it is on the wire, to all. */
static void arrives(unsigned len)
{
    unsigned char frame[64] = {255, 255, 255, 255, 255, 255, 0x52, 0x55, 10, 0, 2, 2};

    fakehal_net_arrive(frame, len);
}

static unsigned queued(unsigned n)
{
    return VSWITCH_QUEUE - port(n)->nr_free;
}

CASE(switches, in)
{
    struct vm *vm;

    with_uplink();
    cr_assert_eq(make(0, &vm), HV_OK);
    port(1)->net.ops->set_up(&port(1)->net, true);
    for (unsigned i = 0; i < 10; i++)
        arrives(60);
    cr_assert(!switches_interrupt(&switches, NET_INTID + 1));
    cr_assert(switches_interrupt(&switches, NET_INTID));
    cr_assert_eq(queued(1), 8, "a bounded number");
    cr_assert_eq(fakehal()->net_count, 2);
    arrives(13);
    cr_assert(switches_interrupt(&switches, NET_INTID));
    cr_assert_eq(queued(1), 10);
    cr_assert_eq(port(0)->stats.dropped[NET_DROP_BAD], 1);
    const struct net_frame *frame = port(1)->net.ops->next(&port(1)->net, NULL);
    cr_assert_eq(frame->len, 60);
    cr_assert_eq(frame->data[6], 0x52);
    cr_assert(!frame->partial && !frame->valid);
    /* Nobody waits: what has no room is lost. */
    for (unsigned i = 0; i < 100; i++) {
        arrives(60);
        cr_assert(switches_interrupt(&switches, NET_INTID));
    }
    cr_assert_eq(fakehal()->net_count, 0);
    cr_assert_gt(port(1)->stats.dropped[NET_DROP_FULL], 0);
    fakehal()->cpu[0].enabled[NET_INTID] = false;
    switches_route(&switches);
    cr_assert(fakehal()->cpu[0].enabled[NET_INTID]);
    vm_destroy(vm);
}

CASE(switches, a_frame_that_is_not_taken)
{
    with_uplink();
    unsigned char frame[64] = {2, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    fakehal_net_arrive(frame, 60);
    cr_assert(switches_interrupt(&switches, NET_INTID));
    cr_assert_eq(port(0)->stats.dropped[NET_DROP_BAD], 1);
}

CASE(switches, out)
{
    uint8_t header[NET_HEADER_LEN] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9};
    struct net_frame *frame;
    struct vm *vm;

    with_uplink();
    cr_assert_eq(make(0, &vm), HV_OK);
    struct net_port *net = &port(1)->net;
    cr_assert_eq(net->ops->offer(net, header, 60, &frame), NET_TAKEN);
    memset(frame->data, 0, 60);
    memcpy(frame->data, header, sizeof(header));
    frame->len = 60;
    frame->partial = true;
    frame->valid = false;
    frame->csum_start = 34;
    frame->csum_offset = 6;
    net->ops->submit(net, frame);
    cr_assert_eq(fakehal()->net_nr_sent, 1);
    cr_assert_eq(fakehal()->net_sent.len, 60);
    cr_assert_arr_eq(fakehal()->net_sent.data, header, 12);
    cr_assert_eq(fakehal()->net_sent.data[40], 0xff, "the checksum is complete");
    cr_assert_eq(fakehal()->net_sent.data[41], 0xff);
    cr_assert_eq(port(0)->stats.received, 1);
    vm_destroy(vm);
}

CASES_RUN(switches, setup, finish)
