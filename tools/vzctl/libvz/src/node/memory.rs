// SPDX-License-Identifier: GPL-2.0
//! How much memory the node has.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::paths::Paths;
use crate::units;

/// Memory of a node, in pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// RAM.
    pub ram: u64,
    /// Swap.
    pub swap: u64,
    /// RAM that kernel memory can come from: all of it on 64-bit kernels,
    /// the safe 40 % of low memory on others.
    pub low: u64,
}

impl Memory {
    /// That of this node.
    ///
    /// # Errors
    /// `/proc/meminfo` cannot be read or is not understood (3).
    pub fn read(paths: &Paths) -> Result<Self> {
        let path = paths.proc("meminfo");
        let failed = || "cannot find out how much memory the node has";
        let text = std::fs::read_to_string(&path)
            .or_err(Code::System, || format!("cannot read {}", path.display()))
            .map_err(|e| e.context(failed()).hint("mount -t proc proc /proc"))?;
        let pages = |key: &str| -> Option<u64> {
            let line = text.lines().find_map(|l| l.strip_prefix(key))?;
            let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kib / (units::PAGE / 1024))
        };
        let need = |key: &str| {
            pages(key)
                .filter(|n| *n > 0 || key != "MemTotal:")
                .ok_or_else(|| {
                    Error::new(Code::System, failed())
                        .why(format!("{} has no line {key}", path.display()))
                        .hint(format!("grep {key} /proc/meminfo"))
                })
        };
        let ram = need("MemTotal:")?;
        Ok(Self {
            ram,
            swap: need("SwapTotal:")?,
            low: pages("LowTotal:").map_or(ram, |low| low / 5 * 2),
        })
    }
}

/// How many tasks the node can have.
///
/// # Errors
/// The sysctl cannot be read (3).
pub fn threads_max(paths: &Paths) -> Result<u64> {
    let path = paths.proc("sys/kernel/threads-max");
    let failed = || "cannot find out how many processes the node can have";
    let text = std::fs::read_to_string(&path)
        .or_err(Code::System, || format!("cannot read {}", path.display()))
        .map_err(|e| e.context(failed()).hint("sysctl kernel.threads-max"))?;
    match text.trim().parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(Error::new(Code::System, failed())
            .why(format!("{} holds \"{}\"", path.display(), text.trim()))
            .hint("sysctl kernel.threads-max")),
    }
}
