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

/* One VM named "linux" from options->kernel and its like. False with the reason in
 * reason[BUNDLE_MAKE_REASON_MAX]: an unreadable or huge file, no memory. */
bool bundle_make(const struct sim_options *options, struct bundle_blob *out, char *reason);
/* The file's bytes, whatever they are. */
bool bundle_read(const char *path, struct bundle_blob *out, char *reason);
void bundle_free(struct bundle_blob *blob);

/* Memory of all VMs together; 0 for a bundle that core will refuse, which is core's to tell. */
uint64_t bundle_memory(const struct bundle_blob *blob);

#endif
