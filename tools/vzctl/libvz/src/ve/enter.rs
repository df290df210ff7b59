// SPDX-License-Identifier: GPL-2.0
//! `vzctl enter`: a login shell on a terminal of the VE.

use crate::cli::args;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::output::Outcome;
use crate::undo;
use crate::ve::exec;
use crate::ve::session;
use crate::ve::session::Job;
use crate::ve::session::Program;
use crate::ve::session::Session;
use crate::ve::session::Stdio;
use nix::libc;
use nix::sys::signal::SaFlags;
use nix::sys::signal::SigAction;
use nix::sys::signal::SigHandler;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::signal::sigaction;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::poll;
use rustix::io::Errno;
use rustix::termios::OptionalActions;
use rustix::termios::Termios;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

static RESIZED: AtomicBool = AtomicBool::new(false);

extern "C" fn on_resize(_: libc::c_int) {
    RESIZED.store(true, Ordering::Relaxed);
}

/// Our terminal in raw mode; put back when dropped.
struct Raw<'f> {
    fd: BorrowedFd<'f>,
    old: Termios,
}

impl<'f> Raw<'f> {
    fn new(fd: BorrowedFd<'f>) -> Option<Self> {
        let old = rustix::termios::tcgetattr(fd).ok()?;
        let mut raw = old.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(fd, OptionalActions::Drain, &raw).ok()?;
        Some(Self { fd, old })
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        // A person can still type "reset".
        let _ = rustix::termios::tcsetattr(self.fd, OptionalActions::Drain, &self.old);
    }
}

/// `vzctl enter`.
///
/// # Errors
/// Not running (31), no shell (47), no terminal to be had.
pub fn enter(ctx: &Ctx<'_>, id: Veid, args: &args::Enter) -> Result<Outcome> {
    let ve = exec::open(ctx, id)?;
    let programs = match &args.exec {
        Some(command) => exec::shell(&["-c", command])?,
        None => login_shells()?,
    };
    let term = std::env::var("TERM").unwrap_or_else(|_| "linux".into());
    let job = Job {
        programs,
        env: exec::environment(&term)?,
    };
    undo::catch_interrupts();
    let session = session::start(ve.as_ref(), id, &job, Stdio::Terminal, ctx.opts.skip_lock)?;
    let Some(master) = session.terminal.as_ref() else {
        return Err(Error::new(
            Code::System,
            format!("VE {id} gave no terminal"),
        ));
    };
    let ours = rustix::stdio::stdin();
    session::copy_size(ours, master.as_fd());
    let resize = SigAction::new(
        SigHandler::Handler(on_resize),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler only stores to an atomic.
    let _ = unsafe { sigaction(Signal::SIGWINCH, &resize) };
    let raw = Raw::new(ours);
    if raw.is_some() {
        ctx.out.note(&format!("entered into VE {id}\r"));
    }
    let res = relay(&session, master, ours);
    drop(raw);
    res?;
    let status = session.wait()?;
    ctx.out.note(&format!("exited from VE {id}"));
    Ok(Outcome::silent().exit(status).with("status", status))
}

/// A shell whose name begins with "-" reads the profile of the VE.
fn login_shells() -> Result<Vec<Program>> {
    [("/bin/bash", "-bash"), ("/bin/sh", "-sh")]
        .iter()
        .map(|(path, name)| {
            Ok(Program {
                path: exec::c(path)?,
                argv: vec![exec::c(name)?],
            })
        })
        .collect()
}

/// Carries bytes between the terminals until the shell has ended.
fn relay(session: &Session, master: &OwnedFd, ours: BorrowedFd<'_>) -> Result<()> {
    let mut source = true;
    let mut pending: Vec<u8> = Vec::new();
    loop {
        if RESIZED.swap(false, Ordering::Relaxed) {
            session::copy_size(ours, master.as_fd());
        }
        if let Some(signal) = undo::take_signal() {
            session.signal(signal);
        }
        let want = if pending.is_empty() {
            PollFlags::IN
        } else {
            PollFlags::IN | PollFlags::OUT
        };
        let mut fds = vec![
            PollFd::new(&session.ended, PollFlags::IN),
            PollFd::new(master, want),
        ];
        if source && pending.is_empty() {
            fds.push(PollFd::from_borrowed_fd(ours, PollFlags::IN));
        }
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(e) => return Err(e).or_err(Code::System, || "cannot wait for the terminal"),
        }
        let ended = !fds[0].revents().is_empty();
        let typed = fds.get(2).is_some_and(|f| !f.revents().is_empty());
        drop(fds);
        let closed = show(master)?;
        if ended || closed {
            return Ok(());
        }
        if typed {
            let mut buf = vec![0u8; 4096];
            match rustix::io::read(ours, &mut buf) {
                Ok(n @ 1..) => {
                    buf.truncate(n);
                    pending = buf;
                }
                Err(Errno::INTR | Errno::AGAIN) => {}
                _ => {
                    // End of a file or pipe: what Ctrl-D is on a terminal.
                    source = false;
                    pending = vec![4];
                }
            }
        }
        if !pending.is_empty() {
            match rustix::io::write(master, &pending) {
                Ok(n) => drop(pending.drain(..n)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Ok(()),
            }
        }
    }
}

/// Prints what the VE wrote; `true` when all its sides are closed.
fn show(master: &OwnedFd) -> Result<bool> {
    let mut buf = [0u8; 16 * 1024];
    loop {
        match rustix::io::read(master, &mut buf) {
            Ok(0) | Err(Errno::IO) => return Ok(true),
            Ok(n) => {
                let mut rest = &buf[..n];
                while !rest.is_empty() {
                    match rustix::io::write(rustix::stdio::stdout(), rest) {
                        Ok(done) => rest = &rest[done..],
                        Err(Errno::INTR | Errno::AGAIN) => {}
                        Err(e) => return Err(e).or_err(Code::System, || "cannot write to stdout"),
                    }
                }
            }
            Err(Errno::AGAIN) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e).or_err(Code::System, || "cannot read from the terminal"),
        }
    }
}
