/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory. Small arenas are kept for whoever wants one of their size next: a fuzzer has the same
 * ones for each of its cases. */
#define _GNU_SOURCE
#include "fakehal/fakehal.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE     UINT64_C(4096)
#define SPARES   16u
#define KEEP_MAX UINT64_C(0x100000) /* of those that are not guarded */

/* Of AddressSanitizer, where there is one. */
void __asan_poison_memory_region(void const volatile *addr, size_t size) __attribute__((weak));
void __asan_unpoison_memory_region(void const volatile *addr, size_t size) __attribute__((weak));

static struct fakehal_arena spare[SPARES];

static void close_to_core(unsigned char *mem, uint64_t len)
{
    if (__asan_poison_memory_region != NULL)
        __asan_poison_memory_region(mem, len);
}

static void open_to_core(unsigned char *mem, uint64_t len)
{
    if (__asan_unpoison_memory_region != NULL)
        __asan_unpoison_memory_region(mem, len);
}

/* --- Arenas --- */

static void *map_host(void *at, uint64_t size, int prot, int flags, int fd)
{
    void *mem = mmap(at, size, prot, flags | MAP_NORESERVE, fd, 0);

    if (mem == MAP_FAILED)
        fakehal_fail("the host has no address space for %#" PRIx64 " bytes", size);
    return mem;
}

/* Two views of one memory; core's has a page before and one behind that nobody can touch. */
static void make_guarded(struct fakehal_arena *arena)
{
    uint64_t size = arena->size;
    int fd = memfd_create("fakehal", 0);

    if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
        fakehal_fail("the host has no memory for %#" PRIx64 " bytes", size);
    unsigned char *fence =
        map_host(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    arena->mem = map_host(fence + PAGE, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd);
    arena->own = map_host(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    arena->map_count = calloc(size / PAGE, sizeof(*arena->map_count));
    arena->touched = calloc(size / PAGE, sizeof(*arena->touched));
    if (arena->map_count == NULL || arena->touched == NULL)
        fakehal_fail("the host is out of memory");
    (void)close(fd);
    close_to_core(arena->mem, size);
}

static void make(struct fakehal_arena *arena, bool guarded)
{
    if (guarded) {
        make_guarded(arena);
        return;
    }
    arena->mem =
        map_host(NULL, arena->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    arena->own = arena->mem;
}

static void unmake(struct fakehal_arena *arena)
{
    if (arena->map_count != NULL) {
        open_to_core(arena->mem, arena->size);
        munmap(arena->mem - PAGE, arena->size + 2 * PAGE);
        free(arena->map_count);
        free(arena->touched);
    }
    munmap(arena->own, arena->size);
}

/* All zero, and closed if it is guarded, without a look at pages that nobody has had. */
static void renew(struct fakehal_arena *arena)
{
    if (arena->map_count == NULL) {
        open_to_core(arena->mem, arena->size);
        memset(arena->mem, 0, arena->size);
        return;
    }
    for (uint64_t page = 0; page < arena->size / PAGE; page++) {
        if (arena->touched[page])
            memset(arena->own + page * PAGE, 0, PAGE);
        if (arena->map_count[page] != 0)
            close_to_core(arena->mem + page * PAGE, PAGE);
        arena->touched[page] = false;
        arena->map_count[page] = 0;
    }
}

/* One of those that were kept, as new. */
static bool take_spare(struct fakehal_arena *arena, bool guarded)
{
    for (unsigned i = 0; i < SPARES; i++) {
        if (spare[i].size != arena->size || (spare[i].map_count != NULL) != guarded)
            continue;
        spare[i].base = arena->base;
        *arena = spare[i];
        spare[i].size = 0;
        renew(arena);
        return true;
    }
    return false;
}

static bool keep(const struct fakehal_arena *arena)
{
    for (unsigned i = 0; i < SPARES; i++) {
        if (spare[i].size != 0 || (arena->map_count == NULL && arena->size > KEEP_MAX))
            continue;
        spare[i] = *arena;
        if (arena->map_count == NULL)
            close_to_core(arena->mem, arena->size);
        return true;
    }
    return false;
}

static void add_ram(pa_t base, uint64_t size, bool guarded)
{
    struct fakehal *hal = fakehal();
    struct fakehal_arena arena = {.base = base.v, .size = size};

    if (size == 0 || ((base.v | size) & (PAGE - 1)) != 0 || base.v + size < base.v)
        fakehal_fail("RAM %#" PRIx64 "+%#" PRIx64 " is not made of pages", base.v, size);
    if (hal->nr_arenas == FAKEHAL_ARENAS)
        fakehal_fail("more than %u arenas", FAKEHAL_ARENAS);
    for (unsigned i = 0; i < hal->nr_arenas; i++)
        if (ranges_overlap(base.v, size, hal->arena[i].base, hal->arena[i].size))
            fakehal_fail("RAM %#" PRIx64 "+%#" PRIx64 " overlaps arena %u", base.v, size, i);
    if (!take_spare(&arena, guarded))
        make(&arena, guarded);
    hal->arena[hal->nr_arenas++] = arena;
}

void fakehal_add_ram(pa_t base, uint64_t size)
{
    add_ram(base, size, false);
}

void fakehal_add_guarded_ram(pa_t base, uint64_t size)
{
    add_ram(base, size, true);
}

void fakehal_forget_ram(void)
{
    struct fakehal *hal = fakehal();

    for (; hal->nr_arenas > 0; hal->nr_arenas--)
        if (!keep(&hal->arena[hal->nr_arenas - 1]))
            unmake(&hal->arena[hal->nr_arenas - 1]);
}

/* --- Access --- */

/* The arena that holds [base, base + len), or NULL. */
static struct fakehal_arena *arena_find(uint64_t base, uint64_t len)
{
    struct fakehal *hal = fakehal();

    for (unsigned i = 0; i < hal->nr_arenas; i++) {
        struct fakehal_arena *arena = &hal->arena[i];
        if (base >= arena->base && !range_exceeds(base - arena->base, len, arena->size))
            return arena;
    }
    return NULL;
}

const struct fakehal_arena *fakehal_arena_of(const void *ptr)
{
    struct fakehal *hal = fakehal();

    for (unsigned i = 0; i < hal->nr_arenas; i++)
        if ((uintptr_t)ptr - (uintptr_t)hal->arena[i].mem < hal->arena[i].size)
            return &hal->arena[i];
    return NULL;
}

/* The page of the first byte at least: whoever gets a pointer may go on behind `len`, up to the
 * page's end. */
static void touch(struct fakehal_arena *arena, uint64_t offset, uint64_t len)
{
    for (uint64_t at = offset & ~(PAGE - 1); arena->touched != NULL && at < offset + len;
         at += PAGE)
        arena->touched[at / PAGE] = true;
}

void *fakehal_mem(pa_t base, uint64_t len)
{
    struct fakehal_arena *arena = arena_find(base.v, len);

    if (arena == NULL)
        fakehal_fail("no RAM at %#" PRIx64 "+%#" PRIx64, base.v, len);
    touch(arena, base.v - arena->base, len);
    return arena->own + (base.v - arena->base);
}

void fakehal_guard(pa_t base, uint64_t len)
{
    struct fakehal_arena *arena = arena_find(base.v, len);

    if (arena == NULL || arena->map_count == NULL || ((base.v | len) & (PAGE - 1)) != 0)
        fakehal_fail("no guarded RAM at %#" PRIx64 "+%#" PRIx64, base.v, len);
    uint64_t first = (base.v - arena->base) / PAGE;
    memset(&arena->map_count[first], 0, len / PAGE * sizeof(*arena->map_count));
    memset(&arena->touched[first], 0, len / PAGE * sizeof(*arena->touched));
    close_to_core(arena->mem + (base.v - arena->base), len);
}

void *hal_phys_map(pa_t base, uint64_t len)
{
    struct fakehal *hal = fakehal();
    struct fakehal_arena *arena = len != 0 ? arena_find(base.v, len) : NULL;

    if (arena == NULL)
        return NULL;
    hal->maps++;
    if (hal->map != NULL)
        hal->map(hal->map_ctx, base.v, len);
    uint64_t offset = base.v - arena->base;
    if (arena->map_count != NULL) {
        open_to_core(arena->mem + (offset & ~UINT64_C(7)), len + (offset & 7));
        touch(arena, offset, len);
        for (uint64_t page = offset / PAGE; page <= (offset + len - 1) / PAGE; page++)
            arena->map_count[page]++;
    }
    return arena->mem + offset;
}

void hal_phys_unmap(void *ptr, uint64_t len)
{
    struct fakehal *hal = fakehal();
    const struct fakehal_arena *arena = fakehal_arena_of(ptr);
    uint64_t offset = arena != NULL ? (uintptr_t)ptr - (uintptr_t)arena->mem : 0;

    if (arena == NULL || range_exceeds(offset, len, arena->size))
        fakehal_fail("hal_phys_unmap() of %p+%#" PRIx64 ", which was not mapped", ptr, len);
    hal->unmaps++;
    if (arena->map_count == NULL || len == 0)
        return;
    for (uint64_t page = offset / PAGE; page <= (offset + len - 1) / PAGE; page++) {
        if (arena->map_count[page] == 0)
            fakehal_fail("hal_phys_unmap() of %p+%#" PRIx64 ", which is not mapped", ptr, len);
        if (--arena->map_count[page] == 0)
            close_to_core(arena->mem + page * PAGE, PAGE);
    }
}
