// SPDX-License-Identifier: GPL-2.0
//! `vzctl monitor`: a line whenever something is refused or gets tight.

use crate::ctx::Ctx;
use crate::error::Result;
use crate::id;
use crate::id::Veid;
use crate::logging::timestamp;
use crate::ubc;
use crate::ubc::events;
use crate::ubc::events::Change;
use crate::ubc::events::Source;
use crate::undo;
use clap::Arg;
use clap::ArgMatches;
use clap::Command;
use serde_json::json;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// How often VEs that came and went are looked for.
const RESCAN: Duration = Duration::from_secs(1);
/// A VE that is refused things all the time makes ten lines a second.
const COLLECT: Duration = Duration::from_millis(100);
/// A kernel that wakes us for nothing does not keep a CPU busy.
const IDLE: Duration = Duration::from_millis(10);
/// How long the kernel may take to make the files of a new VE.
const SETTLE: Duration = Duration::from_millis(200);

/// The subcommand.
#[must_use]
pub fn command() -> Command {
    Command::new("monitor")
        .about("Print a line whenever a VE is refused something or comes near a limit")
        .override_usage("vzctl monitor [ID|NAME...] [--count N]")
        .arg(
            Arg::new("ids")
                .value_name("ID|NAME")
                .num_args(0..)
                .help("Only these VEs [default: all that run, and those that start]"),
        )
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("N")
                .value_parser(clap::value_parser!(u64).range(1..))
                .help("End after N lines [default: on Ctrl-C]"),
        )
        .after_help(
            "Each line has the time, the VE, the resource, how often it was refused since the VE \
             started, how often since the line before, and the pressure: the last of 75, 90 and \
             98 per cent of the barrier that was passed, 0 below. With --json each line is an \
             object.\n\nExamples:\n  vzctl monitor\n  vzctl monitor 101 --count 1\n  \
             vzctl monitor --json | jq 'select(.increase > 0)'",
        )
}

/// Runs the subcommand until Ctrl-C.
///
/// # Errors
/// Unknown VE (14), not running (31), no events (5), may not (12).
pub fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<()> {
    let mut named = Vec::new();
    for text in m.get_many::<String>("ids").unwrap_or_default() {
        named.push(id::resolve(&ctx.paths, text)?);
    }
    undo::catch_interrupts();
    let mut watch = Watch {
        ctx,
        named,
        sources: Vec::new(),
    };
    watch.begin()?;
    let count = watch.sources.len();
    ctx.out
        .detail(1, &format!("watching {count} running VEs, Ctrl-C ends"));
    let mut left = m.get_one::<u64>("count").copied();
    while !undo::interrupted() {
        watch.rescan()?;
        let end = Instant::now() + RESCAN;
        while Instant::now() < end && !undo::interrupted() {
            let changes = watch.wait(end.saturating_duration_since(Instant::now()))?;
            let news = !changes.is_empty();
            for (veid, change) in changes {
                if !ctx.out.try_print(&line(ctx, veid, &change)) {
                    return Ok(());
                }
                left = left.map(|n| n - 1);
                if left == Some(0) {
                    return Ok(());
                }
            }
            std::thread::sleep(if news { COLLECT } else { IDLE });
        }
    }
    Ok(())
}

/// The files that are being waited on.
struct Watch<'a, 'k> {
    ctx: &'a Ctx<'k>,
    /// VEs the command line names; none: all.
    named: Vec<Veid>,
    sources: Vec<Source>,
}

impl Watch<'_, '_> {
    /// What was refused before now is not news.
    fn begin(&mut self) -> Result<()> {
        if !self.ctx.paths.proc("bc").exists() {
            return Err(crate::kernel::absent());
        }
        self.rescan()?;
        for id in &self.named {
            if !self.sources.iter().any(|s| s.veid == id.get()) {
                let what = format!("cannot watch {}", self.ctx.label(*id));
                return Err(ubc::not_running(self.ctx, *id, what));
            }
        }
        self.sources.retain_mut(|s| s.read().is_ok());
        Ok(())
    }

    /// Takes up VEs that started, and drops those that are gone.
    fn rescan(&mut self) -> Result<()> {
        self.sources.retain(Source::is_current);
        let ids = match self.named.is_empty() {
            true => events::veids(&self.ctx.paths)
                .map_err(|e| ubc::unreadable(e, "cannot read /proc/bc".into()))?,
            false => self.named.iter().map(|id| id.get()).collect(),
        };
        for id in ids {
            if !self.sources.iter().any(|s| s.veid == id) {
                self.sources.extend(self.open(id)?);
            }
        }
        Ok(())
    }

    /// The events of a VE; `None` if it is not running.
    fn open(&self, veid: u32) -> Result<Option<Source>> {
        let mut patience = 2;
        loop {
            patience -= 1;
            match Source::open(&self.ctx.paths, veid) {
                Ok(source) => return Ok(Some(source)),
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(ubc::unreadable(e, format!("cannot watch VE {veid}")));
                }
                Err(_) if !self.ctx.paths.proc(&format!("bc/{veid}")).exists() => return Ok(None),
                Err(_) if patience > 0 => std::thread::sleep(SETTLE),
                Err(_) => return Err(events::unsupported(veid)),
            }
        }
    }

    /// Waits for the kernel, then reads what changed.
    fn wait(&mut self, timeout: Duration) -> Result<Vec<(u32, Change)>> {
        let files: Vec<_> = self.sources.iter().map(|s| s.file.as_fd()).collect();
        self.ctx.kernel.wait_events(&files, timeout)?;
        let mut all = Vec::new();
        self.sources.retain_mut(|s| match s.read() {
            Ok(changes) => {
                all.extend(changes.into_iter().map(|c| (s.veid, c)));
                true
            }
            Err(_) => false,
        });
        Ok(all)
    }
}

fn line(ctx: &Ctx<'_>, veid: u32, change: &Change) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = timestamp(now.map_or(0, |d| d.as_secs()));
    let (event, increase) = (&change.now, change.increase);
    let (resource, failcnt, pressure) = (&event.resource, event.failcnt, event.pressure);
    match ctx.out.json {
        true => {
            let value = json!({
                "time": time, "veid": veid, "resource": resource, "failcnt": failcnt,
                "increase": increase, "pressure": pressure,
            });
            format!("{value}\n")
        }
        false => format!(
            "{time} {veid} {resource} failcnt={failcnt} increase={increase} pressure={pressure}\n"
        ),
    }
}
