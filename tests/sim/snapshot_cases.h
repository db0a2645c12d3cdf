/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the tests of snapshots share: a machine of 8 MiB with nothing in it, and its snapshot. */
#ifndef TESTS_SIM_SNAPSHOT_CASES_H
#define TESTS_SIM_SNAPSHOT_CASES_H

#include "fake_machine.h"
#include "scratch.h"
#include "sim/snapshot.h"
#include "snapshot_fixture.h"

#define RAM_SIZE MIB(8)

static char reason[SNAPSHOT_REASON_MAX];
static struct sim_machine machine;
static struct snapshot_meta meta;

static inline void setup(void)
{
    scratch_begin();
    memset(reason, 0, sizeof(reason));
    machine = fake_machine_make(RAM_SIZE);
    memset(machine.state, 0, FAKE_STATE_SIZE);
    memset(machine.ram, 0, SIM_IMAGE_SIZE);
    fake_build_id = 1;
    memset(&meta, 0, sizeof(meta));
    meta.config = fake_machine_config(RAM_SIZE);
    meta.traced = true;
    meta.run_size = 5;
    memcpy(meta.run, "01234", 5);
}

static inline void finish(void)
{
    fake_machine_end(&machine);
    scratch_end();
}

static inline const char *save(void)
{
    const char *path = scratch_path("snapshot");

    cr_assert(snapshot_save(path, &machine, &meta, reason), "%s", reason);
    return path;
}

#endif
