// SPDX-License-Identifier: GPL-2.0
//! A process inside a running VE, started from the node.
//!
//! Three processes.  The command stays on the node and passes data and
//! signals.  The *helper* enters the VE by ENTER2, forks, and only waits from
//! then on.  Its child is the *guest* process, which has a pid inside and
//! executes the program.
//!
//! What the VE could do to us, and why it cannot:
//! 1. Keep a descriptor of the node: the guest gets pipes or a terminal of
//!    the VE, everything else is closed.  A terminal of the node would show
//!    it the administrator's later keystrokes, a directory would be a way out.
//! 2. Trace the guest before it executes, or replace our program through
//!    `/proc/PID/exe`: ENTER2 makes both processes undumpable, and the file
//!    belongs to a user that does not exist in the VE.
//! 3. Hand us something else than a terminal: see `open_terminal`.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::kernel::Ve;
use crate::ve::init::reset_signals;
use nix::libc;
use nix::sys::wait::WaitStatus;
use nix::sys::wait::waitpid;
use nix::unistd::ForkResult;
use nix::unistd::Pid;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::AddressFamily;
use rustix::net::RecvAncillaryBuffer;
use rustix::net::RecvAncillaryMessage;
use rustix::net::RecvFlags;
use rustix::net::SendAncillaryBuffer;
use rustix::net::SendAncillaryMessage;
use rustix::net::SendFlags;
use rustix::net::SocketFlags;
use rustix::net::SocketType;
use rustix::process::PidfdFlags;
use std::ffi::CStr;
use std::ffi::CString;
use std::io::IoSlice;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;

/// A program and its arguments.
#[derive(Debug)]
pub struct Program {
    /// Path, or a name to look for in the VE's `PATH`.
    pub path: CString,
    /// `argv`.
    pub argv: Vec<CString>,
}

/// What is to run.
#[derive(Debug)]
pub struct Job {
    /// Tried in turn until one exists.
    pub programs: Vec<Program>,
    /// Environment.
    pub env: Vec<CString>,
}

/// Descriptors 0, 1 and 2 of the guest process.
#[derive(Debug)]
pub enum Stdio {
    /// These three, usually pipes.
    Pipes([OwnedFd; 3]),
    /// A new terminal of the VE.
    Terminal,
}

/// A guest process and the way to it.
#[derive(Debug)]
pub struct Session {
    helper: Pid,
    /// Becomes readable when the guest process has ended.
    pub ended: OwnedFd,
    /// The guest process.
    guest: Option<OwnedFd>,
    /// Master side of the terminal, if one was asked for.
    pub terminal: Option<OwnedFd>,
}

const GUEST: u8 = b'P';
const TERMINAL: u8 = b'T';
const ENTER_FAILED: u8 = b'N';
const EXEC_FAILED: u8 = b'E';

/// Starts a process in a VE. This process must have one thread.
///
/// # Errors
/// The VE cannot be entered, or there is nothing to execute (47).
pub fn start(ve: &dyn Ve, id: Veid, job: &Job, stdio: Stdio, skip_lock: bool) -> Result<Session> {
    let what = || format!("cannot start a process in VE {id}");
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .or_err(Code::System, what)?;
    // SAFETY: the commands have one thread, so the child may do what it likes.
    match unsafe { nix::unistd::fork() }.or_err(Code::System, what)? {
        ForkResult::Child => {
            drop(ours);
            helper(ve, job, stdio, &theirs, skip_lock)
        }
        ForkResult::Parent { child } => {
            drop((theirs, stdio));
            let res = handshake(id, &ours, child);
            if res.is_err() {
                let _ = nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL);
                let _ = waitpid(child, None);
            }
            res
        }
    }
}

/// Reads what helper and guest tell until the guest has executed.
fn handshake(id: Veid, channel: &OwnedFd, helper: Pid) -> Result<Session> {
    let what = || format!("cannot start a process in VE {id}");
    let ended = pidfd(helper).or_err(Code::System, what)?;
    let mut session = Session {
        helper,
        ended,
        guest: None,
        terminal: None,
    };
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut buf = [0u8; 512];
        let mut iov = [IoSliceMut::new(&mut buf)];
        let len =
            match rustix::net::recvmsg(channel, &mut iov, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Ok(msg) => msg.bytes,
                Err(Errno::INTR) => continue,
                Err(e) => return Err(e).or_err(Code::System, what),
            };
        let (kind, rest) = match buf.get(..len).and_then(<[u8]>::split_first) {
            Some((kind, rest)) => (*kind, rest),
            None if session.guest.is_some() => return Ok(session),
            None => return Err(Error::new(Code::System, what()).why("the VE stopped")),
        };
        let number = rest.first_chunk().map_or(0, |b| i32::from_ne_bytes(*b));
        let handed = control.drain().find_map(|msg| match msg {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        match kind {
            GUEST => session.guest = handed,
            TERMINAL => session.terminal = handed,
            EXEC_FAILED => {
                let e = std::io::Error::from_raw_os_error(number);
                let code = match number {
                    libc::ENOENT => Code::BadTree,
                    _ => Code::System,
                };
                return Err(
                    Error::new(code, format!("cannot execute the program in VE {id}"))
                        .why(crate::error::os_words(&e)),
                );
            }
            _ => {
                let code = Code::ALL.iter().find(|c| rest.first() == Some(&c.number()));
                let text = String::from_utf8_lossy(rest.get(1..).unwrap_or_default());
                return Err(Error::new(code.copied().unwrap_or(Code::System), text));
            }
        }
    }
}

fn pidfd(pid: Pid) -> rustix::io::Result<OwnedFd> {
    let pid = rustix::process::Pid::from_raw(pid.as_raw()).ok_or(Errno::SRCH)?;
    rustix::process::pidfd_open(pid, PidfdFlags::empty())
}

impl Session {
    /// Passes a signal on to the guest process.
    pub fn signal(&self, signal: i32) {
        let signal = rustix::process::Signal::from_named_raw(signal);
        if let (Some(guest), Some(signal)) = (&self.guest, signal) {
            // It may have ended a moment ago.
            let _ = rustix::process::pidfd_send_signal(guest, signal);
        }
    }

    /// Exit status of the guest process; 128 + N if signal N ended it.
    ///
    /// # Errors
    /// The helper is gone.
    pub fn wait(self) -> Result<u8> {
        loop {
            match waitpid(self.helper, None) {
                Ok(WaitStatus::Exited(_, status)) => {
                    return Ok(u8::try_from(status & 0xff).unwrap_or(255));
                }
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    return Ok(128u8.wrapping_add(signal as i32 as u8));
                }
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(e) => return Err(e).or_err(Code::System, || "cannot wait for the process"),
            }
        }
    }
}

fn exit(status: i32) -> ! {
    // SAFETY: ends the process without running the parent's copies of
    // destructors.
    unsafe { libc::_exit(status) }
}

fn tell(channel: &OwnedFd, kind: u8, text: &[u8]) {
    let all: Vec<u8> = std::iter::once(kind)
        .chain(text.iter().take(500).copied())
        .collect();
    // Without a reader there is nobody to tell.
    let _ = rustix::net::send(channel, &all, SendFlags::NOSIGNAL);
}

/// Tells something that is a descriptor.
fn hand(channel: &OwnedFd, kind: u8, fd: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let fds = [fd];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&fds));
    rustix::net::sendmsg(
        channel,
        &[IoSlice::new(&[kind])],
        &mut control,
        SendFlags::NOSIGNAL,
    )
    .map(drop)
}

fn close_from(first: u32, but: &OwnedFd) {
    let keep = but.as_raw_fd().unsigned_abs();
    // SAFETY: the descriptors belong to the parent's copies of objects that
    // are never used or dropped in this process.
    unsafe {
        if keep > first {
            libc::syscall(libc::SYS_close_range, first, keep - 1, 0);
        }
        libc::syscall(libc::SYS_close_range, first.max(keep + 1), u32::MAX, 0);
    }
}

/// The helper process. Never returns.
fn helper(ve: &dyn Ve, job: &Job, stdio: Stdio, channel: &OwnedFd, skip_lock: bool) -> ! {
    reset_signals();
    // A keyboard signal is for the command, which passes it on.
    let _ = rustix::process::setsid();
    // SAFETY: a plain system call.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
    if let Err(e) = ve.enter(skip_lock) {
        let mut text = vec![e.code().number()];
        text.extend(e.message().bytes());
        tell(channel, ENTER_FAILED, &text);
        exit(1);
    }
    let _ = rustix::process::chdir(c"/");
    let fds = match stdio {
        Stdio::Pipes(fds) => Ok((fds, false)),
        Stdio::Terminal => open_terminal(channel).map(|fds| (fds, true)),
    };
    let (fds, terminal) = match fds {
        Ok(fds) => fds,
        Err(e) => {
            let mut text = vec![Code::System.number()];
            text.extend(format!("cannot open a terminal of the VE: {e}").bytes());
            tell(channel, ENTER_FAILED, &text);
            exit(1);
        }
    };
    // SAFETY: this process has one thread.
    match unsafe { nix::unistd::fork() } {
        Ok(ForkResult::Child) => guest(job, &fds, terminal, channel),
        Ok(ForkResult::Parent { child }) => {
            // A quick guest has ended by now; only here it still has its pid.
            if let Err(e) = pidfd(child).and_then(|fd| hand(channel, GUEST, fd.as_fd())) {
                let _ = nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL);
                let mut text = vec![Code::Resource.number()];
                text.extend(format!("cannot watch the process in the VE: {e}").bytes());
                tell(channel, ENTER_FAILED, &text);
            }
            // Ends of pipes here would keep the command waiting.
            // SAFETY: nothing in this process uses a descriptor any more.
            unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
            loop {
                match waitpid(child, None) {
                    Ok(WaitStatus::Exited(_, status)) => exit(status),
                    Ok(WaitStatus::Signaled(_, signal, _)) => exit(128 + signal as i32),
                    Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                    Err(_) => exit(255),
                }
            }
        }
        Err(e) => {
            let mut text = vec![Code::Resource.number()];
            text.extend(format!("cannot make a process in the VE: {}", e.desc()).bytes());
            tell(channel, ENTER_FAILED, &text);
            exit(1);
        }
    }
}

/// Opens a terminal of the VE and hands its master side to the command.
///
/// `/dev/pts` belongs to root of the VE, who may have put anything there: it
/// is opened without blocking, must be a terminal master (5:2), and the slave
/// is asked for through the master and not by name.
fn open_terminal(channel: &OwnedFd) -> std::io::Result<[OwnedFd; 3]> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let master = rustix::fs::open(c"/dev/pts/ptmx", flags, Mode::empty())?;
    let st = rustix::fs::fstat(&master)?;
    let (major, minor) = (rustix::fs::major(st.st_rdev), rustix::fs::minor(st.st_rdev));
    if !FileType::from_raw_mode(st.st_mode).is_char_device() || (major, minor) != (5, 2) {
        return Err(std::io::Error::other("/dev/pts/ptmx is not a terminal"));
    }
    rustix::pty::unlockpt(&master)?;
    let peer = rustix::pty::OpenptFlags::RDWR
        | rustix::pty::OpenptFlags::NOCTTY
        | rustix::pty::OpenptFlags::CLOEXEC;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, peer)?;
    hand(channel, TERMINAL, master.as_fd())?;
    Ok([slave.try_clone()?, slave.try_clone()?, slave])
}

/// The guest process. Never returns.
fn guest(job: &Job, fds: &[OwnedFd; 3], terminal: bool, channel: &OwnedFd) -> ! {
    let _ = rustix::process::setsid();
    if terminal {
        // SAFETY: the descriptor is a terminal; the argument is a number.
        unsafe { libc::ioctl(fds[0].as_raw_fd(), libc::TIOCSCTTY, 0) };
        // A person starts at home, if there is one.
        let _ = rustix::process::chdir(c"/root");
    }
    let dup = rustix::stdio::dup2_stdin(&fds[0])
        .and_then(|()| rustix::stdio::dup2_stdout(&fds[1]))
        .and_then(|()| rustix::stdio::dup2_stderr(&fds[2]));
    if dup.is_err() {
        exit(126);
    }
    close_from(3, channel);
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    let env = pointers(&job.env);
    let mut errno = libc::ENOENT;
    for program in &job.programs {
        let argv = pointers(&program.argv);
        exec(&program.path, &argv, &env);
        errno = std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::ENOENT);
        if errno != libc::ENOENT {
            break;
        }
    }
    tell(channel, EXEC_FAILED, &errno.to_ne_bytes());
    exit(if errno == libc::ENOENT { 127 } else { 126 })
}

fn pointers(list: &[CString]) -> Vec<*const libc::c_char> {
    list.iter()
        .map(|s| s.as_ptr())
        .chain([std::ptr::null()])
        .collect()
}

fn exec(path: &CStr, argv: &[*const libc::c_char], env: &[*const libc::c_char]) {
    // The search path is the VE's, not that of the node's command.
    let search = CString::new(format!("PATH={}", crate::ve::script::PATH)).unwrap_or_default();
    // SAFETY: this process has one thread; `search` is never freed, as putenv
    // requires. `argv` and `env` end with null and point to C strings that
    // outlive the call.
    unsafe {
        libc::putenv(search.into_raw());
        libc::execvpe(path.as_ptr(), argv.as_ptr(), env.as_ptr());
    }
}

/// Sets the size of a terminal to that of another.
pub fn copy_size(from: BorrowedFd<'_>, to: BorrowedFd<'_>) {
    if let Ok(size) = rustix::termios::tcgetwinsize(from) {
        // Only programs that draw on the whole screen would notice.
        let _ = rustix::termios::tcsetwinsize(to, size);
    }
}
