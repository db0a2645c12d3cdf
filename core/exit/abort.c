/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "exit/abort.h"
#include "arch/esr.h"
#include "exit/exit.h"
#include "exit/s1_walk.h"
#include "hal/hal.h"
#include "vm/hv.h"

#define ESR_FNV BIT(10) /* of an abort: FAR_EL1 is not valid */

/* SCTLR_EL1: data accesses of EL0 and of EL1 are big-endian (D17.2.118). */
#define SCTLR_E0E BIT(24)
#define SCTLR_EE  BIT(25)

/*
 * True if the syndrome describes an access that may be a device's: one register, at a known
 * address, refused by stage 2 for lack of a mapping. HPFAR_EL2 is not valid for a permission fault
 * (D17.2.66): abort_resolve().
 */
static inline bool abort_is_emulable(const struct esr_abort *abort)
{
    unsigned type = abort->fsc & ~3u;

    return abort->isv && !abort->fnv && !abort->cm && !abort->s1ptw &&
           (type == ESR_FSC_TRANSLATION || type == ESR_FSC_ACCESS_FLAG);
}

/* True in AArch64 state with little-endian data at EL0 and EL1: what nearly every guest is in. */
static inline bool abort_is_usual(struct vcpu *vcpu)
{
    return __builtin_expect((vcpu->arch.pstate & PSTATE_NRW) == 0, 1) &&
           __builtin_expect(
               (hal_vcpu_sysreg_get(&vcpu->arch, ARCH_SCTLR_EL1) & (SCTLR_E0E | SCTLR_EE)) == 0, 1);
}

/* True if the vCPU's data accesses are big-endian now. */
static bool abort_is_big_endian(struct vcpu *vcpu)
{
    uint64_t pstate = vcpu->arch.pstate;

    if ((pstate & PSTATE_NRW) != 0)
        return (pstate & PSTATE_E) != 0;
    uint64_t bit = (pstate & PSTATE_EL(3)) == 0 ? SCTLR_E0E : SCTLR_EE;
    return (hal_vcpu_sysreg_get(&vcpu->arch, ARCH_SCTLR_EL1) & bit) != 0;
}

/* The bytes of a value that has no bits above the access's size, the other way round. */
static inline uint64_t abort_swap(const struct esr_abort *abort, uint64_t value)
{
    return __builtin_bswap64(value) >> (64 - 8 * abort->size);
}

/* What a load leaves in its register. */
static inline uint64_t abort_extend(const struct esr_abort *abort, uint64_t value)
{
    if (abort->sign_extend)
        value = sign_extend(value, 8u * abort->size - 1);
    return abort->reg64 ? value : (uint32_t)value;
}

/* The device at `at`, or NULL. Accesses come in runs to one device, so that it is tried first. */
static inline const struct mmio_region *abort_find_device(struct vcpu *vcpu, ipa_t at)
{
    const struct mmio_region *region = vcpu->last_region;

    if (at.v - region->base < region->size)
        return region;
    region = mmio_bus_find(&vcpu->vm->bus, at);
    if (region != NULL)
        vcpu->last_region = region;
    return region;
}

/* False if no device takes the access. `usual`: what abort_is_usual() said, a constant. */
__attribute__((always_inline)) static inline bool abort_emulate(struct vcpu *vcpu,
                                                                const struct esr_abort *abort,
                                                                const struct arch_exit *exit,
                                                                bool usual)
{
    bool swapped = !usual && abort_is_big_endian(vcpu);
    ipa_t at = ipa(esr_fault_ipa(exit->esr, exit->far, exit->hpfar));
    const struct mmio_region *region = abort_find_device(vcpu, at);
    if (region == NULL)
        return false;

    uint64_t mask = ~UINT64_C(0) >> (64 - 8 * abort->size);
    struct mmio_access access = {
        .offset = at.v - region->base,
        .cpu = vcpu->index,
        .size = abort->size,
        .write = abort->write,
    };
    if (region->size - access.offset < abort->size)
        return false;
    if (abort->write) {
        uint64_t value = arch_vcpu_x(&vcpu->arch, abort->reg) & mask;
        access.value = swapped ? abort_swap(abort, value) : value;
    }
    if (!region->access(region->dev, &access))
        return false;
    if (!abort->write) {
        uint64_t value = access.value & mask;
        value = swapped ? abort_swap(abort, value) : value;
        arch_vcpu_set_x(&vcpu->arch, abort->reg, abort_extend(abort, value));
    }
    if (usual)
        vcpu_skip_insn(vcpu);
    else
        vcpu_skip_trapped(vcpu, exit->esr);
    return true;
}

/* Apart, so that the usual way is as short as without it. */
static __attribute__((noinline)) bool abort_emulate_unusual(struct vcpu *vcpu,
                                                            const struct arch_exit *exit)
{
    struct esr_abort abort = esr_decode_abort(exit->esr | (uint64_t)ESR_EC_DABT_LOWER << 26);

    return abort_emulate(vcpu, &abort, exit, false);
}

/*
 * Only the pages of the VM's ROM (vm/vm.h) are mapped without being writable, so that a permission
 * fault is a store to them. HPFAR_EL2 does not say where: the guest's own tables do.
 */
static bool abort_store_to_rom(struct vcpu *vcpu, const struct esr_abort *abort,
                               const struct arch_exit *exit)
{
    struct arch_exit found = *exit;
    ipa_t at;

    if (!abort->isv || abort->fnv || s1_walk_translate(vcpu, va(exit->far), &at) != HV_OK)
        return false;
    found.hpfar = at.v >> PAGE_SHIFT << 4;
    return abort_emulate_unusual(vcpu, &found);
}

/*
 * Memory that may have holes: true if the guest is to go on. What is mapped by now was on its way
 * to a table of smaller entries, or another vCPU has touched it. Without a page to give the VM
 * ends.
 */
static bool abort_fill(struct vcpu *vcpu, ipa_t at)
{
    struct vm *vm = vcpu->vm;
    struct s2_mapping mapping;
    hv_err err = s2_query(&vm->s2, at, &mapping);

    if (err == HV_OK)
        return true;
    err = vm->s2.fill(&vm->s2, at);
    if (err == HV_ERR_NOMEM || err == HV_ERR_QUOTA)
        vm_end(vm, VM_CRASHED, "no memory for the page at 0x%llx: %s", (unsigned long long)at.v,
               hv_err_str(err));
    return err != HV_ERR_NOENT;
}

/*
 * What the VM's ROM has to do with it, if it has one: true if the guest is to go on. To a ROM cache
 * maintenance means nothing: what is mapped is clean. An access of the table walker is one for
 * reading, whatever for. Not inlined, and decodes anew: what devices get is not to pay for it.
 */
static __attribute__((noinline)) bool abort_resolve(struct vcpu *vcpu, const struct arch_exit *exit)
{
    const struct esr_abort abort = esr_decode_abort(exit->esr);
    const struct vm_rom *rom = &vcpu->vm->rom;
    uint64_t at = esr_fault_ipa(exit->esr, exit->far, exit->hpfar) - rom->base;
    unsigned type = abort.fsc & ~3u;
    bool absent = type == ESR_FSC_TRANSLATION && vcpu->vm->s2.fill != NULL;
    bool permission = type == ESR_FSC_PERMISSION && !abort.s1ptw && rom->size != 0;

    if (absent && abort_fill(vcpu, ipa(at + rom->base)))
        return true;
    if (!permission && (type != ESR_FSC_TRANSLATION || at >= rom->size))
        return false;
    if (abort.cm && !abort.s1ptw) {
        vcpu_skip_trapped(vcpu, exit->esr);
        return true;
    }
    if (permission)
        return abort_store_to_rom(vcpu, &abort, exit);
    return (!abort.write || abort.s1ptw) && rom->map(rom->dev, at);
}

/* External aborts and faults of stage 2 are what a guest can cause; a code that the architecture
 * does not define, or that stage 2 cannot give, is not passed on as if it were. */
static bool abort_is_guest_fault(unsigned fsc)
{
    return fsc < ESR_FSC_ALIGNMENT && esr_fsc_str(fsc) != NULL;
}

static void abort_inject(struct vcpu *vcpu, const struct arch_exit *exit, bool instruction)
{
    struct esr_abort abort = esr_decode_abort(exit->esr);
    ipa_t at = ipa(esr_fault_ipa(exit->esr, exit->far, exit->hpfar));
    struct log *log = &vcpu->vm->hv->log;
    int level = -1;

    if (!abort_is_guest_fault(abort.fsc)) {
        exit_end_vm(vcpu, exit->esr);
        return;
    }
    if (log_enabled(log, LOG_MOD_EXIT, LOG_DEBUG))
        log_write(log, LOG_MOD_EXIT, LOG_DEBUG,
                  "%s: external abort for IPA 0x%llx, VA 0x%llx, ESR 0x%llx, PC 0x%llx",
                  vcpu->vm->config->name, (unsigned long long)at.v, (unsigned long long)exit->far,
                  (unsigned long long)exit->esr, (unsigned long long)vcpu->arch.pc);
    if (abort.s1ptw)
        level = s1_walk_level(vcpu, va(exit->far), at);
    vcpu_inject_external_abort(vcpu, va(abort.fnv ? 0 : exit->far), instruction, abort.write, level,
                               abort.cm);
    if (abort.fnv) {
        uint64_t esr = hal_vcpu_sysreg_get(&vcpu->arch, ARCH_ESR_EL1);
        hal_vcpu_sysreg_set(&vcpu->arch, ARCH_ESR_EL1, esr | ESR_FNV);
    }
}

void abort_data(struct vcpu *vcpu, const struct arch_exit *exit)
{
    /* The class is known: with its bit given, decoding costs the compiler no branch. */
    struct esr_abort abort = esr_decode_abort(exit->esr | (uint64_t)ESR_EC_DABT_LOWER << 26);

    if (abort_is_emulable(&abort)) {
        if (abort_is_usual(vcpu) ? abort_emulate(vcpu, &abort, exit, true)
                                 : abort_emulate_unusual(vcpu, exit))
            return;
    }
    if (!abort_resolve(vcpu, exit))
        abort_inject(vcpu, exit, false);
}

void abort_instruction(struct vcpu *vcpu, const struct arch_exit *exit)
{
    if (!abort_resolve(vcpu, exit))
        abort_inject(vcpu, exit, true);
}
