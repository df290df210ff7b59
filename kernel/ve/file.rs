// SPDX-License-Identifier: GPL-2.0

//! VE descriptors: the calls on one VE, and `poll(2)` on it.

use crate::{
    abi,
    control::nr,
    create,
    enter,
    limit::{
        self,
        Unset, //
    },
    object::{
        State,
        Ve,
        UTS_LEN, //
    },
    sys, //
};
use kernel::{
    bindings,
    fs::File,
    ioctl::{
        _IOC_NR,
        _IOC_TYPE, //
    },
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        poll::PollTable,
        Arc, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// An open VE descriptor.
///
/// There is one for each `RESERVE` and `OPEN`; it belongs to a `struct file`, whose release drops
/// it.
struct VeFile {
    /// The VE.
    ve: Arc<Ve>,
    /// Which version of its state does the holder know, from `GET` or from the opening?
    seen: Atomic<u64>,
}

/// Makes a descriptor of `ve` in the calling process and returns its number.
pub(crate) fn install(ve: Arc<Ve>) -> Result<isize> {
    let version = {
        let mut inner = ve.inner.lock();
        inner.files += 1;
        inner.version
    };
    let file = VeFile {
        ve: ve.clone(),
        seen: Atomic::new(version),
    };
    let private = match KBox::new(file, GFP_KERNEL) {
        Ok(file) => KBox::into_raw(file),
        Err(e) => {
            ve.put_descriptor();
            return Err(e.into());
        }
    };
    // SAFETY: The operations are those of this file, which expect the private data to be a
    // pointer made by `KBox::into_raw()`.
    let fd = unsafe { sys::anon_fd(c"[ve]", &OPERATIONS, private.cast()) };
    match fd {
        Ok(fd) => Ok(fd),
        Err(e) => {
            // SAFETY: No file was made, so the box is still ours alone.
            drop(unsafe { KBox::from_raw(private) });
            ve.put_descriptor();
            Err(e)
        }
    }
}

/// The operations of a VE descriptor.
const OPERATIONS_INIT: bindings::file_operations = bindings::file_operations {
    release: Some(release),
    poll: Some(poll),
    unlocked_ioctl: Some(ioctl),
    #[cfg(CONFIG_COMPAT)]
    compat_ioctl: bindings::compat_ptr_ioctl,
    llseek: Some(bindings::noop_llseek),
    ..pin_init::zeroed()
};

static OPERATIONS: sys::FileOperations = sys::FileOperations::new(OPERATIONS_INIT);

/// # Safety
///
/// To be called by the VFS for files of [`install`] only.
unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
    // SAFETY: `install()` stored a pointer made by `KBox::into_raw()`, and this is the last use of
    // the file.
    let this = unsafe { KBox::from_raw((*file).private_data.cast::<VeFile>()) };
    let ve = this.ve.clone();
    drop(this);
    ve.put_descriptor();
    0
}

/// # Safety
///
/// To be called by the VFS for files of [`install`] only.
unsafe extern "C" fn poll(
    file: *mut bindings::file,
    table: *mut bindings::poll_table_struct,
) -> bindings::__poll_t {
    // SAFETY: `install()` stored a pointer to a `VeFile` that lives until `release()`.
    let this = unsafe { &*(*file).private_data.cast::<VeFile>() };
    // SAFETY: The VFS passes a valid file that is not in an `fdget_pos()` region, and a table
    // that is valid or null.
    let (file, table) = unsafe { (File::from_raw_file(file), PollTable::from_raw(table)) };
    table.register_wait(file, &this.ve.changed);
    let inner = this.ve.inner.lock();
    let mut mask = 0;
    if inner.version != this.seen.load(Relaxed) {
        mask |= bindings::POLLPRI;
    }
    if inner.state == State::Dead {
        mask |= bindings::POLLHUP;
    }
    mask
}

/// # Safety
///
/// To be called by the VFS for files of [`install`] only.
unsafe extern "C" fn ioctl(file: *mut bindings::file, cmd: c_uint, arg: c_ulong) -> c_long {
    // SAFETY: `install()` stored a pointer to a `VeFile` that lives until `release()`.
    let this = unsafe { &*(*file).private_data.cast::<VeFile>() };
    let result = if _IOC_TYPE(cmd) != u32::from(bindings::VZCTL_IOC_TYPE) {
        Err(ENOTTY)
    } else if !sys::caller_is_admin() {
        Err(EPERM)
    } else {
        this.call(_IOC_NR(cmd), arg)
    };
    match result {
        Ok(value) => value as c_long,
        Err(e) => e.to_errno() as c_long,
    }
}

impl VeFile {
    fn call(&self, nr: u32, arg: usize) -> Result<isize> {
        let ve = &self.ve;
        match nr {
            nr::CREATE2 => create::create(ve, &abi::read(arg)?),
            nr::SET => self.set(&abi::read(arg)?).map(|()| 0),
            nr::RUN => create::run(ve).map(|()| 0),
            nr::ENTER2 => enter::enter(ve, &abi::read(arg)?).map(|()| 0),
            nr::KILL => {
                let args: abi::Kill = abi::read(arg)?;
                ve.kill(args.signal).map(|()| 0)
            }
            nr::LOCK => ve.set_locked(true).map(|()| 0),
            nr::UNLOCK => ve.set_locked(false).map(|()| 0),
            nr::GET => abi::write(arg, &self.get()).map(|()| 0),
            nr::FREEZE => ve.freeze().map(|()| 0),
            nr::THAW => ve.thaw().map(|()| 0),
            nr::UBC => {
                let (id, one) = limit::read_one(arg)?;
                match self.set_limits(id, &[one]) {
                    Ok(()) => Ok(0),
                    Err(unset) => Err(unset.error),
                }
            }
            nr::UBCS => {
                limit::set_several(arg, |id, limits| self.set_limits(id, limits)).map(|()| 0)
            }
            _ => Err(ENOTTY),
        }
    }

    /// Sets limits of the VE's beancounter, which needs no id.
    fn set_limits(&self, id: u32, limits: &[bindings::ubc_limit]) -> Result<(), Unset> {
        abi::must_be_zero(&[id])?;
        let inner = self.ve.inner.lock();
        let resources = inner.resources.as_ref().ok_or(ESRCH)?;
        resources.ub.set_limits(limits)
    }

    /// Sets a name the VE shows to its processes.
    fn set(&self, args: &abi::Set) -> Result {
        abi::must_be_zero(&[args.pad])?;
        let release = match args.key {
            bindings::VZCTL_SET_OSRELEASE => true,
            bindings::VZCTL_SET_HOSTNAME => false,
            _ => return Err(EINVAL),
        };
        let len = usize::try_from(args.len)?;
        if len > UTS_LEN {
            return Err(EMSGSIZE);
        }
        let mut text = [0u8; UTS_LEN + 1];
        let (head, _) = text.split_at_mut_checked(len).ok_or(EMSGSIZE)?;
        UserSlice::new(UserPtr::from_addr(usize::try_from(args.data)?), len)
            .reader()
            .read_slice(head)?;
        if head.is_empty() || head.iter().any(u8::is_ascii_control) {
            return Err(EINVAL);
        }
        let init = {
            let mut inner = self.ve.inner.lock();
            if inner.state.is_down() {
                return Err(ESRCH);
            }
            if release {
                inner.osrelease = text;
            }
            inner.init.clone()
        };
        match init {
            Some(init) => init.set_uts(
                release,
                CStr::from_bytes_until_nul(&text).map_err(|_| EINVAL)?,
            ),
            // `CREATE2` will look at it.
            None if release => Ok(()),
            None => Err(ESRCH),
        }
    }

    fn get(&self) -> abi::Get {
        let ve = &self.ve;
        let table = crate::table::lock();
        let inner = ve.inner.lock();
        self.seen.store(inner.version, Relaxed);
        let uid_base = ve.uid_base(&table);
        let alive = if inner.state.is_down() {
            None
        } else {
            inner.init.as_ref()
        };
        abi::Get {
            size: core::mem::size_of::<abi::Get>() as u32,
            veid: ve.veid(),
            state: inner.state as u32,
            flags: if inner.locked {
                bindings::VZCTL_GET_LOCKED
            } else {
                0
            },
            serial: ve.serial(),
            init_pid: alive.map_or(0, |init| init.nr() as i32),
            nproc: alive.map_or(0, sys::Pid::nproc),
            start_time: inner.start_time,
            uid_base,
            uid_count: if uid_base == 0 {
                0
            } else {
                bindings::VZCTL_ID_RANGE
            },
            reason: inner.reason as u32,
            code: inner.code,
        }
    }
}
