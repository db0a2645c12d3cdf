/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The tests, one row each: every test is a structure of its own file. */
#ifndef EXPLORE_TESTS_H
#define EXPLORE_TESTS_H

#include "explore/explore.h"

extern const struct explore_test explore_balloon;
extern const struct explore_test explore_console;
extern const struct explore_test explore_page_pool;
extern const struct explore_test explore_pl011;
extern const struct explore_test explore_sched;
extern const struct explore_test explore_sched_idle;
extern const struct explore_test explore_stage2;
extern const struct explore_test explore_timer;
extern const struct explore_test explore_vgic;
extern const struct explore_test explore_virtio;
extern const struct explore_test explore_vm_life;
extern const struct explore_test explore_vswitch;

/* Of exploration itself. */
#define EXPLORE_SELF_TESTS 13u
extern const struct explore_test explore_self[EXPLORE_SELF_TESTS];

/* All but those. */
#define EXPLORE_TESTS                                                                              \
    &explore_page_pool, &explore_stage2, &explore_vgic, &explore_pl011, &explore_console,          \
        &explore_timer, &explore_sched, &explore_sched_idle, &explore_vm_life, &explore_virtio,    \
        &explore_vswitch, &explore_balloon

#endif
