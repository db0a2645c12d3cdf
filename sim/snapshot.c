/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _DEFAULT_SOURCE 1
#include "sim/snapshot.h"
#include "sim/file_in.h"
#include "sim/parallel.h"
#include "sim/snapshot_format.h"
#include "sim/unguard.h"
#include <errno.h>
#include <lz4.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#define CUT_OFF "cut off: the copy is incomplete, or its end is damaged"
#define DAMAGED "damaged: "

struct snapshot_file {
    struct file_in in;
    struct snapshot_format_header header;
    struct snapshot_format_trailer trailer;
    struct snapshot_format_chunk *table;
    uint64_t *place; /* of each chunk's data in the file */
    struct snapshot_meta meta;
    struct sim_region regions[SIM_REGIONS_MAX]; /* of the machine that it is loaded into */
};

/* True if all of [offset, offset + len) was read. The file may shrink or change at any time: it is
 * read and not mapped, so that this shows as a short read or a wrong sum and not as a signal. */
static bool take(const struct snapshot_file *file, uint64_t offset, void *out, size_t len)
{
    uint8_t *to = out;

    while (len > 0) {
        ssize_t done = pread(file->in.fd, to, len, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        to += done;
        offset += (uint64_t)done;
        len -= (size_t)done;
    }
    return true;
}

/* --- Checks: each gives NULL, or what is wrong with the file ----------------------------------*/

static const char *check_config(const struct snapshot_format_header *header)
{
    if (header->ram_size % MIB(2) != 0 || header->ram_size < SIM_IMAGE_SIZE + MIB(2) ||
        header->ram_size > SIM_RAM_MAX)
        return DAMAGED "its memory has no size that a machine can have";
    if (header->nr_cpus == 0 || header->nr_cpus > SIM_MAX_CPUS || header->cpu_model > SIM_CPU_MAX)
        return DAMAGED "its CPUs are none that a machine can have";
    if (header->dtb < SIM_RAM_BASE || header->dtb - SIM_RAM_BASE >= header->ram_size)
        return DAMAGED "its devicetree is not in its memory";
    if (header->traced > 1 || header->run_size > SNAPSHOT_RUN_MAX || header->reserved != 0)
        return DAMAGED "its header has values that mean nothing";
    return NULL;
}

static const char *check_regions(const struct snapshot_format_header *header)
{
    const struct snapshot_format_region *region = header->region;

    if (header->nr_regions == 0 || header->nr_regions > SIM_REGIONS_MAX)
        return DAMAGED "it has no regions of memory, or too many";
    for (uint32_t i = 0; i < header->nr_regions; i++) {
        if (region[i].base == 0 || !is_aligned(region[i].base, PAGE_SIZE) || region[i].len == 0 ||
            !is_aligned(region[i].len, PAGE_SIZE) ||
            range_exceeds(region[i].base, region[i].len, UINT64_MAX))
            return DAMAGED "a region of memory is none";
        for (uint32_t j = 0; j < i; j++)
            if (ranges_overlap(region[i].base, region[i].len, region[j].base, region[j].len))
                return DAMAGED "regions of memory overlap";
    }
    return NULL;
}

static const char *take_header(struct snapshot_file *file, uint64_t size)
{
    struct snapshot_format_header *header = &file->header;
    uint8_t build[SIM_BUILD_ID_SIZE];

    if (size < sizeof(header->magic) || !take(file, 0, header->magic, sizeof(header->magic)) ||
        memcmp(header->magic, SNAPSHOT_FORMAT_MAGIC, sizeof(header->magic)) != 0)
        return "not a snapshot";
    if (size < sizeof(*header) || !take(file, 0, header, sizeof(*header)))
        return CUT_OFF;
    if (header->version != SNAPSHOT_FORMAT_VERSION)
        return "a snapshot of another version of halcyon-sim: make it anew";
    if (header->sum != XXH3_64bits(header, offsetof(struct snapshot_format_header, sum)))
        return DAMAGED "the sum of its header is wrong";
    sim_build_id(build);
    if (memcmp(header->build, build, sizeof(build)) != 0)
        return "made by another build of halcyon-sim, whose memory means nothing to this one: "
               "make it anew";
    const char *wrong = check_config(header);
    return wrong != NULL ? wrong : check_regions(header);
}

static uint64_t count_pages(const struct snapshot_format_header *header)
{
    uint64_t pages = 0;

    for (uint32_t i = 0; i < header->nr_regions; i++)
        pages += header->region[i].len / PAGE_SIZE;
    return pages;
}

/* The sizes: header, data, table and trailer fill the file to the byte. */
static const char *take_trailer(struct snapshot_file *file, uint64_t size)
{
    struct snapshot_format_trailer *trailer = &file->trailer;
    uint64_t fixed = sizeof(file->header) + sizeof(*trailer);
    uint64_t table;

    if (size < fixed || !take(file, size - sizeof(*trailer), trailer, sizeof(*trailer)) ||
        trailer->sum != XXH3_64bits(trailer, offsetof(struct snapshot_format_trailer, sum)))
        return CUT_OFF;
    if (trailer->nr_chunks > count_pages(&file->header))
        return DAMAGED "it has more chunks than pages";
    table = trailer->nr_chunks * sizeof(*file->table);
    if (trailer->data_size > size - fixed || size - fixed - trailer->data_size != table)
        return DAMAGED "its parts do not add up to its size";
    return NULL;
}

static const char *check_chunk(const struct snapshot_format_header *header,
                               const struct snapshot_format_chunk *chunk)
{
    if (chunk->region >= header->nr_regions || !is_aligned(chunk->offset, PAGE_SIZE) ||
        chunk->len == 0 || chunk->len > SNAPSHOT_CHUNK_MAX || !is_aligned(chunk->len, PAGE_SIZE) ||
        range_exceeds(chunk->offset, chunk->len, header->region[chunk->region].len))
        return DAMAGED "a chunk lies outside memory";
    if (chunk->stored == 0 || chunk->stored > chunk->len || chunk->reserved != 0)
        return DAMAGED "a chunk has no size that it can have";
    return NULL;
}

static bool chunk_follows(const struct snapshot_format_chunk *before,
                          const struct snapshot_format_chunk *chunk)
{
    if (chunk->region != before->region)
        return chunk->region > before->region;
    return chunk->offset >= before->offset + before->len;
}

static const char *check_table(struct snapshot_file *file)
{
    const struct snapshot_format_chunk *table = file->table;
    uint64_t data_size = 0;

    for (uint64_t i = 0; i < file->trailer.nr_chunks; i++) {
        const char *wrong = check_chunk(&file->header, &table[i]);
        if (wrong != NULL)
            return wrong;
        if (i > 0 && !chunk_follows(&table[i - 1], &table[i]))
            return DAMAGED "chunks overlap, or are out of order";
        file->place[i] = sizeof(file->header) + data_size;
        data_size += table[i].stored;
    }
    if (data_size != file->trailer.data_size)
        return DAMAGED "its parts do not add up to its size";
    return NULL;
}

static const char *take_table(struct snapshot_file *file)
{
    size_t nr_chunks = (size_t)file->trailer.nr_chunks;
    size_t size = nr_chunks * sizeof(*file->table);
    uint64_t place = sizeof(file->header) + file->trailer.data_size;

    file->table = malloc(size > 0 ? size : 1);
    file->place = calloc(nr_chunks > 0 ? nr_chunks : 1, sizeof(*file->place));
    if (file->table == NULL || file->place == NULL)
        return "no memory for its table";
    if (!take(file, place, file->table, size))
        return CUT_OFF;
    if (file->trailer.table_sum != XXH3_64bits(file->table, size))
        return DAMAGED "the sum of its table is wrong";
    return check_table(file);
}

/* --- Chunks -----------------------------------------------------------------------------------*/

static bool read_chunk(const struct snapshot_file *file, size_t i, void *data)
{
    const struct snapshot_format_chunk *chunk = &file->table[i];

    return take(file, file->place[i], data, chunk->stored) &&
           XXH3_64bits(data, chunk->stored) == chunk->sum;
}

static bool check_data(void *ctx, size_t i)
{
    char data[SNAPSHOT_CHUNK_MAX];

    return read_chunk(ctx, i, data);
}

/* Reads again what check_data() has read, with its sum: the file may have changed. */
static bool load_chunk(void *ctx, size_t i)
{
    const struct snapshot_file *file = ctx;
    const struct snapshot_format_chunk *chunk = &file->table[i];
    char *to = (char *)file->regions[chunk->region].base + chunk->offset;
    char data[SNAPSHOT_CHUNK_MAX];

    if (chunk->stored == chunk->len)
        return read_chunk(file, i, to);
    return read_chunk(file, i, data) &&
           LZ4_decompress_safe(data, to, (int)chunk->stored, (int)chunk->len) == (int)chunk->len;
}

/* --- Opening ----------------------------------------------------------------------------------*/

static void take_meta(struct snapshot_file *file)
{
    const struct snapshot_format_header *header = &file->header;

    file->meta.config = (struct sim_machine_config){
        .ram_size = header->ram_size,
        .nr_cpus = header->nr_cpus,
        .cpu_model = (enum sim_cpu_model)header->cpu_model,
        .seed = header->seed,
        .dtb = pa(header->dtb),
    };
    file->meta.traced = header->traced != 0;
    file->meta.run_size = header->run_size;
    memcpy(file->meta.run, header->run, header->run_size);
}

static const char *take_file(struct snapshot_file *file, uint64_t size)
{
    const char *wrong = take_header(file, size);

    if (wrong == NULL)
        wrong = take_trailer(file, size);
    if (wrong == NULL)
        wrong = take_table(file);
    if (wrong == NULL && !parallel_run((size_t)file->trailer.nr_chunks, check_data, file))
        wrong = DAMAGED "the sum of a chunk is wrong";
    if (wrong == NULL)
        take_meta(file);
    return wrong;
}

struct snapshot_file *snapshot_open(const char *path, char *reason)
{
    struct snapshot_file *file = calloc(1, sizeof(*file));
    const char *wrong;

    if (file == NULL) {
        snprintf(reason, SNAPSHOT_REASON_MAX, "no memory for the snapshot");
        return NULL;
    }
    if (!file_in_open(&file->in, path, INT64_MAX, reason)) {
        free(file);
        return NULL;
    }
    wrong = take_file(file, file->in.size);
    if (wrong == NULL)
        return file;
    snprintf(reason, SNAPSHOT_REASON_MAX, "%.110s: %s", path, wrong);
    snapshot_close(file);
    return NULL;
}

void snapshot_close(struct snapshot_file *file)
{
    if (file == NULL)
        return;
    file_in_close(&file->in);
    free(file->table);
    free(file->place);
    free(file);
}

const struct snapshot_meta *snapshot_meta(const struct snapshot_file *file)
{
    return &file->meta;
}

void snapshot_digest(const struct snapshot_file *file, uint8_t out[SNAPSHOT_DIGEST_SIZE])
{
    uint64_t sums[2] = {file->header.sum, file->trailer.sum}; /* which cover those of the rest */
    XXH128_canonical_t digest;

    XXH128_canonicalFromHash(&digest, XXH3_128bits(sums, sizeof(sums)));
    memcpy(out, digest.digest, SNAPSHOT_DIGEST_SIZE);
}

/* --- Loading ----------------------------------------------------------------------------------*/

static bool regions_fit(struct snapshot_file *file, unsigned nr_regions)
{
    const struct snapshot_format_region *region = file->header.region;

    if (nr_regions != file->header.nr_regions)
        return false;
    for (unsigned i = 0; i < nr_regions; i++)
        if ((uint64_t)(uintptr_t)file->regions[i].base != region[i].base ||
            file->regions[i].len != region[i].len)
            return false;
    return true;
}

/* What of a machine that was just made is zero: its RAM behind the hypervisor's image. */
struct fresh {
    const uint8_t *start;
    const uint8_t *end;
};

/* Pages that are zero already are only read: writing would make them the process's own. */
static void clear_pages(uint8_t *from, const uint8_t *to, const struct fresh *fresh)
{
    static const uint8_t zero_page[PAGE_SIZE];

    while (from < to) {
        if (from >= fresh->start && from < fresh->end) {
            from += fresh->end - from;
            continue;
        }
        if (memcmp(from, zero_page, PAGE_SIZE) != 0)
            memset(from, 0, PAGE_SIZE);
        from += PAGE_SIZE;
    }
}

/* All pages that are in no chunk. */
static void clear_gaps(struct snapshot_file *file, const struct fresh *fresh)
{
    const struct snapshot_format_chunk *chunk = file->table;
    const struct snapshot_format_chunk *end = chunk + file->trailer.nr_chunks;

    for (uint32_t i = 0; i < file->header.nr_regions; i++) {
        uint8_t *base = file->regions[i].base;
        uint64_t at = 0;
        for (; chunk < end && chunk->region == i; chunk++) {
            clear_pages(base + at, base + chunk->offset, fresh);
            at = chunk->offset + chunk->len;
        }
        clear_pages(base + at, base + file->regions[i].len, fresh);
    }
}

/* Half of the time of a load goes into page faults, unless the pages are huge. */
static void want_huge_pages(const struct snapshot_file *file)
{
    for (uint32_t i = 0; i < file->header.nr_regions; i++)
        if (file->regions[i].len >= MIB(2))
            (void)madvise(file->regions[i].base, file->regions[i].len, MADV_HUGEPAGE);
}

/* What the machine was made of but its RAM, in case that the load fails: half of one machine and
 * half of another could not even be destroyed. */
struct undo {
    uint8_t *copy[SIM_REGIONS_MAX]; /* NULL: RAM, nothing to put back */
};

static void forget(struct undo *undo)
{
    for (unsigned i = 0; i < SIM_REGIONS_MAX; i++)
        free(undo->copy[i]);
}

static bool keep(const struct snapshot_file *file, const uint8_t *ram, struct undo *undo)
{
    *undo = (struct undo){{NULL}};
    for (uint32_t i = 0; i < file->header.nr_regions; i++) {
        const struct sim_region *region = &file->regions[i];
        if (region->base == ram)
            continue;
        undo->copy[i] = malloc(region->len);
        if (undo->copy[i] == NULL) {
            forget(undo);
            return false;
        }
        memcpy(undo->copy[i], region->base, region->len);
    }
    return true;
}

static void put_back(const struct snapshot_file *file, const struct undo *undo)
{
    for (uint32_t i = 0; i < file->header.nr_regions; i++)
        if (undo->copy[i] != NULL)
            memcpy(file->regions[i].base, undo->copy[i], file->regions[i].len);
}

static bool fill(struct snapshot_file *file, const struct fresh *fresh, char *reason)
{
    want_huge_pages(file);
    clear_gaps(file, fresh);
    if (parallel_run((size_t)file->trailer.nr_chunks, load_chunk, file))
        return true;
    snprintf(reason, SNAPSHOT_REASON_MAX,
             "the snapshot is damaged, or was changed while it was loaded");
    return false;
}

bool snapshot_load(struct snapshot_file *file, struct sim_machine *machine, char *reason)
{
    unsigned nr_regions = sim_machine_freeze(machine, file->regions);
    const uint8_t *ram = sim_machine_ram(machine, pa(SIM_RAM_BASE), file->header.ram_size);
    struct fresh fresh;
    struct undo undo;
    bool good;

    if (!regions_fit(file, nr_regions) || ram == NULL) {
        snprintf(reason, SNAPSHOT_REASON_MAX,
                 "the snapshot does not fit: the machine's memory lies elsewhere in this process");
        return false;
    }
    unguard_regions(file->regions, nr_regions);
    if (!keep(file, ram, &undo)) {
        snprintf(reason, SNAPSHOT_REASON_MAX, "no memory for the snapshot");
        return false;
    }
    fresh = (struct fresh){ram + SIM_IMAGE_SIZE, ram + file->header.ram_size};
    good = fill(file, &fresh, reason) && sim_machine_thaw(machine, reason);
    if (!good)
        put_back(file, &undo);
    forget(&undo);
    return good;
}
