/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "virtio/net_port.h"
#include "base/check.h"
#include <string.h>

/* The sum of 16-bit words in memory order, folded; it has the same bytes whatever the order is (RFC
 * 1071, 2 (B)). Eight bytes at a time. */
static uint16_t sum16(const uint8_t *data, uint32_t len)
{
    uint64_t sum = 0;
    uint64_t word;

    for (; len >= 8; data += 8, len -= 8) {
        memcpy(&word, data, 8);
        sum += word;
        sum += sum < word;
    }
    word = 0;
    memcpy(&word, data, len);
    sum += word;
    sum += sum < word;
    sum = (sum >> 32) + (sum & UINT32_MAX);
    sum = (sum >> 32) + (sum & UINT32_MAX);
    sum = (sum >> 16) + (sum & UINT16_MAX);
    sum = (sum >> 16) + (sum & UINT16_MAX);
    return (uint16_t)((sum >> 16) + (sum & UINT16_MAX));
}

void net_frame_complete(struct net_frame *frame)
{
    uint16_t sum;

    if (!frame->partial)
        return;
    HV_CHECK(net_frame_is_sound(frame));
    sum =
        (uint16_t)~sum16(frame->data + frame->csum_start, (uint32_t)frame->len - frame->csum_start);
    /* UDP's zero means none; both are the same number (RFC 768). */
    if (sum == 0)
        sum = UINT16_MAX;
    memcpy(frame->data + frame->csum_start + frame->csum_offset, &sum, sizeof(sum));
    frame->partial = false;
    frame->valid = true;
}
