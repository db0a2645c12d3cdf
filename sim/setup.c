/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/setup.h"
#include "base/bits.h"
#include "sim/bundle_make.h"
#include "sim/machine_dtb.h"
#include "sim/snapshot.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* Whatever goes wrong can be told. */
_Static_assert(SETUP_REASON_MAX >= BUNDLE_MAKE_REASON_MAX, "a reason fits");
_Static_assert(SETUP_REASON_MAX >= MACHINE_DTB_REASON_MAX, "a reason fits");
_Static_assert(SETUP_REASON_MAX >= SNAPSHOT_REASON_MAX, "a reason fits");
_Static_assert(SETUP_REASON_MAX >= SIM_REASON_MAX, "a reason fits");
_Static_assert(SETUP_REASON_MAX >= DISK_FILE_REASON_MAX, "a reason fits");

/* RAM: core's image, the devicetree, the bundle, and what is free. */
#define DTB_OFFSET    SIM_IMAGE_SIZE
#define BUNDLE_OFFSET (SIM_IMAGE_SIZE + MIB(2))

/* What the hypervisor itself may take, and the grain of the machine's memory: as ci/quickstart. */
#define HYPERVISOR_MEMORY MIB(256)
#define MEMORY_GRAIN      MIB(128)

static bool refuse(char *reason, const char *why)
{
    (void)snprintf(reason, SETUP_REASON_MAX, "%s", why);
    return false;
}

/* Core takes the memory of a VM into use when it starts it; a host that has less would be brought
 * down with us. */
static bool host_can_hold(uint64_t vms, char *reason)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_size = sysconf(_SC_PAGESIZE);
    uint64_t host = pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size : UINT64_MAX;

    if (vms <= host)
        return true;
    (void)snprintf(
        reason, SETUP_REASON_MAX,
        "the VMs have %llu MiB of memory, and this computer has %llu MiB: give them less",
        (unsigned long long)(vms >> 20), (unsigned long long)(host >> 20));
    return false;
}

/* How much RAM the bundle needs; of one that core will refuse, room for it to say so. */
static bool choose_memory(const struct sim_options *options, const struct bundle_blob *bundle,
                          const struct bundle_facts *facts, uint64_t *out, char *reason)
{
    uint64_t vms = facts->memory;

    if (!host_can_hold(options->machine_memory != 0 && options->machine_memory < vms
                           ? options->machine_memory
                           : vms,
                       reason))
        return false;
    if (options->machine_memory != 0) {
        *out = options->machine_memory;
        if (*out < BUNDLE_OFFSET || bundle->size > *out - BUNDLE_OFFSET)
            return refuse(reason, "--machine-memory: too small to hold the bundle");
        return true;
    }
    if (vms > SIM_RAM_MAX - MEMORY_GRAIN - HYPERVISOR_MEMORY - BUNDLE_MAKE_LIMIT)
        return refuse(reason, "the bundle's VMs have more memory than a machine can have");
    *out = align_up(vms + HYPERVISOR_MEMORY + bundle->size, MEMORY_GRAIN);
    return true;
}

static void put_digest(const void *data, size_t size, uint8_t out[RECORD_DIGEST_SIZE])
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
    memcpy(out, canonical.digest, RECORD_DIGEST_SIZE);
}

static void put_u64(uint8_t out[RECORD_DIGEST_SIZE], uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static void identify(const struct sim_run *run, struct record_identity *out)
{
    memset(out, 0, sizeof(*out)); /* the padding too: it goes into snapshots */
    out->seed = run->config.seed;
    out->ram_size = run->config.ram_size;
    out->start_time = sim_machine_now(run->machine);
    out->nr_cpus = run->config.nr_cpus;
    out->cpu_model = run->config.cpu_model;
    sim_build_id(out->build);
}

/* Devicetree and bundle to their places in RAM. */
static bool load(struct sim_run *run, const struct sim_options *options,
                 const struct bundle_blob *bundle, struct record_identity *identity, char *reason)
{
    const struct machine_dtb_facts facts = {.ram_size = run->config.ram_size,
                                            .nr_cpus = run->config.nr_cpus,
                                            .cpu = run->config.cpu_model,
                                            .initrd = SIM_RAM_BASE + BUNDLE_OFFSET,
                                            .initrd_size = bundle->size,
                                            .seed = options->seed};
    uint8_t digests[4][RECORD_DIGEST_SIZE] = {{0}};
    /* It takes its time: only where a recording is to say what it began with. */
    bool disks = run->disks.count != 0 && (options->record != NULL || options->replay != NULL);
    void *dtb = sim_machine_ram(run->machine, run->config.dtb, MACHINE_DTB_SIZE);
    void *initrd = sim_machine_ram(run->machine, pa(facts.initrd), bundle->size);

    if (dtb == NULL || initrd == NULL)
        return refuse(reason, "the machine's memory is too small to hold the bundle");
    if (!machine_dtb_write(&facts, dtb, reason))
        return false;
    memcpy(initrd, bundle->data, bundle->size);
    identify(run, identity);
    put_digest(dtb, MACHINE_DTB_SIZE, digests[0]);
    put_digest(initrd, bundle->size, digests[1]);
    put_u64(digests[2], run->config.epoch);
    if (disks && !disk_files_digest(&run->disks, digests[3], reason))
        return false;
    put_digest(digests, (disks ? 4 : 3) * sizeof(digests[0]), identity->start);
    run->origin = *identity;
    return true;
}

static bool commands_arrive(const struct sim_run *run, const struct sim_options *options,
                            char *reason)
{
    if (run->input.escape.shared || options->nr_control == 0)
        return true;
    return refuse(reason, "--control: the bundle's no-escape leaves no way to give commands");
}

static bool create(struct sim_run *run, const struct sim_options *options,
                   const struct bundle_blob *bundle, struct record_identity *identity, char *reason)
{
    struct bundle_facts facts;

    bundle_facts(bundle, &facts);
    run->input.escape.shared = facts.escapes;
    if (!commands_arrive(run, options, reason) ||
        !choose_memory(options, bundle, &facts, &run->config.ram_size, reason))
        return false;
    if (!disk_files_open(&run->disks, options, &run->config, reason))
        return false;
    run->config.nr_cpus = options->pcpus;
    run->config.cpu_model = options->cpu;
    run->config.seed = options->seed;
    run->config.epoch = options->epoch;
    run->config.dtb = pa(SIM_RAM_BASE + DTB_OFFSET);
    run->machine = sim_machine_create(&run->config, reason);
    if (run->machine == NULL)
        return false;
    if (load(run, options, bundle, identity, reason))
        return true;
    sim_machine_destroy(run->machine);
    run->machine = NULL;
    return false;
}

bool setup_new(struct sim_run *run, const struct sim_options *options,
               struct record_identity *identity, char *reason)
{
    struct bundle_blob bundle;
    bool done = options->bundle != NULL ? bundle_read(options->bundle, &bundle, reason)
                                        : bundle_make(options, &bundle, reason);

    if (!done)
        return false;
    done = create(run, options, &bundle, identity, reason);
    bundle_free(&bundle);
    return done;
}

/* The callbacks are this process's, all else is the snapshot's. */
static bool take_meta(struct sim_run *run, const struct snapshot_meta *meta, char *reason)
{
    const struct sim_machine_config mine = run->config;
    struct run_state state;

    if (meta->run_size != sizeof(state))
        return refuse(reason, "the snapshot does not hold the state of a run");
    memcpy(&state, meta->run, sizeof(state));
    run->config = meta->config;
    run->config.console_write = mine.console_write;
    run->config.net_send = mine.net_send;
    run->config.trace = meta->traced ? mine.trace : NULL;
    run->config.ctx = mine.ctx;
    return run_state_take(run, &state) ||
           refuse(reason, "the snapshot's state of the run is damaged");
}

bool setup_restore(struct sim_run *run, const struct sim_options *options,
                   struct record_identity *identity, char *reason)
{
    struct snapshot_file *file = snapshot_open(options->restore, reason);
    bool done = false;

    if (file == NULL)
        return false;
    if (take_meta(run, snapshot_meta(file), reason) && commands_arrive(run, options, reason)) {
        run->machine = sim_machine_create(&run->config, reason);
        done = run->machine != NULL && snapshot_load(file, run->machine, reason);
    }
    if (done) {
        identify(run, identity);
        snapshot_digest(file, identity->start);
    } else if (run->machine != NULL) {
        sim_machine_destroy(run->machine);
        run->machine = NULL;
    }
    snapshot_close(file);
    return done;
}
