// SPDX-License-Identifier: GPL-2.0

//! `/dev/vzctl`.

use crate::{
    abi,
    file,
    limit,
    object::Ve,
    sys,
    table, //
};
use kernel::{
    bindings,
    fs::File,
    ioctl::{
        _IOC_NR,
        _IOC_TYPE, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceRegistration, //
    },
    prelude::*, //
};

/// An open `/dev/vzctl`.  It owns nothing.
pub(crate) struct Control;

#[vtable]
impl MiscDevice for Control {
    type Ptr = KBox<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<KBox<Self>> {
        Ok(KBox::new(Control, GFP_KERNEL)?)
    }

    fn ioctl(_device: &Self, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        if _IOC_TYPE(cmd) != u32::from(bindings::VZCTL_IOC_TYPE) {
            return Err(ENOTTY);
        }
        if !sys::caller_is_admin() {
            return Err(EPERM);
        }
        match _IOC_NR(cmd) {
            nr::RESERVE => {
                let args: abi::Reserve = abi::read(arg)?;
                abi::must_be_zero(&[args.flags, args.pad])?;
                file::install(Ve::reserve(args.veid)?)
            }
            nr::OPEN => {
                let args: abi::Open = abi::read(arg)?;
                abi::must_be_zero(&[args.flags, args.pad])?;
                file::install(table::find(args.veid).ok_or(ESRCH)?)
            }
            nr::UBC => {
                let (id, one) = limit::read_one(arg)?;
                match sys::set_limits_by_id(id, &[one]) {
                    Ok(()) => Ok(0),
                    Err(unset) => Err(unset.error),
                }
            }
            nr::UBCS => limit::set_several(arg, sys::set_limits_by_id).map(|()| 0),
            _ => Err(ENOTTY),
        }
    }
}

/// Numbers of the calls, the second half of the macros in the uapi header.
pub(crate) mod nr {
    pub(crate) const RESERVE: u32 = 32;
    pub(crate) const OPEN: u32 = 33;
    pub(crate) const CREATE2: u32 = 34;
    pub(crate) const SET: u32 = 35;
    pub(crate) const RUN: u32 = 36;
    pub(crate) const ENTER2: u32 = 37;
    pub(crate) const KILL: u32 = 38;
    pub(crate) const LOCK: u32 = 39;
    pub(crate) const UNLOCK: u32 = 40;
    pub(crate) const GET: u32 = 41;
    pub(crate) const FREEZE: u32 = 42;
    pub(crate) const THAW: u32 = 43;
    pub(crate) const UBC: u32 = 44;
    pub(crate) const UBCS: u32 = 45;
}
