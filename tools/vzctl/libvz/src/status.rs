// SPDX-License-Identifier: GPL-2.0
//! States of a VE and `vzctl status`.

use crate::cli::args;
use crate::config::VeConfig;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::id::Veid;
use crate::kernel;
use crate::kernel::VeInfo;
use crate::lock;
use crate::output::Outcome;
use crate::paths::Paths;
use rustix::time::ClockId;
use rustix::time::clock_gettime;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;
use std::time::Instant;

/// Status words of a lock that are shown as the state of the VE.
const TRANSITIONS: [&str; 6] = [
    "starting",
    "stopping",
    "suspending",
    "resuming",
    "migrating",
    "creating",
];

/// What a VE is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// No configuration.
    Deleted,
    /// Not running, not mounted.
    Stopped,
    /// Not running, file tree mounted.
    Mounted,
    /// Running.
    Running,
    /// Not running, with a dump to resume from.
    Suspended,
    /// On the way; the word of the lock.
    Between(&'static str),
}

impl State {
    /// The word shown by vzlist.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            State::Deleted => "deleted",
            State::Stopped => "stopped",
            State::Mounted => "mounted",
            State::Running => "running",
            State::Suspended => "suspended",
            State::Between(word) => word,
        }
    }
}

/// Everything `status` shows.
struct Facts {
    exists: bool,
    mounted: bool,
    live: Option<VeInfo>,
    dump: bool,
    holder: Option<lock::Holder>,
}

impl Facts {
    fn gather(ctx: &Ctx<'_>, id: Veid) -> Self {
        let conf = ctx.config(id);
        let exists = !matches!(&conf, Err(e) if e.code() == Code::NoConfig);
        Self {
            exists,
            mounted: conf.as_ref().is_ok_and(|c| is_mounted(ctx, c)),
            live: ctx.kernel.running(id).ok().flatten(),
            dump: ctx.paths.dump_file(id).exists(),
            holder: lock::holder(&ctx.paths, id),
        }
    }

    fn running(&self) -> bool {
        self.live.as_ref().is_some_and(|v| v.state.is_up())
    }

    fn state(&self) -> State {
        let word = self
            .holder
            .as_ref()
            .map(|h| h.status.as_str())
            .unwrap_or_default();
        if let Some(word) = TRANSITIONS.iter().find(|t| **t == word) {
            return State::Between(word);
        }
        match &self.live {
            Some(v) if v.state.is_up() => State::Running,
            Some(v) if v.state == kernel::State::Starting => State::Between("starting"),
            Some(v) if v.state == kernel::State::Stopping => State::Between("stopping"),
            _ if !self.exists => State::Deleted,
            _ if self.dump => State::Suspended,
            _ if self.mounted => State::Mounted,
            _ => State::Stopped,
        }
    }
}

/// Whether the file tree is mounted.
#[must_use]
pub fn is_mounted(ctx: &Ctx<'_>, conf: &VeConfig) -> bool {
    ctx.kernel
        .is_mounted(&conf.root(&ctx.paths))
        .unwrap_or(false)
}

/// State of a VE now. Takes no lock.
#[must_use]
pub fn of(ctx: &Ctx<'_>, id: Veid) -> State {
    Facts::gather(ctx, id).state()
}

/// Seconds since a VE started.
#[must_use]
pub fn uptime(info: &VeInfo) -> Option<f64> {
    if info.start_time == 0 || !info.state.is_up() {
        return None;
    }
    let now = clock_gettime(ClockId::Boottime);
    let now = u64::try_from(now.tv_sec).ok()? as f64 + now.tv_nsec as f64 / 1e9;
    Some((now - info.start_time as f64 / 1e9).max(0.0))
}

/// `vzctl status`: prints one line, or one object with `--json`.
///
/// # Errors
/// With `--wait`, the state was not reached in time (133).
pub fn command(ctx: &Ctx<'_>, id: Veid, args: &args::Status) -> Result<Outcome> {
    if let Some((word, secs)) = &args.wait {
        wait(ctx, id, word, *secs)?;
    }
    let facts = Facts::gather(ctx, id);
    let text = match ctx.out.json {
        true => describe(ctx, id, &facts).to_string(),
        false => line(id, &facts),
    };
    ctx.out.print(&format!("{text}\n"));
    Ok(Outcome::silent())
}

/// Scripts parse this line; the spelling never changes.
fn line(id: Veid, facts: &Facts) -> String {
    format!(
        "CTID {id} {} {} {}{}",
        if facts.exists { "exist" } else { "deleted" },
        if facts.mounted {
            "mounted"
        } else {
            "unmounted"
        },
        if facts.running() { "running" } else { "down" },
        if facts.dump { " suspended" } else { "" },
    )
}

fn describe(ctx: &Ctx<'_>, id: Veid, facts: &Facts) -> Value {
    let holder = facts.holder.as_ref().map(
        |h| json!({ "pid": h.pid, "status": h.status, "command": h.command, "since": h.since }),
    );
    json!({
        "veid": id.get(),
        "exists": facts.exists,
        "mounted": facts.mounted,
        "state": facts.state().word(),
        "suspended": facts.dump,
        "uptime": facts.live.as_ref().and_then(uptime),
        "init_pid": facts.live.as_ref().and_then(|v| v.init_pid),
        "locked_by": holder,
        "last_error": std::fs::read_to_string(error_file(&ctx.paths, id)).ok(),
    })
}

/// Checks the word of `--wait`.
///
/// # Errors
/// Not a state one can wait for (21).
pub fn check_word(word: &str) -> Result<()> {
    match ["running", "stopped", "mounted", "suspended", "deleted"].contains(&word) {
        true => Ok(()),
        false => Err(
            Error::new(Code::BadValue, format!("bad state \"{word}\" for --wait"))
                .why("it must be running, stopped, mounted, suspended or deleted"),
        ),
    }
}

fn wait(ctx: &Ctx<'_>, id: Veid, word: &str, secs: Option<u64>) -> Result<()> {
    let end = secs.map(|s| Instant::now() + Duration::from_secs(s));
    loop {
        let now = of(ctx, id);
        if now.word() == word {
            return Ok(());
        }
        if end.is_some_and(|e| Instant::now() >= e) {
            let secs = secs.unwrap_or(0);
            return Err(Error::new(Code::Wait, format!("VE {id} is not {word}"))
                .why(format!("it is {} after {secs} seconds", now.word())));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn error_file(paths: &Paths, id: Veid) -> std::path::PathBuf {
    paths.run_dir(id).join("last_error")
}

/// Keeps the text of the last failure, or forgets it after a success.
pub fn remember_error(paths: &Paths, id: Veid, err: Option<&Error>) {
    let file = error_file(paths, id);
    // Only a help for status: not worth failing for.
    drop(match err {
        // Of a VE that does not exist nothing needs to be remembered.
        Some(_) if !paths.ve_conf(id).exists() => Ok(()),
        Some(err) => std::fs::create_dir_all(paths.run_dir(id))
            .and_then(|()| std::fs::write(&file, err.message())),
        None => std::fs::remove_file(&file).and_then(|()| std::fs::remove_dir(paths.run_dir(id))),
    });
}
