/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Which locks a pCPU holds, and whether it may take another: the rules of docs/locking.md, for the
 * HALs that watch them (LOCK_OBSERVED in lock.h). Nothing of it is linked into the EL2 image.
 */
#ifndef BASE_LOCK_HELD_H
#define BASE_LOCK_HELD_H

#include "base/lock.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOCK_HELD_MAX   16u
#define LOCK_REASON_MAX 160u

/* All zero: none. Belongs to one pCPU, and is touched by it alone. */
struct lock_held {
    uint32_t count;
    const struct spinlock *lock[LOCK_HELD_MAX];
};

/* "vgic"; "?" for a number that is no rank. */
const char *lock_rank_name(uint32_t rank);

/* Each returns true, or false with the reason in words in reason[LOCK_REASON_MAX]. */

/* The lock may be taken: it has a rank, above those of all that are held. Changes nothing. */
bool lock_held_check(const struct lock_held *held, const struct spinlock *lock, char *reason);
/* The lock was taken, after lock_held_check(). */
bool lock_held_add(struct lock_held *held, const struct spinlock *lock, char *reason);
/* The lock is let go: it was held. In any order. */
bool lock_held_remove(struct lock_held *held, const struct spinlock *lock, char *reason);
/* No lock is held in `what`, a name for the message. */
bool lock_held_none(const struct lock_held *held, const char *what, char *reason);

#endif
