/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Bundles in devicetree source: compiled by the program dtc, which must be installed. */
#ifndef SIM_BUNDLE_SOURCE_H
#define SIM_BUNDLE_SOURCE_H

#include "sim/bundle_make.h"

/* Whether the name says so: it ends with ".dts". */
bool bundle_is_source(const char *path);
/* False with the first line that dtc has to say, or why it could not be run, in
 * reason[BUNDLE_MAKE_REASON_MAX]. Waits for dtc. */
bool bundle_compile(const char *path, struct bundle_blob *out, char *reason);

#endif
