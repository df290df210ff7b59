// SPDX-License-Identifier: GPL-2.0
//! The first process of a VE, from the fork inside CREATE2 to `execve()`.
//!
//! The child shares nothing with the command but one socket.  It has a private
//! copy of the node's mount tree, whose mounts it cannot undo, and root's
//! rights only inside the VE's user namespace; it stands in `VE_ROOT`.  It
//! builds the VE's mounts, leaves the node's tree behind with `pivot_root()`,
//! says "ready", waits for "go" and becomes init.  Without a parent it exits.
//!
//! Between fork and exec nothing is allocated, nothing panics and no lock is
//! taken: everything is prepared before, and all calls are plain system calls.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::error::os_words;
use crate::id::Veid;
use nix::libc;
use rustix::fd::AsFd;
use rustix::fd::BorrowedFd;
use rustix::fd::OwnedFd;
use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::io::Errno;
use rustix::mount::FsMountFlags;
use rustix::mount::FsOpenFlags;
use rustix::mount::MountAttrFlags;
use rustix::mount::MountPropagationFlags;
use rustix::mount::MoveMountFlags;
use rustix::mount::OpenTreeFlags;
use rustix::mount::UnmountFlags;
use rustix::net::AddressFamily;
use rustix::net::RecvAncillaryBuffer;
use rustix::net::RecvAncillaryMessage;
use rustix::net::RecvFlags;
use rustix::net::SendAncillaryBuffer;
use rustix::net::SendAncillaryMessage;
use rustix::net::SendFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use std::ffi::CStr;
use std::ffi::CString;
use std::io::IoSlice;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;

macro_rules! steps {
    ($($name:ident = $key:literal, $text:literal;)*) => {
        /// What the child was doing when it failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Step { $(#[doc = $text] $name,)* }

        impl Step {
            /// All steps in order.
            pub const ALL: &'static [Step] = &[$(Step::$name,)*];

            /// Name of the step's fault point.
            #[must_use]
            pub fn key(self) -> &'static str {
                match self { $(Step::$name => $key,)* }
            }

            /// "cannot ... in VE 101".
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Step::$name => $text,)* }
            }
        }
    };
}

steps! {
    Cgroup = "init-cgroup", "make the cgroup namespace";
    Tree = "init-tree", "separate the mounts from the node's";
    Root = "init-root", "bind the file tree";
    Proc = "init-proc", "mount /proc";
    Sys = "init-sys", "mount /sys";
    CgroupFs = "init-cgroupfs", "mount /sys/fs/cgroup";
    Dev = "init-dev", "mount /dev";
    DevNodes = "init-devnodes", "fill /dev";
    DevPts = "init-devpts", "mount /dev/pts";
    DevShm = "init-devshm", "mount /dev/shm";
    Console = "init-console", "make the console";
    Pivot = "init-pivot", "change to the file tree";
    Loopback = "init-loopback", "bring up the loopback interface";
    Hostname = "init-hostname", "set the host name";
    Session = "init-session", "make a session";
    Exec = "init-exec", "execute init";
}

/// Everything the child needs, made before the fork.
#[derive(Debug)]
pub struct Plan {
    /// First user and group id of the VE.
    pub uid_base: u32,
    /// Capability bounding set.
    pub bset: u64,
    /// Node name.
    pub hostname: String,
    /// Paths of init inside the VE, tried in turn.
    pub init: Vec<CString>,
    /// `argv` of init.
    pub argv: Vec<CString>,
    /// Environment of init.
    pub env: Vec<CString>,
    /// Make a console and hand out its master side.
    pub console: bool,
    /// Step that is to fail, for tests.
    pub fault: Option<Step>,
}

/// A new init that waits to be told to go on.
#[derive(Debug)]
pub struct Spawned {
    id: Veid,
    channel: Option<OwnedFd>,
    /// Pid of init on the node.
    pub pid: u32,
}

const READY: u8 = b'R';
const FAILED: u8 = b'E';
const GO: u8 = b'G';

/// Makes the channel, forks by `fork` (CREATE2) and runs the child.
///
/// `fork` returns twice, as `fork()` does; the child must be pid 1 of a VE.
///
/// # Errors
/// The fork failed.
pub fn spawn(
    id: Veid,
    plan: &Plan,
    fork: impl FnOnce() -> std::io::Result<i32>,
) -> Result<Spawned> {
    let what = || format!("cannot create VE {id} in the kernel");
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .or_err(Code::EnvCreate, what)?;
    let argv = pointers(&plan.argv);
    let env = pointers(&plan.env);
    match fork() {
        Ok(0) => child(plan, theirs.as_raw_fd(), &argv, &env),
        Ok(pid) => {
            let pid = u32::try_from(pid).unwrap_or(0);
            Ok(Spawned {
                id,
                channel: Some(ours),
                pid,
            })
        }
        Err(e) => {
            let err = Error::new(Code::EnvCreate, what()).why(os_words(&e));
            Err(match e.raw_os_error() {
                Some(libc::EEXIST) => {
                    err.why(format!("ids {}.. belong to a running VE", plan.uid_base))
                }
                Some(libc::ENOMEM | libc::EAGAIN) => err.with_code(Code::Resource),
                _ => err,
            })
        }
    }
}

fn pointers(list: &[CString]) -> Vec<*const libc::c_char> {
    list.iter()
        .map(|s| s.as_ptr())
        .chain([std::ptr::null()])
        .collect()
}

impl Spawned {
    /// An init that exists only in the fake kernel.
    #[must_use]
    pub fn none(id: Veid) -> Self {
        Self {
            id,
            channel: None,
            pid: std::process::id(),
        }
    }

    /// Waits until the mounts are made; returns the console's master side.
    ///
    /// # Errors
    /// The step that failed inside, by name.
    pub fn wait_ready(&self) -> Result<Option<OwnedFd>> {
        let Some(channel) = &self.channel else {
            return Ok(None);
        };
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut text = [0u8; 8];
        let len = loop {
            let mut iov = [IoSliceMut::new(&mut text)];
            match rustix::net::recvmsg(channel, &mut iov, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Ok(msg) => break msg.bytes,
                Err(Errno::INTR) if !crate::undo::interrupted() => {}
                Err(e) => return Err(e).or_err(Code::System, || "cannot wait for the new init"),
            }
        };
        if len == 0 {
            return Err(Error::new(
                Code::EnvCreate,
                format!("init of VE {} was killed", self.id),
            )
            .why("it died while its mounts were made"));
        }
        if text[0] == FAILED {
            return Err(self.failure(&text));
        }
        for msg in control.drain() {
            if let RecvAncillaryMessage::ScmRights(mut fds) = msg {
                return Ok(fds.next());
            }
        }
        Ok(None)
    }

    /// Lets init start, and waits until it has been executed.
    ///
    /// # Errors
    /// There is nothing to execute (47).
    pub fn go(self) -> Result<()> {
        let Some(channel) = &self.channel else {
            return Ok(());
        };
        rustix::net::send(channel, &[GO], SendFlags::NOSIGNAL).or_err(Code::EnvCreate, || {
            format!("init of VE {} is gone", self.id)
        })?;
        let mut text = [0u8; 8];
        loop {
            match rustix::net::recv(channel, &mut text, RecvFlags::empty()) {
                // The channel is closed by a successful exec.
                Ok((_, 0)) => return Ok(()),
                Ok(_) => return Err(self.failure(&text).with_code(Code::BadTree)),
                Err(Errno::INTR) => {}
                Err(e) => return Err(e).or_err(Code::System, || "cannot wait for the new init"),
            }
        }
    }

    fn failure(&self, text: &[u8; 8]) -> Error {
        let errno = i32::from_ne_bytes([text[4], text[5], text[6], text[7]]);
        let step = Step::ALL.iter().find(|s| **s as u8 == text[1]);
        let what = step.map_or("make the file tree", |s| s.text());
        Error::new(Code::EnvCreate, format!("cannot {what} in VE {}", self.id))
            .why(os_words(&std::io::Error::from_raw_os_error(errno)))
    }
}

/// The child. Never returns.
fn child(
    plan: &Plan,
    channel: RawFd,
    argv: &[*const libc::c_char],
    env: &[*const libc::c_char],
) -> ! {
    let fd = channel.unsigned_abs();
    // SAFETY: this process has just been forked and has one thread; nothing
    // that owns the other descriptors runs in it any more. They are closed
    // because the parent and the guard must be able to tell that it is gone,
    // and the VE must not inherit the node's files.
    unsafe {
        if fd > 0 {
            libc::syscall(libc::SYS_close_range, 0, fd - 1, 0);
        }
        libc::syscall(libc::SYS_close_range, fd + 1, u32::MAX, 0);
    }
    // SAFETY: `channel` is open, as it was left out above.
    let channel = unsafe { BorrowedFd::borrow_raw(channel) };
    reset_signals();
    let mut step = Step::Cgroup;
    let res = prepare(plan, channel, &mut step);
    if let Err(e) = res {
        fail(channel, step, e);
    }
    let mut go = [0u8; 1];
    loop {
        match rustix::net::recv(channel, &mut go, RecvFlags::empty()) {
            Ok((_, 1)) if go[0] == GO => break,
            Err(Errno::INTR) => {}
            _ => quit(),
        }
    }
    if plan.fault == Some(Step::Exec) {
        fail(channel, Step::Exec, Errno::IO);
    }
    let mut errno = Errno::NOENT;
    for path in &plan.init {
        // SAFETY: `path` is a C string, `argv` and `env` end with null and
        // point to C strings of `plan`, which outlives this call.
        unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
        let e = Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::NOEXEC);
        if e != Errno::NOENT {
            errno = e;
        }
    }
    fail(channel, Step::Exec, errno);
}

fn quit() -> ! {
    // SAFETY: ends the process without running anything of the parent's copy.
    unsafe { libc::_exit(1) }
}

fn fail(channel: BorrowedFd<'_>, step: Step, e: Errno) -> ! {
    let no = e.raw_os_error().to_ne_bytes();
    let text = [FAILED, step as u8, 0, 0, no[0], no[1], no[2], no[3]];
    // The parent sees a closed channel if this fails.
    let _ = rustix::net::send(channel, &text, SendFlags::NOSIGNAL);
    quit()
}

/// Gives every signal its default action and blocks none.
pub(crate) fn reset_signals() {
    for sig in 1..=64 {
        // SAFETY: setting the default action touches no memory; numbers that
        // cannot be set are refused by the kernel.
        unsafe { libc::signal(sig, libc::SIG_DFL) };
    }
    // SAFETY: `set` is initialised by sigemptyset before it is used.
    unsafe {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
    }
}

type Done<T> = std::result::Result<T, Errno>;

/// Builds the VE's mounts and says "ready".
fn prepare(plan: &Plan, channel: BorrowedFd<'_>, step: &mut Step) -> Done<()> {
    let mut begin = |s: Step| -> Done<()> {
        *step = s;
        if plan.fault == Some(s) {
            Err(Errno::IO)
        } else {
            Ok(())
        }
    };
    begin(Step::Cgroup)?;
    // Descriptors 0 to 2 must exist: a mount must never end up on one.
    for _ in 0..3 {
        let null = rustix::fs::open(c"/dev/null", OFlags::RDWR, Mode::empty())?;
        if null.as_raw_fd() > 2 {
            break;
        }
        // Left open on purpose.
        let _ = std::os::fd::IntoRawFd::into_raw_fd(null);
    }
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWCGROUP).map_err(errno)?;

    begin(Step::Tree)?;
    let slave = MountPropagationFlags::REC | MountPropagationFlags::DOWNSTREAM;
    rustix::mount::mount_change(c"/", slave)?;

    begin(Step::Root)?;
    // The copied mount is locked in place and cannot become a root; a mount
    // of the same tree on top of it can.
    let clone = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let root = rustix::mount::open_tree(CWD, c".", clone)?;
    attach(root.as_fd(), CWD, c".")?;
    rustix::process::fchdir(&root)?;
    for dir in [c"proc", c"sys", c"dev"] {
        match rustix::fs::mkdirat(&root, dir, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(e),
        }
    }

    begin(Step::Proc)?;
    let strict = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    mount(c"proc", &[], strict, root.as_fd(), c"proc")?;

    begin(Step::Sys)?;
    let ro = strict | MountAttrFlags::MOUNT_ATTR_RDONLY;
    let sys = mount(c"sysfs", &[], ro, root.as_fd(), c"sys")?;

    begin(Step::CgroupFs)?;
    mount(c"cgroup2", &[], strict, sys.as_fd(), c"fs/cgroup")?;

    begin(Step::Dev)?;
    let opts = [
        (c"mode", c"0755"),
        (c"size", c"1m"),
        (c"nr_inodes", c"4096"),
    ];
    let nosuid = MountAttrFlags::MOUNT_ATTR_NOSUID;
    let dev = mount(
        c"tmpfs",
        &opts,
        nosuid | MountAttrFlags::MOUNT_ATTR_NOEXEC,
        root.as_fd(),
        c"dev",
    )?;

    begin(Step::DevNodes)?;
    fill_dev(dev.as_fd())?;

    begin(Step::DevPts)?;
    let opts = [(c"mode", c"0620"), (c"ptmxmode", c"0666"), (c"gid", c"5")];
    let pts = mount(
        c"devpts",
        &opts,
        nosuid | MountAttrFlags::MOUNT_ATTR_NOEXEC,
        dev.as_fd(),
        c"pts",
    )?;

    begin(Step::DevShm)?;
    let opts = [(c"mode", c"1777")];
    mount(
        c"tmpfs",
        &opts,
        nosuid | MountAttrFlags::MOUNT_ATTR_NODEV,
        dev.as_fd(),
        c"shm",
    )?;

    begin(Step::Console)?;
    let console = if plan.console {
        Some(make_console(dev.as_fd(), pts.as_fd())?)
    } else {
        None
    };
    drop(pts);
    drop(dev);
    drop(sys);

    begin(Step::Pivot)?;
    let old = rustix::fs::open(
        c"/",
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    rustix::process::fchdir(&root)?;
    rustix::process::pivot_root(c".", c".")?;
    rustix::process::fchdir(&old)?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
    rustix::process::fchdir(&root)?;
    drop(old);
    drop(root);
    rustix::process::chdir(c"/")?;

    begin(Step::Loopback)?;
    loopback_up()?;

    begin(Step::Hostname)?;
    if !plan.hostname.is_empty() {
        rustix::system::sethostname(plan.hostname.as_bytes())?;
    }

    begin(Step::Session)?;
    rustix::process::setsid()?;
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    let null = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    drop(null);

    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = console.as_ref().map(|fd| [fd.as_fd()]);
    if let Some(fds) = &fds {
        control.push(SendAncillaryMessage::ScmRights(fds));
    }
    let iov = [IoSlice::new(&[READY])];
    rustix::net::sendmsg(channel, &iov, &mut control, SendFlags::NOSIGNAL).map(drop)
}

fn errno(e: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(e as i32)
}

/// Puts a detached mount on a directory or file. Symbolic links of the guest
/// are not followed: `at` could name a place outside otherwise.
fn attach(tree: BorrowedFd<'_>, dir: BorrowedFd<'_>, at: &CStr) -> Done<()> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let place = rustix::fs::openat2(dir, at, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), how)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(tree, c"", &place, c"", flags)
}

/// Mounts a new filesystem on directory `at` below `dir`.
fn mount(
    fstype: &CStr,
    opts: &[(&CStr, &CStr)],
    attr: MountAttrFlags,
    dir: BorrowedFd<'_>,
    at: &CStr,
) -> Done<OwnedFd> {
    let fs = rustix::mount::fsopen(fstype, FsOpenFlags::FSOPEN_CLOEXEC)?;
    // What /proc/mounts shows first.
    rustix::mount::fsconfig_set_string(fs.as_fd(), c"source", fstype)?;
    for (key, value) in opts {
        rustix::mount::fsconfig_set_string(fs.as_fd(), *key, *value)?;
    }
    rustix::mount::fsconfig_create(fs.as_fd())?;
    let tree = rustix::mount::fsmount(fs.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attr)?;
    attach(tree.as_fd(), dir, at)?;
    Ok(tree)
}

/// Devices every VE has. They are the node's own, mounted file by file.
const NODES: [(&CStr, &CStr); 6] = [
    (c"/dev/null", c"null"),
    (c"/dev/zero", c"zero"),
    (c"/dev/full", c"full"),
    (c"/dev/random", c"random"),
    (c"/dev/urandom", c"urandom"),
    (c"/dev/tty", c"tty"),
];

const LINKS: [(&CStr, &CStr); 5] = [
    (c"pts/ptmx", c"ptmx"),
    (c"/proc/self/fd", c"fd"),
    (c"/proc/self/fd/0", c"stdin"),
    (c"/proc/self/fd/1", c"stdout"),
    (c"/proc/self/fd/2", c"stderr"),
];

fn touch(dir: BorrowedFd<'_>, name: &CStr, mode: Mode) -> Done<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(dir, name, flags, mode).map(drop)
}

fn fill_dev(dev: BorrowedFd<'_>) -> Done<()> {
    let mode = Mode::from_raw_mode(0o755);
    // The parent's file mode mask must not take bits away here.
    rustix::process::umask(Mode::empty());
    rustix::fs::mkdirat(dev, c"pts", mode)?;
    rustix::fs::mkdirat(dev, c"shm", mode)?;
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    for (from, name) in NODES {
        touch(dev, name, Mode::from_raw_mode(0o666))?;
        let tree = rustix::mount::open_tree(CWD, from, clone)?;
        attach(tree.as_fd(), dev, name)?;
    }
    for (target, name) in LINKS {
        rustix::fs::symlinkat(target, dev, name)?;
    }
    Ok(())
}

/// Makes `/dev/console` a terminal of the VE's own; returns its master side.
fn make_console(dev: BorrowedFd<'_>, pts: BorrowedFd<'_>) -> Done<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let master = rustix::fs::openat(pts, c"ptmx", flags, Mode::empty())?;
    rustix::pty::unlockpt(&master)?;
    let peer = rustix::pty::OpenptFlags::RDWR
        | rustix::pty::OpenptFlags::NOCTTY
        | rustix::pty::OpenptFlags::CLOEXEC;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, peer)?;
    rustix::fs::fchmod(&slave, Mode::from_raw_mode(0o600))?;
    touch(dev, c"console", Mode::from_raw_mode(0o600))?;
    // It is the first terminal of a new devpts, hence number 0.
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(pts, c"0", clone)?;
    attach(tree.as_fd(), dev, c"console")?;
    Ok(master)
}

fn loopback_up() -> Done<()> {
    let sock = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // SAFETY: all zero is a valid ifreq.
    let mut req: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in req.ifr_name.iter_mut().zip(b"lo\0") {
        *to = *from as libc::c_char;
    }
    req.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: `req` is a complete ifreq and lives during the call.
    let ret = unsafe { libc::ioctl(sock.as_raw_fd(), libc::SIOCSIFFLAGS, &mut req) };
    if ret < 0 {
        let e = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&e).unwrap_or(Errno::IO));
    }
    Ok(())
}

/// Whether the tree at `root` has something to execute as init.
///
/// # Errors
/// There is none (47).
pub fn find_init(root: BorrowedFd<'_>, id: Veid) -> Result<&'static str> {
    let how = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    for path in PATHS {
        let found = rustix::fs::openat2(
            root,
            path,
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            how,
        )
        .and_then(|fd| rustix::fs::statat(&fd, c"", AtFlags::EMPTY_PATH));
        let program = |st: rustix::fs::Stat| {
            rustix::fs::FileType::from_raw_mode(st.st_mode).is_file() && st.st_mode & 0o111 != 0
        };
        if found.is_ok_and(program) {
            return Ok(path);
        }
    }
    Err(Error::new(Code::BadTree, format!("VE {id} has no init"))
        .why(format!("none of {} is a program", PATHS.join(", "))))
}

/// Where init may be.
pub const PATHS: [&str; 3] = ["/sbin/init", "/etc/init", "/bin/init"];
