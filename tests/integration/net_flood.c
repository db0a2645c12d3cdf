/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Sends frames as fast as it can, for ever: a Linux program for net_linux.py, freestanding.
 * net_flood INDEX TO FROM: the number of the network device, and the two addresses as 12 digits.
 * The frames are of a type for experiments (IEEE 802, 9.2.4), so that nobody answers.
 */
#include "linux_call.h"
#include <stdint.h>

enum { WRITE = 64, EXIT = 93, SOCKET = 198, BIND = 200 };

#define AF_PACKET 17
#define SOCK_RAW  3

struct sockaddr_ll {
    uint16_t family, protocol;
    int32_t index;
    uint16_t type;
    uint8_t packet, len;
    uint8_t address[8];
};

static unsigned char frame[1414];

static _Noreturn void finish(long status)
{
    for (;;)
        (void)call(EXIT, status, 0, 0);
}

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static void put_address(unsigned char *to, const char *text)
{
    for (unsigned i = 0; i < 6; i++)
        to[i] = (unsigned char)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
}

__attribute__((used)) static _Noreturn void begin(const long *stack)
{
    const char *const *argv = (const char *const *)(stack + 1);
    struct sockaddr_ll at = {.family = AF_PACKET};
    long fd = call(SOCKET, AF_PACKET, SOCK_RAW, 0);

    if (stack[0] != 4 || fd < 0)
        finish(1);
    for (const char *c = argv[1]; *c != '\0'; c++)
        at.index = at.index * 10 + (*c - '0');
    put_address(frame, argv[2]);
    put_address(frame + 6, argv[3]);
    frame[12] = 0x88;
    frame[13] = 0xb5;
    if (call(BIND, fd, (long)&at, sizeof(at)) < 0)
        finish(2);
    /* A full queue is no reason to stop. */
    for (;;)
        (void)call(WRITE, fd, (long)frame, sizeof(frame));
}

__asm__(".globl _start\n_start:\n\tmov x0, sp\n\tb begin\n");
