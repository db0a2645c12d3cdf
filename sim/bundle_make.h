/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The VM bundle (docs/bundle.md) of a run: read from a file, or made from the options as ci/bundle
 * makes it. Either way core's bundle_parse() has the last word. */
#ifndef SIM_BUNDLE_MAKE_H
#define SIM_BUNDLE_MAKE_H

#include "sim/options.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUNDLE_MAKE_REASON_MAX 256u
/* A devicetree counts its bytes in 31 bits, and libfdt wants some headroom. */
#define BUNDLE_MAKE_LIMIT (UINT64_C(1) << 30)

struct bundle_blob {
    void *data;  /* malloc()ed */
    size_t size; /* 1..BUNDLE_MAKE_LIMIT */
};

/* options->vms VMs from options->kernel and its like: "linux", or "vm0" and so on. False with the
 * reason in reason[BUNDLE_MAKE_REASON_MAX]: an unreadable or huge file, no memory. */
bool bundle_make(const struct sim_options *options, struct bundle_blob *out, char *reason);
/* The file's bytes, whatever they are; of a .dts, what dtc makes of it. */
bool bundle_read(const char *path, struct bundle_blob *out, char *reason);
void bundle_free(struct bundle_blob *blob);

/* What the machine around the bundle must know of it. Of one that core will refuse, which is core's
 * to tell: no memory, and escapes. */
struct bundle_facts {
    uint64_t memory; /* of all VMs together */
    bool escapes;    /* Ctrl-A on the console is the hypervisor's */
};

void bundle_facts(const struct bundle_blob *blob, struct bundle_facts *out);

#endif
