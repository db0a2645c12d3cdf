/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Stations are in a hash table of lists; an entry is memory of the port that it is behind. So one
 * that sends from many addresses forgets its own only, and no table ever overflows.
 */
#include "dev/vswitch_priv.h"
#include "hal/hal.h"

static struct list_node *bucket_of(struct vswitch *on, uint64_t mac)
{
    return &on->bucket[(mac * UINT64_C(0x9e3779b97f4a7c15)) >> 57];
}
_Static_assert(VSWITCH_BUCKETS == 1 << (64 - 57), "what the hash gives");

static struct vswitch_station *look_up(struct vswitch *on, uint64_t mac)
{
    struct list_node *bucket = bucket_of(on, mac);

    for (struct list_node *node = bucket->next; node != bucket; node = node->next) {
        struct vswitch_station *station = list_entry(node, struct vswitch_station, node);
        if (station->mac == mac)
            return station;
    }
    return NULL;
}

static void forget(struct vswitch_station *station)
{
    if (station->known)
        list_remove(&station->node);
    station->known = false;
}

static void know(struct vswitch_port *port, struct vswitch_station *station, uint64_t mac,
                 uint64_t now)
{
    forget(station);
    station->port = port;
    station->mac = mac;
    station->seen = now;
    station->known = true;
    list_insert_before(bucket_of(port->on, mac), &station->node);
}

/* One of the port's that is free, or else the one that was not heard of for the longest time. */
static struct vswitch_station *choose(struct vswitch_port *port, uint64_t now)
{
    struct vswitch_station *oldest = &port->station[0];

    for (uint32_t i = 0; i < VSWITCH_STATIONS; i++) {
        struct vswitch_station *station = &port->station[i];
        if (!station->known)
            return station;
        if (now - station->seen > now - oldest->seen)
            oldest = station;
    }
    return oldest;
}

struct vswitch_port *vswitch_find(struct vswitch *on, uint64_t mac)
{
    struct vswitch_station *station = look_up(on, mac);

    if (station == NULL)
        return NULL;
    if (!station->fixed && hal_time_now() - station->seen > hal_time_hz() * VSWITCH_AGE_SECONDS) {
        forget(station);
        return NULL;
    }
    return station->port;
}

bool vswitch_learn(struct vswitch_port *port, uint64_t mac)
{
    struct vswitch_station *station = look_up(port->on, mac);
    uint64_t now = hal_time_now();

    if (station != NULL && station->port == port) {
        station->seen = now;
        return true;
    }
    if (station != NULL) {
        if (station->fixed)
            return false;
        forget(station);
    }
    know(port, choose(port, now), mac, now);
    return true;
}

bool vswitch_claim(struct vswitch_port *port)
{
    uint64_t mac = vswitch_mac(port->net.mac);
    struct vswitch_station *station;

    if (!port->guarded)
        return true;
    station = look_up(port->on, mac);
    if (station != NULL) {
        if (station->fixed)
            return false;
        forget(station);
    }
    port->own.fixed = true;
    know(port, &port->own, mac, 0);
    return true;
}

void vswitch_forget_all(struct vswitch_port *port)
{
    forget(&port->own);
    for (uint32_t i = 0; i < VSWITCH_STATIONS; i++)
        forget(&port->station[i]);
}
