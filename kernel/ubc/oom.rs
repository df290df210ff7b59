// SPDX-License-Identifier: GPL-2.0

//! Who pays when the machine runs out of memory.
//!
//! Called with `oom_lock` held, in a task that may itself hold the table's mutex: that is only
//! tried. Without it all tasks compete, as they do without UBs.

use crate::{
    bean::Beancounter,
    resource::Resource,
    show,
    table, //
};
use kernel::{
    page::PAGE_SIZE,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        }, //
    }, //
};

/// Counts the searches, so that each looks at a UB once.
static ROUND: Atomic<u64> = Atomic::new(0);

/// What counts against the guarantee besides oomguarpages, in bytes.
const KERNEL: [Resource; 5] = [
    Resource::KMEMSIZE,
    Resource::TCPSNDBUF,
    Resource::TCPRCVBUF,
    Resource::OTHERSOCKBUF,
    Resource::DGRAMRCVBUF,
];

/// Pages above the guarantee of oomguarpages, negative below it.
fn overdraft(ub: &Beancounter) -> i64 {
    let bytes = KERNEL
        .iter()
        .fold(0i64, |sum, &res| sum.saturating_add(ub.in_use(res)));
    let page = i64::try_from(PAGE_SIZE).unwrap_or(i64::MAX);

    (bytes / page)
        .saturating_add(show::usage(ub, Resource::OOMGUARPAGES))
        .saturating_sub(ub.counter(Resource::OOMGUARPAGES).barrier())
}

/// The UB that exceeds its guarantee the most, of those this search has not returned yet.
///
/// # Safety
///
/// The caller must hold `oom_lock`, which serialises searches.
pub(crate) unsafe fn worst(first: bool) -> Option<ARef<Beancounter>> {
    if first {
        ROUND.store(ROUND.load(Relaxed).wrapping_add(1), Relaxed);
    }
    let round = ROUND.load(Relaxed);
    let ub = table::worst(|ub| {
        let over = overdraft(ub);

        (over > 0 && !ub.oom_seen(round)).then_some(over)
    })?;

    ub.set_oom_seen(round);
    Some(ub)
}
