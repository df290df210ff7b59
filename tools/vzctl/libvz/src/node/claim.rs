// SPDX-License-Identifier: GPL-2.0
//! What one VE claims of the node's memory.
//!
//! With K = kmemsize + tcpsndbuf + tcprcvbuf + othersockbuf + dgramrcvbuf,
//! what is in use counts what is held, and what is promised counts limits.
//! In the simple mode kernel memory is a part of RAM: it is then promised
//! with RAM, not on top of it.

use crate::config::Simple;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::node::Memory;
use crate::ubc::Beancounter;
use crate::ubc::Usage;
use crate::units;
use crate::units::Pair;
use crate::units::Unit;

/// Bytes, infinite where nothing is limited; or shares of the node's.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Claim {
    /// Kernel memory in use.
    pub low_used: f64,
    /// Kernel memory promised.
    pub low_promised: f64,
    /// RAM in use.
    pub ram_used: f64,
    /// Most RAM it may take; infinite in the classic mode.
    pub ram_max: f64,
    /// RAM and swap in use.
    pub both_used: f64,
    /// RAM and swap promised.
    pub both_promised: f64,
    /// Most RAM and swap it may take; infinite in the classic mode.
    pub both_max: f64,
    /// Address space in use.
    pub alloc_used: f64,
    /// Address space promised.
    pub alloc_promised: f64,
    /// Most address space it may take.
    pub alloc_max: f64,
}

const KERNEL: [&str; 5] = [
    "kmemsize",
    "tcpsndbuf",
    "tcprcvbuf",
    "othersockbuf",
    "dgramrcvbuf",
];

fn bytes(value: u64, unit: Unit) -> f64 {
    match unit {
        _ if units::is_unlimited(value, unit) => f64::INFINITY,
        Unit::Pages => value as f64 * units::PAGE as f64,
        Unit::Bytes | Unit::Count => value as f64,
    }
}

impl Claim {
    /// Reckoned from the beancounter of a VE, in bytes.
    ///
    /// # Errors
    /// A counter that is needed is missing (3).
    pub fn new(bc: &Beancounter) -> Result<Self> {
        let get = |name: &str| -> Result<Usage> {
            bc.get(name).ok_or_else(|| {
                Error::new(
                    Code::System,
                    format!("cannot work out what VE {} claims", bc.id),
                )
                .why(format!("its beancounter has no line {name}"))
                .hint(format!("vzubc {}", bc.id))
            })
        };
        let pages = |n| bytes(n, Unit::Pages);
        let mut kernel = (0.0, 0.0);
        for name in KERNEL {
            let u = get(name)?;
            kernel.0 += u.held as f64;
            kernel.1 += bytes(u.limit, Unit::Bytes);
        }
        let (phys, private) = (get("physpages")?, get("privvmpages")?);
        let (oom, guaranteed) = (get("oomguarpages")?, get("vmguarpages")?);
        let bounds = |u: Usage| Pair {
            barrier: u.barrier,
            limit: u.limit,
        };
        let swap = bc.get("swappages");
        let simple = Simple::of(Some(bounds(phys)), swap.map(bounds));
        let (ram_max, both_max) = match simple {
            Some(simple) => (pages(simple.ram), pages(simple.sum())),
            None => (f64::INFINITY, f64::INFINITY),
        };
        let added = if simple.is_some() { 0.0 } else { kernel.1 };
        Ok(Self {
            low_used: kernel.0,
            low_promised: kernel.1.min(ram_max),
            ram_used: pages(phys.held) + kernel.0,
            ram_max,
            both_used: pages(oom.held) + kernel.0,
            both_promised: pages(oom.barrier) + added,
            both_max,
            alloc_used: pages(private.held) + kernel.0,
            alloc_promised: pages(guaranteed.barrier) + added,
            alloc_max: pages(private.limit) + added,
        })
    }

    /// All memory of the node.
    #[must_use]
    pub fn of_node(node: Memory) -> Self {
        let pages = |n: u64| n as f64 * units::PAGE as f64;
        let (low, ram, both) = (
            pages(node.low),
            pages(node.ram),
            pages(node.ram + node.swap),
        );
        Self {
            low_used: low,
            low_promised: low,
            ram_used: ram,
            ram_max: ram,
            both_used: both,
            both_promised: both,
            both_max: both,
            alloc_used: both,
            alloc_promised: both,
            alloc_max: both,
        }
    }

    /// Combines the members of two claims.
    #[must_use]
    pub fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            low_used: f(self.low_used, other.low_used),
            low_promised: f(self.low_promised, other.low_promised),
            ram_used: f(self.ram_used, other.ram_used),
            ram_max: f(self.ram_max, other.ram_max),
            both_used: f(self.both_used, other.both_used),
            both_promised: f(self.both_promised, other.both_promised),
            both_max: f(self.both_max, other.both_max),
            alloc_used: f(self.alloc_used, other.alloc_used),
            alloc_promised: f(self.alloc_promised, other.alloc_promised),
            alloc_max: f(self.alloc_max, other.alloc_max),
        }
    }

    /// In per cent of the node's memory.
    #[must_use]
    pub fn percent(self, node: Memory) -> Self {
        self.zip(Self::of_node(node), |part, all| part / all * 100.0)
    }
}

/// Per cent for JSON: a number with two decimals, or "unlimited".
pub(super) fn to_json(value: f64) -> serde_json::Value {
    match percent(value).parse::<f64>() {
        Ok(n) if value.is_finite() => serde_json::json!(n),
        _ => serde_json::json!("unlimited"),
    }
}

/// Per cent for people.
pub(super) fn percent(value: f64) -> String {
    match value.is_finite() {
        true => format!("{value:.2}"),
        false => "unlimited".into(),
    }
}
