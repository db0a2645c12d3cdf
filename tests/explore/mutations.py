# SPDX-License-Identifier: MIT OR Apache-2.0
"""The table of mutate.py: places of core that lose their lock, one row each, and the test that must notice.

All calls of spinlock_lock() and spinlock_unlock() go from `functions` of `file`. A row says in how many seeds, from 1 on,
`test` has to notice it, and what has to be in its message.
"""
import collections

Mutation = collections.namedtuple("Mutation", "name what file functions test seeds sign", defaults=(20, ""))

MUTATIONS = [
    Mutation("pool-alloc", "blocks are taken out of the free lists without the pool's lock",
             "core/mem/page_pool.c", ["page_pool_take"], "page-pool"),
    Mutation("pool-free", "blocks are given back without the pool's lock",
             "core/mem/page_pool.c", ["page_pool_give"], "page-pool"),
    Mutation("s2-map", "stage-2 tables grow without their lock",
             "core/mem/s2_map.c", ["s2_map"], "stage2"),
    Mutation("s2-unmap", "pages are unmapped, and tables freed, without the lock",
             "core/mem/s2_change.c", ["s2_unmap"], "stage2"),
    Mutation("s2-query", "tables are walked without the lock, while they may be freed",
             "core/mem/s2.c", ["s2_query"], "stage2"),
    Mutation("vgic-access", "registers of the distributor are accessed without the vGIC's lock",
             "core/irq/vgic_access.c", ["access_locked"], "vgic"),
    Mutation("vgic-flush", "list registers are written without the vGIC's lock",
             "core/irq/vgic_lr.c", ["vgic_flush"], "vgic"),
    Mutation("vgic-unload", "list registers are taken back without the vGIC's lock",
             "core/irq/vgic_load.c", ["vgic_unload"], "vgic"),
    Mutation("vgic-sgi", "SGIs are raised without the vGIC's lock",
             "core/irq/vgic_sgi.c", ["vgic_send_sgi"], "vgic"),
    Mutation("vgic-dir", "an interrupt is deactivated without the vGIC's lock",
             "core/irq/vgic_lr.c", ["vgic_deactivate"], "vgic"),
    Mutation("vgic-level", "a line changes without the vGIC's lock",
             "core/irq/vgic.c", ["vgic_set_level"], "vgic"),
    Mutation("pl011", "the UART's registers are accessed without its lock",
             "core/dev/pl011.c", ["pl011_commit", "pl011_poll", "access_locked"], "pl011"),
    Mutation("console-log", "a log line is written to the console without its lock",
             "core/dev/console.c", ["console_print"], "console"),
    Mutation("console-guest", "a guest writes to the console without its lock",
             "core/dev/console.c", ["console_guest_write"], "console"),
    Mutation("log", "log lines are stamped and written in no order",
             "core/base/log.c", ["log_write"], "console"),
    Mutation("timer-start", "a timer is put into its queue without the queue's lock",
             "core/vm/timer.c", ["timer_start"], "timer"),
    Mutation("timer-cancel", "a timer is taken out of a queue without the queue's lock",
             "core/vm/timer.c", ["timer_cancel"], "timer"),
    Mutation("sched-choose", "a pCPU chooses its vCPU without its run queue's lock",
             "core/vm/sched.c", ["choose"], "guest-two-vcpus", sign=": race: "),
    Mutation("sched-wait", "a vCPU goes to sleep without its run queue's lock",
             "core/vm/sched.c", ["sched_wait"], "guest-two-vcpus"),
    Mutation("vm-vcpu-on", "a vCPU is powered on without its VM's lock",
             "core/vm/vm_life.c", ["vm_vcpu_on"], "guest-psci-race"),
]
