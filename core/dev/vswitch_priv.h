/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which station is behind which port: vswitch_stations.c. All with the switch's lock held. */
#ifndef DEV_VSWITCH_PRIV_H
#define DEV_VSWITCH_PRIV_H

#include "dev/vswitch.h"
#include <string.h>

static inline uint64_t vswitch_mac(const uint8_t *bytes)
{
    uint64_t mac = 0;

    memcpy(&mac, bytes, NET_MAC_LEN);
    return mac;
}

/* Broadcast, too (IEEE 802, 8.2.2): the lowest bit of the first byte. */
static inline bool vswitch_is_group(uint64_t mac)
{
    return (mac & 1) != 0;
}

/* The port that has the station; NULL: that is not known, or was long ago. */
struct vswitch_port *vswitch_find(struct vswitch *on, uint64_t mac);
/* The station sent something through this port. False if it is another port's, for good. */
bool vswitch_learn(struct vswitch_port *port, uint64_t mac);
/* The port's own address is its alone, if it is guarded. False if it is already another's. */
bool vswitch_claim(struct vswitch_port *port);
/* No station is known behind the port: at its beginning, and at its end. */
void vswitch_forget_all(struct vswitch_port *port);

#endif
