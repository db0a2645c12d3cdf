/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/trace/trace_hash.h"
#include <stddef.h>
#include <string.h>
#include <xxhash.h>

struct link {
    uint64_t low;
    uint64_t high;
    struct trace_record record;
};
_Static_assert(sizeof(struct link) == 80, "what is hashed has no padding");

void trace_hash_add(struct trace_hash *hash, const struct trace_record *record)
{
    const struct link link = {hash->low, hash->high, *record};
    XXH128_hash_t digest = XXH3_128bits(&link, sizeof(link));

    hash->low = digest.low64;
    hash->high = digest.high64;
    hash->count++;
}

void trace_hash_digest(const struct trace_hash *hash, uint8_t out[TRACE_HASH_SIZE])
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, (XXH128_hash_t){hash->low, hash->high});
    memcpy(out, canonical.digest, TRACE_HASH_SIZE);
}

const char *trace_hash_text(const struct trace_hash *hash, char out[TRACE_HASH_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[TRACE_HASH_SIZE];

    trace_hash_digest(hash, digest);
    for (size_t i = 0; i < TRACE_HASH_SIZE; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[TRACE_HASH_TEXT_SIZE - 1] = '\0';
    return out;
}
