// SPDX-License-Identifier: GPL-2.0

//! What a VE sees of `/proc`, and `/proc/vz/veinfo`.

use crate::{
    sys,
    table, //
};
use kernel::{
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
};

/// Entries of the root that a procfs instance of a VE shows, besides its processes.
///
/// What is not here does not exist in a VE.  An entry qualifies if what it shows belongs to the
/// reader's namespaces or is harmless, and if writing to it does nothing to others: entries of
/// the host's root appear as the VE root's own.
const ROOT: &[&CStr] = &[
    c"cgroups",
    c"cmdline",
    c"cpuinfo",
    c"devices",
    c"diskstats",
    c"filesystems",
    c"fs",
    c"loadavg",
    c"locks",
    c"meminfo",
    c"mounts",
    c"net",
    c"partitions",
    c"stat",
    c"swaps",
    c"sys",
    c"sysvipc",
    c"tty",
    c"uptime",
    c"user_beancounters",
    c"version",
    c"vmstat",
    c"vz",
];

/// The same for directories of which a VE sees only a part.
const PARTS: &[(&CStr, &[&CStr])] = &[(c"fs", &[]), (c"vz", &[c"ubc_events", c"veinfo"])];

/// May a VE see the entry `name` of the directory `dir`, `None` for the root?
pub(crate) fn allowed(dir: Option<&CStr>, name: &CStr) -> bool {
    let Some(dir) = dir else {
        return ROOT.contains(&name);
    };
    match PARTS.iter().find(|(part, _)| *part == dir) {
        Some((_, names)) => names.contains(&name),
        None => true,
    }
}

/// Prints `veid class nproc` for each VE, or for the reader's own; the host is number 0.
pub(crate) fn veinfo(m: &SeqFile, own: Option<u32>) {
    let table = table::lock();
    let mut inside = 0;
    for ve in table.iter() {
        let nproc = {
            let inner = ve.inner.lock();
            match &inner.init {
                Some(init) if inner.state.is_up() => init.nproc(),
                _ => continue,
            }
        };
        inside += nproc;
        if own.is_none_or(|id| id == ve.veid()) {
            seq_print!(m, "{:>10} {:>5} {:>5}\n", ve.veid(), 0, nproc);
        }
    }
    if own.is_none() {
        let nproc = sys::host_nproc().saturating_sub(inside);
        seq_print!(m, "{:>10} {:>5} {:>5}\n", 0, 0, nproc);
    }
}
