// SPDX-License-Identifier: GPL-2.0
//! What to set so that a resource is not refused again.

use crate::config::Simple;
use crate::params::Param;
use crate::ubc::Usage;
use crate::units;
use crate::units::Pair;
use crate::units::UNLIMITED;
use crate::units::Unit;

/// Options of `vzctl set`, such as `--numproc 300`; `None` if nothing bounds
/// the resource. `need` is the most that was wanted at once, 0 if unknown.
pub(super) fn options(
    param: &Param,
    now: &Usage,
    need: u64,
    simple: Option<Simple>,
) -> Option<String> {
    let memory = match (param.name, simple) {
        ("PHYSPAGES" | "OOMGUARPAGES", Some(simple)) => Some(("ram", simple.ram)),
        ("SWAPPAGES", Some(simple)) => Some(("swap", simple.swap)),
        _ => None,
    };
    if let Some((option, bound)) = memory {
        let bound = finite(bound, Unit::Pages)?;
        // In whole MiB, as people set them.
        let mib = more(bound, need).div_ceil(256);
        return Some(format!("--{option} {}", units::pages(mib * 256)));
    }
    let unit = param.kind.unit()?;
    let pair = match param.name {
        "VMGUARPAGES" => return None,
        "OOMGUARPAGES" => Pair {
            barrier: more(finite(now.barrier, unit)?, need),
            limit: UNLIMITED,
        },
        // Their barrier refuses nothing.
        "PHYSPAGES" | "SWAPPAGES" | "NUMIPTENT" => Pair {
            limit: more(finite(now.limit, unit)?, need),
            barrier: now.barrier.min(UNLIMITED),
        },
        _ => {
            // More than a barrier may be held: it was lowered, or the rest
            // was charged up to the limit.
            let barrier = more(finite(now.barrier, unit)?.max(now.held), need);
            let gap = now.limit.saturating_sub(now.barrier);
            let limit = match finite(now.limit, unit) {
                Some(_) => barrier.saturating_add(gap).min(UNLIMITED),
                None => UNLIMITED,
            };
            Pair { barrier, limit }
        }
    };
    let pair = match param.name {
        // Barrier and limit are to be equal.
        "NUMIPTENT" => Pair::both(pair.limit),
        _ => pair,
    };
    Some(format!("--{} {}", param.option, pair.to_config()))
}

fn finite(bound: u64, unit: Unit) -> Option<u64> {
    (!units::is_unlimited(bound, unit)).then_some(bound)
}

/// A quarter more, and what was wanted in any case.
fn more(bound: u64, need: u64) -> u64 {
    let quarter = bound.saturating_add((bound / 4).max(1));
    quarter.max(need).min(UNLIMITED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params;

    fn suggest(name: &str, barrier: u64, limit: u64, need: u64, simple: Option<Simple>) -> String {
        let now = Usage {
            barrier,
            limit,
            ..Usage::default()
        };
        let param = params::by_resource_name(name).unwrap();
        options(param, &now, need, simple).unwrap_or_default()
    }

    /// A barrier that was set to below what is held.
    #[test]
    fn more_than_what_is_held() {
        let now = Usage {
            held: 1000,
            barrier: 100,
            limit: 110,
            ..Usage::default()
        };
        let param = params::by_resource_name("privvmpages").unwrap();
        let text = options(param, &now, 0, None).unwrap();
        assert_eq!(text, "--privvmpages 1250:1260");
    }

    #[test]
    fn commands() {
        let vswap = Some(Simple {
            ram: 131_072,
            swap: 0,
        });
        for (name, bar, lim, need, simple, text) in [
            ("numproc", 240, 240, 241, None, "--numproc 300"),
            ("numproc", 240, 240, 1000, None, "--numproc 1000"),
            ("numproc", 0, 0, 1, None, "--numproc 1"),
            ("kmemsize", 1000, 1100, 0, None, "--kmemsize 1250:1350"),
            (
                "kmemsize",
                1000,
                UNLIMITED,
                0,
                None,
                "--kmemsize 1250:unlimited",
            ),
            ("kmemsize", UNLIMITED, UNLIMITED, 0, None, ""),
            ("numiptent", 16, 128, 0, None, "--numiptent 160"),
            ("physpages", 0, 131_072, 0, vswap, "--ram 640M"),
            ("oomguarpages", 131_072, UNLIMITED, 0, vswap, "--ram 640M"),
            (
                "oomguarpages",
                100,
                UNLIMITED,
                0,
                None,
                "--oomguarpages 125:unlimited",
            ),
            ("swappages", 0, 0, 0, vswap, "--swap 1M"),
            ("vmguarpages", 5, UNLIMITED, 0, None, ""),
        ] {
            assert_eq!(suggest(name, bar, lim, need, simple), text, "{name}");
        }
    }
}
