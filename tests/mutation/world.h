/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the programs of this directory share. Each is linked into halcyon-sim in the place of the
 * role, with all other modules of core, and prints its results in the Test Anything Protocol.
 */
#ifndef MUTATION_WORLD_H
#define MUTATION_WORLD_H

#include "dev/console.h"
#include "vm/hv.h"
#include <stdbool.h>

struct hal_boot;

struct world {
    struct hv hv;
    struct console console;
    struct hv_config config;
    unsigned count; /* results so far */
};

/* Takes the machine into use, as a role does: log, devicetree, HAL, page pool, pCPUs. Lies in the
 * HAL's arena. Ends the machine, with the reason on the console, if that fails. */
struct world *world_begin(const struct hal_boot *boot);
/* `ok N - name` or `not ok N - name`. */
void world_ok(struct world *world, bool condition, const char *name);
/* The same for got == want; a failure prints both. */
void world_eq(struct world *world, uint64_t got, uint64_t want, const char *name);
/* The plan, and the machine's orderly end. */
_Noreturn void world_end(struct world *world);
/* The machine's end for a reason that is none of the tests. */
_Noreturn void world_give_up(const char *why);

#endif
