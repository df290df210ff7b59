// SPDX-License-Identifier: GPL-2.0

//! The border to C: services of `shim.c` as types that clean up after themselves, and the
//! functions C calls.

use crate::{
    control::Control,
    limit::Unset,
    object::Ve,
    proc, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    ffi::{
        c_char,
        c_void, //
    },
    miscdevice::MiscDeviceRegistration,
    prelude::*,
    seq_file::SeqFile,
    sync::{
        Arc,
        ArcBorrow, //
    },
    workqueue::Queue,
};

pub(crate) const SIGHUP: i32 = bindings::SIGHUP as i32;
pub(crate) const SIGINT: i32 = bindings::SIGINT as i32;
pub(crate) const SIGKILL: i32 = bindings::SIGKILL as i32;

/// Keeps `ve_key` on.  One for each [`Ve`].
pub(crate) struct HooksOn(());

impl HooksOn {
    pub(crate) fn new() -> Self {
        // SAFETY: May sleep, as all callers may.
        unsafe { bindings::ve_key_inc() };
        HooksOn(())
    }
}

impl Drop for HooksOn {
    fn drop(&mut self) {
        // SAFETY: Undoes the `ve_key_inc()` of `new()`.  May sleep: the last reference to a `Ve`
        // is dropped in a work item, an ioctl or the release of a file.
        unsafe { bindings::ve_key_dec() };
    }
}

/// A reference to a `struct pid`, that of an init.
pub(crate) struct Pid(NonNull<bindings::pid>);

// SAFETY: `struct pid` is reference counted with atomics and may be put from any thread.
unsafe impl Send for Pid {}

impl Pid {
    /// The number, as the caller sees it.
    pub(crate) fn nr(&self) -> isize {
        // SAFETY: `self` holds a reference.
        unsafe { bindings::pid_vnr(self.0.as_ptr()) as isize }
    }

    /// How many pids are in use in its namespace.
    pub(crate) fn nproc(&self) -> u32 {
        // SAFETY: `self` holds a reference, and a pid holds its namespace.
        unsafe { bindings::ve_nproc(self.0.as_ptr()) }
    }

    /// Sends a signal as from the host.
    pub(crate) fn kill(&self, signal: i32) -> Result {
        // SAFETY: `self` holds a reference; the number is checked by the callee.
        to_result(unsafe { bindings::ve_kill_init(self.0.as_ptr(), signal) })
    }

    /// Sets host name or kernel release of its UTS namespace.
    pub(crate) fn set_uts(&self, release: bool, text: &CStr) -> Result {
        // SAFETY: `self` holds a reference, `text` is a C string.
        to_result(unsafe { bindings::ve_set_uts(self.0.as_ptr(), release, text.as_char_ptr()) })
    }
}

impl Clone for Pid {
    fn clone(&self) -> Self {
        // SAFETY: `self` holds a reference, so the count is not zero.
        unsafe { bindings::get_pid(self.0.as_ptr()) };
        Pid(self.0)
    }
}

impl Drop for Pid {
    fn drop(&mut self) {
        // SAFETY: `self` holds a reference and gives it up here.
        unsafe { bindings::put_pid(self.0.as_ptr()) };
    }
}

/// The first task of a VE, not yet running.  Must be woken: there is no way back.
pub(crate) struct NewTask(NonNull<bindings::task_struct>);

impl NewTask {
    /// Forks the caller into all namespaces of `ve`, paid for by `ub`.
    pub(crate) fn copy(ve: &Arc<Ve>, ub: *mut bindings::ubc, cgroup_fd: i32) -> Result<Self> {
        // SAFETY: `ve` is alive, and the user namespace made by the call takes a reference of its
        // own.  `ub` is kept by the caller (see `create()`).  The call happens in an ioctl, that
        // is with the caller's user registers at the bottom of its stack.
        let task = from_err_ptr(unsafe { bindings::ve_copy_init(ve.as_c(), ub, cgroup_fd) })?;
        NonNull::new(task).map(NewTask).ok_or(ENOMEM)
    }

    /// Its pid; from here on the VE knows its pid namespace.
    pub(crate) fn pid(&self, ve: &Arc<Ve>) -> Pid {
        // SAFETY: The task is alive, as it has not run yet.  It is the only one in the new pid
        // namespace, so nobody reads `pid_ns` at the same time.
        let pid = unsafe { bindings::ve_get_init_pid(self.0.as_ptr(), ve.as_c()) };
        // SAFETY: A task that was just forked has a pid; the callee took a reference.
        Pid(unsafe { NonNull::new_unchecked(pid) })
    }

    /// Lets it run.
    pub(crate) fn wake(self) {
        // SAFETY: The task was made by `copy_process()` and is woken once, as `self` is consumed.
        unsafe { bindings::ve_wake_init(self.0.as_ptr()) };
    }
}

/// A reference to a control group.
pub(crate) struct Cgroup(NonNull<bindings::cgroup>);

// SAFETY: `struct cgroup` is reference counted with atomics and may be put from any thread.
unsafe impl Send for Cgroup {}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // SAFETY: `self` holds a reference and gives it up here.
        unsafe { bindings::ve_cgroup_put(self.0.as_ptr()) };
    }
}

/// The control groups of one VE.  Dropping them does not remove them, [`Cgroups::destroy`] does.
pub(crate) struct Cgroups {
    /// `ve/<id>`: limits of the host.
    outer: Cgroup,
    /// `ve/<id>/ct`: root of the VE's cgroup namespace.
    inner: Cgroup,
    /// `ve/<id>/enter`: tasks that came from the host.
    enter: Cgroup,
}

impl Cgroups {
    pub(crate) fn new(veid: u32) -> Result<Self> {
        let mut groups = [core::ptr::null_mut(); 3];
        let [outer, inner, enter] = &mut groups;
        // SAFETY: The pointers are to local variables.
        to_result(unsafe { bindings::ve_cgroup_create(veid, outer, inner, enter) })?;
        // SAFETY: On success the callee has stored three references, which are not null.
        let [outer, inner, enter] = groups.map(|g| Cgroup(unsafe { NonNull::new_unchecked(g) }));
        Ok(Cgroups {
            outer,
            inner,
            enter,
        })
    }

    /// Removes all groups of the VE, also those made inside.  `EBUSY` while there are tasks.
    pub(crate) fn destroy(&self) -> Result {
        // SAFETY: `self` holds a reference.
        to_result(unsafe { bindings::cgroup_kernel_destroy(self.outer.0.as_ptr()) })
    }

    /// Starts to freeze or to thaw all tasks.
    pub(crate) fn freeze(&self, freeze: bool) {
        // SAFETY: `self` holds a reference.
        unsafe { bindings::ve_cgroup_freeze(self.outer.0.as_ptr(), freeze) };
    }

    /// Are all tasks frozen?
    pub(crate) fn frozen(&self) -> bool {
        // SAFETY: `self` holds a reference.
        unsafe { bindings::ve_cgroup_frozen(self.outer.0.as_ptr()) }
    }

    /// Is `fd` the directory of the inner group?
    pub(crate) fn inner_is_fd(&self, fd: i32) -> bool {
        // SAFETY: `self` holds a reference; a bad descriptor is checked by the callee.
        unsafe { bindings::ve_cgroup_is_fd(self.inner.0.as_ptr(), fd) }
    }

    /// A reference to the group of entering tasks.
    pub(crate) fn enter_group(&self) -> Cgroup {
        // SAFETY: `self` holds a reference, so the count is not zero.
        unsafe { bindings::ve_cgroup_get(self.enter.0.as_ptr()) };
        Cgroup(self.enter.0)
    }
}

/// The VE's handle on its beancounter; the charges of living objects keep the counters.
pub(crate) struct Beancounter(NonNull<bindings::ubc>);

// SAFETY: All operations on a UB are atomic or locked by kernel/ubc.
unsafe impl Send for Beancounter {}

impl Beancounter {
    pub(crate) fn new(id: u32, cgroups: &Cgroups) -> Result<Self> {
        // SAFETY: May sleep, as all callers may.
        let ub = from_err_ptr(unsafe { bindings::ubc_create(id) })?;
        let ub = Beancounter(NonNull::new(ub).ok_or(ENOMEM)?);
        // SAFETY: Both are referenced; the group was made a moment ago and is empty.
        to_result(unsafe { bindings::ubc_bind_cgroup(ub.as_ptr(), cgroups.outer.0.as_ptr()) })?;
        Ok(ub)
    }

    /// The pointer, good as long as `self` lives.
    pub(crate) fn as_ptr(&self) -> *mut bindings::ubc {
        self.0.as_ptr()
    }

    /// Sets barrier and limit of resources.
    pub(crate) fn set_limits(&self, limits: &[bindings::ubc_limit]) -> Result<(), Unset> {
        // SAFETY: `self` holds the owner's reference.
        unsafe { set_limits(self.as_ptr(), limits) }
    }

    /// Makes the calling task, which is the host's, pay here.
    pub(crate) fn attach_current(&self) -> Result<Attached> {
        // SAFETY: `self` holds the owner's reference; the charge keeps the UB after that.
        to_result(unsafe { bindings::ubc_attach_current(self.as_ptr()) })?;
        Ok(Attached(()))
    }
}

impl Drop for Beancounter {
    fn drop(&mut self) {
        // SAFETY: Gives up the reference that `ubc_create()` returned.
        unsafe { bindings::ubc_destroy(self.as_ptr()) };
    }
}

/// The calling task pays to a VE's beancounter; dropping this makes it pay to the host again.
pub(crate) struct Attached(());

impl Attached {
    /// Leaves it so.
    pub(crate) fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // SAFETY: A null pointer is the host, which refuses nothing.
        unsafe { bindings::ubc_attach_current(core::ptr::null_mut()) };
    }
}

/// # Safety
///
/// `ub` must be valid.
unsafe fn set_limits(ub: *mut bindings::ubc, limits: &[bindings::ubc_limit]) -> Result<(), Unset> {
    let count = u32::try_from(limits.len()).map_err(Error::from)?;
    let mut wrong = bindings::VZCTL_UBCS_NONE;
    // SAFETY: `ub` is valid, the slice has `count` elements, `wrong` is a local variable; the
    // values are checked by the callee.
    to_result(unsafe { bindings::ubc_set_limits(ub, limits.as_ptr(), count, &mut wrong) })
        .map_err(|error| Unset { error, wrong })
}

/// Sets limits of the beancounter with that id.
pub(crate) fn set_limits_by_id(id: u32, limits: &[bindings::ubc_limit]) -> Result<(), Unset> {
    // SAFETY: May sleep, as all callers may.
    let ub = unsafe { bindings::ubc_lookup(id) };
    if ub.is_null() {
        return Err(ENOENT.into());
    }
    // SAFETY: The reference from `ubc_lookup()` is held until the next line.
    let result = unsafe { set_limits(ub, limits) };
    // SAFETY: That reference.
    unsafe { bindings::ubc_put(ub) };
    result
}

/// Moves the calling process into namespaces and control group of `ve`.
pub(crate) fn enter(ve: &Arc<Ve>, init: &Pid, group: &Cgroup) -> Result {
    // SAFETY: All three are referenced for the duration of the call.
    to_result(unsafe { bindings::ve_enter(ve.as_c(), init.0.as_ptr(), group.0.as_ptr()) })
}

/// Kills all tasks of `ve` and returns how many were alive.
pub(crate) fn kill_members(ve: &Arc<Ve>) -> u32 {
    // SAFETY: `ve` is alive.
    unsafe { bindings::ve_kill_members(ve.as_c()) }
}

/// Is the caller privileged on the host?
pub(crate) fn caller_is_admin() -> bool {
    // SAFETY: Looks at current only.
    unsafe { bindings::ve_admin() }
}

/// Is the caller being killed?
pub(crate) fn fatal_signal_pending() -> bool {
    // SAFETY: Looks at current only.
    unsafe { bindings::ve_current_dying() }
}

/// Time since boot, in nanoseconds.
pub(crate) fn boottime_ns() -> u64 {
    // SAFETY: No requirements.
    unsafe { bindings::ve_boottime_ns() }
}

/// How many pids are in use on the whole node.
pub(crate) fn host_nproc() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::ve_host_nproc() }
}

/// The queue of the stop work, which sleeps: any number at once, on any CPU.
pub(crate) fn stop_queue() -> &'static Queue {
    // SAFETY: The pointer is set before any initcall of this kind runs and never changes, and the
    // queue is never destroyed.
    unsafe { Queue::from_raw(bindings::system_dfl_wq) }
}

/// Waits until files and mounts whose last use is over are gone.
pub(crate) fn flush_mounts() {
    // SAFETY: Both may sleep, as the caller may.
    unsafe {
        bindings::flush_delayed_fput();
        bindings::flush_delayed_mntput();
    }
}

/// Makes `/proc/vz`.
pub(crate) fn proc_init() -> Result {
    // SAFETY: Called once at boot.
    to_result(unsafe { bindings::ve_proc_init() })
}

/// Names the device whose uevents report what happens to VEs.
pub(crate) fn set_event_device(device: &MiscDeviceRegistration<Control>) {
    // SAFETY: The device is registered, as the type says, and never unregistered, as its owner,
    // the module, is built in.
    unsafe { bindings::ve_uevent_device(device.as_raw()) };
}

/// Reports an event.
pub(crate) fn uevent(event: &CStr, ve: &Ve) {
    // SAFETY: `event` is a C string; VEs are made through the device that was named before.
    unsafe { bindings::ve_uevent(event.as_char_ptr(), ve.veid(), ve.serial()) };
}

/// File operations that never change.
#[repr(transparent)]
pub(crate) struct FileOperations(bindings::file_operations);

// SAFETY: The structure is only read.
unsafe impl Sync for FileOperations {}

impl FileOperations {
    pub(crate) const fn new(operations: bindings::file_operations) -> Self {
        FileOperations(operations)
    }
}

/// Makes an anonymous file and a descriptor of it in the calling process.
///
/// # Safety
///
/// The functions in `operations` must be able to deal with `private`.
pub(crate) unsafe fn anon_fd(
    name: &CStr,
    operations: &'static FileOperations,
    private: *mut c_void,
) -> Result<isize> {
    let flags = (bindings::O_RDWR | bindings::O_CLOEXEC) as i32;
    // SAFETY: `name` is a C string, the operations are static, and by the contract of this
    // function they fit the private data.
    let fd =
        unsafe { bindings::anon_inode_getfd(name.as_char_ptr(), &operations.0, private, flags) };
    to_result(fd.min(0))?;
    Ok(fd as isize)
}

/// # Safety
///
/// `ve` must be alive.
#[export]
unsafe extern "C" fn ve_get(ve: *mut bindings::ve) {
    // SAFETY: The identity is the first field of a `repr(C)` `Ve`, and `Ve`s live in `Arc`s.
    let ve = unsafe { ArcBorrow::<'_, Ve>::from_raw(ve.cast()) };
    core::mem::forget(Arc::from(ve));
}

/// # Safety
///
/// `ve` must be alive and the caller give up a reference taken by `ve_get()`.
#[export]
unsafe extern "C" fn ve_put(ve: *mut bindings::ve) {
    // SAFETY: As in `ve_get()`; the reference is the caller's.
    drop(unsafe { Arc::<Ve>::from_raw(ve.cast()) });
}

/// # Safety
///
/// `ve` must be alive.
#[export]
unsafe extern "C" fn ve_init_dying(ve: *mut bindings::ve, wait_status: c_int, reboot: c_int) {
    // SAFETY: As in `ve_get()`: the caller's user namespace holds a reference.
    let ve = unsafe { ArcBorrow::<'_, Ve>::from_raw(ve.cast()) };
    ve.init_dying(wait_status, reboot);
}

/// # Safety
///
/// `name`, and `dir` unless it is null, must be C strings.
#[export]
unsafe extern "C" fn ve_proc_allowed(dir: *const c_char, name: *const c_char) -> bool {
    let dir = if dir.is_null() {
        None
    } else {
        // SAFETY: By the contract of this function.
        Some(unsafe { CStr::from_char_ptr(dir) })
    };
    // SAFETY: By the contract of this function.
    proc::allowed(dir, unsafe { CStr::from_char_ptr(name) })
}

/// # Safety
///
/// `m` must be a valid `seq_file` in its show function.
#[export]
unsafe extern "C" fn ve_veinfo_show(m: *mut bindings::seq_file, _unused: *mut c_void) -> c_int {
    // SAFETY: By the contract of this function; the owner of the file's procfs instance lives as
    // long as the instance.
    let own = unsafe { bindings::ve_of_seq(m).as_ref() }.map(|ve| ve.veid);
    // SAFETY: By the contract of this function.
    proc::veinfo(unsafe { SeqFile::from_raw(m) }, own);
    0
}
