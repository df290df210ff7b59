// SPDX-License-Identifier: GPL-2.0

//! How much the CPUs keep ready of each resource, for all UBs: `/proc/sys/ubc/resource_precharge`.
//!
//! A change takes effect at once and everywhere: afterwards no CPU has more than the new amounts
//! allow, and with 0 none has anything. Charges go on meanwhile.
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
        atomic::Relaxed,
        rcu, //
    }, //
};

/// Units by resource id.
type Amounts = [c_int; COUNT];

fn amounts() -> Amounts {
    let mut amounts = [0; COUNT];

    for (res, amount) in Resource::all().zip(&mut amounts) {
        *amount = stock::batch(res).map_or(0, |batch| batch.load(Relaxed));
    }
    amounts
}

/// Whether there can be so much; what has no stock is 0.
fn possible(amounts: &Amounts) -> bool {
    Resource::all().zip(amounts).all(|(res, &amount)| {
        let most = stock::batch(res).map_or(0, |_| stock::MAX_BATCH);

        (0..=most).contains(&amount)
    })
}

fn set(amounts: &Amounts) -> Result {
    if !possible(amounts) {
        return Err(EINVAL);
    }
    // Who sets a barrier sees all of the old amounts or all of the new ones.
    limit::alone(|| {
        for (res, &amount) in Resource::all().zip(amounts) {
            if let Some(batch) = stock::batch(res) {
                batch.store(amount, Relaxed);
            }
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
    fn only_what_has_stock_has_an_amount() {
        assert!(possible(&[0; COUNT]));
        assert!(possible(&amounts()));
        for res in Resource::all() {
            let stocked = stock::batch(res).is_some();

            assert_eq!(possible(&one(res, 1)), stocked);
            assert_eq!(possible(&one(res, stock::MAX_BATCH)), stocked);
            assert!(!possible(&one(res, stock::MAX_BATCH + 1)));
            assert!(!possible(&one(res, -1)));
        }
    }
}
