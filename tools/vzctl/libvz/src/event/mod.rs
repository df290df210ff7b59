// SPDX-License-Identifier: GPL-2.0
//! vzeventd: does what a VE that halts or reboots itself asks for, and holds
//! the consoles.
//!
//! The daemon has one thread.  Work on a VE is done by a forked worker, at
//! most one per VE, in the order of the events.  What it must not miss does
//! not depend on it: a VE that halted while no daemon ran is cleaned up when
//! the daemon starts, and by the next command on that VE.

mod consoles;
mod uevent;
mod worker;

use crate::cli;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::event::consoles::Consoles;
use crate::event::uevent::Event;
use crate::event::uevent::Kind;
use crate::event::uevent::Listener;
use crate::id::Veid;
use crate::output::Outcome;
use crate::ve::state;
use clap::Arg;
use clap::ArgAction;
use clap::Command;
use nix::sys::signal::SigSet;
use nix::sys::signal::Signal;
use nix::sys::signalfd::SfdFlags;
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::WaitPidFlag;
use nix::sys::wait::WaitStatus;
use nix::sys::wait::waitpid;
use nix::unistd::ForkResult;
use nix::unistd::Pid;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::poll;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::time::Duration;
use std::time::Instant;

/// A VE that reboots more often than this in [`LOOP_TIME`] stays down.
const LOOP_COUNT: usize = 5;
const LOOP_TIME: Duration = Duration::from_secs(60);

/// The command line.
#[must_use]
pub fn command() -> Command {
    cli::common(
        Command::new("vzeventd")
            .about("Act on VEs that halt or reboot themselves, and hold their consoles"),
    )
    .arg(
        Arg::new("debug")
            .short('d')
            .action(ArgAction::SetTrue)
            .help("Stay in the foreground; it always does"),
    )
    .arg(
        Arg::new("say")
            .short('v')
            .action(ArgAction::SetTrue)
            .help("Print events to stderr"),
    )
    .after_help("It is run by vzeventd.service.\n\nExamples:\n  vzeventd -d -v")
}

/// vzeventd from its command line to its exit status.
#[must_use]
pub fn main(argv: Vec<OsString>) -> u8 {
    let m = match cli::parse(command(), argv) {
        Ok(m) => m,
        Err(status) => return status,
    };
    cli::run::with_context("vzeventd", "vzeventd", &m, |ctx| {
        let res = run(ctx, m.get_flag("say"));
        ctx.out.finish("vzeventd", None, res)
    })
}

/// Reboots of one VE, the oldest first.
#[derive(Debug, Default)]
struct Reboots(VecDeque<Instant>);

impl Reboots {
    /// Notes one; `false` if it was one too many.
    fn allow(&mut self, now: Instant) -> bool {
        while self
            .0
            .front()
            .is_some_and(|t| now.duration_since(*t) > LOOP_TIME)
        {
            self.0.pop_front();
        }
        self.0.push_back(now);
        self.0.len() <= LOOP_COUNT
    }
}

/// Work on VEs.
#[derive(Debug, Default)]
struct Work {
    waiting: VecDeque<(Veid, Kind)>,
    running: HashMap<Pid, Veid>,
    reboots: HashMap<Veid, Reboots>,
}

impl Work {
    fn add(&mut self, ctx: &Ctx<'_>, event: &Event) {
        let mut kind = event.kind;
        if kind == Kind::Reboot {
            let allowed = self
                .reboots
                .entry(event.id)
                .or_default()
                .allow(Instant::now());
            if !allowed {
                let text = format!(
                    "rebooted more than {LOOP_COUNT} times in {} s and is left stopped",
                    LOOP_TIME.as_secs()
                );
                ctx.log.event(event.id, &text);
                ctx.out.warn(&format!("VE {} {text}", event.id));
                kind = Kind::Stop;
            }
        }
        self.waiting.push_back((event.id, kind));
    }

    /// Starts what can be started.
    fn start(&mut self, ctx: &Ctx<'_>) {
        let mut later = VecDeque::new();
        while let Some((id, kind)) = self.waiting.pop_front() {
            if self.running.values().any(|v| *v == id) || later.iter().any(|(v, _)| *v == id) {
                later.push_back((id, kind));
                continue;
            }
            // SAFETY: the daemon has one thread, so the child may do what it
            // likes.
            match unsafe { nix::unistd::fork() } {
                Ok(ForkResult::Parent { child }) => {
                    self.running.insert(child, id);
                }
                Ok(ForkResult::Child) => worker::run(ctx, id, kind),
                Err(e) => {
                    ctx.out.warn(&format!("VE {id}: no worker: {e}"));
                    later.push_back((id, kind));
                    break;
                }
            }
        }
        later.append(&mut self.waiting);
        self.waiting = later;
    }

    fn reap(&mut self) {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _)) => {
                    self.running.remove(&pid);
                }
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

fn signals() -> Result<SignalFd> {
    let mut set = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
    ] {
        set.add(signal);
    }
    let what = || "cannot receive signals";
    set.thread_block().or_err(Code::System, what)?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .or_err(Code::System, what)
}

fn run(ctx: &Ctx<'_>, say: bool) -> Result<Outcome> {
    ctx.kernel.check()?;
    let signals = signals()?;
    let listener = Listener::open()?;
    let mut consoles = Consoles::open(ctx)?;
    let mut work = Work::default();
    // From here on events are queued, so nothing falls between.
    resync(ctx, &mut work);
    loop {
        work.start(ctx);
        let mut fds = vec![
            PollFd::from_borrowed_fd(rustix::fd::AsFd::as_fd(&signals), PollFlags::IN),
            PollFd::new(listener.fd(), PollFlags::IN),
        ];
        consoles.add_to(&mut fds);
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e).or_err(Code::System, || "cannot wait for events"),
        }
        let ready: Vec<bool> = fds.iter().map(|f| !f.revents().is_empty()).collect();
        drop(fds);
        while let Ok(Some(info)) = signals.read_signal() {
            if info.ssi_signo != Signal::SIGCHLD as u32 && info.ssi_signo != Signal::SIGHUP as u32 {
                return Ok(Outcome::silent());
            }
        }
        work.reap();
        let mut lost = false;
        while let Some(event) = listener.next(&mut lost) {
            if say {
                ctx.out.complain_plain(&format!("{event:?}"));
            }
            consoles.on_event(&event);
            work.add(ctx, &event);
        }
        if lost {
            ctx.out.warn("events were lost, looking at all VEs");
            resync(ctx, &mut work);
        }
        consoles.serve(ready.get(2..).unwrap_or_default());
    }
}

/// Finds VEs that went down unseen. Whether they meant to reboot is not known
/// any more, so they stay down.
fn resync(ctx: &Ctx<'_>, work: &mut Work) {
    for id in crate::list::configured(&ctx.paths) {
        if state::is_leftover(ctx, id) {
            work.waiting.push_back((id, Kind::Stop));
        }
    }
}

/// An error of the daemon's sockets.
fn socket_error(what: &str, e: impl Into<std::io::Error>) -> Error {
    Error::new(Code::System, what).why(crate::error::os_words(&e.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reboot_loops_end() {
        let mut reboots = Reboots::default();
        let start = Instant::now();
        for i in 0..5 {
            assert!(reboots.allow(start + Duration::from_secs(i)));
        }
        assert!(!reboots.allow(start + Duration::from_secs(10)));
        assert!(reboots.allow(start + Duration::from_secs(600)));
    }
}
