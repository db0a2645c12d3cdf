/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The whole contract between core and the mechanism below it. Link-time functions: an image links
 * exactly one implementation (hal-aarch64, hal-sim, tests/fakehal). None knows a VM, a device or a
 * scheduler. Pre- and postconditions, and who may call what when, are in CONTRACT.md.
 */
#ifndef HAL_HAL_H
#define HAL_HAL_H

#include "abi/smccc.h"
#include "abi/trace.h"
#include "arch/idreg.h"
#include "arch/vcpu.h"
#include "base/addr.h"
#include "base/err.h"
#include "hal/platform.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- Life of the machine
 * ------------------------------------------------------------------------------------- */

/* What the HAL hands to core when the machine starts. */
struct hal_boot {
    pa_t dtb;   /* the machine's devicetree, untrusted in content, mapped for reading */
    pa_t image; /* physical extent of the running image, stacks and tables included */
    uint64_t image_size;
    void *arena; /* zeroed memory of core's own, for what must exist before the page pool, 64-byte
                    aligned */
    size_t arena_size;
};

/* Provided by core's role: called once by the HAL on the boot CPU; returns only through hal_halt().
 */
_Noreturn void core_main(const struct hal_boot *boot);

/*
 * Takes the machine into use as `platform` describes it: maps RAM and devices, starts the interrupt
 * controller and the console of this CPU. Before it, only hal_phys_map() of hal_boot's ranges,
 * hal_time_now() and hal_console_write() work.
 */
HV_MUST_CHECK hv_err hal_init(const struct hal_platform *platform);

enum hal_halt_reason { HAL_HALT_OFF, HAL_HALT_RESET, HAL_HALT_PANIC };
/* Ends the machine: power off, reset, or after a panic a stop that the outside notices. */
_Noreturn void hal_halt(enum hal_halt_reason reason);

/* --- CPUs
 * ------------------------------------------------------------------------------------------------------
 */

/* Dense index of this physical CPU, 0 is the boot CPU. */
unsigned hal_cpu_self(void);
/*
 * Brings up a CPU that is off: it calls entry(arg), interrupts masked, its interrupt controller as
 * hal_init() leaves that of the boot CPU. HV_ERR_RANGE: there is no such CPU; HV_ERR_BUSY: it is
 * not off; HV_ERR_UNSUPPORTED: the firmware refuses.
 */
HV_MUST_CHECK hv_err hal_cpu_start(unsigned cpu, void (*entry)(void *), void *arg);
/* Turns this CPU off, until hal_cpu_start(). No vCPU is loaded on it. */
_Noreturn void hal_cpu_stop(void);
/* Waits until an interrupt is pending, even one that is masked. May return early. */
void hal_cpu_idle(void);
/* A hint in a spin loop. */
void hal_cpu_relax(void);
/* Makes the hal_vcpu_run() or hal_cpu_idle() of `cpu` return, with an IRQ that hal_irq_ack()
 * reports as HAL_INTID_KICK. */
void hal_cpu_kick(unsigned cpu);
/* Affinity fields of this CPU's MPIDR_EL1. */
uint64_t hal_cpu_mpidr(void);
/* This CPU's identification registers, raw. */
void hal_id_regs(struct arch_idregs *out);
/* Those of `cpu`, which is this one or one that hal_cpu_start() has brought up. */
void hal_cpu_id_regs(unsigned cpu, struct arch_idregs *out);

/* --- Virtual CPUs
 * ---------------------------------------------------------------------------------------------- */

/* Moves the state from memory to this CPU, or back. At most one vCPU is loaded on a CPU, and each
 * on at most one. */
void hal_vcpu_load(struct arch_vcpu *vcpu);
void hal_vcpu_put(struct arch_vcpu *vcpu);
/* Runs a loaded vCPU until it traps or an interrupt arrives, and says why. */
void hal_vcpu_run(struct arch_vcpu *vcpu, struct arch_exit *exit);
/* System registers; valid loaded (on this CPU) or not loaded. */
uint64_t hal_vcpu_sysreg_get(struct arch_vcpu *vcpu, enum arch_sysreg reg);
void hal_vcpu_sysreg_set(struct arch_vcpu *vcpu, enum arch_sysreg reg, uint64_t value);
/* Takes over changes of vcpu->config for a loaded vCPU. */
void hal_vcpu_config_sync(struct arch_vcpu *vcpu);

/* --- List registers of a vCPU, ICH_*_EL2 formats; valid loaded or not
 * ------------------------------------------ */

/* How many list registers each CPU has, 1..ARCH_LR_MAX. */
unsigned hal_gic_lr_count(void);
uint64_t hal_gic_lr_get(struct arch_vcpu *vcpu, unsigned n);
void hal_gic_lr_set(struct arch_vcpu *vcpu, unsigned n, uint64_t lr);
/* Bit n is set if list register n holds no pending or active interrupt and asks for no EOI
 * maintenance (ICH_ELRSR_EL2). */
uint32_t hal_gic_lr_empty(struct arch_vcpu *vcpu);
/* ICH_HCR_EL2. */
uint64_t hal_gic_hcr_get(struct arch_vcpu *vcpu);
void hal_gic_hcr_set(struct arch_vcpu *vcpu, uint64_t hcr);
/* ICH_VMCR_EL2. */
uint64_t hal_gic_vmcr_get(struct arch_vcpu *vcpu);

/* --- Memory
 * ------------------------------------------------------------------------------------------------------
 */

/* A pointer to physical memory that hal_boot or hal_init() made known, NULL otherwise. */
void *hal_phys_map(pa_t base, uint64_t len);
void hal_phys_unmap(void *ptr, uint64_t len);
/* Makes table writes visible to the walkers of all CPUs (DSB ISHST; ISB). */
void hal_pt_sync(void);

/* What a stage-2 translation is tagged with: VMID in bits [63:48] of vttbr. */
struct s2_tag {
    uint64_t vttbr;
    uint64_t vtcr;
};
/* Invalidates stage-2 and combined translations of [base, base + len) of that VMID on all CPUs, and
 * waits. */
void hal_tlbi_range(const struct s2_tag *tag, ipa_t base, uint64_t len);
/* Everything of that VMID. */
void hal_tlbi_tag(const struct s2_tag *tag);
/* Everything of that VMID, on this CPU only. */
void hal_tlbi_local(const struct s2_tag *tag);
/* Everything of all VMIDs, on all CPUs. */
void hal_tlbi_all(void);

enum hal_cache_op {
    HAL_CACHE_CLEAN,      /* to the point of coherency: a guest with caches off sees it */
    HAL_CACHE_CLEAN_INV,  /* clean and invalidate to the point of coherency */
    HAL_CACHE_SYNC_ICACHE /* new instructions: clean to unification, invalidate the instruction
                             cache */
};
void hal_cache_op(const void *ptr, uint64_t len, enum hal_cache_op op);

/* --- Interrupts
 * -------------------------------------------------------------------------------------------------
 */

#define HAL_INTID_NONE 1023u /* nothing was pending */
#define HAL_INTID_KICK 0u    /* SGI 0: hal_cpu_kick() */

/* Acknowledges the most important pending interrupt of this CPU; HAL_INTID_NONE if there is none.
 */
uint32_t hal_irq_ack(void);
/* Drops the running priority of an acknowledged interrupt, and deactivates it unless a guest will
 * (HW list register). */
void hal_irq_end(uint32_t intid, bool deactivate);
/* Deactivates an interrupt whose priority was dropped before. */
void hal_irq_deactivate(uint32_t intid);
/* Makes a PPI of this CPU active, as if it had been acknowledged and its priority dropped. */
void hal_irq_activate(uint32_t intid);
/* Enables or disables delivery of `intid` to this CPU. SPIs are routed here. HV_ERR_RANGE if there
 * is no such INTID. */
HV_MUST_CHECK hv_err hal_irq_enable(uint32_t intid, bool enable);

/* --- Time
 * ---------------------------------------------------------------------------------------------------------
 */

/* The physical counter, CNTPCT_EL0. */
uint64_t hal_time_now(void);
/* Its frequency in Hz, never 0. */
uint64_t hal_time_hz(void);
/* Seconds since 1970-01-01 00:00 UTC by the machine's clock, 0 if it has none. After hal_init(). */
uint64_t hal_wall_time(void);
#define HAL_TIMER_NEVER UINT64_MAX
/* Raises the platform's hypervisor timer interrupt on this CPU once the counter reaches `deadline`.
 * One deadline a CPU. */
void hal_timer_arm(uint64_t deadline);

/* --- Random numbers
 * ------------------------------------------------------------------------------------------------
 */

#define HAL_ENTROPY_MAX 64u /* bytes at once */
/*
 * Fills `out` with random bytes from the best source that the machine has. HV_ERR_UNSUPPORTED: it
 * has none, now and always; HV_ERR_BUSY: none delivers now, later one may. After hal_init().
 */
HV_MUST_CHECK hv_err hal_entropy(void *out, size_t len);

/* --- Trace
 * --------------------------------------------------------------------------------------------------------
 */

/* True if somebody wants a record of each exit. */
bool hal_trace_enabled(void);
/* Takes one record of an exit of this CPU. */
void hal_trace(const struct trace_record *record);

/* --- Network
 * --------------------------------------------------------------------------------------------------------
 */

#define HAL_NET_FRAME_MAX 1518u /* with an Ethernet header and a VLAN's tag, without the FCS */

/* HV_ERR_UNSUPPORTED: the machine has no network that can be driven. *intid: its interrupt, a level
 * while frames wait. After hal_init(). */
HV_MUST_CHECK hv_err hal_net_info(uint32_t *intid);
/* Sends an Ethernet frame of 1 to HAL_NET_FRAME_MAX bytes, or loses it. */
void hal_net_send(const void *frame, size_t len);
/* Copies the next frame that came to `frame`, of HAL_NET_FRAME_MAX bytes, and returns its length;
 * 0: there is none. */
size_t hal_net_receive(void *frame);

/* --- Disks
 * --------------------------------------------------------------------------------------------------------
 */

#define HAL_DISKS_MAX    4u
#define HAL_DISK_SECTOR  512u
#define HAL_DISK_LEN_MAX UINT32_C(0x10000) /* bytes of one request */
#define HAL_DISK_SLOTS   4u                /* requests that a disk works on at a time */

struct hal_disk_info {
    uint64_t sectors;
    uint32_t intid; /* the SPI that says that a request is done: nobody has enabled it yet */
    bool read_only;
    bool flush; /* it knows HAL_DISK_FLUSH; one that does not keeps what was written at once */
};

enum hal_disk_op {
    HAL_DISK_READ,
    HAL_DISK_WRITE,
    HAL_DISK_FLUSH, /* what was written and is done survives a loss of power; no sector, no buffer
                     */
};

struct hal_disk_request {
    enum hal_disk_op op;
    uint32_t len; /* bytes, 1..HAL_DISK_LEN_MAX whole sectors */
    uint64_t sector;
    pa_t buf; /* ordinary memory that hal_phys_map() knows, nobody else's until it is done */
};

/* How many disks the machine has that the HAL can drive, 0..HAL_DISKS_MAX. */
unsigned hal_disk_count(void);
void hal_disk_info(unsigned disk, struct hal_disk_info *out);
/* Starts a request in a slot of the caller's choice that is free. */
void hal_disk_submit(unsigned disk, unsigned slot, const struct hal_disk_request *request);
/* Takes one request that is done: its slot is free again. False if there is none, and then the
 * disk's interrupt is quiet until there is. *result: HV_OK, or HV_ERR_IO. */
bool hal_disk_done(unsigned disk, unsigned *slot, hv_err *result);

/* --- The world around
 * ----------------------------------------------------------------------------------------- */

/* Calls EL3 by SMC; regs are arguments and results. */
void hal_smc(struct smc_regs *regs);
/* Writes to the console; blocks until it has taken all. Callable before hal_init() if an early
 * console exists. */
void hal_console_write(const char *text, size_t len);
/* Takes up to `size` bytes of input that are there; returns how many. Clears the console's
 * interrupt. */
size_t hal_console_read(char *buf, size_t size);

#endif
