// SPDX-License-Identifier: GPL-2.0

//! The tables of /proc/user_beancounters and /proc/bc.
//!
//! The format is ABI: version line, widths, order and names are parsed by programs that nobody
//! maintains any more.

use crate::{
    bean::Beancounter,
    glue,
    resource::{
        Resource,
        CLASSIC, //
    },
    stock::Stock,
    table, //
};
use kernel::{
    bindings,
    seq_file::SeqFile,
    seq_print, //
};

/// Which lines are shown, and how they start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// The 24 classic lines, dummies included.
    Classic,
    /// All real resources.
    Full,
    /// The same without the id.
    Bare,
}

/// One line of a table.
pub(crate) struct Row {
    pub(crate) held: i64,
    maxheld: i64,
    barrier: i64,
    pub(crate) limit: i64,
    failcnt: u64,
}

impl Row {
    pub(crate) fn to_c(&self) -> bindings::ubc_row {
        let number = |value: i64| usize::try_from(value).unwrap_or(0);

        bindings::ubc_row {
            held: number(self.held),
            maxheld: number(self.maxheld),
            barrier: number(self.barrier),
            limit: number(self.limit),
            failcnt: usize::try_from(self.failcnt).unwrap_or(usize::MAX),
        }
    }
}

/// The version line and the names of the columns.
pub(crate) fn header(m: &SeqFile) {
    seq_print!(m, "Version: 2.5\n");
    seq_print!(
        m,
        "{:>10}  {:<12} {:>20} {:>20} {:>20} {:>20} {:>20}\n",
        "uid",
        "resource",
        "held",
        "maxheld",
        "barrier",
        "limit",
        "failcnt"
    );
}

/// All lines of one UB.
pub(crate) fn table(m: &SeqFile, ub: &Beancounter, layout: Layout) {
    let mut id = (layout != Layout::Bare).then(|| ub.id());

    for res in Resource::all() {
        let shown = match layout {
            Layout::Classic => res.index() < CLASSIC,
            Layout::Full | Layout::Bare => !res.is_dummy(),
        };

        if shown {
            line(m, id.take(), res, &row(ub, res));
        }
    }
}

/// Name, failcnt and pressure of every resource.
pub(crate) fn events(m: &SeqFile, ub: &Beancounter) {
    for res in Resource::all().filter(|res| !res.is_dummy()) {
        let row = row(ub, res);

        seq_print!(
            m,
            "{} {} {}\n",
            res.name().to_str().unwrap_or(""),
            row.failcnt,
            ub.pressure(res)
        );
    }
}

/// What is held by each resource that may have per-CPU stock, and how much of it is stock.
pub(crate) fn precharge(m: &SeqFile, ub: &Beancounter) {
    seq_print!(
        m,
        "{:<12} {:>16} {:>10} {:>10}\n",
        "resource",
        "real_held",
        "precharge",
        "max_precharge"
    );
    for res in Resource::all().filter(|res| !res.is_dummy()) {
        let (stock, most) = Stock::of(ub, res).map_or((0, 0), |s| (s.total(), s.most()));

        seq_print!(
            m,
            "{:<12} {:>16} {:>10} {:>10}\n",
            res.name().to_str().unwrap_or(""),
            usage(ub, res).saturating_add(stock),
            stock,
            most
        );
    }
}

fn line(m: &SeqFile, id: Option<u32>, res: Resource, row: &Row) {
    match id {
        Some(id) => seq_print!(m, "{id:>9}:"),
        None => seq_print!(m, "{:>10}", ""),
    }
    seq_print!(
        m,
        "  {:<12} {:>20} {:>20} {:>20} {:>20} {:>20}\n",
        res.name().to_str().unwrap_or(""),
        row.held,
        row.maxheld,
        row.barrier,
        row.limit,
        row.failcnt
    );
}

pub(crate) fn row(ub: &Beancounter, res: Resource) -> Row {
    let counter = ub.counter(res);
    let mut row = Row {
        held: usage(ub, res),
        maxheld: 0,
        barrier: counter.barrier(),
        limit: counter.limit(),
        failcnt: counter.failcnt(),
    };

    if ub.is_host() {
        row.held = host_usage(res);
        counter.raise_maxheld(row.held);
    }
    if res == Resource::OOMGUARPAGES {
        counter.raise_maxheld(row.held);
    }
    row.maxheld = counter.maxheld().max(row.held);
    if let Some(memory) = memory(ub, res) {
        row.maxheld = memory.maxheld;
        row.limit = memory.limit;
    }
    row
}

/// What a container uses.
pub(crate) fn usage(ub: &Beancounter, res: Resource) -> i64 {
    match res {
        // Nothing is charged for a guarantee.
        Resource::OOMGUARPAGES => ub.glue().oom_pages(),
        _ => memory(ub, res).map_or_else(|| ub.in_use(res), |memory| memory.held),
    }
}

/// Resources that a memory cgroup counts.
fn memory(ub: &Beancounter, res: Resource) -> Option<glue::Memory> {
    match res {
        Resource::PHYSPAGES => ub.glue().memory(false),
        Resource::SWAPPAGES => ub.glue().memory(true),
        _ => None,
    }
}

/// The host is never charged: what the machine uses less what the containers do.
fn host_usage(res: Resource) -> i64 {
    let machine = glue::machine();
    let all = match res {
        Resource::NUMPROC => machine.numproc,
        Resource::NUMFILE => machine.numfile,
        Resource::OOMGUARPAGES => machine.oomguarpages,
        Resource::PHYSPAGES => machine.physpages,
        Resource::SWAPPAGES => machine.swappages,
        Resource::KMEMSIZE => machine.kmemsize,
        _ => return 0,
    };

    all.saturating_sub(table::sum(usage, res)).max(0)
}
