/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/net.h"
#include "hal/hal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <libslirp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUEUE       1024u /* frames in each direction that wait */
#define POLLS_MAX   1024u
#define NS_PER_MS   1000000
#define WAIT_MAX_MS 100u

struct frame {
    uint16_t len;
    uint8_t data[HAL_NET_FRAME_MAX];
};

struct queue {
    unsigned head, count;
    struct frame frame[QUEUE];
};

struct sim_net {
    Slirp *slirp;
    struct queue out; /* of the machine's */
    struct queue in;  /* for it */
    unsigned nr_polls;
    struct pollfd poll[POLLS_MAX + 1]; /* the last one: standard input */
};

static void put(struct queue *queue, const void *data, size_t len)
{
    struct frame *frame = &queue->frame[(queue->head + queue->count) % QUEUE];

    if (queue->count == QUEUE || len == 0 || len > sizeof(frame->data))
        return;
    frame->len = (uint16_t)len;
    memcpy(frame->data, data, len);
    queue->count++;
}

static void drop(struct queue *queue)
{
    queue->head = (queue->head + 1) % QUEUE;
    queue->count--;
}

/* --- What libslirp calls --- */

static ssize_t on_send(const void *data, size_t len, void *ctx)
{
    put(&((struct sim_net *)ctx)->in, data, len);
    return (ssize_t)len;
}

static void on_guest_error(const char *text, void *ctx)
{
    (void)text;
    (void)ctx;
}

static int64_t on_clock(void *ctx)
{
    struct timespec now;

    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 * NS_PER_MS + now.tv_nsec;
}

/* Only router advertisements have timers; IPv6 is off. */
static void *on_timer_new(SlirpTimerCb callback, void *callback_ctx, void *ctx)
{
    static char none;

    (void)callback;
    (void)callback_ctx;
    (void)ctx;
    return &none;
}

static void on_timer_free(void *timer, void *ctx)
{
    (void)timer;
    (void)ctx;
}

static void on_timer_mod(void *timer, int64_t expires, void *ctx)
{
    (void)timer;
    (void)expires;
    (void)ctx;
}

/* Descriptors are asked for anew each time, and there is nobody to notify: one thread. */
static void on_poll_fd(int fd, void *ctx)
{
    (void)fd;
    (void)ctx;
}

static void on_notify(void *ctx)
{
    (void)ctx;
}

static const SlirpCb callbacks = {
    .send_packet = on_send,
    .guest_error = on_guest_error,
    .clock_get_ns = on_clock,
    .timer_new = on_timer_new,
    .timer_free = on_timer_free,
    .timer_mod = on_timer_mod,
    .register_poll_fd = on_poll_fd,
    .unregister_poll_fd = on_poll_fd,
    .notify = on_notify,
};

/* --- Polling --- */

static const struct {
    int slirp;
    short host;
} poll_bits[] = {
    {SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
    {SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};

static int add_poll(int fd, int events, void *ctx)
{
    struct sim_net *net = ctx;
    short host = 0;

    if (net->nr_polls == POLLS_MAX)
        return -1;
    for (size_t i = 0; i < sizeof(poll_bits) / sizeof(poll_bits[0]); i++)
        if ((events & poll_bits[i].slirp) != 0)
            host = (short)(host | poll_bits[i].host);
    net->poll[net->nr_polls] = (struct pollfd){.fd = fd, .events = host};
    return (int)net->nr_polls++;
}

static int get_events(int index, void *ctx)
{
    const struct sim_net *net = ctx;
    int events = 0;

    if (index < 0 || (unsigned)index >= net->nr_polls)
        return 0;
    for (size_t i = 0; i < sizeof(poll_bits) / sizeof(poll_bits[0]); i++)
        if ((net->poll[index].revents & poll_bits[i].host) != 0)
            events |= poll_bits[i].slirp;
    return events;
}

static void flush(struct sim_net *net)
{
    for (; net->out.count > 0; drop(&net->out)) {
        const struct frame *frame = &net->out.frame[net->out.head];
        slirp_input(net->slirp, frame->data, frame->len);
    }
}

static void poll_for(struct sim_net *net, bool input, uint32_t ms)
{
    int done;

    flush(net);
    net->nr_polls = 0;
    slirp_pollfds_fill(net->slirp, &ms, add_poll, net);
    net->poll[net->nr_polls] = (struct pollfd){.fd = input ? STDIN_FILENO : -1, .events = POLLIN};
    done = poll(net->poll, net->nr_polls + 1, (int)ms);
    slirp_pollfds_poll(net->slirp, done < 0, get_events, net);
}

void sim_net_poll(struct sim_net *net)
{
    poll_for(net, false, 0);
}

void sim_net_wait(struct sim_net *net, bool input, uint64_t ns)
{
    uint64_t ms = ns / NS_PER_MS;

    poll_for(net, input, ms < WAIT_MAX_MS ? (uint32_t)ms : WAIT_MAX_MS);
}

void sim_net_send(struct sim_net *net, const void *frame, size_t len)
{
    put(&net->out, frame, len);
}

const void *sim_net_first(const struct sim_net *net, size_t *len)
{
    const struct frame *frame = &net->in.frame[net->in.head];

    *len = frame->len;
    return net->in.count > 0 ? frame->data : NULL;
}

void sim_net_drop(struct sim_net *net)
{
    drop(&net->in);
}

/* --- Life --- */

/* The addresses of QEMU's -netdev user. */
static const SlirpConfig config = {
    .version = 1,
    .in_enabled = true,
};

static struct in_addr address(uint32_t value)
{
    return (struct in_addr){.s_addr = htonl(value)};
}

static bool forward(struct sim_net *net, const struct sim_net_forward *f, char *reason)
{
    char text[INET_ADDRSTRLEN];
    struct in_addr host = address(f->host);

    if (slirp_add_hostfwd(net->slirp, f->udp, host, f->host_port, address(f->guest),
                          f->guest_port) == 0)
        return true;
    (void)snprintf(reason, SIM_NET_REASON_MAX, "--net: port %u of %s cannot be forwarded: %s",
                   f->host_port, inet_ntop(AF_INET, &host, text, sizeof(text)), strerror(errno));
    return false;
}

struct sim_net *sim_net_start(const struct sim_options *options, char *reason)
{
    struct sim_net *net = calloc(1, sizeof(*net));
    SlirpConfig own = config;

    own.vnetwork = address(0x0a000200);
    own.vnetmask = address(0xffffff00);
    own.vhost = address(0x0a000202);
    own.vdhcp_start = address(0x0a00020f);
    own.vnameserver = address(0x0a000203);
    if (net != NULL)
        net->slirp = slirp_new(&own, &callbacks, net);
    if (net == NULL || net->slirp == NULL) {
        (void)snprintf(reason, SIM_NET_REASON_MAX, "--net: no memory for a network");
        free(net);
        return NULL;
    }
    for (unsigned i = 0; i < options->nr_forwards; i++)
        if (!forward(net, &options->forward[i], reason)) {
            sim_net_stop(net);
            return NULL;
        }
    return net;
}

void sim_net_stop(struct sim_net *net)
{
    if (net == NULL)
        return;
    slirp_cleanup(net->slirp);
    free(net);
}
