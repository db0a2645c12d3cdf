/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Virtio console device (Virtual I/O Device Version 1.2, 5.3) with up to eight ports. Port 0 is a
 * console of the VM on the machine's. The others go to the ports of the same number of another VM's
 * device, if each of the two names the other; else to nobody. What goes from VM to VM waits in the
 * receiver's device, CONSOLE_PIPE_SIZE bytes a port; when that is full the sender's buffers wait.
 */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include "abi/virtio_console.h"
#include "base/err.h"
#include "base/list.h"
#include "base/lock.h"
#include "virtio/device.h"
#include "vm/config.h"
#include <stdbool.h>
#include <stdint.h>

#define CONSOLE_PORTS_MAX 8u
#define CONSOLE_PIPE_SIZE 4096u /* a power of two */

/* All devices of the machine: what connects them. */
struct virtio_console_hub {
    struct spinlock lock; /* rank dev */
    struct list_node consoles;
};
void virtio_console_hub_init(struct virtio_console_hub *hub);

/* What is behind port 0; called with no lock held. */
struct virtio_console_line {
    void (*write)(void *ctx, const char *text, size_t len);
    size_t (*read)(void *ctx, char *buf, size_t size); /* takes what is there, at most `size` */
    void *ctx;
};

struct virtio_console_port {
    uint64_t done; /* serve()'s: bytes of the chain that is next that were passed on */
    /* What follows: hub->lock. */
    bool ready;   /* the driver knows the port */
    bool open;    /* somebody in the guest has it open; port 0: does not matter */
    bool blocked; /* what it has to send waits until the other one's pipe has room */
    uint8_t todo; /* messages to the driver, a bit each: console.c */
    uint32_t head, tail;
    char pipe[CONSOLE_PIPE_SIZE]; /* what the other one has sent, from tail to head */
};

struct virtio_console {
    struct virtio_device dev; /* first: what virtio_ops get */
    struct virtq queue[2 * (CONSOLE_PORTS_MAX + 1)];
    struct virtio_console_config config;
    struct virtio_console_line line;
    struct virtio_console_hub *hub;
    struct list_node node;       /* of hub->consoles */
    struct virtio_console *peer; /* hub->lock; NULL: none */
    const char *name;            /* of its VM */
    const char *peer_name;       /* of the VM that it wants to be connected to; NULL: none */
    uint32_t nr_ports;
    struct virtq_chain chain; /* serve()'s */
    struct virtio_console_port port[CONSOLE_PORTS_MAX];
};

struct virtio_console_setup {
    uint64_t base;
    uint32_t intid;
    uint32_t nr_ports; /* 1..CONSOLE_PORTS_MAX */
    const char *peer;  /* a VM's name, which lives as long as the device; NULL: none */
    struct virtio_console_line line;
    struct virtio_console_hub *hub; /* outlives the device */
};

/*
 * As virtio_create(): `destroy` gets `console`, and calls virtio_console_leave(). The memory,
 * zeroed, is the caller's.
 */
HV_MUST_CHECK hv_err virtio_console_create(struct virtio_console *console, struct vm *vm,
                                           const struct virtio_console_setup *setup,
                                           void (*destroy)(struct vm *vm, void *dev));
/* It is not connected to any other any more. The VM is over. */
void virtio_console_leave(struct virtio_console *console);
/* There is something to read for port 0. Any pCPU. */
void virtio_console_poll(void *console);

#endif
