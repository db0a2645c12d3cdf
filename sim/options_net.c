/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* --net switch | user[,hostfwd=[tcp|udp]:[HOST]:PORT-[GUEST]:PORT]... */
#include "sim/options_parse.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define GUEST_ADDRESS UINT32_C(0x0a00020f) /* 10.0.2.15, the first that DHCP gives */

/* The text before `end`, which is one of its characters; it goes on behind it. False: too long, or
 * there is no such character. */
static bool take_until(const char **at, char end, char *out, size_t size)
{
    const char *stop = strchr(*at, end);
    size_t len = stop == NULL ? strlen(*at) : (size_t)(stop - *at);

    if ((stop == NULL && end != '\0') || len >= size)
        return false;
    memcpy(out, *at, len);
    out[len] = '\0';
    *at += len + (end != '\0');
    return true;
}

static bool parse_address(const char *text, uint32_t if_empty, uint32_t *out)
{
    struct in_addr address;

    *out = if_empty;
    if (*text == '\0')
        return true;
    if (inet_pton(AF_INET, text, &address) != 1)
        return false;
    *out = ntohl(address.s_addr);
    return true;
}

static bool parse_port(const char *text, uint16_t *out)
{
    uint32_t value = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 5)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (uint32_t)(*text - '0');
    }
    *out = (uint16_t)value;
    return value > 0 && value <= UINT16_MAX;
}

static bool parse_forward(const char *at, struct sim_net_forward *out)
{
    char protocol[4], host[16], host_port[6], guest[16], guest_port[6];

    if (!take_until(&at, ':', protocol, sizeof(protocol)) ||
        !take_until(&at, ':', host, sizeof(host)) ||
        !take_until(&at, '-', host_port, sizeof(host_port)) ||
        !take_until(&at, ':', guest, sizeof(guest)) ||
        !take_until(&at, '\0', guest_port, sizeof(guest_port)))
        return false;
    out->udp = strcmp(protocol, "udp") == 0;
    return (out->udp || protocol[0] == '\0' || strcmp(protocol, "tcp") == 0) &&
           parse_address(host, 0, &out->host) && parse_port(host_port, &out->host_port) &&
           parse_address(guest, GUEST_ADDRESS, &out->guest) &&
           parse_port(guest_port, &out->guest_port);
}

static bool take_word(struct options_parse *p, const char *word)
{
    struct sim_options *out = p->out;

    if (strncmp(word, "hostfwd=", 8) != 0)
        return options_refuse(p, "--net: after user comes hostfwd=, not '%s'", word);
    if (out->nr_forwards == SIM_NET_FORWARDS)
        return options_refuse(p, "--net: at most %u forwarded ports", SIM_NET_FORWARDS);
    if (!parse_forward(word + 8, &out->forward[out->nr_forwards]))
        return options_refuse(p,
                              "--net: '%s' is not hostfwd=tcp:HOST:PORT-GUEST:PORT, nor the same "
                              "with udp; HOST and GUEST are numbers or empty",
                              word);
    out->nr_forwards++;
    return true;
}

bool options_set_net(struct options_parse *p, const char *text)
{
    char word[80];
    size_t len = strcspn(text, ",");

    p->out->net = true;
    if (strcmp(text, "switch") == 0)
        return true;
    p->out->net_user = len == 4 && strncmp(text, "user", 4) == 0;
    if (!p->out->net_user)
        return options_refuse(p, "--net: switch, or user with hostfwd=...; see --help");
    for (const char *at = text + len; *at != '\0'; at += len) {
        at++;
        len = strcspn(at, ",");
        (void)snprintf(word, sizeof(word), "%.*s", (int)(len < 79 ? len : 79), at);
        if (!take_word(p, word))
            return false;
    }
    return true;
}

bool options_check_net(struct options_parse *p)
{
    if (p->out->net_user && p->given[OPT_SNAPSHOT])
        return options_refuse(p, "--net user with --snapshot: the connections would not be in it");
    if (p->out->net && !p->out->net_user && p->given[OPT_BUNDLE])
        return options_refuse(p, "--net switch goes with --kernel F; in a bundle it is a node "
                                 "net@N");
    return true;
}
