// SPDX-License-Identifier: GPL-2.0

//! UBC and UBCS: limits of a beancounter, one or several at once.

use crate::abi;
use kernel::{
    bindings,
    prelude::*, //
};

/// Why limits were not set.
pub(crate) struct Unset {
    pub(crate) error: Error,
    /// Which of them is to blame, or `VZCTL_UBCS_NONE`.
    pub(crate) wrong: u32,
}

impl From<Error> for Unset {
    fn from(error: Error) -> Self {
        Unset {
            error,
            wrong: bindings::VZCTL_UBCS_NONE,
        }
    }
}

/// The argument of UBC.
pub(crate) fn read_one(arg: usize) -> Result<(u32, bindings::ubc_limit)> {
    let args: abi::UbcLimit = abi::read(arg)?;
    abi::must_be_zero(&[args.pad])?;
    let limit = bindings::ubc_limit {
        res: args.resource,
        barrier: args.barrier.try_into()?,
        limit: args.limit.try_into()?,
    };
    Ok((args.id, limit))
}

/// Does UBCS: `set` gets the id and the limits, which it has to check.
pub(crate) fn set_several(
    arg: usize,
    set: impl FnOnce(u32, &[bindings::ubc_limit]) -> Result<(), Unset>,
) -> Result {
    let mut args: abi::UbcLimits = abi::read(arg)?;
    let result = read_several(&args).and_then(|limits| set(args.id, &limits));
    result.or_else(|unset| {
        if unset.error == EINVAL {
            args.wrong = unset.wrong;
            abi::write(arg, &args)?;
        }
        Err(unset.error)
    })
}

fn read_several(args: &abi::UbcLimits) -> Result<KVec<bindings::ubc_limit>, Unset> {
    if args.count == 0 || args.count > bindings::VZCTL_UBCS_MAX {
        return Err(EINVAL.into());
    }
    let count = args.count as usize;
    let mut limits = KVec::with_capacity(count, GFP_KERNEL).map_err(Error::from)?;
    let array = usize::try_from(args.limits).map_err(Error::from)?;
    for at in 0..count {
        let one: abi::Limit = abi::read_element(array, at)?;
        let wrong = |error| Unset {
            error,
            wrong: at as u32,
        };
        abi::must_be_zero(&[one.pad]).map_err(wrong)?;
        let limit = bindings::ubc_limit {
            res: one.resource,
            barrier: one.barrier.try_into().map_err(|_| wrong(EINVAL))?,
            limit: one.limit.try_into().map_err(|_| wrong(EINVAL))?,
        };
        limits.push(limit, GFP_KERNEL).map_err(Error::from)?;
    }
    Ok(limits)
}
