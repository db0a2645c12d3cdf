/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * PrimeCell UART PL011 (DDI 0183, r1p5 register set with 16-byte FIFOs, the identification of
 * revision 1). Transmission takes no time; reception comes from a backend that keeps what the FIFO
 * has no room for. Like QEMU's model, and unlike the hardware, it sends and receives whatever
 * UARTCR's UARTEN, TXE and RXE say: guests print early and rely on a firmware that enabled it.
 */
#ifndef DEV_PL011_H
#define DEV_PL011_H

#include "arch/mmio.h"
#include "base/err.h"
#include "base/lock.h"
#include "vm/vm.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL011_FIFO_SIZE 16u

/* The other end of the line. Both are called with pl011->lock held. */
struct pl011_backend {
    void (*write)(void *ctx, const char *text, size_t len);
    size_t (*read)(void *ctx, char *buf, size_t size); /* takes what is there, at most `size` */
    void *ctx;
};

struct pl011 {
    struct spinlock lock; /* rank dev */
    struct vm *vm;
    uint32_t intid;
    struct pl011_backend backend;
    uint16_t fifo[PL011_FIFO_SIZE]; /* data with error bits, as DR reads them */
    uint8_t fifo_head;
    uint8_t fifo_count;
    bool line;       /* the interrupt's level as the vGIC was last told */
    bool delivering; /* a pCPU is telling it: it looks again for later changes when it is done */
    uint32_t rsr, ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, dmacr;
    _Atomic uint32_t fr; /* written with the lock held, read without: polling loops live on it */
};

/* Reset state (3.2), on the VM's bus at `base`, with the interrupt `intid` (an SPI). The memory is
 * the caller's. */
HV_MUST_CHECK hv_err pl011_init(struct pl011 *pl011, struct vm *vm, uint64_t base, uint32_t intid,
                                const struct pl011_backend *backend);
/* The backend has input: takes what fits. Any pCPU. */
void pl011_poll(struct pl011 *pl011);
/*
 * An mmio_access_fn. Accesses of 1, 2 and 4 bytes, aligned to their size, are accesses of the
 * 32-bit register that they lie in, cut to their size (as QEMU has it; the APB bus has no byte
 * lanes). Others are refused: QEMU makes two of an 8-byte one, but no bus bridge owes that to a
 * guest. Offsets without a register read as zero and ignore writes. Takes pl011->lock, and the
 * vGIC's after it.
 */
bool pl011_access(struct pl011 *pl011, struct mmio_access *access);

#endif
