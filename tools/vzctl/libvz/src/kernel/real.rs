// SPDX-License-Identifier: GPL-2.0
//! The kernel of this node: `/dev/vzctl`, mounts and user namespaces.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::error::os_words;
use crate::id::Veid;
use crate::kernel::Kernel;
use crate::kernel::Limit;
use crate::kernel::LimitError;
use crate::kernel::Reason;
use crate::kernel::State;
use crate::kernel::Ve;
use crate::kernel::VeInfo;
use crate::kernel::abi;
use crate::kernel::absent;
use crate::paths::Paths;
use crate::ve::init;
use crate::ve::init::Plan;
use crate::ve::init::Spawned;
use crate::ve::userns;
use nix::libc;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::Timespec;
use rustix::event::poll;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::mount::MountPropagationFlags;
use rustix::mount::UnmountFlags;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

/// The kernel of this node. Holds no descriptor: the device is opened per
/// call, so that nothing has to be closed before a fork.
#[derive(Debug)]
pub struct RealKernel {
    device: PathBuf,
    veinfo: PathBuf,
    cgroups: PathBuf,
}

/// Descriptor of one VE.
#[derive(Debug)]
pub struct RealVe {
    fd: OwnedFd,
    id: Veid,
    cgroup: PathBuf,
}

/// An ioctl with an argument structure of this ABI.
fn call<T>(fd: &OwnedFd, number: u32, arg: &mut T) -> io::Result<i32> {
    // SAFETY: `number` encodes the size of `T`, `arg` is valid for reads and
    // writes of that size, and no call of this ABI keeps the pointer.
    let ret = unsafe { libc::ioctl(fd.as_raw_fd(), libc::c_ulong::from(number) as _, arg) };
    if ret < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(ret)
    }
}

/// An ioctl without an argument.
fn call_bare(fd: &OwnedFd, number: u32) -> io::Result<()> {
    // SAFETY: calls without an argument touch no memory of the caller.
    let ret = unsafe { libc::ioctl(fd.as_raw_fd(), libc::c_ulong::from(number) as _, 0) };
    if ret < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

impl RealKernel {
    /// Opens nothing yet: a node without VEs is found out by the first call.
    #[must_use]
    pub fn open(paths: &Paths) -> Self {
        Self {
            device: paths.control_device(),
            veinfo: paths.proc("vz/veinfo"),
            cgroups: paths.host("/sys/fs/cgroup/ve"),
        }
    }

    fn device(&self) -> Result<OwnedFd> {
        match rustix::fs::open(&self.device, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => Ok(fd),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NXIO | rustix::io::Errno::NODEV) => {
                Err(absent())
            }
            Err(e @ (rustix::io::Errno::ACCESS | rustix::io::Errno::PERM)) => Err(Error::new(
                Code::Permission,
                format!("cannot open {}", self.device.display()),
            )
            .why(os_words(&e.into()))
            .hint("run the command as root of the node")),
            Err(e) => Err(Error::new(
                Code::System,
                format!("cannot open {}", self.device.display()),
            )
            .why(os_words(&e.into()))),
        }
    }

    fn ve(&self, fd: i32, id: Veid) -> RealVe {
        // SAFETY: RESERVE and OPEN return a new descriptor that nobody else has.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        RealVe {
            fd,
            id,
            cgroup: self.cgroups.join(id.to_string()).join("ct"),
        }
    }
}

impl Kernel for RealKernel {
    fn check(&self) -> Result<()> {
        if self.veinfo.exists() {
            self.device().map(drop)
        } else {
            Err(absent())
        }
    }

    fn running(&self, id: Veid) -> Result<Option<VeInfo>> {
        if !self.device.exists() {
            return Ok(None);
        }
        let Some(ve) = self.open(id)? else {
            return Ok(None);
        };
        let info = ve.info()?;
        Ok((info.state != State::Dead).then_some(info))
    }

    fn list(&self) -> Result<Vec<VeInfo>> {
        let text = match std::fs::read_to_string(&self.veinfo) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e).or_err(Code::System, || "cannot read /proc/vz/veinfo"),
        };
        let mut list = Vec::new();
        for line in text.lines() {
            let first = line.split_whitespace().next().and_then(Veid::parse);
            let Some(id) = first.filter(|id| !id.is_node()) else {
                continue;
            };
            if let Some(info) = self.running(id)? {
                list.push(info);
            }
        }
        list.sort_by_key(|v| v.id);
        Ok(list)
    }

    fn set_ubc(&self, id: Veid, limits: &[Limit]) -> std::result::Result<(), LimitError> {
        let fd = self
            .device()
            .map_err(|error| LimitError { at: None, error })?;
        set_ubc(&fd, id, id.get(), limits)
    }

    fn reserve(&self, id: Veid) -> Result<Box<dyn Ve>> {
        let dev = self.device()?;
        let mut arg = abi::Reserve {
            size: abi::size32::<abi::Reserve>(),
            veid: id.get(),
            flags: 0,
            pad: 0,
        };
        match call(&dev, abi::RESERVE, &mut arg) {
            Ok(fd) => Ok(Box::new(self.ve(fd, id))),
            Err(e) => {
                let code = match e.raw_os_error() {
                    Some(libc::EEXIST) => Code::Running,
                    Some(libc::EPERM) => Code::Permission,
                    Some(libc::ENOMEM | libc::ENOSPC) => Code::Resource,
                    _ => Code::EnvCreate,
                };
                Err(
                    Error::new(code, format!("the kernel cannot reserve VE {id}"))
                        .why(os_words(&e)),
                )
            }
        }
    }

    fn open(&self, id: Veid) -> Result<Option<Box<dyn Ve>>> {
        let dev = self.device()?;
        let mut arg = abi::Open {
            size: abi::size32::<abi::Open>(),
            veid: id.get(),
            flags: 0,
            pad: 0,
        };
        match call(&dev, abi::OPEN, &mut arg) {
            Ok(fd) => Ok(Some(Box::new(self.ve(fd, id)))),
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(None),
            Err(e) => Err(e).or_err(Code::System, || {
                format!("cannot open VE {id} in the kernel")
            }),
        }
    }

    fn bind(&self, from: &Path, to: &Path) -> Result<()> {
        let what = || format!("cannot mount {} at {}", from.display(), to.display());
        rustix::mount::mount_bind(from, to).or_err(Code::Mount, what)?;
        // Other mount namespaces must not get copies that outlive ours.
        let made = rustix::mount::mount_change(to, MountPropagationFlags::PRIVATE);
        if made.is_err() {
            let _ = rustix::mount::unmount(to, UnmountFlags::DETACH);
        }
        made.or_err(Code::Mount, what)
    }

    fn unmount(&self, at: &Path) -> Result<bool> {
        if !self.is_mounted(at)? {
            return Ok(false);
        }
        let mut flags = UnmountFlags::NOFOLLOW;
        loop {
            match rustix::mount::unmount(at, flags) {
                Ok(()) => return Ok(true),
                Err(rustix::io::Errno::INVAL) => return Ok(false),
                // A shell of the node inside the tree, or a mount an action
                // script left below, must not hold up the stop of a VE.
                Err(rustix::io::Errno::BUSY) if !flags.contains(UnmountFlags::DETACH) => {
                    flags |= UnmountFlags::DETACH;
                }
                Err(e) => {
                    return Err(e)
                        .or_err(Code::Umount, || format!("cannot unmount {}", at.display()));
                }
            }
        }
    }

    fn is_mounted(&self, at: &Path) -> Result<bool> {
        let here = match std::fs::canonicalize(at) {
            Ok(path) => path,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => {
                return Err(e).or_err(Code::System, || format!("cannot look at {}", at.display()));
            }
        };
        let text = std::fs::read_to_string("/proc/self/mountinfo")
            .or_err(Code::System, || "cannot read the table of mounts")?;
        Ok(text
            .lines()
            .filter_map(|l| l.split(' ').nth(4))
            .any(|m| unescape(m) == here))
    }

    fn wait_events(&self, files: &[BorrowedFd<'_>], timeout: Duration) -> Result<()> {
        let what = || "cannot wait for refusals";
        let mut fds: Vec<PollFd<'_>> = files
            .iter()
            .map(|f| PollFd::from_borrowed_fd(*f, PollFlags::PRI))
            .collect();
        let until = Timespec::try_from(timeout)
            .map_err(|_| Error::new(Code::System, what()).why("the time is too long"))?;
        match poll(&mut fds, Some(&until)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(e).or_err(Code::System, what),
        }
    }

    fn id_namespace(&self, uid_base: u32) -> Result<Option<OwnedFd>> {
        userns::create(uid_base, abi::ID_RANGE).map(Some)
    }
}

/// Undoes the octal escapes of /proc/self/mountinfo.
fn unescape(field: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let bytes = field.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while let Some(&b) = bytes.get(i) {
        let code = bytes
            .get(i + 1..i + 4)
            .and_then(|d| std::str::from_utf8(d).ok());
        match code
            .filter(|_| b == b'\\')
            .and_then(|d| u8::from_str_radix(d, 8).ok())
        {
            Some(c) => {
                out.push(c);
                i += 4;
            }
            None => {
                out.push(b);
                i += 1;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(out))
}

fn set_ubc(
    fd: &OwnedFd,
    id: Veid,
    ub: u32,
    limits: &[Limit],
) -> std::result::Result<(), LimitError> {
    if limits.is_empty() {
        return Ok(());
    }
    let list: Vec<abi::Limit> = limits
        .iter()
        .map(|l| abi::Limit {
            resource: l.resource,
            pad: 0,
            barrier: l.barrier,
            limit: l.limit,
        })
        .collect();
    let mut arg = abi::Ubcs {
        size: abi::size32::<abi::Ubcs>(),
        id: ub,
        // The list outlives the call.
        limits: list.as_ptr().addr() as u64,
        count: u32::try_from(list.len()).unwrap_or(u32::MAX),
        wrong: abi::UBCS_NONE,
    };
    let result = call(fd, abi::UBCS, &mut arg);
    let at = usize::try_from(arg.wrong)
        .ok()
        .filter(|at| *at < list.len());
    result
        .map(drop)
        .or_err(Code::SetUbc, || match at.and_then(|at| list.get(at)) {
            Some(l) => format!(
                "cannot set UBC resource {} of VE {id} to {}:{}",
                l.resource, l.barrier, l.limit
            ),
            None => format!("cannot set the limits of VE {id}"),
        })
        .map_err(|error| LimitError { at, error })
}

impl RealVe {
    fn get(&self) -> io::Result<abi::Get> {
        let mut arg = abi::Get {
            size: abi::size32::<abi::Get>(),
            ..abi::Get::default()
        };
        call(&self.fd, abi::GET, &mut arg)?;
        Ok(arg)
    }

    fn set(&self, key: u32, text: &str) -> io::Result<()> {
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let size = abi::size32::<abi::Set>();
        let mut arg = abi::Set {
            size,
            key,
            data: text.as_ptr().addr() as u64,
            len,
            pad: 0,
        };
        call(&self.fd, abi::SET, &mut arg).map(drop)
    }

    /// Gives the inner cgroup to root of the VE and opens it.
    fn delegate(&self, uid: u32) -> Result<OwnedFd> {
        let what = || format!("cannot give cgroup {} to the VE", self.cgroup.display());
        let dir = rustix::fs::open(
            &self.cgroup,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .or_err(Code::EnvCreate, what)?;
        let id = Some(rustix::fs::Uid::from_raw(uid));
        let gid = Some(rustix::fs::Gid::from_raw(uid));
        rustix::fs::fchown(&dir, id, gid).or_err(Code::EnvCreate, what)?;
        for file in ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control"] {
            rustix::fs::chownat(&dir, file, id, gid, rustix::fs::AtFlags::empty())
                .or_err(Code::EnvCreate, what)?;
        }
        Ok(dir)
    }
}

impl Ve for RealVe {
    fn info(&self) -> Result<VeInfo> {
        let got = self
            .get()
            .or_err(Code::System, || format!("cannot ask for VE {}", self.id))?;
        Ok(VeInfo {
            id: self.id,
            state: match got.state {
                abi::STATE_STARTING => State::Starting,
                abi::STATE_RUNNING => State::Running,
                abi::STATE_FROZEN => State::Frozen,
                abi::STATE_STOPPING => State::Stopping,
                _ => State::Dead,
            },
            init_pid: u32::try_from(got.init_pid).ok().filter(|p| *p > 0),
            nproc: got.nproc,
            start_time: got.start_time,
            serial: got.serial,
            locked: got.flags & abi::GET_LOCKED != 0,
            uid_base: got.uid_base,
            reason: match got.reason {
                abi::REASON_NONE => Reason::None,
                abi::REASON_ABORTED => Reason::Aborted,
                abi::REASON_EXIT => Reason::Exit(got.code),
                abi::REASON_HALT => Reason::Halt,
                abi::REASON_REBOOT => Reason::Reboot,
                abi::REASON_KILLED => Reason::Killed,
                other => Reason::Other(other),
            },
        })
    }

    fn set_ubc(&self, limits: &[Limit]) -> std::result::Result<(), LimitError> {
        set_ubc(&self.fd, self.id, 0, limits)
    }

    fn set_osrelease(&self, text: &str) -> Result<()> {
        self.set(abi::SET_OSRELEASE, text)
            .or_err(Code::OsRelease, || {
                format!("cannot set OS release \"{text}\" of VE {}", self.id)
            })
    }

    fn set_hostname(&self, text: &str) -> Result<()> {
        self.set(abi::SET_HOSTNAME, text)
            .or_err(Code::BadHostname, || {
                format!("cannot set host name \"{text}\" of VE {}", self.id)
            })
    }

    fn spawn(&self, plan: &Plan) -> Result<Spawned> {
        let cgroup = self.delegate(plan.uid_base)?;
        init::spawn(self.id, plan, || {
            let mut arg = abi::Create {
                size: abi::size32::<abi::Create>(),
                flags: 0,
                uid_base: plan.uid_base,
                uid_count: abi::ID_RANGE,
                bset: plan.bset,
                cgroup_fd: cgroup.as_raw_fd(),
                pad: 0,
            };
            call(&self.fd, abi::CREATE2, &mut arg)
        })
    }

    fn run(&self) -> Result<()> {
        call_bare(&self.fd, abi::RUN)
            .or_err(Code::EnvCreate, || format!("cannot run VE {}", self.id))
    }

    fn kill(&self, signal: i32) -> Result<bool> {
        let signal = u32::try_from(signal).unwrap_or_default();
        let mut arg = abi::Kill {
            size: abi::size32::<abi::Kill>(),
            signal,
        };
        match call(&self.fd, abi::KILL, &mut arg) {
            Ok(_) => Ok(true),
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Ok(false),
            Err(e) => Err(e).or_err(Code::Stop, || {
                format!("cannot signal init of VE {}", self.id)
            }),
        }
    }

    fn wait_dead(&self, timeout: Duration) -> Result<bool> {
        let end = Instant::now().checked_add(timeout);
        loop {
            let info = self
                .get()
                .or_err(Code::System, || format!("cannot ask for VE {}", self.id))?;
            if info.state == abi::STATE_DEAD {
                return Ok(true);
            }
            let left = end.map_or(Duration::from_secs(3600), |e| {
                e.saturating_duration_since(Instant::now())
            });
            if left.is_zero() || crate::undo::interrupted() {
                return Ok(false);
            }
            // A state change is only news until GET has told it, hence the
            // slices: a change between GET and poll costs half a second.
            let slice = left.min(Duration::from_millis(500));
            let wait = Timespec {
                tv_sec: i64::try_from(slice.as_secs()).unwrap_or(1),
                tv_nsec: i64::from(slice.subsec_nanos()),
            };
            let mut fds = [PollFd::new(&self.fd, PollFlags::PRI)];
            match poll(&mut fds, Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e).or_err(Code::System, || "cannot wait for the VE"),
            }
        }
    }

    fn enter(&self, skip_lock: bool) -> Result<()> {
        let flags = if skip_lock { abi::ENTER_SKIPLOCK } else { 0 };
        let mut arg = abi::Enter {
            size: abi::size32::<abi::Enter>(),
            flags,
        };
        call(&self.fd, abi::ENTER2, &mut arg)
            .map(drop)
            .map_err(|e| {
                let code = match e.raw_os_error() {
                    Some(libc::ESRCH) => Code::NotRunning,
                    Some(libc::ENOMEM) => Code::Resource,
                    Some(libc::EBUSY) => Code::Locked,
                    _ => Code::System,
                };
                let err = Error::new(code, format!("cannot enter VE {}", self.id));
                match code {
                    Code::Resource => err.why("numproc is at its barrier"),
                    Code::Locked => err.why("it is locked, frozen or not running"),
                    _ => err.why(os_words(&e)),
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_escapes() {
        assert_eq!(unescape("/a\\040b\\134c"), PathBuf::from("/a b\\c"));
        assert_eq!(unescape("/plain"), PathBuf::from("/plain"));
        assert_eq!(unescape("/odd\\"), PathBuf::from("/odd\\"));
    }
}
