// SPDX-License-Identifier: GPL-2.0
//! The simple memory mode: RAM and swap are set, other limits follow.
//!
//! The classic mode is its absence: every counter has a limit of its own.

use crate::units::LEGACY_UNLIMITED_PAGES;
use crate::units::Pair;
use crate::units::UNLIMITED;

/// RAM and swap of a VE in the simple mode, in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Simple {
    /// Limit of physpages; finite.
    pub ram: u64,
    /// Limit of swappages.
    pub swap: u64,
}

impl Simple {
    /// Parameters from which limits of others follow.
    pub const SOURCES: [&'static str; 3] = ["PHYSPAGES", "SWAPPAGES", "VM_OVERCOMMIT"];

    /// The mode that these two limits make: simple if RAM has a limit and
    /// swap is set.
    #[must_use]
    pub fn of(physpages: Option<Pair>, swappages: Option<Pair>) -> Option<Self> {
        let ram = physpages?.limit;
        let swap = swappages?.limit;
        (ram < LEGACY_UNLIMITED_PAGES).then_some(Self { ram, swap })
    }

    /// RAM and swap together, in pages.
    #[must_use]
    pub fn sum(self) -> u64 {
        self.ram.saturating_add(self.swap).min(UNLIMITED)
    }

    /// What follows for a resource that is not set; `None`: nothing does, it
    /// is unlimited. `overcommit` is `VM_OVERCOMMIT` in thousandths.
    #[must_use]
    pub fn implied(self, name: &str, overcommit: Option<u64>) -> Option<Pair> {
        let guarantee = |barrier| Pair {
            barrier,
            limit: UNLIMITED,
        };
        match name {
            "LOCKEDPAGES" => Some(Pair::both(self.ram)),
            "OOMGUARPAGES" => Some(guarantee(self.ram)),
            "VMGUARPAGES" => Some(guarantee(self.sum())),
            "PRIVVMPAGES" => overcommit.map(|milli| {
                let pages = u128::from(self.sum()) * u128::from(milli) / 1000;
                Pair::both(u64::try_from(pages).unwrap_or(UNLIMITED).min(UNLIMITED))
            }),
            _ => None,
        }
    }
}
