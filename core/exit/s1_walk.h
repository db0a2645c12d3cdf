/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A guest's stage-1 tables, followed by software as far as a fault on their walk needs it. */
#ifndef EXIT_S1_WALK_H
#define EXIT_S1_WALK_H

#include "base/addr.h"
#include "base/err.h"
#include "vm/vcpu.h"

/*
 * The level (0..3) at which the stage-1 walk for `at` reads its descriptor from the page at IPA
 * `fault`: stage 2 reports where such a walk failed, but not at which level. 0 if no level does,
 * because the guest has changed its tables since. The vCPU is this pCPU's. Takes s2->lock.
 */
int s1_walk_level(struct vcpu *vcpu, va_t at, ipa_t fault);

/*
 * Where stage 1 has `at` as the tables are now, whatever their permissions say; `at` itself while
 * stage 1 is off. HV_ERR_NOENT if nowhere, or if a table is not in the guest's memory, HV_ERR_INVAL
 * for settings that no walk starts with. The vCPU is this pCPU's. Takes s2->lock.
 */
HV_MUST_CHECK hv_err s1_walk_translate(struct vcpu *vcpu, va_t at, ipa_t *out);

#endif
