/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Random numbers, from the first of these that delivers: FEAT_RNG (Arm ARM, RNDR), the firmware
 * (DEN 0098), a generator whose key is what the firmware left in the devicetree.
 */
#include "abi/trng.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/random.h"
#include "hal/hal.h"
#include "internal.h"
#include <string.h>

#define TRIES 16u /* RNDR may fail now and then */

/* Written before other CPUs start. */
static struct random generator;
static bool has_firmware;

/* Core draws from the same seed, numbers from 0 on: this key is made of the last two, which it
 * never reaches. */
static void init_generator(const uint64_t seed[2])
{
    uint64_t key[2];

    random_seed(&generator, seed);
    atomic_init(&generator.count, UINT64_MAX - 1);
    key[0] = random_next(&generator);
    key[1] = random_next(&generator);
    random_seed(&generator, key);
}

static bool firmware_delivers(void)
{
    struct smc_regs version = {.x = {TRNG_VERSION}};
    struct smc_regs features = {.x = {TRNG_FEATURES, TRNG_RND_64}};

    hal_smc(&version);
    if ((int32_t)version.x[0] < (int32_t)TRNG_VERSION_1_0)
        return false;
    hal_smc(&features);
    return (int32_t)features.x[0] >= 0;
}

void entropy_init(const struct hal_platform *platform)
{
    has_firmware = firmware_delivers();
    if (platform->has_seed)
        init_generator(platform->seed);
}

/* --- Sources: each gives 8 bytes --- */

static bool has_rndr(void)
{
    return bits_get(percpu_self()->idregs.reg[IDREG_ISAR0], 63, 60) != 0;
}

/* NE: there was a number. */
static bool from_rndr(uint64_t *out)
{
    uint64_t got;

    for (unsigned i = 0; i < TRIES; i++) {
        __asm__ volatile("mrs %0, S3_3_C2_C4_0\n\tcset %1, ne" : "=r"(*out), "=r"(got)::"cc");
        if (got != 0)
            return true;
    }
    return false;
}

static bool from_firmware(uint64_t *out)
{
    struct smc_regs regs = {.x = {TRNG_RND_64, 64}};

    hal_smc(&regs);
    *out = regs.x[3];
    return (int64_t)regs.x[0] == TRNG_SUCCESS;
}

static hv_err next(uint64_t *out)
{
    if (has_rndr() && from_rndr(out))
        return HV_OK;
    if (has_firmware && from_firmware(out))
        return HV_OK;
    if (generator.seeded) {
        *out = random_next(&generator);
        return HV_OK;
    }
    return has_rndr() || has_firmware ? HV_ERR_BUSY : HV_ERR_UNSUPPORTED;
}

hv_err hal_entropy(void *out, size_t len)
{
    uint64_t value[HAL_ENTROPY_MAX / 8];
    hv_err err = HV_OK;

    HV_CHECK(len > 0 && len <= HAL_ENTROPY_MAX);
    for (size_t i = 0; err == HV_OK && i < (len + 7) / 8; i++)
        err = next(&value[i]);
    if (err == HV_OK)
        memcpy(out, value, len);
    return err;
}
