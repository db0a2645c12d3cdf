/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Unicorn's public interface has no register for the syndrome of an exception, nor for the
 * exclusive monitor. Both are in what uc_context_save() writes; where, is found out at start-up by
 * making an engine put known values there. What is not found exactly once, or behaves in another
 * way than this HAL relies on, is refused.
 */
#ifndef HAL_SIM_CALIBRATE_H
#define HAL_SIM_CALIBRATE_H

#include <stdbool.h>
#include <stddef.h>

/* Offsets in a saved context. */
struct calibration {
    size_t x0;        /* x0..x30, 64 bits each */
    size_t syndrome;  /* 32 bits */
    size_t vaddress;  /* 64 bits */
    size_t target_el; /* 32 bits */
    size_t exclusive; /* 64 bits: the address of the exclusive monitor; all ones: open */
};

/* False with the reason in reason[SIM_REASON_MAX]. max: the CPU model, as in engine_config. */
bool calibrate(bool max, struct calibration *out, char *reason);

#endif
