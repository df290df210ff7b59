// SPDX-License-Identifier: GPL-2.0
//! vzpid: which VE a process is in.

use crate::cli;
use crate::cli::run::with_context;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Command;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsString;

/// The command line.
#[must_use]
pub fn command() -> Command {
    cli::reading(Command::new("vzpid").about("Show which VE a process is in"))
        .override_usage("vzpid [-p] PID...|-")
        .arg(
            Arg::new("pids")
                .value_name("PID")
                .num_args(1..)
                .required(true)
                .help("Processes of the node; - reads them from stdin"),
        )
        .arg(
            Arg::new("inside")
                .short('p')
                .action(ArgAction::SetTrue)
                .help("Also show the pid inside the VE"),
        )
        .after_help("Example:\n  pgrep sshd | vzpid -p -")
}

/// One process.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    pid: u32,
    veid: u32,
    inside: Option<u32>,
    name: String,
}

/// vzpid from its command line to its exit status.
#[must_use]
pub fn main(argv: Vec<OsString>) -> u8 {
    let m = match cli::parse(command(), argv) {
        Ok(m) => m,
        Err(status) => return status,
    };
    with_context("vzpid", "pid", &m, |ctx| match run(ctx, &m) {
        Ok(status) => status,
        Err(err) => ctx.out.finish("pid", None, Err(err)),
    })
}

fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<u8> {
    let mut words: Vec<String> = m
        .get_many::<String>("pids")
        .unwrap_or_default()
        .cloned()
        .collect();
    if words == ["-"] {
        let text = std::io::read_to_string(std::io::stdin())
            .or_err(Code::System, || "cannot read stdin")?;
        words = text.split_whitespace().map(str::to_string).collect();
    }
    let mut found = Vec::new();
    let mut status = 0;
    for word in &words {
        let Ok(pid) = word.parse::<u32>() else {
            return Err(Error::new(Code::BadValue, format!("bad pid \"{word}\"")));
        };
        let text = std::fs::read_to_string(ctx.paths.proc(&format!("{pid}/status")));
        match text.as_deref() {
            Ok(text) => match parse(pid, text) {
                Some(process) => found.push(process),
                None => return Err(crate::kernel::absent()),
            },
            Err(_) => {
                ctx.out.complain(&format!("there is no process {pid}"));
                status = 1;
            }
        }
    }
    ctx.out
        .print(&show(&found, m.get_flag("inside"), ctx.out.json));
    Ok(status)
}

/// Reads `Name:`, `envID:` and `VPid:` of `/proc/PID/status`.
fn parse(pid: u32, text: &str) -> Option<Found> {
    let field = |key: &str| {
        text.lines()
            .find_map(|l| l.strip_prefix(key))
            .map(str::trim)
    };
    Some(Found {
        pid,
        veid: field("envID:")?.parse().ok()?,
        inside: field("VPid:").and_then(|v| v.parse().ok()),
        name: field("Name:").unwrap_or("-").to_string(),
    })
}

fn show(found: &[Found], inside: bool, as_json: bool) -> String {
    if as_json {
        let list: Vec<Value> = found
            .iter()
            .map(|p| json!({ "pid": p.pid, "veid": p.veid, "vpid": p.inside, "name": p.name }))
            .collect();
        return format!("{}\n", Value::Array(list));
    }
    let mut text = match inside {
        true => "Pid\tVPid\tCTID\tName\n".to_string(),
        false => "Pid\tCTID\tName\n".to_string(),
    };
    for p in found {
        text.push_str(&format!("{}\t", p.pid));
        if inside {
            text.push_str(&p.inside.map_or("-\t".into(), |v| format!("{v}\t")));
        }
        text.push_str(&format!("{}\t{}\n", p.veid, p.name));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn status_file() {
        let p = parse(4711, "Name:\tsshd\nUmask:\t0022\nenvID:\t101\nVPid:\t55\n").unwrap();
        assert_eq!(
            show(&[p], true, false),
            "Pid\tVPid\tCTID\tName\n4711\t55\t101\tsshd\n"
        );
        assert_eq!(parse(1, "Name:\tsystemd\n"), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            parse(1, &text);
        }
    }
}
