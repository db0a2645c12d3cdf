/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The VM bundle: a devicetree blob (docs/bundle.md) -> struct hv_config. Hostile: whatever is wrong
 * with it is refused as a whole with the node's path, the property and the reason.
 */
#ifndef BOOT_BUNDLE_H
#define BOOT_BUNDLE_H

#include "base/err.h"
#include "vm/config.h"
#include <stddef.h>

struct dev_registry; /* dev/registry.h */

#define BUNDLE_REASON_MAX 256u
#define BUNDLE_MAX_DEPTH  8

/*
 * Parses `size` bytes at `blob` (8-byte aligned), which must outlive `out`: strings and images are
 * used in place. The devices that a VM can ask for are those of `registry`, to whose rows `out`
 * points. HV_ERR_FORMAT or HV_ERR_RANGE, with `reason` filled in, if it is refused; what `out`
 * holds then means nothing.
 */
HV_MUST_CHECK hv_err bundle_parse(const void *blob, size_t size,
                                  const struct dev_registry *registry, struct hv_config *out,
                                  char reason[BUNDLE_REASON_MAX]);

#endif
