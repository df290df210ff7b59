// SPDX-License-Identifier: GPL-2.0
//! Commands on several VEs: selection, order, parallel work.

use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id;
use crate::id::Veid;
use crate::list;
use crate::list::glob;
use crate::names;
use crate::status;
use crate::status::State;
use clap::ArgMatches;
use std::collections::VecDeque;
use std::io::Read;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

/// Set for the children of a parallel run: the one VE to work on.
const ONLY: &str = "VZ_BULK_VEID";

/// The VEs a command line selects, in the order given or ascending.
///
/// # Errors
/// Unknown VE (14), a pattern without a match (14), bad filter (20).
pub fn select(ctx: &Ctx<'_>, command: &str, m: &ArgMatches) -> Result<Vec<Veid>> {
    if let Some(only) = std::env::var(ONLY).ok().as_deref().and_then(Veid::parse) {
        return Ok(vec![only]);
    }
    if m.get_flag("all") {
        if command == "destroy" && !ctx.opts.yes && !ctx.opts.dry_run {
            return Err(Error::new(Code::Usage, "destroy --all needs --yes")
                .why("it would destroy every stopped VE of this node")
                .hint("vzctl destroy --all --dry-run"));
        }
        return Ok(all_for(ctx, command));
    }
    if let Some(filter) = m.get_one::<String>("filter") {
        let found = list::filter(ctx, filter)?;
        if found.is_empty() {
            return Err(
                Error::new(Code::NoConfig, format!("no VE matches \"{filter}\"")).hint("vzlist -a"),
            );
        }
        return Ok(found);
    }
    let mut ids = Vec::new();
    for text in m.get_many::<String>("ids").unwrap_or_default() {
        let found = match text.contains(['*', '?']) {
            true => matching(ctx, text)?,
            false => vec![id::resolve(&ctx.paths, text)?],
        };
        for id in found {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    Ok(ids)
}

fn matching(ctx: &Ctx<'_>, pattern: &str) -> Result<Vec<Veid>> {
    let mut found: Vec<_> = list::configured(&ctx.paths)
        .into_iter()
        .filter(|id| glob(pattern, &id.to_string()))
        .collect();
    for name in names::all(&ctx.paths).iter().filter(|n| glob(pattern, n)) {
        found.extend(names::lookup(&ctx.paths, name)?);
    }
    found.sort_unstable();
    found.dedup();
    match found.is_empty() {
        true => Err(
            Error::new(Code::NoConfig, format!("no VE matches \"{pattern}\"")).hint("vzlist -a -n"),
        ),
        false => Ok(found),
    }
}

/// `--all`: the VEs for which the command makes sense.
fn all_for(ctx: &Ctx<'_>, command: &str) -> Vec<Veid> {
    let fits = |state: &State| match command {
        "start" => matches!(state, State::Stopped | State::Mounted),
        "stop" | "restart" => matches!(state, State::Running),
        "mount" | "destroy" => matches!(state, State::Stopped),
        "umount" => matches!(state, State::Mounted),
        _ => true,
    };
    let disabled = |id: Veid| ctx.config(id).is_ok_and(|c| c.is_yes("DISABLED"));
    list::configured(&ctx.paths)
        .into_iter()
        .filter(|id| fits(&status::of(ctx, *id)))
        .filter(|id| command != "start" || !disabled(*id))
        .collect()
}

/// Runs this command line again once per VE, `limit` at a time. Each child
/// works on one VE; its output is printed in one piece when it ends.
///
/// # Errors
/// A child could not be started (3).
pub fn parallel(ctx: &Ctx<'_>, ids: &[Veid], limit: usize) -> Result<u8> {
    let exe = std::env::current_exe().or_err(Code::System, || "cannot find this program")?;
    let mut argv = std::env::args_os();
    let name = argv.next().unwrap_or_default();
    let argv: Vec<_> = argv.collect();
    let mut waiting: VecDeque<Veid> = ids.iter().copied().collect();
    let mut running: Vec<(Veid, Child)> = Vec::new();
    let mut status = 0;
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < limit {
            let Some(id) = waiting.pop_front() else { break };
            let mut cmd = Command::new(&exe);
            std::os::unix::process::CommandExt::arg0(&mut cmd, &name);
            let child = cmd
                .args(&argv)
                .env(ONLY, id.to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .or_err(Code::System, || format!("cannot start work on VE {id}"))?;
            running.push((id, child));
        }
        let Some(at) = running
            .iter_mut()
            .position(|(_, c)| !matches!(c.try_wait(), Ok(None)))
        else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        let (id, child) = running.swap_remove(at);
        let code = report(ctx, id, child);
        if status == 0 {
            status = code;
        }
    }
    Ok(status)
}

fn report(ctx: &Ctx<'_>, id: Veid, mut child: Child) -> u8 {
    let mut text = String::new();
    if let Some(mut err) = child.stderr.take() {
        drop(err.read_to_string(&mut text));
        eprint!("{text}");
    }
    text.clear();
    if let Some(mut out) = child.stdout.take() {
        drop(out.read_to_string(&mut text));
        ctx.out.print(&text);
    }
    match child.wait().ok().and_then(|s| s.code()) {
        Some(code) => u8::try_from(code).unwrap_or(Code::System.number()),
        None => {
            ctx.out.warn(&format!("work on VE {id} was killed"));
            Code::System.number()
        }
    }
}
