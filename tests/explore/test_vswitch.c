/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A switch whose ports' users are on a CPU each: they send to one and to all, receive, go up and
 * down; one comes and goes. What comes from one source comes in order, and no place is lost.
 */
#include "dev/vswitch.h"
#include "explore/explore.h"
#include "explore/tests.h"
#include "hal/hal.h"
#include <stdatomic.h>
#include <string.h>

#define PORTS  4u
#define ROUNDS 60u
#define LEN    64u

static struct user {
    struct vswitch_port port;
    uint32_t sent;        /* the number of the last frame */
    uint32_t seen[PORTS]; /* of the last frame from each */
    _Atomic uint32_t wakes;
    _Alignas(16) unsigned char frames[VSWITCH_QUEUE * VSWITCH_FRAME_SIZE];
} users[PORTS];
static struct vswitch on;
static struct hv hv;

static void wake(void *ctx, enum net_wake what)
{
    (void)what;
    atomic_fetch_add(&((struct user *)ctx)->wakes, 1);
}

static void attach(unsigned n)
{
    struct user *user = &users[n];

    memset(&user->port, 0, sizeof(user->port));
    user->port.net.mac[0] = 2;
    user->port.net.mac[5] = (uint8_t)n;
    user->port.net.wake = wake;
    user->port.net.ctx = user;
    user->port.guarded = n == 1;
    EXPECT(vswitch_attach(&on, &user->port, user->frames) == HV_OK);
    user->port.net.ops->set_up(&user->port.net, true);
}

static void prepare(struct world *w)
{
    (void)w;
    for (unsigned cpu = 0; cpu < PORTS; cpu++)
        timer_queue_init(&hv.pcpu[cpu].timers);
    vswitch_init(&on, &hv, "explored");
    for (unsigned n = 0; n < PORTS; n++)
        attach(n);
}

static void send(unsigned n, unsigned to)
{
    struct net_port *net = &users[n].port.net;
    uint8_t header[NET_HEADER_LEN] = {2, 0, 0, 0, 0, (uint8_t)to, 2, 0, 0, 0, 0, (uint8_t)n};
    struct net_frame *frame;

    if (to == PORTS)
        memset(header, 0xff, NET_MAC_LEN);
    if (net->ops->offer(net, header, LEN, &frame) != NET_TAKEN)
        return;
    memcpy(frame->data, header, sizeof(header));
    frame->len = LEN;
    frame->partial = false;
    frame->valid = false;
    frame->csum_start = 0;
    frame->csum_offset = 0;
    users[n].sent++;
    memcpy(frame->data + NET_HEADER_LEN, &users[n].sent, sizeof(users[n].sent));
    if (users[n].sent % 8 == 0)
        net->ops->withdraw(net, frame);
    else
        net->ops->submit(net, frame);
}

static void receive(unsigned n, unsigned count)
{
    struct net_port *net = &users[n].port.net;
    struct net_frame *frame = net->ops->next(net, NULL);

    for (; frame != NULL && count > 0; count--) {
        uint32_t from = frame->data[11];
        uint32_t number;
        EXPECT(frame->len == LEN && from < PORTS && from != n);
        memcpy(&number, frame->data + NET_HEADER_LEN, sizeof(number));
        EXPECT(number > users[n].seen[from]);
        users[n].seen[from] = number;
        frame = net->ops->next(net, frame);
    }
}

static void use(unsigned n, uint64_t *random)
{
    struct net_port *net = &users[n].port.net;

    switch (explore_pick(random, 16)) {
    case 0:
        net->ops->set_up(net, explore_pick(random, 4) != 0);
        break;
    case 1:
        net->ops->starve(net);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        receive(n, (unsigned)explore_pick(random, 8));
        break;
    case 6:
        if (n == PORTS - 1) {
            vswitch_detach(&users[n].port);
            attach(n);
        }
        break;
    default:
        send(n, (unsigned)explore_pick(random, PORTS + 1));
        break;
    }
}

static void work(struct world *w, unsigned cpu, uint64_t *random)
{
    (void)w;
    for (unsigned round = 0; round < ROUNDS; round++)
        use(cpu, random);
}

static void finish(struct world *w)
{
    (void)w;
    for (unsigned n = 0; n < PORTS; n++) {
        const struct vswitch_port *port = &users[n].port;
        receive(n, VSWITCH_QUEUE);
        EXPECT(port->nr_free == VSWITCH_QUEUE && port->filling == 0);
        for (unsigned from = 0; from < PORTS; from++)
            EXPECT(port->held[from] == 0);
    }
    for (unsigned n = 0; n < PORTS; n++)
        vswitch_detach(&users[n].port);
    for (unsigned i = 0; i < VSWITCH_BUCKETS; i++)
        EXPECT(list_empty(&on.bucket[i]));
}

const struct explore_test explore_vswitch = {
    .name = "vswitch", .nr_cpus = PORTS, .prepare = prepare, .work = work, .finish = finish};
