/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Ending VMs in an orderly way: by their power button, and otherwise. All of it is the manager's.
 */
#ifndef ROLE_STOP_H
#define ROLE_STOP_H

#include "vm/config.h"
#include "vm/hv.h"
#include "vm/timer.h"
#include <stdbool.h>
#include <stdint.h>

/* How long a VM has to power itself off. */
#define STOP_SECONDS 10u

/* All zeroes at first. */
struct stopping {
    struct hv *hv;
    struct timer due;        /* posts work when the first of them has had its time */
    uint64_t by[HV_MAX_VMS]; /* when the VM of slot n is ended; 0: nobody has asked it */
};

/*
 * Presses the power button of the VM of `slot`, which is made, and gives it STOP_SECONDS. False if
 * it is to be ended at once: nobody would notice the button, it is paused, or it was asked before.
 */
bool stop_ask(struct stopping *stopping, struct hv *hv, uint32_t slot);

/* The VM of `slot` was asked, or not, and is not ended for it any more. */
void stop_forget(struct stopping *stopping, uint32_t slot);

/* Ends those that have had their time, and forgets those that are over. Whenever there is work,
 * before VMs that are over are destroyed. */
void stop_check(struct stopping *stopping);

#endif
