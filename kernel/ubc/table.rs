// SPDX-License-Identifier: GPL-2.0

//! All UBs: live ones by id, all of them by creation number.
//!
//! Only administration looks here; whoever is charged has a pointer. The table holds no
//! references: a UB whose last one is gone stays listed until [`release`] removes it.

use crate::{
    bean::Beancounter,
    kmem,
    resource::Resource, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*,
    sync::{
        aref::ARef,
        rcu, //
    }, //
};

/// A listed UB.
///
/// # Invariants
///
/// The pointer is valid while it is in the table.
struct Entry(NonNull<Beancounter>);

// SAFETY: `Beancounter` is `Sync`.
unsafe impl Send for Entry {}

impl Entry {
    fn ub(&self) -> &Beancounter {
        // SAFETY: By the type invariant; entries are used under the mutex only.
        unsafe { self.0.as_ref() }
    }

    /// A reference, unless the UB is only waiting to be removed.
    fn get(&self) -> Option<ARef<Beancounter>> {
        if !self.ub().try_get() {
            return None;
        }
        // SAFETY: `try_get` gave a reference, which is passed on.
        Some(unsafe { ARef::from_raw(self.0) })
    }
}

struct Table {
    /// In order of creation, the host first.
    all: KVec<Entry>,
    /// UBs with an owner, by id.
    live: KVec<Entry>,
    /// The next creation number.
    next: u64,
}

kernel::sync::global_lock! {
    // SAFETY: Initialised by `init` before anything can make or look up a UB.
    unsafe(uninit) static TABLE: Mutex<Table> = Table {
        all: KVec::new(),
        live: KVec::new(),
        next: 0,
    };
}

impl Table {
    /// Where the live UB with this id is or would be.
    fn slot(&self, id: u32) -> Result<usize, usize> {
        self.live.binary_search_by_key(&id, |entry| entry.ub().id())
    }

    /// Adds a UB with the next creation number.
    fn add(&mut self, id: u32) -> Result<NonNull<Beancounter>> {
        let at = match self.slot(id) {
            Ok(_) => return Err(EEXIST),
            Err(at) => at,
        };

        self.all.reserve(1, GFP_KERNEL)?;
        self.live.reserve(1, GFP_KERNEL)?;
        let ub = NonNull::from(KBox::leak(Beancounter::new(id, self.next)?));
        // INVARIANT: `release` removes both entries before it frees the UB.
        let _ = self.all.push_within_capacity(Entry(ub));
        let _ = self.live.insert_within_capacity(at, Entry(ub));
        self.next += 1;
        Ok(ub)
    }
}

/// Makes UB 0, which is never released.
pub(crate) fn init() -> Result {
    // SAFETY: Called once, from the initcall.
    unsafe { TABLE.init() };
    TABLE.lock().add(0).map(|_| ())
}

/// Gives UB 0 its entry in `/proc/bc`, once that is there.
pub(crate) fn show_host() -> Result {
    by_id(0).ok_or(ENOENT)?.glue().proc_add(0)
}

/// A new UB, with the owner's reference. May sleep.
pub(crate) fn create(id: u32) -> Result<ARef<Beancounter>> {
    if id == 0 || id == u32::MAX {
        return Err(EINVAL);
    }
    let ub = TABLE.lock().add(id)?;
    // SAFETY: A new UB has one reference, which is passed on.
    let ub = unsafe { ARef::from_raw(ub) };

    ub.glue().trace_state(bindings::ubc_state_UBC_CREATED);
    if let Err(error) = ub.glue().proc_add(id) {
        destroy(ub);
        return Err(error);
    }
    Ok(ub)
}

/// Takes the owner's reference back. May sleep.
pub(crate) fn destroy(ub: ARef<Beancounter>) {
    if !ub.set_dying() {
        return;
    }
    ub.glue().trace_state(bindings::ubc_state_UBC_DYING);
    ub.glue().unbind();
    // The name must be free before the id is.
    ub.glue().proc_del();
    {
        let mut table = TABLE.lock();
        if let Ok(at) = table.slot(ub.id()) {
            let _ = table.live.remove(at);
        }
    }
    // After this nobody uses the stock, charges kernel memory or counts a refused page.
    rcu::synchronize_rcu();
    ub.drain();
    kmem::transfer(&ub);
    if ub.is_shared()
        && ub
            .glue()
            .proc_add_drained(ub.id(), ub.generation())
            .is_err()
    {
        pr_warn!("no /proc/bc entry for UB {}-{}\n", ub.id(), ub.generation());
    }
}

/// Frees a UB whose last reference is gone, a grace period ago.
///
/// # Safety
///
/// Called once for each UB, with the pointer [`create`] returned.
pub(crate) unsafe fn release(ub: NonNull<Beancounter>) {
    {
        let mut table = TABLE.lock();
        table.all.retain(|entry| entry.0 != ub);
        // One that nobody owned was never destroyed.
        table.live.retain(|entry| entry.0 != ub);
    }
    {
        // SAFETY: It is freed below and nowhere else.
        let glue = unsafe { ub.as_ref() }.glue();

        // Whoever reads the events may make one.
        glue.proc_del();
        glue.flush_events();
        glue.trace_state(bindings::ubc_state_UBC_FREED);
    }
    // SAFETY: It came from `KBox::leak` in `add`, and the caller promises that this is the end.
    drop(unsafe { KBox::from_raw(ub.as_ptr()) });
}

/// The live UB with this id.
pub(crate) fn by_id(id: u32) -> Option<ARef<Beancounter>> {
    let table = TABLE.lock();
    let at = table.slot(id).ok()?;

    table.live.get(at)?.get()
}

/// The newest live UB that is not newer than `generation`.
pub(crate) fn not_newer(generation: u64) -> Option<ARef<Beancounter>> {
    let table = TABLE.lock();
    let end = table
        .all
        .partition_point(|entry| entry.ub().generation() <= generation);

    table
        .all
        .get(..end)?
        .iter()
        .rev()
        .filter(|entry| !entry.ub().is_dying())
        .find_map(Entry::get)
}

/// The container for which `score` is largest, if it is for any. `None` too if the table is in
/// use: the caller may be called by its user.
pub(crate) fn worst(score: impl Fn(&Beancounter) -> Option<i64>) -> Option<ARef<Beancounter>> {
    let table = TABLE.try_lock()?;
    let mut worst = None;

    for entry in table.all.iter().filter(|entry| !entry.ub().is_host()) {
        let Some(score) = score(entry.ub()) else {
            continue;
        };
        if worst.as_ref().is_none_or(|(most, _)| score > *most) {
            worst = entry.get().map(|ub| (score, ub)).or(worst);
        }
    }
    worst.map(|(_, ub)| ub)
}

/// Does something that neither sleeps nor fails to all UBs. Who is made later sees what the caller
/// did before.
pub(crate) fn each(what: impl Fn(&Beancounter)) {
    let table = TABLE.lock();

    table.all.iter().for_each(|entry| what(entry.ub()));
}

/// All UBs in order of creation.
#[cfg(CONFIG_UBC_DEBUG)]
pub(crate) fn all() -> Result<KVec<ARef<Beancounter>>> {
    let table = TABLE.lock();
    let mut all = KVec::with_capacity(table.all.len(), GFP_KERNEL)?;

    for ub in table.all.iter().filter_map(Entry::get) {
        // There is room for all.
        let _ = all.push_within_capacity(ub);
    }
    Ok(all)
}

/// What all containers together use.
pub(crate) fn sum(usage: impl Fn(&Beancounter, Resource) -> i64, res: Resource) -> i64 {
    let table = TABLE.lock();

    table
        .all
        .iter()
        .filter(|entry| !entry.ub().is_host())
        .fold(0i64, |sum, entry| {
            sum.saturating_add(usage(entry.ub(), res))
        })
}
