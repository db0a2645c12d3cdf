/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "virtio/console.h"
#include "abi/virtio.h"
#include "base/bits.h"
#include "base/fmt.h"
#include <string.h>

#define PIECE      256u  /* bytes that are copied at once */
#define PIPE_PIECE 4096u /* that a piece of work sends to another VM */
#define LINE_PIECE 32u   /* to the machine's UART: 3 ms at 115200 baud */
#define NAME_SIZE  (VM_NAME_MAX + 16u)

/* Messages that a port owes the driver, in the order in which it gets them. */
enum todo { TODO_ADD = 1, TODO_CONSOLE = 2, TODO_NAME = 4, TODO_OPEN = 8 };

static struct virtio_console *console_of(struct virtio_device *dev)
{
    return (struct virtio_console *)dev;
}

/* --- Ports and what they are connected to: hub->lock is held --- */

/* The other end of port n, which is not 0; NULL: there is none. */
static struct virtio_console_port *other_end(const struct virtio_console *c, uint32_t n)
{
    return c->peer != NULL && n < c->peer->nr_ports ? &c->peer->port[n] : NULL;
}

static bool is_connected(const struct virtio_console *c, uint32_t n)
{
    const struct virtio_console_port *other = n == 0 ? NULL : other_end(c, n);

    return n == 0 || (other != NULL && other->open);
}

static void owe(struct virtio_console *c, uint32_t n, unsigned todo)
{
    c->port[n].todo |= (uint8_t)todo;
    virtio_post(&c->dev, VIRTIO_CONSOLE_QUEUE_CONTROL_RX);
}

static void unblock(struct virtio_console *c, uint32_t n)
{
    if (!c->port[n].blocked)
        return;
    c->port[n].blocked = false;
    virtio_post(&c->dev, VIRTIO_CONSOLE_QUEUE_TX(n));
}

/* Port n is opened or closed: what nobody has read is dropped, and the other one gets to know. */
static void set_open(struct virtio_console *c, uint32_t n, bool open)
{
    struct virtio_console_port *port = &c->port[n];

    if (port->open == open)
        return;
    port->open = open;
    port->tail = port->head;
    if (n == 0 || other_end(c, n) == NULL)
        return;
    if (other_end(c, n)->ready)
        owe(c->peer, n, TODO_OPEN);
    unblock(c->peer, n);
}

/* Takes what there is room for, and all of it if nobody is there to read it. */
static size_t put(struct virtio_console *c, uint32_t n, const char *text, size_t len)
{
    struct virtio_console_port *to = other_end(c, n);
    size_t done = 0;

    if (to == NULL || !to->open)
        return len;
    while (done < len && to->head - to->tail < CONSOLE_PIPE_SIZE)
        to->pipe[to->head++ % CONSOLE_PIPE_SIZE] = text[done++];
    c->port[n].blocked = done < len;
    if (done > 0)
        virtio_post(&c->peer->dev, VIRTIO_CONSOLE_QUEUE_RX(n));
    return done;
}

static size_t get(struct virtio_console *c, uint32_t n, char *buf, size_t size)
{
    struct virtio_console_port *port = &c->port[n];
    size_t done = 0;

    while (done < size && port->tail != port->head)
        buf[done++] = port->pipe[port->tail++ % CONSOLE_PIPE_SIZE];
    if (done > 0 && other_end(c, n) != NULL)
        unblock(c->peer, n);
    return done;
}

/* --- Without hub->lock --- */

static size_t port_write(struct virtio_console *c, uint32_t n, const char *text, size_t len)
{
    if (n == 0) {
        c->line.write(c->line.ctx, text, len);
        return len;
    }
    spinlock_lock(&c->hub->lock);
    size_t done = put(c, n, text, len);
    spinlock_unlock(&c->hub->lock);
    return done;
}

static size_t port_read(struct virtio_console *c, uint32_t n, char *buf, size_t size)
{
    if (n == 0)
        return c->line.read(c->line.ctx, buf, size);
    spinlock_lock(&c->hub->lock);
    size_t done = get(c, n, buf, size);
    spinlock_unlock(&c->hub->lock);
    return done;
}

/* --- Queues --- */

/* The queues of other ports than 0 mean nothing without VIRTIO_CONSOLE_F_MULTIPORT. */
static bool pop(struct virtio_console *c, uint32_t queue)
{
    virtio_lock(&c->dev);
    bool got = (queue < 2 || virtio_has(&c->dev, VIRTIO_CONSOLE_F_MULTIPORT)) &&
               virtio_pop(&c->dev, queue, &c->chain);
    virtio_unlock(&c->dev);
    return got;
}

static void push(struct virtio_console *c, uint32_t queue, uint32_t written)
{
    virtio_lock(&c->dev);
    if (virtio_push(&c->dev, queue, c->chain.head, written))
        virtio_signal(&c->dev, queue);
    virtio_unlock(&c->dev);
}

/* The chain is found again the next time. */
static void unpop(struct virtio_console *c, uint32_t queue)
{
    virtio_lock(&c->dev);
    virtq_unpop(&c->dev.queue[queue], 1);
    virtio_unlock(&c->dev);
}

static bool give_up(struct virtio_console *c)
{
    virtio_lock(&c->dev);
    virtio_break(&c->dev);
    virtio_unlock(&c->dev);
    return false;
}

/*
 * What the guest sends. A buffer that does not go at once is taken up again where it was left: the
 * driver may have changed it meanwhile, so that `done` may be more than it has now.
 */
static bool serve_tx(struct virtio_console *c, uint32_t n, uint32_t queue)
{
    uint64_t *done = &c->port[n].done;
    size_t budget = n == 0 ? LINE_PIECE : PIPE_PIECE;
    char text[PIECE];

    if (!pop(c, queue))
        return false;
    while (budget > 0 && *done < c->chain.out_len) {
        uint64_t left = c->chain.out_len - *done;
        size_t len = budget < sizeof(text) ? budget : sizeof(text);
        len = left < len ? left : len;
        budget -= len;
        if (virtq_read(&c->chain, *done, text, len) != HV_OK)
            return give_up(c);
        size_t taken = port_write(c, n, text, len);
        *done += taken;
        if (taken < len) {
            unpop(c, queue);
            return false;
        }
    }
    if (*done < c->chain.out_len) {
        unpop(c, queue);
        return true;
    }
    *done = 0;
    push(c, queue, 0);
    return true;
}

/* What the guest receives: as much as is there, up to the size of its buffer. */
static bool serve_rx(struct virtio_console *c, uint32_t n, uint32_t queue)
{
    char text[PIECE];

    if (!pop(c, queue))
        return false;
    if (c->chain.in_len == 0)
        return give_up(c);
    size_t len = c->chain.in_len < sizeof(text) ? c->chain.in_len : sizeof(text);
    len = port_read(c, n, text, len);
    if (len == 0) {
        unpop(c, queue);
        return false;
    }
    if (virtq_write(&c->chain, 0, text, len) != HV_OK)
        return give_up(c);
    push(c, queue, (uint32_t)len);
    return true;
}

/* --- Control messages (5.3.6.2) --- */

static size_t port_name(const struct virtio_console *c, uint32_t n, char name[NAME_SIZE])
{
    if (n == 0)
        return (size_t)fmt_snprintf(name, NAME_SIZE, "console");
    return (size_t)fmt_snprintf(name, NAME_SIZE, "%s.%u",
                                c->peer_name != NULL ? c->peer_name : "port", n);
}

/* The next message of a port; 0: it owes none. hub->lock is held. */
static size_t next_message(struct virtio_console *c, uint32_t n,
                           char message[sizeof(struct virtio_console_control) + NAME_SIZE])
{
    struct virtio_console_control control = {.id = n, .value = 1};
    unsigned first = c->port[n].todo & -(unsigned)c->port[n].todo;
    size_t len = 0;

    c->port[n].todo &= (uint8_t)~first;
    switch (first) {
    case TODO_ADD:
        control.event = VIRTIO_CONSOLE_DEVICE_ADD;
        break;
    case TODO_CONSOLE:
        control.event = VIRTIO_CONSOLE_CONSOLE_PORT;
        break;
    case TODO_NAME:
        control.event = VIRTIO_CONSOLE_PORT_NAME;
        len = port_name(c, n, message + sizeof(control));
        break;
    case TODO_OPEN:
        control.event = VIRTIO_CONSOLE_PORT_OPEN;
        control.value = is_connected(c, n);
        break;
    default:
        return 0;
    }
    memcpy(message, &control, sizeof(control));
    return sizeof(control) + len;
}

static bool serve_control_rx(struct virtio_console *c, uint32_t queue)
{
    char message[sizeof(struct virtio_console_control) + NAME_SIZE];
    size_t len = 0;

    if (!pop(c, queue))
        return false;
    spinlock_lock(&c->hub->lock);
    for (uint32_t n = 0; len == 0 && n < c->nr_ports; n++)
        len = next_message(c, n, message);
    spinlock_unlock(&c->hub->lock);
    if (len == 0) {
        unpop(c, queue);
        return false;
    }
    if (virtq_write(&c->chain, 0, message, len) != HV_OK)
        return give_up(c);
    push(c, queue, (uint32_t)len);
    return true;
}

/* hub->lock is held. Ports that there are not, and events that are the device's, mean nothing. */
static void take_message(struct virtio_console *c, const struct virtio_console_control *control)
{
    uint32_t n = control->id;

    if (control->event == VIRTIO_CONSOLE_DEVICE_READY) {
        for (n = 0; control->value == 1 && n < c->nr_ports; n++)
            owe(c, n, TODO_ADD);
    } else if (n < c->nr_ports && control->event == VIRTIO_CONSOLE_PORT_READY) {
        c->port[n].ready = control->value == 1;
        if (c->port[n].ready)
            owe(c, n, (n == 0 ? TODO_CONSOLE : 0) | TODO_NAME | TODO_OPEN);
    } else if (n < c->nr_ports && control->event == VIRTIO_CONSOLE_PORT_OPEN) {
        set_open(c, n, control->value == 1);
    }
}

static bool serve_control_tx(struct virtio_console *c, uint32_t queue)
{
    struct virtio_console_control control;

    if (!pop(c, queue))
        return false;
    if (virtq_read(&c->chain, 0, &control, sizeof(control)) != HV_OK)
        return give_up(c);
    spinlock_lock(&c->hub->lock);
    take_message(c, &control);
    spinlock_unlock(&c->hub->lock);
    push(c, queue, 0);
    return true;
}

static bool is_control(uint32_t queue)
{
    return queue == VIRTIO_CONSOLE_QUEUE_CONTROL_RX || queue == VIRTIO_CONSOLE_QUEUE_CONTROL_TX;
}

/* Whose queue it is, if it is no control queue. */
static uint32_t port_of(uint32_t queue)
{
    return queue < 2 ? 0 : (queue - 2) / 2;
}

static bool serve(struct virtio_device *dev, uint32_t queue)
{
    struct virtio_console *c = console_of(dev);
    uint32_t n = port_of(queue);

    if (queue == VIRTIO_CONSOLE_QUEUE_CONTROL_RX)
        return serve_control_rx(c, queue);
    if (queue == VIRTIO_CONSOLE_QUEUE_CONTROL_TX)
        return serve_control_tx(c, queue);
    return queue % 2 == 0 ? serve_rx(c, n, queue) : serve_tx(c, n, queue);
}

/* --- Life --- */

/* hub->lock is held. */
static void close_all(struct virtio_console *c)
{
    for (uint32_t n = 0; n < c->nr_ports; n++) {
        set_open(c, n, false);
        c->port[n].ready = false;
        c->port[n].blocked = false;
        c->port[n].todo = 0;
        c->port[n].done = 0;
    }
}

static void reset(struct virtio_device *dev)
{
    struct virtio_console *c = console_of(dev);

    spinlock_lock(&c->hub->lock);
    close_all(c);
    spinlock_unlock(&c->hub->lock);
}

/* A buffer that was sent in part begins anew, whatever the driver puts there. */
static void stopped(struct virtio_device *dev, uint32_t queue)
{
    struct virtio_console *c = console_of(dev);

    if (queue % 2 == 0 || is_control(queue))
        return;
    spinlock_lock(&c->hub->lock);
    c->port[port_of(queue)].blocked = false;
    c->port[port_of(queue)].done = 0;
    spinlock_unlock(&c->hub->lock);
}

static uint32_t config_read(struct virtio_device *dev, uint32_t offset, uint32_t size)
{
    uint32_t value = 0;

    memcpy(&value, (const char *)&console_of(dev)->config + offset, size);
    return value;
}

static const struct virtio_ops ops = {
    .id = VIRTIO_ID_CONSOLE,
    .features = VIRTIO_CONSOLE_F_MULTIPORT,
    .reset = reset,
    .stopped = stopped,
    .serve = serve,
    .config_read = config_read,
    .config_size = sizeof(struct virtio_console_config),
};

void virtio_console_hub_init(struct virtio_console_hub *hub)
{
    spinlock_init(&hub->lock, LOCK_RANK_DEV);
    list_init(&hub->consoles);
}

static bool wants(const struct virtio_console *a, const struct virtio_console *b)
{
    return a->peer_name != NULL && strcmp(a->peer_name, b->name) == 0;
}

static void join(struct virtio_console *c)
{
    struct virtio_console_hub *hub = c->hub;

    spinlock_lock(&hub->lock);
    for (struct list_node *node = hub->consoles.next; node != &hub->consoles; node = node->next) {
        struct virtio_console *other = list_entry(node, struct virtio_console, node);
        if (c->peer == NULL && other->peer == NULL && wants(c, other) && wants(other, c)) {
            c->peer = other;
            other->peer = c;
        }
    }
    list_insert_before(&hub->consoles, &c->node);
    spinlock_unlock(&hub->lock);
}

void virtio_console_leave(struct virtio_console *console)
{
    struct virtio_console_hub *hub = console->hub;

    spinlock_lock(&hub->lock);
    close_all(console);
    if (console->peer != NULL)
        console->peer->peer = NULL;
    console->peer = NULL;
    list_remove(&console->node);
    spinlock_unlock(&hub->lock);
}

void virtio_console_poll(void *console)
{
    struct virtio_console *c = console;

    virtio_post(&c->dev, VIRTIO_CONSOLE_QUEUE_RX(0));
}

hv_err virtio_console_create(struct virtio_console *console, struct vm *vm,
                             const struct virtio_console_setup *setup,
                             void (*destroy)(struct vm *vm, void *dev))
{
    const struct virtio_setup virtio = {
        .ops = &ops,
        .base = setup->base,
        .intid = setup->intid,
        .queue = console->queue,
        .nr_queues = 2 * (setup->nr_ports + 1),
    };
    hv_err err = virtio_create(&console->dev, vm, &virtio, destroy);

    if (err != HV_OK)
        return err;
    console->config.max_nr_ports = setup->nr_ports;
    console->nr_ports = setup->nr_ports;
    console->line = setup->line;
    console->hub = setup->hub;
    console->name = vm->config->name;
    console->peer_name = setup->peer;
    join(console);
    return HV_OK;
}
