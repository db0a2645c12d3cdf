# SPDX-License-Identifier: MIT OR Apache-2.0
"""The table of mutate.py: mistakes in core, one row each, and the program that must notice."""
import collections

ENDLESS = "endless"

# An executable of the build, the guest in it, options, and how it ends: by itself, or never (it resets).
Program = collections.namedtuple("Program", "target kernel options ending", defaults=((), "off"))


def guest(name, **more):
    return Program("sim/halcyon-sim", f"guest/{name}.bin", **more)


PROGRAMS = {name: guest(name) for name in (
    "hvc-imm", "idregs", "mmio-sizes", "s2-fault", "sgi", "smc", "spi", "timer", "wfi")}
PROGRAMS["reset"] = guest("reset", ending=ENDLESS)
PROGRAMS["two-vcpus"] = guest("two-vcpus", options=("--smp", "2"))
# A program of this directory in the place of the role; it never starts its guest.
PROGRAMS["stage2"] = Program("tests/mutation/mutation-stage2", "guest/hvc-imm.bin")

# The text `old`, which is in `file` exactly once, becomes `new`: then `program` fails, and `sign` says how (mutate.py
# has the kinds): "not ok: NAME" a result, "stopped: REASON" the VM's end, "panic: CHECK" a check of core's or of the
# HAL's, "hang" it runs and gets nowhere, "waits" it waits for what never comes, "error: TEXT" another end of the
# simulator. Of a header, only sources in which `symbol` occurs are compiled again.
Mutation = collections.namedtuple("Mutation", "name what file old new program sign symbol", defaults=(None,))

MUTATIONS = [
    # --- Stage 2 ---
    Mutation(
        "unmap-without-tlbi", "what was unmapped or protected stays in the TLB",
        "core/mem/s2_change.c",
        "    struct s2_tag tag = s2_tag(visit->s2);\n    hal_tlbi_range(&tag, ipa(from), to - from);\n",
        "    (void)from, (void)to;\n",
        "stage2", "not ok: no longer there once it is unmapped"),
    Mutation(
        "protect-without-tlbi", "a page that was made read-only stays writable",
        "core/mem/s2_change.c",
        "        s2_pte_write(step->pte, (pte & ~S2_PERM_MASK) | visit->attrs);\n        visit->changed = true;\n",
        "        s2_pte_write(step->pte, (pte & ~S2_PERM_MASK) | visit->attrs);\n",
        "stage2", "not ok: read-only once it is protected"),
    Mutation(
        "entry-without-access-flag", "stage-2 entries lack the access flag",
        "core/mem/s2_table.c",
        "s2_attr_perm(prot) | S2_AF;", "s2_attr_perm(prot);",
        "stage2", "not ok: a mapped page is read"),
    Mutation(
        "vm-without-access-flag", "the same, as a VM sees it: it cannot execute its first instruction",
        "core/mem/s2_table.c",
        "s2_attr_perm(prot) | S2_AF;", "s2_attr_perm(prot);",
        "hvc-imm", "stopped: takes an exception at its own exception vector"),
    Mutation(
        "split-in-large-steps", "all entries of a block that is cut map its first page",
        "core/mem/s2_change.c",
        "pa_add(s2_pte_pa(block), i * size)", "s2_pte_pa(block)",
        "stage2", "not ok: the next one is not"),
    Mutation(
        "table-freed-while-linked", "an empty table goes back to the pool, and the walker still follows it",
        "core/mem/s2_change.c",
        "    s2_pte_write(step->pte, 0);\n    s2_pages_push(&visit->dead, table);\n",
        "    s2_pages_push(&visit->dead, table);\n",
        "stage2", "not ok: its table is not walked any more"),
    Mutation(
        "memory-not-executable", "stage 2 maps what is executable as execute-never, and the other way round",
        "core/mem/s2_table.c",
        "if ((prot & S2_EXEC) == 0)", "if ((prot & S2_EXEC) != 0)",
        "hvc-imm", "stopped: takes an exception at its own exception vector"),
    Mutation(
        "start-level", "VTCR_EL2.SL0 names another start level than the tables have",
        "core/mem/s2.c",
        "VTCR_SL0(s2->start_level)", "VTCR_SL0(s2->start_level + 1u)",
        "hvc-imm", "stopped: takes an exception at its own exception vector"),
    # --- Aborts and device access ---
    Mutation(
        "hpfar-shift", "the faulting page is taken from the wrong bits of HPFAR_EL2",
        "core/arch/esr.h",
        "bits_get(hpfar, 43, 4) << 12", "bits_get(hpfar, 43, 4) << 8",
        "hvc-imm", "hang", "esr_fault_ipa"),
    Mutation(
        "hpfar-with-far-page", "the page comes from FAR_EL2, which is a VA, and not from HPFAR_EL2",
        "core/arch/esr.h",
        "offset_known ? page | (far & BITS(11, 0)) : page", "offset_known ? far : page",
        "s2-fault", "not ok: unexpected exception", "esr_fault_ipa"),
    Mutation(
        "far-without-offset", "the offset within the page is dropped",
        "core/arch/esr.h",
        "offset_known ? page | (far & BITS(11, 0)) : page", "page",
        "mmio-sizes", "not ok: unexpected exception", "esr_fault_ipa"),
    Mutation(
        "pc-stays-after-mmio", "the PC is not advanced after a device access",
        "core/exit/abort.c",
        "    if (usual)\n        vcpu_skip_insn(vcpu);\n    else\n", "    if (!usual)\n",
        "hvc-imm", "hang"),
    Mutation(
        "pc-stays-after-sysreg", "the PC is not advanced after a trapped System register",
        "core/exit/sysreg_trap.c",
        "    /* First: a write may stop the vCPU. */\n    vcpu_skip_insn(vcpu);\n", "",
        "wfi", "hang"),
    Mutation(
        "xzr-is-x30", "register 31 of a transfer is read as a register, and not as zero",
        "core/arch/vcpu.h",
        "return n < 31 ? vcpu->x[n] : 0;", "return vcpu->x[n < 31 ? n : 30];",
        "mmio-sizes", "not ok: strb GICD_IPRIORITYR byte 0", "arch_vcpu_x"),
    Mutation(
        "sign-lost", "a signed load does not extend the sign",
        "core/exit/abort.c",
        "    if (abort->sign_extend)\n", "    if (false)\n",
        "mmio-sizes", "not ok: ldrsb w, negative"),
    Mutation(
        "w-load-extends-to-x", "a load to a W register leaves its upper half set",
        "core/exit/abort.c",
        "return abort->reg64 ? value : (uint32_t)value;", "return value;",
        "mmio-sizes", "not ok: ldrsb w, negative"),
    Mutation(
        "size-ignored", "every device access is one of 4 bytes",
        "core/exit/abort.c",
        "        .size = abort->size,\n", "        .size = 4,\n",
        "mmio-sizes", "not ok: unexpected exception"),
    Mutation(
        "endianness-ignored", "a big-endian guest's data is taken as it is",
        "core/exit/abort.c",
        "bool swapped = !usual && abort_is_big_endian(vcpu);", "bool swapped = false;",
        "mmio-sizes", "not ok: big-endian ldr w"),
    Mutation(
        "abort-without-walk-level", "a fault on a table walk is reported as one on the access",
        "core/exit/abort.c",
        "    if (abort.s1ptw)\n", "    if (false)\n",
        "s2-fault", "not ok: level 2 table in a hole: ldr"),
    # --- Exceptions and traps ---
    Mutation(
        "elr-is-next", "an injected exception returns behind the instruction that faulted",
        "core/vm/vcpu.c",
        "hal_vcpu_sysreg_set(arch, ARCH_ELR_EL1, to.elr);", "hal_vcpu_sysreg_set(arch, ARCH_ELR_EL1, to.elr + 4);",
        "s2-fault", "not ok: hole: ldrb"),
    Mutation(
        "id-registers-not-trapped", "the guest reads the CPU's ID registers",
        "core/vm/vm.c",
        "HCR_TWI | HCR_TID3 |", "HCR_TWI |",
        "idregs", "not ok: ID_AA64PFR0_EL1.GIC: system registers"),
    Mutation(
        "smc-not-trapped", "an SMC goes to the firmware",
        "core/vm/vm.c",
        "     HCR_TSC | HCR_TIDCP", "     HCR_TIDCP",
        "smc", "error: an exception to EL3"),
    Mutation(
        "timer-does-not-wake", "the virtual timer's interrupt leaves a vCPU in WFI",
        "core/exit/exit.c",
        "        if (pcpu->current != vcpu)\n            sched_wake(vcpu);\n", "",
        "wfi", "waits"),
    # --- Interrupts ---
    Mutation(
        "eoi-lost", "the end of an interrupt in a list register is not taken over",
        "core/irq/vgic_lr.c",
        "    if (irq->override == VGIC_KEEP)\n        irq->active = (now & ICH_LR_ACTIVE) != 0 && !vgic_irq_is_lpi(irq);\n",
        "    if (irq->override == VGIC_KEEP && (now & ICH_LR_ACTIVE) != 0)\n        irq->active = true;\n",
        "sgi", "not ok: not active after the end"),
    Mutation(
        "host-eoi-lost", "core does not end the physical interrupt that it took",
        "core/exit/exit.c",
        "    hal_irq_end(intid, vcpu == NULL);\n", "    (void)intid;\n",
        "wfi", "waits"),
    Mutation(
        "timer-not-deactivated", "the guest's end of its timer interrupt leaves the physical one active",
        "core/irq/vgic_lr.c",
        "(uint64_t)irq->hw_intid << ICH_LR_PINTID_SHIFT;", "(irq->hw_intid + UINT64_C(1)) << ICH_LR_PINTID_SHIFT;",
        "wfi", "waits"),
    Mutation(
        "timer-line-not-sampled", "a timer that was reprogrammed leaves its interrupt pending",
        "core/exit/exit.c",
        "        if (vcpu->vtimer_raised)\n            exit_sample_vtimer(vcpu);\n        exit_handlers",
        "        exit_handlers",
        "timer", "not ok: virtual timer: reprogrammed before it was taken: no longer pending"),
    Mutation(
        "tval-unsigned", "a negative timer value is taken as a far one",
        "core/vm/ptimer.c",
        "hal_time_now() + sign_extend(value, 31)", "hal_time_now() + (uint32_t)value",
        "timer", "not ok: physical timer: TVAL -1 has passed"),
    Mutation(
        "sgi-intid", "an SGI arrives with the next number",
        "core/irq/vgic_sgi.c",
        "(uint32_t)(value >> ICC_SGIR_INTID_SHIFT) &", "((uint32_t)(value >> ICC_SGIR_INTID_SHIFT) + 1u) &",
        "sgi", "not ok: SGI 0 to 15 arrive with their number"),
    Mutation(
        "priority-ignored", "list registers do not carry the priority",
        "core/irq/vgic_lr.c",
        "irq->intid | (uint64_t)irq->priority << ICH_LR_PRIORITY_SHIFT;", "irq->intid;",
        "sgi", "not ok: 16 pending SGIs arrive in the order of their priorities"),
    Mutation(
        "level-not-seen-again", "a line that is still high after the end of its interrupt is forgotten",
        "core/irq/vgic_lr.c",
        "(irq->level && !irq->edge) ||", "",
        "spi", "hang"),
    Mutation(
        "overflow-forgotten", "what did not fit into the list registers never comes",
        "core/irq/vgic_lr.c",
        "            hcr |= ICH_HCR_NPIE;\n", "            ;\n",
        "spi", "not ok: 24 pending SPIs arrive once each"),
    Mutation(
        "dir-left-to-hardware", "ICC_DIR_EL1 does not trap, and an interrupt without a list register is guessed",
        "core/irq/vgic_lr.c",
        "(ICH_HCR_EN | ICH_HCR_TDIR)\n", "ICH_HCR_EN\n",
        "sgi", "not ok: EOImode 1: ICC_DIR deactivates the one that it names"),
    # --- Several vCPUs, and several lives ---
    Mutation(
        "list-register-leaked", "the interrupts of all vCPUs go to the first one's list registers",
        "core/vm/vm.c",
        "cpu[i].vcpu = &vm->vcpu[i].arch;", "cpu[i].vcpu = &vm->vcpu[0].arch;",
        "two-vcpus", "waits"),
    Mutation(
        "sgi-in-senders-list-register", "an SGI goes to a list register of the vCPU that sends it",
        "core/irq/vgic_sgi.c",
        "    if (to == by) {\n", "    if (true) {\n",
        "two-vcpus", "not ok: an SGI for one that is off does not come here"),
    Mutation(
        "vcpu-not-unloaded", "the next vCPU is loaded on top of the one that is in the CPU",
        "core/vm/sched_switch.c",
        "    hal_vcpu_put(&vcpu->arch);\n", "",
        "two-vcpus", "panic: check failed on CPU 0: cpu->loaded == NULL"),
    Mutation(
        "active-priority-kept", "a vCPU that is powered on again has active priorities of its last life",
        "core/vm/vcpu.c",
        "    memset(arch->gic.ap1r, 0, sizeof(arch->gic.ap1r));\n", "",
        "two-vcpus", "not ok: with no active priority"),
    Mutation(
        "memory-not-scrubbed", "a VM's memory goes back to the pool with what it held",
        "core/vm/ram.c",
        "    page_pool_scrub(&vm->hv->pool, at, len);\n",
        "    if (len > HV_PIECE)\n        page_pool_scrub(&vm->hv->pool, at, len);\n",
        "reset", "not ok: memory is empty"),
    Mutation(
        "timer-left-active", "a VM that ends within its timer interrupt leaves that active for the next one",
        "core/irq/vgic_load.c",
        "    cpu_each_hw_active(c, hal_irq_deactivate);\n", "",
        "reset", "not ok: the virtual timer interrupts"),
]
