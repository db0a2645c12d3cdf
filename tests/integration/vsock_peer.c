/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One end of a socket between two VMs, as a Linux program for misc_linux.py, freestanding. Without
 * an argument it takes one connection and counts what comes; then says "got BYTES SUM" and sends
 * the sum back. With a CID it connects there, until that works, sends BYTES bytes, and says "sent
 * BYTES SUM ANSWER". With a CID and a second argument it tries once, and says "errno N".
 */
#include "linux_call.h"
#include <stddef.h>
#include <stdint.h>

enum { READ = 63, WRITE = 64, EXIT = 93, NANOSLEEP = 101, SOCKET = 198, BIND = 200 };
enum { LISTEN = 201, ACCEPT = 202, CONNECT = 203, SHUTDOWN = 210, CLOSE = 57 };

#define AF_VSOCK 40
#define PORT     1234u
#define BYTES    2000000u

struct sockaddr_vm {
    uint16_t family, reserved;
    uint32_t port, cid;
    uint8_t zero[4];
};

static char line[128];
static size_t line_len;
static unsigned char bytes[8192];

static void put_text(const char *text)
{
    while (*text != '\0')
        line[line_len++] = *text++;
}

static void put_number(uint64_t value)
{
    char digits[20];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    while (n > 0)
        line[line_len++] = digits[--n];
    line[line_len++] = ' ';
}

static _Noreturn void finish(long status)
{
    line[line_len++] = '\n';
    (void)call(WRITE, 1, (long)line, (long)line_len);
    for (;;)
        (void)call(EXIT, status, 0, 0);
}

static void check(long result, const char *what)
{
    if (result >= 0)
        return;
    put_text(what);
    finish(1);
}

static uint64_t sum(uint64_t so_far, long len)
{
    for (long i = 0; i < len; i++)
        so_far = so_far * 31 + bytes[i];
    return so_far;
}

static _Noreturn void serve(void)
{
    struct sockaddr_vm any = {.family = AF_VSOCK, .port = PORT, .cid = UINT32_MAX};
    uint64_t total = 0;
    uint64_t hash = 0;
    long n;
    long s = call(SOCKET, AF_VSOCK, 1, 0);

    check(s, "socket");
    check(call(BIND, s, (long)&any, sizeof(any)), "bind");
    check(call(LISTEN, s, 1, 0), "listen");
    s = call(ACCEPT, s, 0, 0);
    check(s, "accept");
    while ((n = call(READ, s, (long)bytes, sizeof(bytes))) > 0) {
        hash = sum(hash, n);
        total += (uint64_t)n;
    }
    check(n, "read");
    check(call(WRITE, s, (long)&hash, sizeof(hash)), "write");
    check(call(CLOSE, s, 0, 0), "close");
    put_text("got ");
    put_number(total);
    put_number(hash);
    finish(0);
}

static long connect_to(uint32_t cid, int once)
{
    const struct sockaddr_vm there = {.family = AF_VSOCK, .port = PORT, .cid = cid};
    const int64_t tenth[2] = {0, 100000000};

    for (unsigned tries = 0; tries < 100; tries++) {
        long s = call(SOCKET, AF_VSOCK, 1, 0);
        check(s, "socket");
        long result = call(CONNECT, s, (long)&there, sizeof(there));
        if (result == 0)
            return s;
        if (once) {
            put_text("errno ");
            put_number((uint64_t)-result);
            finish(0);
        }
        (void)call(CLOSE, s, 0, 0);
        (void)call(NANOSLEEP, (long)tenth, 0, 0);
    }
    check(-1, "connect");
    return -1;
}

static _Noreturn void talk(uint32_t cid, int once)
{
    long s = connect_to(cid, once);
    uint64_t random = 1;
    uint64_t hash = 0;
    uint64_t answer = 0;

    for (uint32_t done = 0; done < BYTES; done += 5000) {
        for (uint32_t i = 0; i < 5000; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            bytes[i] = (unsigned char)(random >> 56);
        }
        hash = sum(hash, 5000);
        for (long off = 0; off < 5000;) {
            long n = call(WRITE, s, (long)(bytes + off), 5000 - off);
            check(n, "write");
            off += n;
        }
    }
    check(call(SHUTDOWN, s, 1, 0), "shutdown");
    check(call(READ, s, (long)&answer, sizeof(answer)), "read");
    put_text("sent ");
    put_number(BYTES);
    put_number(hash);
    put_number(answer);
    finish(0);
}

/* `stack`: argc, argv, as Linux starts a program. */
void peer_main(const long *stack);
void peer_main(const long *stack)
{
    const char *const *argv = (const char *const *)(stack + 1);
    uint32_t cid = 0;

    if (stack[0] < 2)
        serve();
    for (const char *c = argv[1]; *c != '\0'; c++)
        cid = cid * 10 + (uint32_t)(*c - '0');
    talk(cid, stack[0] > 2);
}

__asm__(".globl _start\n_start:\tmov x0, sp\n\tbl peer_main\n");
