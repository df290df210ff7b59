// SPDX-License-Identifier: GPL-2.0

//! kmemsize and dcachesize: bytes of kernel memory, and of it dentries and inodes.
//!
//! Who charges, when, and what a refusal leads to is decided in `kmem.c`, which knows allocation
//! contexts; the rule that keeps the counters exact is there, too. Here is what it asks the
//! engine, and the end: what is left when the owner of a UB is gone.
//!
//! No locks; everything but [`transfer`] may be used in any context.

use crate::{
    bean::Beancounter,
    counter::{
        Counter,
        Severity,
        UNLIMITED, //
    },
    glue,
    resource::Resource, //
};
use kernel::{
    bindings,
    page::PAGE_SIZE,
    prelude::*, //
};

/// This part of a bound should stay free for those who must not wait for a shrinker.
const ROOM: i64 = 16;

/// More pages than any allocation of a page fault needs.
const FAULT_PAGES: usize = 16;

/// Whether the caches of a container had better shrink.
///
/// Most of kmemsize is refused at its barrier, so caches should not fill it above that.
fn is_near(ub: &Beancounter) -> bool {
    near(ub.counter(Resource::DCACHESIZE), Severity::Soft)
        || near(ub.counter(Resource::KMEMSIZE), Severity::Hard)
}

fn near(counter: &Counter, severity: Severity) -> bool {
    let bound = counter.bound(severity);

    bound != UNLIMITED && counter.held() > bound - bound / ROOM
}

/// Whether kmemsize has room for another page fault below its limit.
fn has_room(ub: &Beancounter) -> bool {
    let counter = ub.counter(Resource::KMEMSIZE);
    let free = counter.limit().saturating_sub(counter.held());

    usize::try_from(free).is_ok_and(|free| free >= FAULT_PAGES * PAGE_SIZE)
}

/// Leaves to the host what is still charged.
///
/// To be called when no [`obj_cgroup`](srctree/include/linux/memcontrol.h) has named the UB for a
/// grace period, and its stock is drained: nobody changes the two counters any more. Objects that
/// outlive the container are nobody's from now on, and do not keep the UB.
pub(crate) fn transfer(ub: &Beancounter) {
    for res in [Resource::KMEMSIZE, Resource::DCACHESIZE] {
        let rest = ub.counter(res).held();

        if rest > 0 {
            ub.glue().trace_transfer(res, rest);
            ub.uncharge(res, rest);
        }
    }
}

/// Counts a request that was refused after all.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_refused(
    ub: *mut bindings::ubc,
    res: bindings::ubc_resource,
    n: usize,
    severity: bindings::ubc_severity,
) {
    if let Some(res) = Resource::from_id(res) {
        // SAFETY: The caller's promise.
        let ub = unsafe { Beancounter::from_raw(ub) };
        let severity = Severity::from_c(severity);
        let bound = ub.counter(res).bound(severity);

        ub.refuse(res, glue::from_ulong(n), bound, severity == Severity::Soft);
    }
}

/// Whether the caches of a container had better shrink.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_kmem_near(ub: *mut bindings::ubc) -> bool {
    // SAFETY: The caller's promise.
    is_near(unsafe { Beancounter::from_raw(ub) })
}

/// Whether kmemsize has room for another page fault below its limit.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_kmem_room(ub: *mut bindings::ubc) -> bool {
    // SAFETY: The caller's promise.
    has_room(unsafe { Beancounter::from_raw(ub) })
}

/// The C half of a UB.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_glue_of(ub: *mut bindings::ubc) -> *mut bindings::ubc_glue {
    // SAFETY: The caller's promise.
    unsafe { Beancounter::from_raw(ub) }.glue().as_ptr()
}

#[kunit_tests(ubc_kmem)]
mod tests {
    use super::*;

    #[test]
    fn near_is_the_last_sixteenth() {
        let c = Counter::new(160, 320);
        assert!(c.try_charge(150, UNLIMITED).is_ok());
        assert!(!near(&c, Severity::Hard));
        assert!(c.try_charge(1, UNLIMITED).is_ok());
        assert!(near(&c, Severity::Hard));
        assert!(!near(&c, Severity::Soft));
    }

    #[test]
    fn unlimited_is_never_near() {
        let c = Counter::new(UNLIMITED, UNLIMITED);
        assert!(c.try_charge(UNLIMITED, UNLIMITED).is_ok());
        assert!(!near(&c, Severity::Hard));
    }
}
