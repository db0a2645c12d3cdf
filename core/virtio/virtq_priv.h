/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of the virtqueue share. */
#ifndef VIRTIO_VIRTQ_PRIV_H
#define VIRTIO_VIRTQ_PRIV_H

#include "virtio/virtq.h"

/* From now on it is broken. False. */
bool virtq_break(struct virtq *q);

/* virtq_chain.c: reads the chain that begins at descriptor `head`. False: it breaks a rule, and so
 * the queue is broken. */
HV_MUST_CHECK bool virtq_chain_read(struct virtq *q, uint16_t head, struct virtq_chain *chain);

#endif
