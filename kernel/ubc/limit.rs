// SPDX-License-Identifier: GPL-2.0

//! Setting barriers and limits: several of one UB at once, all of them or none.
//!
//! Everything is checked before anything is changed, and nothing can fail after that. A mutex keeps
//! two settings from mixing. Whoever charges meanwhile may see some of the new bounds and not yet
//! others.

use crate::{
    bean::Beancounter,
    resource::{
        Resource,
        COUNT, //
    },
    table, //
};
use kernel::{
    bindings,
    error::from_result,
    prelude::*, //
};

kernel::sync::global_lock! {
    // SAFETY: Initialised by `init` before there is a UB.
    unsafe(uninit) static SETTING: Mutex<()> = ();
}

/// To be called once, before there is a UB.
pub(crate) fn init() {
    // SAFETY: Called once, from the initcall.
    unsafe { SETTING.init() };
}

/// Does something while nobody sets limits.
pub(crate) fn alone(what: impl FnOnce()) {
    let _guard = SETTING.lock();

    what();
}

/// Which of the given limits is wrong.
struct Wrong(usize);

/// A limit that may be set.
struct Checked {
    res: Resource,
    barrier: i64,
    limit: i64,
}

impl Checked {
    fn new(asked: &bindings::ubc_limit) -> Option<Self> {
        Some(Self {
            res: Resource::from_id(asked.res)?,
            barrier: i64::try_from(asked.barrier).ok()?,
            limit: i64::try_from(asked.limit).ok()?,
        })
    }
}

/// Whether all of them may be set, each resource once.
fn check(asked: &[bindings::ubc_limit]) -> Result<(), Wrong> {
    let mut named = [false; COUNT];

    for (at, one) in asked.iter().enumerate() {
        let res = Checked::new(one).ok_or(Wrong(at))?.res;
        let seen = named.get_mut(res.index()).ok_or(Wrong(at))?;

        if core::mem::replace(seen, true) {
            return Err(Wrong(at));
        }
    }
    Ok(())
}

/// Sets limits, here and where the resource is counted.
fn set(ub: &Beancounter, asked: &[bindings::ubc_limit]) -> Result<(), Wrong> {
    check(asked)?;
    let _guard = SETTING.lock();

    for one in asked.iter().filter_map(Checked::new) {
        ub.counter(one.res).set_bounds(one.barrier, one.limit);
        match one.res {
            Resource::PHYSPAGES => ub.glue().set_memory_limit(false, one.limit),
            Resource::SWAPPAGES => ub.glue().set_memory_limit(true, one.limit),
            _ => (),
        }
    }
    // Stock that was far below an old barrier may be above a new one.
    ub.stocks().for_each(|stock| stock.update());
    ub.drain();
    for one in asked.iter().filter_map(Checked::new) {
        ub.rejudge(one.res);
        ub.glue().limited(one.res, one.barrier, one.limit);
    }
    Ok(())
}

/// Sets the bounds of some resources, or of none: EINVAL, and `wrong` says which is the first to
/// be out of range or named twice.
///
/// # Safety
///
/// `ub` must be valid, `asked` have `n` elements, and `wrong` be valid for writing; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_set_limits(
    ub: *mut bindings::ubc,
    asked: *const bindings::ubc_limit,
    n: u32,
    wrong: *mut u32,
) -> c_int {
    // SAFETY: The caller's promises.
    let (ub, asked) = unsafe {
        (
            Beancounter::from_raw(ub),
            core::slice::from_raw_parts(asked, n as usize),
        )
    };

    from_result(|| {
        set(ub, asked).map_err(|Wrong(at)| {
            // SAFETY: The caller's promise.
            unsafe { wrong.write(u32::try_from(at).unwrap_or(0)) };
            EINVAL
        })?;
        Ok(0)
    })
}

/// Sets the bounds of one resource of the UB with this id.
///
/// # Safety
///
/// None; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_set_limit_id(
    id: u32,
    res: u32,
    barrier: usize,
    limit: usize,
) -> c_int {
    from_result(|| {
        let ub = table::by_id(id).ok_or(ENOENT)?;
        let asked = bindings::ubc_limit {
            res,
            barrier,
            limit,
        };

        set(&ub, &[asked]).map_err(|_| EINVAL)?;
        Ok(0)
    })
}

#[kunit_tests(ubc_limit)]
mod tests {
    use super::*;

    fn limit(res: u32, barrier: usize, limit: usize) -> bindings::ubc_limit {
        bindings::ubc_limit {
            res,
            barrier,
            limit,
        }
    }

    fn wrong(asked: &[bindings::ubc_limit]) -> Option<usize> {
        check(asked).err().map(|Wrong(at)| at)
    }

    #[test]
    fn the_first_wrong_one_is_named() {
        let (max, over) = (isize::MAX.unsigned_abs(), isize::MAX.unsigned_abs() + 1);

        assert_eq!(wrong(&[]), None);
        assert_eq!(wrong(&[limit(0, 2, 1), limit(24, max, max)]), None);
        assert_eq!(wrong(&[limit(0, 1, 1), limit(25, 1, 1)]), Some(1));
        assert_eq!(wrong(&[limit(0, over, 1), limit(1, 1, 1)]), Some(0));
        assert_eq!(wrong(&[limit(1, 1, 1), limit(2, 1, over)]), Some(1));
        assert_eq!(
            wrong(&[limit(3, 1, 1), limit(2, 1, 1), limit(3, 1, 1)]),
            Some(2)
        );
    }
}
