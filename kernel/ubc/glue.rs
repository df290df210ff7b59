// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers of what the C files do for the Rust side.

use crate::{
    bean::Beancounter,
    resource::Resource, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::atomic::Atomic, //
};

/// The C half of a UB: deferred work, per-CPU memory, memory cgroup, procfs entries.
///
/// # Invariants
///
/// The pointer comes from `ubc_glue_alloc` and is valid until `Drop`.
pub(crate) struct Glue(NonNull<bindings::ubc_glue>);

// SAFETY: The C half may be used and freed by any thread.
unsafe impl Send for Glue {}

// SAFETY: All functions below may be called concurrently, with the exceptions noted there.
unsafe impl Sync for Glue {}

impl Glue {
    /// Allocates a C half; may sleep.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: No preconditions.
        let ptr = unsafe { bindings::ubc_glue_alloc() };

        // INVARIANT: Just allocated.
        NonNull::new(ptr).map(Self).ok_or(ENOMEM)
    }

    /// The pointer for C code, valid as long as `self`.
    pub(crate) fn as_ptr(&self) -> *mut bindings::ubc_glue {
        self.0.as_ptr()
    }

    /// Tells the C half where its UB is, before anybody else knows either.
    pub(crate) fn set_owner(&self, ub: &Beancounter) {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::ubc_glue_own(self.as_ptr(), ub.as_raw()) }
    }

    /// Has `ubc_release` called after a grace period. At most once, in any context but NMI.
    pub(crate) fn release_later(&self) {
        // SAFETY: Valid by the type invariant, and the UB is freed by `ubc_release` only.
        unsafe { bindings::ubc_glue_release_later(self.as_ptr()) }
    }

    /// Tells whom it concerns that a charge was refused. Any context but NMI.
    pub(crate) fn refused(&self, res: Resource, n: i64, held: i64, bound: i64, soft: bool) {
        let number = |value: i64| usize::try_from(value).unwrap_or(0);
        let severity = if soft {
            bindings::ubc_severity_UBC_SOFT
        } else {
            bindings::ubc_severity_UBC_HARD
        };

        // SAFETY: Valid by the type invariant.
        unsafe {
            bindings::ubc_glue_refused(
                self.as_ptr(),
                res.id(),
                number(n),
                number(held),
                number(bound),
                severity,
            )
        }
    }

    /// Tells whom it concerns that a failure was counted. Any context but NMI.
    pub(crate) fn failed(&self, res: Resource) {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::ubc_glue_failed(self.as_ptr(), res.id()) }
    }

    /// Tells whom it concerns that the pressure has a new level. Any context.
    pub(crate) fn pressure(&self, res: Resource, level: i64, held: i64, bound: i64) {
        let number = |value: i64| usize::try_from(value).unwrap_or(0);

        // SAFETY: Valid by the type invariant.
        unsafe {
            bindings::ubc_glue_pressure(
                self.as_ptr(),
                res.id(),
                number(level),
                number(held),
                number(bound),
            )
        }
    }

    /// Tells whom it concerns that bounds were set. May sleep.
    pub(crate) fn limited(&self, res: Resource, barrier: i64, limit: i64) {
        let number = |value: i64| usize::try_from(value).unwrap_or(0);

        // SAFETY: Valid by the type invariant.
        unsafe {
            bindings::ubc_glue_limited(self.as_ptr(), res.id(), number(barrier), number(limit))
        }
    }

    /// Traces a step in the life of the UB.
    pub(crate) fn trace_state(&self, state: bindings::ubc_state) {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::ubc_glue_trace_state(self.as_ptr(), state) }
    }

    /// Traces what the host takes over.
    pub(crate) fn trace_transfer(&self, res: Resource, residue: i64) {
        let residue = usize::try_from(residue).unwrap_or(0);

        // SAFETY: Valid by the type invariant.
        unsafe { bindings::ubc_glue_trace_transfer(self.as_ptr(), res.id(), residue) }
    }

    /// Sends what is waiting to be sent. May sleep. The last call before the UB is freed.
    pub(crate) fn flush_events(&self) {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::ubc_notify_end(self.as_ptr()) }
    }

    /// Makes `/proc/bc/ID`. The caller serialises the proc functions of one UB. May sleep.
    pub(crate) fn proc_add(&self, id: u32) -> Result {
        // SAFETY: Valid by the type invariant.
        to_result(unsafe { bindings::ubc_glue_proc_add(self.as_ptr(), id) })
    }

    /// Makes `/proc/bc/ID-GEN`.
    pub(crate) fn proc_add_drained(&self, id: u32, generation: u64) -> Result {
        // SAFETY: Valid by the type invariant.
        to_result(unsafe { bindings::ubc_glue_proc_add_drained(self.as_ptr(), id, generation) })
    }

    /// Removes the directory, if there is one, and waits for its users.
    pub(crate) fn proc_del(&self) {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::ubc_glue_proc_del(self.as_ptr()) }
    }

    /// Ties the UB to a memory cgroup.
    ///
    /// # Safety
    ///
    /// `cgroup` must be valid.
    pub(crate) unsafe fn bind(&self, cgroup: *mut bindings::cgroup) -> Result {
        // SAFETY: Valid by the type invariant and the caller's promise.
        to_result(unsafe { bindings::ubc_glue_bind(self.as_ptr(), cgroup) })
    }

    /// The memory cgroup stops charging and counting failures; held and limits stay readable.
    pub(crate) fn unbind(&self) {
        // SAFETY: Valid by the type invariant.
        unsafe { bindings::ubc_glue_unbind(self.as_ptr()) }
    }

    /// Reads physpages (or swappages) from the memory cgroup, if there is one.
    pub(crate) fn memory(&self, swap: bool) -> Option<Memory> {
        let (mut held, mut maxheld, mut limit) = (0, 0, 0);

        // SAFETY: Valid by the type invariant.
        if !unsafe { bindings::ubc_glue_bound(self.as_ptr()) } {
            return None;
        }
        // SAFETY: Valid by the type invariant; bound, and that does not end before `Drop`.
        unsafe {
            bindings::ubc_glue_memcg_read(self.as_ptr(), swap, &mut held, &mut maxheld, &mut limit);
        }
        Some(Memory {
            held: from_ulong(held),
            maxheld: from_ulong(maxheld),
            limit: from_ulong(limit),
        })
    }

    /// Anonymous and unevictable pages, in RAM and swap. May sleep.
    pub(crate) fn oom_pages(&self) -> i64 {
        // SAFETY: Valid by the type invariant.
        if !unsafe { bindings::ubc_glue_bound(self.as_ptr()) } {
            return 0;
        }
        // SAFETY: Valid by the type invariant; bound, and that does not end before `Drop`.
        from_ulong(unsafe { bindings::ubc_glue_oom_pages(self.as_ptr()) })
    }

    /// Sets the limit of physpages (or swappages) in the memory cgroup, if there is one.
    pub(crate) fn set_memory_limit(&self, swap: bool, limit: i64) {
        // SAFETY: Valid by the type invariant.
        if unsafe { bindings::ubc_glue_bound(self.as_ptr()) } {
            let limit = usize::try_from(limit).unwrap_or(0);
            // SAFETY: Valid by the type invariant; bound, and that does not end before `Drop`.
            unsafe { bindings::ubc_glue_memcg_limit(self.as_ptr(), swap, limit) }
        }
    }

    /// Lets the largest use of physpages (or swappages) start again. May sleep.
    pub(crate) fn reset_memory_peak(&self, swap: bool) {
        // SAFETY: Valid by the type invariant.
        if unsafe { bindings::ubc_glue_bound(self.as_ptr()) } {
            // SAFETY: Valid by the type invariant; bound, and that does not end before `Drop`.
            unsafe { bindings::ubc_glue_reset_peak(self.as_ptr(), swap) }
        }
    }

    /// The slot of one CPU. Any CPU may use it, atomically.
    pub(crate) fn slot(&self, cpu: u32, index: u32) -> &Atomic<i64> {
        // SAFETY: `cpu` comes from `cpus()`, `index` from `ubc_stocked`; all accesses are atomic
        // and the memory lives as long as `self`.
        unsafe { Atomic::from_ptr(bindings::ubc_stock_slot(self.as_ptr(), cpu, index)) }
    }

    /// The slot of this CPU, or of one this task was on.
    pub(crate) fn local_slot(&self, index: u32) -> &Atomic<i64> {
        // SAFETY: As for `slot`.
        unsafe { Atomic::from_ptr(bindings::ubc_stock_slot_local(self.as_ptr(), index)) }
    }
}

impl Drop for Glue {
    fn drop(&mut self) {
        // SAFETY: Valid by the type invariant, and not used any more.
        unsafe { bindings::ubc_glue_free(self.as_ptr()) }
    }
}

/// Keeps the hooks of all other subsystems patched in. May sleep, also when dropped.
pub(crate) struct Key(());

impl Key {
    pub(crate) fn new() -> Self {
        // SAFETY: Undone by `Drop`.
        unsafe { bindings::ubc_key_inc() };
        Self(())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: Incremented by `new`.
        unsafe { bindings::ubc_key_dec() };
    }
}

/// What a memory cgroup says, in pages.
pub(crate) struct Memory {
    pub(crate) held: i64,
    pub(crate) maxheld: i64,
    pub(crate) limit: i64,
}

/// What the whole machine uses.
pub(crate) struct Machine {
    /// Tasks.
    pub(crate) numproc: i64,
    /// Open files.
    pub(crate) numfile: i64,
    /// Memory that an OOM may free, in pages.
    pub(crate) oomguarpages: i64,
    /// RAM that is not free, in pages.
    pub(crate) physpages: i64,
    /// Swap in use, in pages.
    pub(crate) swappages: i64,
    /// Slabs, kernel stacks and page tables, in bytes.
    pub(crate) kmemsize: i64,
}

/// Reads what the whole machine uses.
pub(crate) fn machine() -> Machine {
    let mut h = bindings::ubc_host::default();

    // SAFETY: `h` is valid for writing.
    unsafe { bindings::ubc_host_read(&mut h) };
    Machine {
        numproc: from_ulong(h.numproc),
        numfile: from_ulong(h.numfile),
        oomguarpages: from_ulong(h.oomguarpages),
        physpages: from_ulong(h.physpages),
        swappages: from_ulong(h.swappages),
        kmemsize: from_ulong(h.kmemsize),
    }
}

/// Keeps the current task on its CPU.
pub(crate) struct NoPreempt(());

impl NoPreempt {
    pub(crate) fn new() -> Self {
        // SAFETY: Undone by `Drop`.
        unsafe { bindings::ubc_preempt_disable() };
        Self(())
    }
}

impl Drop for NoPreempt {
    fn drop(&mut self) {
        // SAFETY: Disabled by `new`.
        unsafe { bindings::ubc_preempt_enable() };
    }
}

/// All CPUs that may ever be online.
pub(crate) fn cpus() -> impl Iterator<Item = u32> {
    let mut last = -1;

    core::iter::from_fn(move || {
        // SAFETY: No preconditions for a CPU number that is -1 or was returned before.
        let cpu = unsafe { bindings::ubc_next_cpu(last) };
        last = i32::try_from(cpu).ok()?;
        (cpu < kernel::cpu::nr_cpu_ids()).then_some(cpu)
    })
}

/// Number of CPUs that may ever be online.
pub(crate) fn nr_cpus() -> i64 {
    // SAFETY: No preconditions.
    i64::from(unsafe { bindings::ubc_nr_cpus() })
}

/// RAM of the machine in pages.
pub(crate) fn ram_pages() -> i64 {
    // SAFETY: No preconditions.
    from_ulong(unsafe { bindings::ubc_ram_pages() })
}

/// Makes /proc/user_beancounters and /proc/bc.
pub(crate) fn proc_init() -> Result {
    // SAFETY: Called once, from the initcall.
    to_result(unsafe { bindings::ubc_proc_init() })
}

/// An amount from C; what does not fit is as good as unlimited.
pub(crate) fn from_ulong(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
