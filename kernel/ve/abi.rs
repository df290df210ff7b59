// SPDX-License-Identifier: GPL-2.0

//! The structures of `include/uapi/linux/vzctl.h` and how they cross the border.

use core::mem::{
    size_of,
    MaybeUninit, //
};
use kernel::{
    bindings,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

pub(crate) use bindings::{
    vzctl_create as Create,
    vzctl_enter as Enter,
    vzctl_get as Get,
    vzctl_kill as Kill,
    vzctl_limit as Limit,
    vzctl_open as Open,
    vzctl_reserve as Reserve,
    vzctl_set as Set,
    vzctl_ubc as UbcLimit,
    vzctl_ubcs as UbcLimits, //
};

/// The longest structure accepted, in bytes: room for sizes of later kernels.
const SIZE_MAX: usize = 4096;

/// The shortest structure of any call, in bytes.
const SIZE_MIN: usize = 8;

/// A structure of the ABI.
///
/// # Safety
///
/// Implementers are `repr(C)`, have no padding bytes, and every bit pattern is a valid value. All
/// but the elements of arrays start with the `u32` that holds their size.
pub(crate) unsafe trait Abi: Copy {}

macro_rules! abi {
    ($($name:ident: $size:literal),*) => {$(
        // SAFETY: The structures consist of integers only and the sum of the sizes of their
        // fields is `$size`, which the assertion below shows to be the size of the whole.
        unsafe impl Abi for $name {}
        const _: () = assert!(size_of::<$name>() == $size);
    )*};
}

abi!(
    Reserve: 16, Open: 16, Create: 32, Set: 24, Enter: 8, Kill: 8, Get: 56, UbcLimit: 32,
    UbcLimits: 24, Limit: 24
);

/// Reads a structure whose first field says how long the caller thinks it is.
///
/// Fields beyond the caller's size are zero.
///
/// # Errors
///
/// `EFAULT`; `EINVAL` for a size below [`SIZE_MIN`]; `E2BIG` for a size above [`SIZE_MAX`] or for
/// a non-zero byte this kernel does not know.
pub(crate) fn read<T: Abi>(arg: usize) -> Result<T> {
    let size = read_size(arg)?;
    let known = size.min(size_of::<T>());
    let mut reader = UserSlice::new(UserPtr::from_addr(arg), size).reader();
    let value = filled(|bytes| {
        let (head, _) = bytes.split_at_mut_checked(known).ok_or(EINVAL)?;
        reader.read_slice(head)
    })?;
    let mut byte = [0u8; 1];
    while !reader.is_empty() {
        reader.read_slice(&mut byte)?;
        if byte != [0] {
            return Err(E2BIG);
        }
    }
    Ok(value)
}

/// Reads one element of an array.
pub(crate) fn read_element<T: Abi>(array: usize, at: usize) -> Result<T> {
    let size = size_of::<T>();
    let element = UserPtr::from_addr(array).wrapping_byte_add(at.wrapping_mul(size));
    filled(|bytes| UserSlice::new(element, size).reader().read_slice(bytes))
}

/// A value whose bytes are zero where `fill` does not write.
fn filled<T: Abi>(fill: impl FnOnce(&mut [u8]) -> Result) -> Result<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: The pointer and length describe `value`, which is initialised (to zero) and
    // exclusively borrowed for the life of the slice.
    let bytes =
        unsafe { core::slice::from_raw_parts_mut(value.as_mut_ptr().cast::<u8>(), size_of::<T>()) };
    fill(bytes)?;
    // SAFETY: All bytes are initialised, and by the contract of `Abi` any pattern is valid.
    Ok(unsafe { value.assume_init() })
}

/// Writes as much of `value` as the caller's structure has room for, but for the size itself.
pub(crate) fn write<T: Abi>(arg: usize, value: &T) -> Result {
    let size = read_size(arg)?.min(size_of::<T>());
    // SAFETY: `value` is a live reference, and `Abi` promises that it has no padding, so that
    // all of its bytes are initialised.
    let bytes = unsafe {
        core::slice::from_raw_parts(core::ptr::from_ref(value).cast::<u8>(), size_of::<T>())
    };
    let head = bytes.get(size_of::<u32>()..size).ok_or(EINVAL)?;
    UserSlice::new(
        UserPtr::from_addr(arg).wrapping_byte_add(size_of::<u32>()),
        head.len(),
    )
    .writer()
    .write_slice(head)
}

fn read_size(arg: usize) -> Result<usize> {
    let size: u32 = UserSlice::new(UserPtr::from_addr(arg), size_of::<u32>())
        .reader()
        .read()?;
    match usize::try_from(size) {
        Ok(size) if size > SIZE_MAX => Err(E2BIG),
        Ok(size) if size >= SIZE_MIN => Ok(size),
        _ => Err(EINVAL),
    }
}

/// `Err(EINVAL)` unless all of `fields`, which are reserved, are zero.
pub(crate) fn must_be_zero(fields: &[u32]) -> Result {
    if fields.iter().all(|&f| f == 0) {
        Ok(())
    } else {
        Err(EINVAL)
    }
}
