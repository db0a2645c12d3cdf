/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The hypervisor at non-secure EL2: from the machine's devicetree and a VM bundle to running VMs,
 * and to the end of the machine when the last of them is off. The only place that wires the modules
 * together.
 */
#include "base/bits.h"
#include "base/check.h"
#include "base/fmt.h"
#include "boot/bundle.h"
#include "boot/platform.h"
#include "dev/console.h"
#include "dev/disk_device.h"
#include "dev/registry.h"
#include "dev/switches.h"
#include "hal/hal.h"
#include "role/manager.h"
#include "role/ram.h"
#include "virtio/console.h"
#include "virtio/vsock.h"
#include "vm/hv.h"
#include <string.h>

#define FDT_HEADER_SIZE  40u
#define FDT_HEADER_MAGIC UINT32_C(0xd00dfeed)

/* What lives in the HAL's arena: everything that must be there before the page pool. */
struct nshyp {
    struct hv hv;
    struct console console;
    struct disks disks;
    struct virtio_console_hub consoles;
    struct virtio_vsock_hub vsocks;
    struct switches switches;
    struct hv_config config;
    struct manager manager;
};

static uint64_t log_micros(void *ctx)
{
    uint64_t now = hal_time_now();
    uint64_t hz = hal_time_hz();

    (void)ctx;
    return now / hz * 1000000 + now % hz * 1000000 / hz;
}

/* The machine cannot do what it is here for; the reason is in the log. */
static _Noreturn void give_up(struct hv *hv, const char *what, const char *why)
{
    log_write(&hv->log, LOG_MOD_BOOT, LOG_ERROR, "%s: %s", what, why);
    log_write(&hv->log, LOG_MOD_ROLE, LOG_ERROR, "machine off: nothing to run");
    hal_halt(HAL_HALT_OFF);
}

static uint32_t get_be32(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* How much there is to map; of what is no devicetree only a header, for platform_discover() to
 * refuse. */
static uint64_t fdt_size(const unsigned char *header)
{
    uint32_t size = get_be32(header + 4);

    return get_be32(header) == FDT_HEADER_MAGIC && size > FDT_HEADER_SIZE ? size : FDT_HEADER_SIZE;
}

/* What discovery does not know to be taken. */
static void check_trace(struct hv *hv, const struct hal_boot *boot)
{
    const struct platform_range *trace = &hv->platform.trace;
    const struct platform_range *dtb = &hv->platform.dtb;

    if (trace->size != 0 &&
        (ranges_overlap(trace->base, trace->size, dtb->base, dtb->size) ||
         ranges_overlap(trace->base, trace->size, boot->image.v, boot->image_size)))
        give_up(hv, "machine's devicetree",
                "/reserved-memory: the trace buffer overlaps the image or the devicetree");
}

static void discover(struct hv *hv, const struct hal_boot *boot)
{
    char reason[PLATFORM_REASON_MAX];
    const unsigned char *header = hal_phys_map(boot->dtb, FDT_HEADER_SIZE);
    uint64_t size;
    const void *fdt;
    hv_err err;

    if (header == NULL)
        give_up(hv, "machine's devicetree", "its address is not readable");
    size = fdt_size(header);
    fdt = hal_phys_map(boot->dtb, size);
    if (fdt == NULL)
        give_up(hv, "machine's devicetree", "it is larger than the boot protocol allows");
    err = platform_discover(fdt, size, hal_cpu_mpidr(), &hv->platform, reason);
    if (err != HV_OK)
        give_up(hv, "machine's devicetree", reason);
    hv->platform.dtb = (struct platform_range){boot->dtb.v, size};
    check_trace(hv, boot);
    if (hv->platform.has_seed)
        random_seed(&hv->random, hv->platform.seed);
}

static void init_machine(struct hv *hv, struct console *console)
{
    hv_err err = hal_init(&hv->platform);

    if (err != HV_OK)
        give_up(hv, "cannot take the machine into use", hv_err_str(err));
    console_init(console, hv->platform.uart.size != 0 ? hv->platform.uart_intid : HAL_INTID_NONE);
    hv->wall_base = hal_wall_time();
    if (hv->wall_base != 0)
        hv->wall_base -= hal_time_now() / hal_time_hz();
    hal_id_regs(&hv->idregs);
    idreg_virtualise(&hv->idregs, s2_ipa_bits(&hv->idregs), &hv->guest_idregs);
    if (hv->platform.nr_virtio_incoherent != 0)
        log_write(&hv->log, LOG_MOD_BOOT, LOG_WARN,
                  "%u virtio devices are not used: the devicetree does not say dma-coherent",
                  hv->platform.nr_virtio_incoherent);
}

static void init_memory(struct hv *hv, const struct hal_boot *boot)
{
    const struct platform_range taken[] = {
        {boot->image.v, boot->image_size},
        hv->platform.dtb,
        hv->platform.initrd,
    };
    hv_err err;

    page_pool_init(&hv->pool);
    hv->account = (struct page_account){.limit = UINT64_MAX, .used = 0};
    err = ram_give_to_pool(&hv->platform, taken, ARRAY_LEN(taken), &hv->pool);
    if (err != HV_OK)
        give_up(hv, "cannot set up the page pool", hv_err_str(err));
}

static void init_vmids(struct hv *hv, const struct hv_config *config)
{
    uint32_t count = vmids_of(&hv->idregs);

    if (config->vmids != 0 && config->vmids < hv->platform.nr_cpus)
        give_up(hv, "VM bundle refused", "/halcyon: vmids: fewer than CPUs");
    if (config->vmids != 0 && config->vmids < count)
        count = config->vmids;
    vmids_init(&hv->vmids, count);
}

static void post_work(void *hv)
{
    hv_post_work(hv);
}

static void read_bundle(struct hv *hv, struct hv_config *config)
{
    char reason[BUNDLE_REASON_MAX];
    const void *blob;

    if (hv->platform.initrd.size == 0)
        give_up(hv, "no VM bundle", "pass one as the machine's initrd");
    blob = hal_phys_map(pa(hv->platform.initrd.base), hv->platform.initrd.size);
    if (blob == NULL)
        give_up(hv, "VM bundle", "the machine's initrd does not lie in its RAM");
    if (bundle_parse(blob, hv->platform.initrd.size, hv->devices, config, reason) != HV_OK)
        give_up(hv, "VM bundle refused", reason);
    console_configure(hv->console, config, &(struct console_command_sink){post_work, hv});
    if (config->log != NULL && log_set_levels(&hv->log, config->log) != HV_OK)
        give_up(hv, "VM bundle refused", "/halcyon: log: not a level specification");
    /* Not before the bundle has said whether it is to be seen. */
    log_write(&hv->log, LOG_MOD_BOOT, LOG_INFO, "%u CPUs, %llu MiB of RAM free",
              hv->platform.nr_cpus, (unsigned long long)(page_pool_free_pages(&hv->pool) >> 8));
}

_Noreturn void core_main(const struct hal_boot *boot)
{
    struct nshyp *self = boot->arena;
    struct hv *hv = &self->hv;
    const struct log_sink sink = {console_log_write, log_micros, &self->console};

    HV_CHECK(boot->arena_size >= sizeof(*self));
    console_init(&self->console, HAL_INTID_NONE);
    log_init(&hv->log, &sink);
    hv->console = &self->console;
    hv->devices = &dev_registry;
    discover(hv, boot);
    init_machine(hv, &self->console);
    init_memory(hv, boot);
    read_bundle(hv, &self->config);
    hv->nr_vms = self->config.nr_vms;
    if (self->config.pcpus != 0 && self->config.pcpus < hv->platform.nr_cpus)
        hv->platform.nr_cpus = self->config.pcpus;
    init_vmids(hv, &self->config);
    disks_init(&self->disks, hv);
    disks_add_all(&self->disks, &self->config);
    hv->disks = &self->disks;
    virtio_console_hub_init(&self->consoles);
    hv->consoles = &self->consoles;
    virtio_vsock_hub_init(&self->vsocks);
    hv->vsocks = &self->vsocks;
    switches_init(&self->switches, hv);
    switches_add_all(&self->switches, &self->config);
    hv->switches = &self->switches;
    manager_init(&self->manager, hv, &self->config);
    /* Nobody else manages until this pCPU runs VMs itself. */
    hv->managing = true;
    manager_start_pcpus(&self->manager);
    if (manager_start_vms(&self->manager) == 0)
        give_up(hv, "no VM could be started", "see above");
    hv_post_work(hv);
    hv->managing = false;
    manager_run(&self->manager, &hv->pcpu[hal_cpu_self()]);
}
