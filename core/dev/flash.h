/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What stands where QEMU's virt has its flash: erased, write-protected banks. Every byte reads as
 * ones and writes change nothing, so that firmware which looks for its saved settings finds none
 * instead of an abort. It answers no command of the Common Flash Interface and is not in the
 * devicetree.
 */
#ifndef DEV_FLASH_H
#define DEV_FLASH_H

#include "arch/mmio.h"
#include <stdbool.h>

/* As mmio_access_fn; every size and alignment. */
bool flash_access(void *dev, struct mmio_access *access);

#endif
