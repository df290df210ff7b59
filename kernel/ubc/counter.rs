// SPDX-License-Identifier: GPL-2.0

//! The counter of one resource of one UB.
//!
//! Pure arithmetic on atomics: no locks, no allocation, nothing that sleeps or wakes, so it may be
//! used in any context.

use core::mem::{
    offset_of,
    size_of, //
};
use kernel::{
    bindings,
    pr_warn_once,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed, //
        },
        barrier::smp_mb, //
    }, //
};

/// "No bound", in every field that holds one.
pub(crate) const UNLIMITED: i64 = i64::MAX;

/// Which bound may refuse a charge.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The barrier: the caller can report an error and live on.
    Hard,
    /// The limit: a refusal kills or breaks something.
    Soft,
    /// None: the work cannot fail.
    Force,
}

/// A charge that would exceed its bound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// What a change of `held` means for the life of the UB.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// Zero before and after, or not zero before and after.
    None,
    /// The counter left zero, or returned to it.
    Crossed,
}

/// One resource: what is held, the two bounds, and what happened.
///
/// One cache line each, because unrelated resources are charged by unrelated CPUs.
#[repr(C, align(64))]
pub(crate) struct Counter {
    /// In use plus per-CPU stock. Signed, to survive and report an uncharge too many.
    held: Atomic<i64>,
    /// Largest value `held` had.
    maxheld: Atomic<i64>,
    barrier: Atomic<i64>,
    limit: Atomic<i64>,
    /// Refused requests.
    failcnt: Atomic<u64>,
    /// Transfers between `held` and per-CPU stock: low half under way, high half completed.
    moves: Atomic<u64>,
    /// While `held` is from `low` to `high` its [pressure](crate::pressure) does not change.
    low: Atomic<i64>,
    high: Atomic<i64>,
}

// C code knows it as `struct ubc_counter`.
const _: () = {
    use bindings::ubc_counter as C;

    assert!(size_of::<Counter>() == size_of::<C>());
    assert!(offset_of!(Counter, held) == offset_of!(C, held));
    assert!(offset_of!(Counter, maxheld) == offset_of!(C, maxheld));
    assert!(offset_of!(Counter, barrier) == offset_of!(C, barrier));
    assert!(offset_of!(Counter, limit) == offset_of!(C, limit));
    assert!(offset_of!(Counter, low) == offset_of!(C, low));
    assert!(offset_of!(Counter, high) == offset_of!(C, high));
};

/// See [`Counter::moves`].
const MOVE_DONE: u64 = 1 << 32;

impl Counter {
    /// A counter with the given bounds and nothing held.
    pub(crate) const fn new(barrier: i64, limit: i64) -> Self {
        Self {
            held: Atomic::new(0),
            maxheld: Atomic::new(0),
            barrier: Atomic::new(barrier),
            limit: Atomic::new(limit),
            failcnt: Atomic::new(0),
            moves: Atomic::new(0),
            low: Atomic::new(Self::NO_LOW),
            high: Atomic::new(Self::NO_HIGH),
        }
    }

    /// A mark that nothing is below.
    pub(crate) const NO_LOW: i64 = i64::MIN;

    /// A mark that nothing is above.
    pub(crate) const NO_HIGH: i64 = i64::MAX;

    pub(crate) fn held(&self) -> i64 {
        self.held.load(Relaxed)
    }

    pub(crate) fn maxheld(&self) -> i64 {
        self.maxheld.load(Relaxed)
    }

    pub(crate) fn barrier(&self) -> i64 {
        self.barrier.load(Relaxed)
    }

    pub(crate) fn limit(&self) -> i64 {
        self.limit.load(Relaxed)
    }

    pub(crate) fn failcnt(&self) -> u64 {
        self.failcnt.load(Relaxed)
    }

    pub(crate) fn set_bounds(&self, barrier: i64, limit: i64) {
        self.barrier.store(barrier, Relaxed);
        self.limit.store(limit, Relaxed);
    }

    /// The largest value a charge of this severity may lead to.
    pub(crate) fn bound(&self, severity: Severity) -> i64 {
        match severity {
            Severity::Hard => self.barrier(),
            Severity::Soft => self.limit(),
            Severity::Force => UNLIMITED,
        }
    }

    /// Adds `n` if the result is at most `bound`.
    ///
    /// The test and the addition are one step: a request that is refused never makes another one
    /// fail, and the bound itself can be reached exactly. An overflow is above every bound but
    /// that of a forced charge, which saturates.
    pub(crate) fn try_charge(&self, n: i64, bound: i64) -> Result<Edge, Refused> {
        let mut old = self.held();
        loop {
            let new = match old.checked_add(n) {
                Some(new) if new <= bound => new,
                None if bound == UNLIMITED => i64::MAX,
                _ => return Err(Refused),
            };
            match self.held.cmpxchg(old, new, Full) {
                Ok(_) => {
                    self.raise_maxheld(new);
                    return Ok(Self::edge(old <= 0 && new > 0));
                }
                Err(seen) => old = seen,
            }
        }
    }

    /// Gives `n` back; more than there is leaves zero and a warning.
    pub(crate) fn uncharge(&self, n: i64) -> Edge {
        let old = self.held.fetch_sub(n, Full);
        let new = old.wrapping_sub(n);

        if new < 0 {
            pr_warn_once!("uncharge of {n} with {old} held\n");
            self.held.add(new.wrapping_neg(), Relaxed);
        }
        Self::edge(old > 0 && new <= 0)
    }

    /// Records the use of something that is counted elsewhere.
    pub(crate) fn raise_maxheld(&self, value: i64) {
        let mut max = self.maxheld();

        while value > max {
            match self.maxheld.cmpxchg(max, value, Relaxed) {
                Ok(_) => return,
                Err(seen) => max = seen,
            }
        }
    }

    /// Counts one refused request.
    pub(crate) fn fail(&self) {
        self.failcnt.add(1, Relaxed);
    }

    /// Announces that units are about to be neither in `held` nor in a slot.
    pub(crate) fn begin_move(&self) {
        self.moves.fetch_add(1, Full);
    }

    /// The units of the last [`Self::begin_move`] have arrived.
    pub(crate) fn end_move(&self) {
        self.moves.fetch_add(MOVE_DONE - 1, Full);
    }

    /// A snapshot of the transfers: equal and [quiet](moves_quiet) snapshots around an
    /// observation of `held` and all slots prove that it missed no unit.
    pub(crate) fn moves(&self) -> u64 {
        self.moves.load(Acquire)
    }

    /// Sets the range in which `held` may move without [`Self::is_above`] or [`Self::is_below`].
    pub(crate) fn set_marks(&self, low: i64, high: i64) {
        self.low.store(low, Relaxed);
        self.high.store(high, Relaxed);
    }

    /// Whether a charge has brought `held` above the upper mark.
    pub(crate) fn is_above(&self) -> bool {
        self.held() > self.high.load(Relaxed)
    }

    /// Whether a return has brought `held` below the lower mark.
    pub(crate) fn is_below(&self) -> bool {
        self.held() < self.low.load(Relaxed)
    }

    /// Whether there is a lower mark.
    pub(crate) fn is_watched(&self) -> bool {
        self.low.load(Relaxed) != Self::NO_LOW
    }

    /// Lets the largest value start again from `held`.
    pub(crate) fn reset_maxheld(&self, held: i64) {
        self.maxheld.store(held, Relaxed);
        // A charge orders `held` before it looks at the largest value, and may have seen the old.
        smp_mb(Full);
        self.raise_maxheld(self.held());
    }

    fn edge(crossed: bool) -> Edge {
        if crossed {
            Edge::Crossed
        } else {
            Edge::None
        }
    }
}

/// Whether no transfer was under way when the snapshot was taken.
pub(crate) fn moves_quiet(moves: u64) -> bool {
    moves % MOVE_DONE == 0
}

#[kunit_tests(ubc_counter)]
mod tests {
    use super::*;

    #[test]
    fn bound_is_reached_exactly() {
        let c = Counter::new(10, 12);
        assert_eq!(c.try_charge(10, c.bound(Severity::Hard)), Ok(Edge::Crossed));
        assert_eq!(c.try_charge(1, c.bound(Severity::Hard)), Err(Refused));
        assert_eq!(c.try_charge(2, c.bound(Severity::Soft)), Ok(Edge::None));
        assert_eq!(c.try_charge(1, c.bound(Severity::Soft)), Err(Refused));
        assert_eq!(c.held(), 12);
    }

    #[test]
    fn force_ignores_bounds_and_saturates() {
        let c = Counter::new(0, 0);
        assert!(c.try_charge(5, c.bound(Severity::Force)).is_ok());
        assert!(c.try_charge(i64::MAX, c.bound(Severity::Force)).is_ok());
        assert_eq!(c.held(), i64::MAX);
    }

    #[test]
    fn overflow_is_refused() {
        let c = Counter::new(UNLIMITED - 1, UNLIMITED);
        assert!(c.try_charge(1, c.bound(Severity::Hard)).is_ok());
        assert_eq!(
            c.try_charge(i64::MAX, c.bound(Severity::Hard)),
            Err(Refused)
        );
    }

    #[test]
    fn return_to_zero_is_one_edge() {
        let c = Counter::new(5, 5);
        assert!(c.try_charge(2, 5).is_ok());
        assert_eq!(c.uncharge(1), Edge::None);
        assert_eq!(c.uncharge(1), Edge::Crossed);
        assert_eq!((c.held(), c.maxheld()), (0, 2));
    }

    #[test]
    fn moves_are_visible_until_done() {
        let c = Counter::new(5, 5);
        let before = c.moves();
        c.begin_move();
        assert!(!moves_quiet(c.moves()));
        c.end_move();
        assert!(moves_quiet(c.moves()) && c.moves() != before);
    }
}
