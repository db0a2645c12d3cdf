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

/* lock_held.c's lock_taking() and its like (lock.h) judge what happens here by these. */

/* Provided by hosted HALs: what this pCPU holds; NULL: nobody watches. */
struct lock_held *lock_held_here(void);
/* Provided by hosted HALs: a rule was broken. Ends the program, or returns if that is already
 * under way for another reason. */
void lock_held_broken(const char *reason);

/* For a HAL's functions that no lock is held across: lock_held_broken() if this pCPU has one.
 * `what` is a name for the message. */
void lock_held_expect_none(const char *what);

#endif
