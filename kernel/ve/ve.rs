// SPDX-License-Identifier: GPL-2.0

//! Virtual Environments.
//!
//! Guarantee: a VE is either there with everything it owns, or nothing of it is left.  Whoever
//! starts one may die at any moment; the id is free again, and a stop is reported, only after
//! tasks, mounts, control groups and beancounter of the VE are gone.
//!
//! A VE is a user namespace plus the namespaces it owns (`include/linux/ve.h`).  There is one
//! `object::Ve` for each; `table` finds it by number, `control` and `file` are the ways in
//! from user space, `create`, `enter` and `stop` what happens to it.  Only `sys`, `abi`
//! and the two files that implement file operations touch raw pointers.
//!
//! Lock order:
//!
//! 1. table lock (`table::TABLE`)
//! 2. operation lock of one VE (`object::Ve::inner`)
//! 3. whatever the core kernel takes below (`cgroup_mutex`, `tasklist_lock`, `uts_sem`)

use kernel::miscdevice::{
    MiscDeviceOptions,
    MiscDeviceRegistration, //
};
use kernel::prelude::*;

mod abi;
mod control;
mod create;
mod enter;
mod file;
mod limit;
mod object;
mod proc;
mod stop;
mod sys;
mod table;

module! {
    type: VeModule,
    name: "ve",
    authors: ["VE developers"],
    description: "Virtual Environments",
    license: "GPL",
}

/// The subsystem.  There is one, made at boot and never dropped, as it is built in.
#[pin_data]
struct VeModule {
    /// `/dev/vzctl`.
    #[pin]
    control: MiscDeviceRegistration<control::Control>,
}

impl kernel::InPlaceModule for VeModule {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            control <- {
                table::init();
                sys::proc_init()?;
                MiscDeviceRegistration::register(MiscDeviceOptions { name: c"vzctl" })
            },
            _: {
                // SAFETY: `control` was initialised just above.
                let control = unsafe { &(*this.as_ptr()).control };
                sys::set_event_device(control);
            },
        })
    }
}
