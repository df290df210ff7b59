// SPDX-License-Identifier: GPL-2.0

//! Pressure: how close a resource is to what refuses it.
//!
//! The level of a resource is 75, 90 or 98: that part of its bound, in percent, is held. Below is
//! level 0. A level is entered when `held` reaches its part and left when `held` is 5 percent of
//! the bound below it. Units kept ready per CPU are held: a level may come early by them, never
//! late.
//!
//! Charging compares `held` with two marks next to it ([`Counter::set_marks`]) and comes here only
//! when one was passed. What a memory cgroup counts is judged when it refuses, and like the host's
//! when somebody reads it.
//!
//! Everything here is lockless and may be called in any context. That several CPUs judge at once
//! is settled by order: whoever writes marks looks at the level, the bound and `held` once more
//! afterwards, and begins again unless all three are what the marks were made for. So the last
//! marks written are right, and a charge that was too early to see them was early enough to be
//! seen.

use crate::{
    bean::Beancounter,
    counter::{
        Counter,
        UNLIMITED, //
    },
    resource::{
        Resource,
        COUNT, //
    },
    show, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        barrier::smp_mb, //
    }, //
};

/// The levels above 0, in percent of the bound, the highest first.
const LEVELS: [i64; 3] = [98, 90, 75];

/// In percent of the bound.
const HYSTERESIS: i64 = 5;

/// The present level of each resource of one UB.
pub(crate) struct Levels {
    by_resource: [Atomic<i64>; COUNT],
}

impl Levels {
    /// No pressure anywhere.
    pub(crate) fn new() -> impl Init<Self> {
        init!(Self {
            by_resource <- pin_init::init_array_from_fn(|_| Atomic::new(0)),
        })
    }

    fn of(&self, res: Resource) -> &Atomic<i64> {
        // A `Resource` is always a valid index.
        &self.by_resource[res.index()]
    }
}

impl Beancounter {
    /// The level of a resource.
    pub(crate) fn pressure(&self, res: Resource) -> i64 {
        self.levels.of(res).load(Relaxed)
    }

    /// Judges a resource whose `held` has passed a mark.
    #[cold]
    pub(crate) fn judge(&self, res: Resource) {
        self.settle(res, false);
    }

    /// Judges a resource that has got a new bound, as if nothing had been before.
    pub(crate) fn rejudge(&self, res: Resource) {
        self.settle(res, true);
    }

    /// Judges what is not charged here. May sleep.
    pub(crate) fn look(&self) {
        for res in Resource::all().filter(|&res| !is_charged(self, res)) {
            self.settle(res, false);
        }
    }

    /// Brings level and marks to what is held.
    fn settle(&self, res: Resource, mut afresh: bool) {
        let counter = self.counter(res);
        let present = self.levels.of(res);

        loop {
            let old = present.load(Relaxed);
            let (bound, held) = look_at(self, res);
            let new = level(if afresh { 0 } else { old }, held, bound);

            if new != old {
                if present.cmpxchg(old, new, Full).is_err() {
                    continue;
                }
                self.glue().pressure(res, new, held, bound);
            }
            afresh = false;
            let marks = Marks::new(new, bound);
            counter.set_marks(marks.low, marks.high);
            // Orders the marks before a second look; a charge orders `held` before the marks.
            smp_mb(Full);
            let (now, held) = look_at(self, res);
            if present.load(Relaxed) == new && now == bound && marks.contain(held) {
                return;
            }
        }
    }
}

/// Whether what is held is charged to the counter, not counted elsewhere.
fn is_charged(ub: &Beancounter, res: Resource) -> bool {
    !ub.is_host() && !matches!(res, Resource::PHYSPAGES | Resource::SWAPPAGES)
}

/// The bound that refuses ordinary requests, and what is compared with it.
fn look_at(ub: &Beancounter, res: Resource) -> (i64, i64) {
    let counter = ub.counter(res);
    let bound = match res {
        Resource::PHYSPAGES | Resource::SWAPPAGES => show::row(ub, res).limit,
        Resource::NUMIPTENT | Resource::DCACHESIZE => counter.limit(),
        Resource::VMGUARPAGES | Resource::OOMGUARPAGES => UNLIMITED,
        _ => counter.barrier(),
    };
    let held = if bound == UNLIMITED {
        0
    } else if is_charged(ub, res) {
        counter.held()
    } else {
        show::row(ub, res).held
    };

    (bound, held)
}

/// `percent` of `bound`, rounded up.
fn part(bound: i64, percent: i64) -> i64 {
    bound / 100 * percent + (bound % 100 * percent + 99) / 100
}

/// The level after `old`.
fn level(old: i64, held: i64, bound: i64) -> i64 {
    if bound == UNLIMITED || held <= 0 {
        return 0;
    }
    LEVELS
        .into_iter()
        .find(|&level| {
            held >= part(bound, level) || (level <= old && held >= part(bound, level - HYSTERESIS))
        })
        .unwrap_or(0)
}

/// The values of `held` that do not change a level.
struct Marks {
    low: i64,
    high: i64,
}

impl Marks {
    fn new(level: i64, bound: i64) -> Self {
        if bound == UNLIMITED {
            return Self {
                low: Counter::NO_LOW,
                high: Counter::NO_HIGH,
            };
        }
        let next = LEVELS.into_iter().rev().find(|&next| next > level);

        Self {
            low: match level {
                0 => Counter::NO_LOW,
                _ => part(bound, level - HYSTERESIS).max(1),
            },
            high: next.map_or(Counter::NO_HIGH, |next| (part(bound, next) - 1).max(0)),
        }
    }

    fn contain(&self, held: i64) -> bool {
        held >= self.low && held <= self.high
    }
}

#[kunit_tests(ubc_pressure)]
mod tests {
    use super::*;

    #[test]
    fn levels_rise_at_their_part() {
        for (held, want) in [
            (0, 0),
            (74, 0),
            (75, 75),
            (89, 75),
            (90, 90),
            (97, 90),
            (98, 98),
            (500, 98),
        ] {
            assert_eq!(level(0, held, 100), want);
        }
    }

    #[test]
    fn levels_fall_five_percent_below() {
        for (old, held, want) in [
            (98, 93, 98),
            (98, 92, 90),
            (98, 84, 75),
            (98, 69, 0),
            (90, 85, 90),
            (90, 84, 75),
            (75, 70, 75),
            (75, 69, 0),
        ] {
            assert_eq!(level(old, held, 100), want);
        }
    }

    #[test]
    fn marks_are_where_the_level_changes() {
        for bound in [0, 1, 2, 3, 7, 99, 100, 101, 1000, UNLIMITED - 1] {
            for old in [0, 75, 90, 98] {
                let marks = Marks::new(old, bound);

                assert!(marks.high == Counter::NO_HIGH || level(old, marks.high, bound) <= old);
                assert!(marks.high == Counter::NO_HIGH || level(old, marks.high + 1, bound) > old);
                assert!(marks.low == Counter::NO_LOW || level(old, marks.low, bound) >= old);
                assert!(marks.low == Counter::NO_LOW || level(old, marks.low - 1, bound) < old);
            }
        }
    }

    #[test]
    fn no_bound_no_pressure() {
        let marks = Marks::new(0, UNLIMITED);
        assert_eq!(level(98, UNLIMITED - 1, UNLIMITED), 0);
        assert!(marks.contain(0) && marks.contain(UNLIMITED));
    }

    #[test]
    fn nothing_held_is_no_pressure() {
        assert_eq!(level(98, 0, 0), 0);
        assert_eq!(level(0, 1, 0), 98);
    }
}
