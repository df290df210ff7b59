// SPDX-License-Identifier: GPL-2.0
//! Rules of the simple mode: RAM and swap.

use super::Checker;
use super::Class;
use super::sizes::LEAST_RAM;
use crate::node::Memory;
use crate::units;
use crate::units::LEGACY_UNLIMITED_PAGES;
use crate::units::Pair;
use crate::units::UNLIMITED;

impl Checker<'_> {
    pub(super) fn simple(&mut self, node: Option<Memory>) {
        for (name, what, most) in [
            ("PHYSPAGES", "RAM", node.map(|n| n.ram)),
            ("SWAPPAGES", "swap", node.map(|n| n.swap)),
        ] {
            let Some(p) = self.pair(name) else {
                let text = format!("it is not set, but memory is to be set by {what}");
                self.add(Class::Error, name, &text, None);
                continue;
            };
            if p.barrier != 0 {
                let text = format!("the barrier must be 0, it is {}", units::bound(p.barrier));
                let limit = p.limit;
                self.add(Class::Error, name, &text, Some(Pair { barrier: 0, limit }));
            }
            let most = most.unwrap_or(UNLIMITED);
            if name == "PHYSPAGES" && p.limit >= LEGACY_UNLIMITED_PAGES {
                self.add(Class::Error, name, "the limit must not be unlimited", None);
            } else if p.limit > most && p.limit != UNLIMITED {
                let text = format!(
                    "the limit of {} is above the {} of {what} that the node has",
                    units::human(p.limit.saturating_mul(units::PAGE)),
                    units::human(most.saturating_mul(units::PAGE)),
                );
                let fix = Pair {
                    barrier: 0,
                    limit: most,
                };
                self.add(Class::Warning, name, &text, Some(fix));
            } else if name == "PHYSPAGES" && p.limit < LEAST_RAM / units::PAGE {
                let text = format!(
                    "the limit of {} is below the {} that it takes to make a VE",
                    units::human(p.limit.saturating_mul(units::PAGE)),
                    units::human(LEAST_RAM),
                );
                self.add(Class::Warning, name, &text, None);
            }
        }
    }
}
