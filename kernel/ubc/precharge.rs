// SPDX-License-Identifier: GPL-2.0

//! How much the CPUs keep ready of each resource, for all UBs: `/proc/sys/ubc/resource_precharge`.
//!
//! A change takes effect at once and everywhere: afterwards no CPU has more than the new amounts
//! allow, and with 0 none has anything. Charges go on meanwhile.
//!
//! Earlier kernels kept more resources ready. What is set for one that has no stock here is
//! remembered and shown, and nothing else, so that their settings can be written.
//!
//! Lock order: the mutex of `limit`, then that of `table`.

use crate::{
    bean::Beancounter,
    limit,
    resource::{
        Resource,
        COUNT, //
    },
    stock,
    table, //
};
use kernel::{
    error::from_result,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu, //
    }, //
};

/// Units by resource id.
type Amounts = [c_int; COUNT];

/// The amounts of resources without stock; places of the others are not in use.
static UNSTOCKED: [Atomic<c_int>; COUNT] = [const { Atomic::new(0) }; COUNT];

/// Where the amounts of all resources are.
fn places() -> impl Iterator<Item = &'static Atomic<c_int>> {
    Resource::all()
        .zip(&UNSTOCKED)
        .map(|(res, unstocked)| stock::batch(res).unwrap_or(unstocked))
}

fn amounts() -> Amounts {
    let mut amounts = [0; COUNT];

    for (place, amount) in places().zip(&mut amounts) {
        *amount = place.load(Relaxed);
    }
    amounts
}

/// Whether there can be so much.
fn possible(amounts: &Amounts) -> bool {
    amounts
        .iter()
        .all(|amount| (0..=stock::MAX_BATCH).contains(amount))
}

fn set(amounts: &Amounts) -> Result {
    if !possible(amounts) {
        return Err(EINVAL);
    }
    // Who sets a barrier sees all of the old amounts or all of the new ones.
    limit::alone(|| {
        for (place, &amount) in places().zip(amounts) {
            place.store(amount, Relaxed);
        }
        table::each(|ub| ub.stocks().for_each(|stock| stock.update()));
    });
    // Slots are changed in read-side critical sections, with what was allowed at their beginning.
    rcu::synchronize_rcu();
    table::each(Beancounter::drain);
    Ok(())
}

/// Reads the amounts of all resources.
///
/// # Safety
///
/// `values` must be valid for writing `UBC_RESOURCES` numbers.
#[export]
pub(crate) unsafe extern "C" fn ubc_precharge_get(values: *mut c_int) {
    // SAFETY: The caller's promise.
    unsafe { values.cast::<Amounts>().write(amounts()) }
}

/// Sets the amounts of all resources: EINVAL, and nothing is changed, if one is impossible.
///
/// # Safety
///
/// `values` must be valid for reading `UBC_RESOURCES` numbers; may sleep.
#[export]
pub(crate) unsafe extern "C" fn ubc_precharge_set(values: *const c_int) -> c_int {
    // SAFETY: The caller's promise.
    let amounts = unsafe { values.cast::<Amounts>().read() };

    from_result(|| set(&amounts).map(|()| 0))
}

#[kunit_tests(ubc_precharge)]
mod tests {
    use super::*;

    fn one(res: Resource, amount: c_int) -> Amounts {
        let mut amounts = [0; COUNT];

        amounts[res.index()] = amount;
        amounts
    }

    #[test]
    fn any_resource_has_an_amount() {
        assert!(possible(&[0; COUNT]));
        assert!(possible(&amounts()));
        for res in Resource::all() {
            assert!(possible(&one(res, 1)));
            assert!(possible(&one(res, stock::MAX_BATCH)));
            assert!(!possible(&one(res, stock::MAX_BATCH + 1)));
            assert!(!possible(&one(res, -1)));
        }
    }

    #[test]
    fn each_resource_has_a_place_of_its_own() {
        for (i, a) in places().enumerate() {
            for b in places().skip(i + 1) {
                assert!(!core::ptr::eq(a, b));
            }
        }
        assert_eq!(places().count(), COUNT);
    }
}
