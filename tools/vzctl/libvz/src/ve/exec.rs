// SPDX-License-Identifier: GPL-2.0
//! `vzctl exec`, `exec2`, `exec3`, and scripts run inside a VE.

use crate::cli::args;
use crate::cli::args::ExecMode;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::kernel::Ve;
use crate::output::Outcome;
use crate::undo;
use crate::ve::script::PATH;
use crate::ve::session;
use crate::ve::session::Job;
use crate::ve::session::Program;
use crate::ve::session::Session;
use crate::ve::session::Stdio;
use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::poll;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use std::ffi::CString;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;

/// Where the input of the guest process comes from.
enum Input<'a> {
    /// Our own.
    Inherit,
    /// These bytes, then its end.
    Bytes(&'a [u8]),
}

/// The VE, if processes can be started in it.
///
/// # Errors
/// It is not running (31).
pub fn open(ctx: &Ctx<'_>, id: Veid) -> Result<Box<dyn Ve>> {
    ctx.kernel.check()?;
    let ve = ctx.kernel.open(id)?;
    let up = |ve: &dyn Ve| ve.info().is_ok_and(|i| i.state.is_up());
    match ve.filter(|ve| up(ve.as_ref())) {
        Some(ve) => Ok(ve),
        None => {
            ctx.config(id)?;
            Err(Error::new(
                Code::NotRunning,
                format!("{} is not running", ctx.label(id)),
            )
            .hint(format!("vzctl start {id}")))
        }
    }
}

pub(super) fn c(text: &str) -> Result<CString> {
    CString::new(text)
        .map_err(|_| Error::new(Code::BadValue, "bad argument").why("it contains a zero byte"))
}

/// A command for the VE's shell.
pub(super) fn shell(argv: &[&str]) -> Result<Vec<Program>> {
    ["/bin/bash", "/bin/sh"]
        .iter()
        .map(|path| {
            let name = path.rsplit('/').next().unwrap_or(path);
            let argv = std::iter::once(&name)
                .chain(argv)
                .map(|a| c(a))
                .collect::<Result<_>>()?;
            Ok(Program {
                path: c(path)?,
                argv,
            })
        })
        .collect()
}

pub(super) fn environment(term: &str) -> Result<Vec<CString>> {
    let term = format!("TERM={term}");
    let path = format!("PATH={PATH}");
    [
        "HOME=/root",
        "USER=root",
        "LOGNAME=root",
        "SHELL=/bin/sh",
        &term,
        &path,
    ]
    .iter()
    .map(|e| c(e))
    .collect()
}

/// `vzctl exec`, `exec2`, `exec3`.
///
/// # Errors
/// Not running (31), or no shell (47).
pub fn exec(ctx: &Ctx<'_>, id: Veid, args: &args::Exec) -> Result<Outcome> {
    let ve = open(ctx, id)?;
    let words: Vec<&str> = args.command.iter().map(String::as_str).collect();
    let programs = match (args.mode, words.as_slice()) {
        (_, []) => {
            return Err(Error::new(Code::Usage, "no command to execute")
                .hint(format!("vzctl exec {id} COMMAND")));
        }
        (ExecMode::Exec3, [name, ..]) => {
            vec![Program {
                path: c(name)?,
                argv: words.iter().map(|w| c(w)).collect::<Result<_>>()?,
            }]
        }
        (_, ["-"]) => shell(&[])?,
        (_, words) => shell(&["-c", &words.join(" ")])?,
    };
    let job = Job {
        programs,
        env: environment("linux")?,
    };
    undo::catch_interrupts();
    let (status, _) = match run(ctx, ve.as_ref(), id, &job, &Input::Inherit, false) {
        // Without a shell between, it is the command that is missing.
        Err(e) if args.mode == ExecMode::Exec3 && e.code() == Code::BadTree => {
            ctx.out
                .complain(&format!("{}: command not found in VE {id}", words[0]));
            return Ok(Outcome::silent().exit(127).with("status", 127));
        }
        other => other?,
    };
    if status != 0 && args.mode == ExecMode::Exec {
        return Ok(Outcome::silent()
            .exit(Code::CommandFailed.number())
            .with("status", status));
    }
    Ok(Outcome::silent().exit(status).with("status", status))
}

/// Runs a script of the node inside; its output goes to stderr.
///
/// # Errors
/// The VE cannot be entered.
pub fn script(ctx: &Ctx<'_>, ve: &dyn Ve, id: Veid, text: &[u8]) -> Result<u8> {
    let job = Job {
        programs: shell(&["-s"])?,
        env: environment("linux")?,
    };
    let (status, said) = run(ctx, ve, id, &job, &Input::Bytes(text), true)?;
    let said = String::from_utf8_lossy(&said);
    if !said.trim().is_empty() {
        ctx.out.detail(1, said.trim_end());
    }
    Ok(status)
}

/// Runs a command of the shell; returns its status and output.
///
/// # Errors
/// The VE cannot be entered.
pub fn capture(ctx: &Ctx<'_>, ve: &dyn Ve, id: Veid, command: &str) -> Result<(u8, String)> {
    let job = Job {
        programs: shell(&["-c", command])?,
        env: environment("linux")?,
    };
    let (status, said) = run(ctx, ve, id, &job, &Input::Bytes(&[]), true)?;
    Ok((status, String::from_utf8_lossy(&said).into_owned()))
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC).or_err(Code::System, || "cannot make a pipe")
}

fn run(
    ctx: &Ctx<'_>,
    ve: &dyn Ve,
    id: Veid,
    job: &Job,
    input: &Input<'_>,
    keep: bool,
) -> Result<(u8, Vec<u8>)> {
    let (in_rx, in_tx) = pipe()?;
    let (out_rx, out_tx) = pipe()?;
    let (err_rx, err_tx) = pipe()?;
    for fd in [in_tx.as_fd(), out_rx.as_fd(), err_rx.as_fd()] {
        rustix::fs::fcntl_setfl(fd, OFlags::NONBLOCK)
            .or_err(Code::System, || "cannot make a pipe")?;
    }
    let stdio = Stdio::Pipes([in_rx, out_tx, err_tx]);
    let session = session::start(ve, id, job, stdio, ctx.opts.skip_lock)?;
    let mut pump = Pump {
        source: matches!(input, Input::Inherit),
        pending: match input {
            Input::Inherit => Vec::new(),
            Input::Bytes(bytes) => bytes.to_vec(),
        },
        sink: Some(in_tx),
        from: [Some(out_rx), Some(err_rx)],
        kept: keep.then(Vec::new),
    };
    pump.run(&session)?;
    let kept = pump.kept.take().unwrap_or_default();
    drop(pump);
    Ok((session.wait()?, kept))
}

/// Carries data between our descriptors and the guest's pipes.
struct Pump {
    /// Our stdin may have more.
    source: bool,
    /// Bytes the guest has not taken yet.
    pending: Vec<u8>,
    /// The guest's stdin.
    sink: Option<OwnedFd>,
    /// The guest's stdout and stderr.
    from: [Option<OwnedFd>; 2],
    /// Output is kept here instead of being printed.
    kept: Option<Vec<u8>>,
}

/// Most that is kept of a script's output.
const KEPT: usize = 64 * 1024;

impl Pump {
    fn run(&mut self, session: &Session) -> Result<()> {
        loop {
            if let Some(signal) = undo::take_signal() {
                session.signal(signal);
            }
            if self.pending.is_empty() && !self.source {
                self.sink = None;
            }
            let stdin = rustix::stdio::stdin();
            let mut fds = vec![PollFd::new(&session.ended, PollFlags::IN)];
            for fd in self.from.iter().flatten() {
                fds.push(PollFd::new(fd, PollFlags::IN));
            }
            match &self.sink {
                Some(sink) if !self.pending.is_empty() => {
                    fds.push(PollFd::new(sink, PollFlags::OUT))
                }
                // Only to learn that the guest has closed it.
                Some(sink) => {
                    fds.push(PollFd::new(sink, PollFlags::empty()));
                    fds.push(PollFd::new(&stdin, PollFlags::IN));
                }
                None => {}
            }
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(e) => return Err(e).or_err(Code::System, || "cannot wait for output"),
            }
            let ended = !fds[0].revents().is_empty();
            let closed = fds.iter().any(|f| f.revents().contains(PollFlags::ERR));
            let readable = match fds.last() {
                Some(f) if self.sink.is_some() && self.pending.is_empty() => {
                    !f.revents().is_empty()
                }
                _ => false,
            };
            drop(fds);
            for at in 0..self.from.len() {
                self.drain(at);
            }
            if ended {
                return Ok(());
            }
            self.feed();
            if readable && self.source {
                self.take(stdin);
            }
            if closed && self.pending.is_empty() && self.sink.as_ref().is_some_and(hung_up) {
                self.sink = None;
                self.source = false;
            }
        }
    }

    fn take(&mut self, stdin: BorrowedFd<'_>) {
        let mut buf = vec![0u8; 64 * 1024];
        match rustix::io::read(stdin, &mut buf) {
            Ok(n @ 1..) => {
                buf.truncate(n);
                self.pending = buf;
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            _ => self.source = false,
        }
    }

    fn feed(&mut self) {
        let Some(sink) = &self.sink else { return };
        if self.pending.is_empty() {
            return;
        }
        match rustix::io::write(sink, &self.pending) {
            Ok(n) => drop(self.pending.drain(..n)),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => {
                self.pending.clear();
                self.source = false;
                self.sink = None;
            }
        }
    }

    /// Takes what is there; closes at the end.
    fn drain(&mut self, at: usize) {
        let mut buf = [0u8; 16 * 1024];
        while let Some(fd) = &self.from[at] {
            match rustix::io::read(fd, &mut buf) {
                Ok(n @ 1..) => self.put(at, &buf[..n]),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                _ => self.from[at] = None,
            }
        }
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        let res = match (&mut self.kept, at) {
            (Some(kept), _) => {
                let room = KEPT.saturating_sub(kept.len());
                kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                Ok(())
            }
            (None, 0) => std::io::stdout()
                .write_all(bytes)
                .and_then(|()| std::io::stdout().flush()),
            (None, _) => std::io::stderr().write_all(bytes),
        };
        if res.is_err() {
            // Our reader is gone: so is the guest's.
            self.from[at] = None;
        }
    }
}

fn hung_up(fd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::empty())];
    let now = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(PollFlags::ERR)
}
