/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/snapshot_format.h"
#include "sim/trace/file_out.h"
#include "sim/unguard.h"
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* Fewer zero pages than this do not end a chunk: each costs its table entry and a block of LZ4. */
#define ZERO_RUN_PAGES 8u
/* LZ4's hurry: a third quicker than 1, for a twentieth more of file. */
#define LZ4_ACCELERATION 4

static const uint8_t zero_page[PAGE_SIZE];

struct save {
    struct file_out *out;
    struct snapshot_format_chunk *table;
    size_t nr_chunks;
    size_t room;
    uint64_t data_size;
    char packed[LZ4_COMPRESSBOUND(SNAPSHOT_CHUNK_MAX)];
};

static bool page_is_zero(const uint8_t *page)
{
    return memcmp(page, zero_page, PAGE_SIZE) == 0;
}

/* How far from `start`, which is not zero, a chunk reaches; it ends with a page that is not. */
static uint64_t find_chunk_end(const struct sim_region *region, uint64_t start)
{
    const uint8_t *base = region->base;
    uint64_t limit = region->len - start;
    uint64_t end = start + PAGE_SIZE;

    if (limit > SNAPSHOT_CHUNK_MAX)
        limit = SNAPSHOT_CHUNK_MAX;
    for (uint64_t at = end; at < start + limit && at - end < ZERO_RUN_PAGES * PAGE_SIZE;
         at += PAGE_SIZE)
        if (!page_is_zero(base + at))
            end = at + PAGE_SIZE;
    return end;
}

static struct snapshot_format_chunk *add_chunk(struct save *save)
{
    if (save->nr_chunks == save->room) {
        size_t room = save->room > 0 ? 2 * save->room : 1024;
        struct snapshot_format_chunk *table = realloc(save->table, room * sizeof(*table));
        if (table == NULL)
            return NULL;
        save->table = table;
        save->room = room;
    }
    return &save->table[save->nr_chunks++];
}

static bool put_chunk(struct save *save, const struct sim_region *region, uint32_t index,
                      uint64_t start, uint64_t end)
{
    struct snapshot_format_chunk *chunk = add_chunk(save);
    const char *data = (const char *)region->base + start;
    uint32_t len = (uint32_t)(end - start);
    int packed;

    if (chunk == NULL)
        return false;
    packed = LZ4_compress_fast(data, save->packed, (int)len, (int)sizeof(save->packed),
                               LZ4_ACCELERATION);
    if (packed > 0 && (uint32_t)packed < len) {
        data = save->packed;
        len = (uint32_t)packed;
    }
    *chunk = (struct snapshot_format_chunk){
        .offset = start,
        .region = index,
        .len = (uint32_t)(end - start),
        .stored = len,
        .sum = XXH3_64bits(data, len),
    };
    save->data_size += len;
    return file_out_write(save->out, data, len);
}

static bool put_region(struct save *save, const struct sim_region *region, uint32_t index)
{
    const uint8_t *base = region->base;
    uint64_t at = 0;

    while (at < region->len) {
        if (page_is_zero(base + at)) {
            at += PAGE_SIZE;
            continue;
        }
        uint64_t end = find_chunk_end(region, at);
        if (!put_chunk(save, region, index, at, end))
            return false;
        at = end;
    }
    return true;
}

static void put_header(struct save *save, const struct snapshot_meta *meta,
                       const struct sim_region *regions, unsigned nr_regions)
{
    const struct sim_machine_config *config = &meta->config;
    struct snapshot_format_header header = {
        .version = SNAPSHOT_FORMAT_VERSION,
        .nr_regions = nr_regions,
        .ram_size = config->ram_size,
        .seed = config->seed,
        .dtb = config->dtb.v,
        .nr_cpus = config->nr_cpus,
        .cpu_model = (uint32_t)config->cpu_model,
        .traced = meta->traced,
        .run_size = meta->run_size,
    };

    memcpy(header.magic, SNAPSHOT_FORMAT_MAGIC, sizeof(header.magic));
    for (unsigned i = 0; i < nr_regions; i++) {
        header.region[i].base = (uint64_t)(uintptr_t)regions[i].base;
        header.region[i].len = regions[i].len;
    }
    sim_build_id(header.build);
    memcpy(header.run, meta->run, meta->run_size);
    header.sum = XXH3_64bits(&header, offsetof(struct snapshot_format_header, sum));
    (void)file_out_write(save->out, &header, sizeof(header));
}

static void put_table(struct save *save)
{
    size_t size = save->nr_chunks * sizeof(*save->table);
    struct snapshot_format_trailer trailer = {
        .nr_chunks = save->nr_chunks,
        .data_size = save->data_size,
        .table_sum = XXH3_64bits(save->table, size),
    };

    trailer.sum = XXH3_64bits(&trailer, offsetof(struct snapshot_format_trailer, sum));
    (void)file_out_write(save->out, save->table, size);
    (void)file_out_write(save->out, &trailer, sizeof(trailer));
}

/* False: no memory, or the file cannot be written, which file_out_commit() will say. */
static bool put_machine(struct save *save, struct sim_machine *machine,
                        const struct snapshot_meta *meta)
{
    struct sim_region regions[SIM_REGIONS_MAX];
    unsigned nr_regions = sim_machine_freeze(machine, regions);

    unguard_regions(regions, nr_regions);
    put_header(save, meta, regions, nr_regions);
    for (unsigned i = 0; i < nr_regions; i++)
        if (!put_region(save, &regions[i], i))
            return false;
    put_table(save);
    return true;
}

bool snapshot_save(const char *path, struct sim_machine *machine, const struct snapshot_meta *meta,
                   char *reason)
{
    struct save *save = calloc(1, sizeof(*save));
    bool good = false;

    if (meta->run_size > SNAPSHOT_RUN_MAX || save == NULL) {
        snprintf(reason, SNAPSHOT_REASON_MAX, "no snapshot: %s",
                 save == NULL ? "there is no memory" : "what the run keeps is too large for it");
        free(save);
        return false;
    }
    save->out = file_out_open(path, reason);
    if (save->out != NULL) {
        if (put_machine(save, machine, meta) || !file_out_write(save->out, NULL, 0)) {
            good = file_out_commit(save->out, reason);
        } else {
            snprintf(reason, SNAPSHOT_REASON_MAX, "no snapshot: there is no memory");
            file_out_discard(save->out);
        }
    }
    free(save->table);
    free(save);
    return good;
}
