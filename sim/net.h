/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * --net user: the machine's network as QEMU's -netdev user has it, by libslirp: DHCP, DNS, TCP and
 * UDP to the outside without privileges, forwarded ports. It runs on the host's time; frames enter
 * the machine only at points that a recording keeps (sim/run.h).
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "sim/options.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_NET_REASON_MAX 256u

struct sim_net;

/* Opens the ports that are forwarded. NULL with the reason. */
struct sim_net *sim_net_start(const struct sim_options *options, char *reason);
/* NULL is allowed. */
void sim_net_stop(struct sim_net *net);

/* A frame of the machine's: kept until sim_net_poll(), or lost if too many are. May be called on a
 * small stack. */
void sim_net_send(struct sim_net *net, const void *frame, size_t len);
/* Passes on what was sent, and takes what came; waits for none. */
void sim_net_poll(struct sim_net *net);
/* Waits until something may have come, for input if `input`, or for `ns`, whichever is first; at
 * most a tenth of a second. */
void sim_net_wait(struct sim_net *net, bool input, uint64_t ns);

/* The frame that came first; NULL: none did. It stays until sim_net_drop(). */
const void *sim_net_first(const struct sim_net *net, size_t *len);
void sim_net_drop(struct sim_net *net);

#endif
