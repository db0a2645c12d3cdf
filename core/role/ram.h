/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which of the machine's RAM is free for the page pool. */
#ifndef ROLE_RAM_H
#define ROLE_RAM_H

#include "base/err.h"
#include "hal/platform.h"
#include "mem/page_pool.h"
#include <stddef.h>

#define RAM_MAX_TAKEN 3u

/*
 * Gives all RAM of `platform` to `pool` but the firmware's reserved ranges and the `nr_taken`
 * (0..RAM_MAX_TAKEN) ranges in `taken`. Pieces too small for the pool are left out. HV_ERR_NOMEM if
 * nothing is left.
 */
HV_MUST_CHECK hv_err ram_give_to_pool(const struct hal_platform *platform,
                                      const struct platform_range *taken, size_t nr_taken,
                                      struct page_pool *pool);

#endif
