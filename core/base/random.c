/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/random.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void sip_rounds(struct sip *s, unsigned count)
{
    while (count-- > 0) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate_left(s->v1, 13) ^ s->v0;
        s->v3 = rotate_left(s->v3, 16) ^ s->v2;
        s->v0 = rotate_left(s->v0, 32) + s->v3;
        s->v2 += s->v1;
        s->v1 = rotate_left(s->v1, 17) ^ s->v2;
        s->v3 = rotate_left(s->v3, 21) ^ s->v0;
        s->v2 = rotate_left(s->v2, 32);
    }
}

static void sip_absorb(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_rounds(s, 2);
    s->v0 ^= word;
}

void random_seed(struct random *random, const uint64_t key[2])
{
    random->key[0] = key[0];
    random->key[1] = key[1];
    atomic_init(&random->count, 0);
    random->seeded = true;
}

/* The message is the 8 bytes of the counter; the last block holds its length alone. */
uint64_t random_next(struct random *random)
{
    struct sip s = {
        random->key[0] ^ UINT64_C(0x736f6d6570736575),
        random->key[1] ^ UINT64_C(0x646f72616e646f6d),
        random->key[0] ^ UINT64_C(0x6c7967656e657261),
        random->key[1] ^ UINT64_C(0x7465646279746573),
    };

    sip_absorb(&s, atomic_fetch_add(&random->count, 1));
    sip_absorb(&s, UINT64_C(8) << 56);
    s.v2 ^= 0xff;
    sip_rounds(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
