// SPDX-License-Identifier: GPL-2.0

//! Per-CPU stock: units that are in `held` but not in use.
//!
//! Only for resources that are charged by many CPUs at once, and only while the bound is so far
//! away that the stock of all CPUs does not matter. The slots are ordinary atomics, so a charger
//! that would be refused takes them back from every CPU, online or not, without an interrupt.

use crate::{
    bean::Beancounter,
    counter::{
        Counter,
        Edge, //
    },
    glue::{
        cpus,
        Glue,
        NoPreempt, //
    },
    resource::Resource, //
};
use kernel::{
    bindings,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        barrier::smp_mb,
        rcu, //
    }, //
};

/// One more put in a slot, see `struct ubc_stock`.
const PUT: i64 = 1 << 32;

/// The units of a slot.
const UNITS: i64 = PUT - 1;

/// The most units that a CPU can be given at a time.
pub(crate) const MAX_BATCH: i32 = 1 << 20;

/// Units fetched at a time, in the order of the slots. A slot holds at most twice as many.
static BATCHES: [Atomic<i32>; bindings::ubc_stocked_UBC_STOCKS as usize] = [
    // Files.
    Atomic::new(8),
    // Pages.
    Atomic::new(256),
    // Bytes.
    Atomic::new(4 << 12),
];

/// The slots of a resource that may have stock.
fn index(res: Resource) -> Option<u32> {
    match res {
        Resource::NUMFILE => Some(bindings::ubc_stocked_UBC_STOCK_NUMFILE),
        Resource::PRIVVMPAGES => Some(bindings::ubc_stocked_UBC_STOCK_PRIVVMPAGES),
        Resource::DCACHESIZE => Some(bindings::ubc_stocked_UBC_STOCK_DCACHESIZE),
        _ => None,
    }
}

/// The units fetched at a time of a resource that may have stock; 0 is no stock.
///
/// Whoever changes it calls [`Stock::update`] for all UBs.
pub(crate) fn batch(res: Resource) -> Option<&'static Atomic<i32>> {
    BATCHES.get(index(res)? as usize)
}

/// The stock of one resource of one UB.
pub(crate) struct Stock<'a> {
    ub: &'a Beancounter,
    res: Resource,
    counter: &'a Counter,
    glue: &'a Glue,
    /// Index of the slots.
    index: u32,
    batch: &'static Atomic<i32>,
}

impl<'a> Stock<'a> {
    /// The stock of a resource that may have some.
    pub(crate) fn of(ub: &'a Beancounter, res: Resource) -> Option<Self> {
        Some(Self {
            ub,
            res,
            counter: ub.counter(res),
            glue: ub.glue(),
            index: index(res)?,
            batch: batch(res)?,
        })
    }

    pub(crate) fn resource(&self) -> Resource {
        self.res
    }

    pub(crate) fn counter(&self) -> &'a Counter {
        self.counter
    }

    /// Takes `n` units from this CPU, or from one this task was on. In a read-side critical
    /// section, here and in the next two functions, so that a grace period after
    /// [`Beancounter::set_dying`] ends all use of the slots.
    pub(crate) fn take(&self, n: i64, _guard: &rcu::Guard) -> bool {
        let Some(n) = small(n, self.room()) else {
            return false;
        };

        change(self.glue.local_slot(self.index), |old| {
            (old & UNITS >= n).then(|| old - n)
        })
        .is_some()
    }

    /// Charges `n` units and one batch for this CPU. Others may wait for the end of the move, so
    /// preemption is off, which is a read-side critical section too.
    pub(crate) fn refill(&self, n: i64, _guard: &NoPreempt) -> Option<Edge> {
        let room = self.room();
        small(n, room)?;
        let batch = room / 2;
        let units = n + batch;
        // No stock is built up closer to the barrier than what all CPUs could hold.
        let bound = self.counter.barrier() - room * self.ub.cpus();

        if self.counter.held() > bound - units {
            return None;
        }
        let slot = self.glue.local_slot(self.index);
        // Not the CPU that had too little: this one may have enough.
        if slot.load(Relaxed) & UNITS > room - batch {
            return None;
        }
        self.counter.begin_move();
        let edge = self.counter.try_charge(units, bound).ok();
        if edge.is_some() {
            slot.fetch_add(batch + PUT, Full);
        }
        self.counter.end_move();
        edge
    }

    /// Keeps `n` units that are not in use any more on this CPU.
    pub(crate) fn put(&self, n: i64, _guard: &rcu::Guard) -> bool {
        let room = self.room();
        let Some(n) = small(n, room) else {
            return false;
        };

        change(self.glue.local_slot(self.index), |old| {
            let new = old.wrapping_add(n + PUT);

            (new & UNITS <= room).then_some(new)
        })
        .is_some()
    }

    /// Returns `n` units that did not fit in the slot of this CPU, and a batch of what is there,
    /// so that the next ones do. `None` if the slot holds less, or stock is not in use any more.
    pub(crate) fn spill(&self, n: i64, _guard: &NoPreempt) -> Option<Edge> {
        let room = self.room();
        small(n, room)?;
        let batch = room / 2;

        self.counter.begin_move();
        let edge = change(self.glue.local_slot(self.index), |old| {
            (old & UNITS >= batch).then(|| old - batch)
        })
        .map(|_| self.counter.uncharge(n + batch));
        self.counter.end_move();
        edge
    }

    /// The most that all CPUs together may have.
    pub(crate) fn most(&self) -> i64 {
        2 * i64::from(self.batch.load(Relaxed)) * self.ub.cpus()
    }

    /// The sum over all CPUs.
    pub(crate) fn total(&self) -> i64 {
        self.slots().map(|slot| slot.load(Relaxed) & UNITS).sum()
    }

    /// Changes with each put. If it does not, slots that were found empty meanwhile, one after the
    /// other, were all empty in the end.
    pub(crate) fn puts(&self) -> i64 {
        self.slots().fold(0, |sum: i64, slot| {
            sum.wrapping_add(slot.load(Relaxed) >> 32)
        })
    }

    /// Empties the slots of all CPUs and returns what was there.
    pub(crate) fn empty(&self) -> i64 {
        self.slots()
            .filter_map(|slot| change(slot, |old| Some(old & !UNITS)))
            .map(|old| old & UNITS)
            .sum()
    }

    fn slots(&self) -> impl Iterator<Item = &'a Atomic<i64>> + '_ {
        cpus().map(|cpu| self.glue.slot(cpu, self.index))
    }

    /// Lets stock grow while the barrier is far above what all CPUs could hold.
    ///
    /// To be called when the barrier or the batch has changed. A stale answer costs time only: a
    /// charge that meets a bound takes all stock back.
    pub(crate) fn update(&self) {
        // `set_dying` is followed by `forbid` and a grace period, which waits for this.
        let _guard = rcu::read_lock();
        let batch = self.batch.load(Relaxed);
        let far = self.counter.barrier() >= 64 * i64::from(batch) * self.ub.cpus();
        let room = if far { 2 * batch } else { 0 };

        if !self.ub.is_dying() {
            self.stocking().store(room.cast_unsigned(), Relaxed);
            smp_mb(Full);
            if self.ub.is_dying() {
                self.forbid();
            }
        }
    }

    /// No stock from now on.
    pub(crate) fn forbid(&self) {
        self.stocking().store(0, Relaxed);
    }

    fn stocking(&self) -> &Atomic<u32> {
        self.ub.stocking(self.index)
    }

    /// What a slot may hold now.
    fn room(&self) -> i64 {
        i64::from(self.stocking().load(Relaxed))
    }
}

/// `n` if stock is in use now and that many units fit in.
fn small(n: i64, room: i64) -> Option<i64> {
    (0..=room / 2)
        .contains(&n)
        .then_some(n)
        .filter(|_| room > 0)
}

/// Replaces the value of a slot by what `f` makes of it, unless that is nothing; what it was.
fn change(slot: &Atomic<i64>, f: impl Fn(i64) -> Option<i64>) -> Option<i64> {
    let mut old = slot.load(Relaxed);

    while let Some(new) = f(old) {
        match slot.cmpxchg(old, new, Full) {
            Ok(_) => return Some(old),
            Err(seen) => old = seen,
        }
    }
    None
}
