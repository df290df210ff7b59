// SPDX-License-Identifier: GPL-2.0

//! TCP sockets in time-wait.
//!
//! They are what is left of a closed socket for a minute, charged to no resource: a UB may have a
//! number of them, and as many as fit into a part of what kmemsize allows. Beyond that a connection
//! ends without this state.

use crate::{
    bean::Beancounter,
    resource::Resource, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*,
    sync::{
        aref::AlwaysRefCounted,
        atomic::{
            Atomic,
            Relaxed, //
        }, //
    }, //
};

/// How many a UB may have.
#[derive(Clone, Copy)]
struct Bound {
    /// Whatever they need.
    most: i64,
    /// Part of the limit of kmemsize that they may need, of 1024.
    part: i64,
    /// What one needs, in bytes.
    size: i64,
}

impl Bound {
    fn of(self, kmemsize: i64) -> i64 {
        let memory = kmemsize / 1024 * self.part;

        self.most.min(memory / self.size.max(1))
    }
}

/// Counts one more unless that were more than `most`.
fn add(count: &Atomic<i64>, most: i64) -> bool {
    let mut old = count.load(Relaxed);

    while old < most {
        match count.cmpxchg(old, old + 1, Relaxed) {
            Ok(_) => return true,
            Err(seen) => old = seen,
        }
    }
    false
}

/// Counts one more, with a reference, or says that there are too many.
///
/// # Safety
///
/// `ub` must be valid.
#[export]
pub(crate) unsafe extern "C" fn ubc_timewait_add(
    ub: *mut bindings::ubc,
    size: c_uint,
    most: c_int,
    part: c_int,
) -> bool {
    // SAFETY: The caller's promise.
    let ub = unsafe { Beancounter::from_raw(ub) };
    let bound = Bound {
        most: most.into(),
        part: part.into(),
        size: size.into(),
    };

    let added = add(
        &ub.tcp_timewait,
        bound.of(ub.counter(Resource::KMEMSIZE).limit()),
    );
    if added {
        ub.inc_ref();
    }
    added
}

/// Counts one less.
///
/// # Safety
///
/// Once for each that was added; `ub` may be gone afterwards.
#[export]
pub(crate) unsafe extern "C" fn ubc_timewait_sub(ub: *mut bindings::ubc) {
    if let Some(ub) = NonNull::new(ub.cast::<Beancounter>()) {
        // SAFETY: The reference of `ubc_timewait_add` keeps it until the next line.
        unsafe { ub.as_ref() }.tcp_timewait.add(-1, Relaxed);
        // SAFETY: That reference is dropped here and nowhere else.
        unsafe { Beancounter::dec_ref(ub) };
    }
}

#[kunit_tests(ubc_timewait)]
mod tests {
    use super::*;
    use crate::counter::UNLIMITED;

    #[test]
    fn number_and_memory_both_bound() {
        let bound = Bound {
            most: 100,
            part: 384,
            size: 256,
        };

        assert_eq!(bound.of(UNLIMITED), 100);
        // 384 of 1024 of 64 KiB are 24 KiB.
        assert_eq!(bound.of(64 << 10), 96);
        assert_eq!(bound.of(0), 0);
        assert_eq!(Bound { part: 0, ..bound }.of(UNLIMITED), 0);
        assert_eq!(
            Bound {
                part: 1024,
                ..bound
            }
            .of(UNLIMITED),
            100
        );
    }

    #[test]
    fn the_bound_is_reached_exactly() {
        let count = Atomic::new(0);

        assert!(add(&count, 2) && add(&count, 2));
        assert!(!add(&count, 2) && !add(&count, 0));
        assert_eq!(count.load(Relaxed), 2);
    }
}
