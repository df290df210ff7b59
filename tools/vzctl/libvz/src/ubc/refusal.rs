// SPDX-License-Identifier: GPL-2.0
//! `/proc/PID/ubc_last`: the last thing a task was refused.

use crate::paths::Paths;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// What to say where the kernel does not keep refusals.
pub const UNSUPPORTED: &str =
    "this kernel does not keep refusals by process (there is no /proc/PID/ubc_last)";

/// The last refusal of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Resource, as the kernel names it.
    pub resource: String,
    /// What was asked for, in units of the resource.
    pub requested: u64,
    /// What the VE held then.
    pub held: u64,
    /// The bound that refused.
    pub bound: u64,
    /// `barrier` or `limit`: which bound that was.
    pub severity: String,
    /// When, in seconds since the node booted.
    pub time: f64,
}

impl Refusal {
    /// Parses the file; `None` if it is empty or not understood.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let field = |key: &str| {
            text.lines()
                .find_map(|l| l.strip_prefix(key)?.strip_prefix(':'))
                .map(str::trim)
        };
        let number = |key| field(key)?.parse::<u64>().ok();
        let (secs, nanos) = field("time")?.split_once('.')?;
        let nanos = nanos.parse::<u32>().ok().filter(|n| *n < 1_000_000_000)?;
        Some(Self {
            resource: field("resource").filter(|r| !r.is_empty())?.to_string(),
            requested: number("requested")?,
            held: number("held")?,
            bound: number("bound")?,
            severity: field("severity")?.to_string(),
            time: secs.parse::<u64>().ok()? as f64 + f64::from(nanos) / 1e9,
        })
    }
}

/// A task that was refused something.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Pid on the node; of a thread, its own number.
    pub pid: u32,
    /// Pid inside the VE.
    pub inside: Option<u32>,
    /// The VE; 0 is the node.
    pub veid: u32,
    /// Name of the program.
    pub command: String,
    /// What it was refused.
    pub refusal: Refusal,
    /// Seconds since then.
    pub age: f64,
}

impl Task {
    /// One member of a list.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let r = &self.refusal;
        json!({
            "pid": self.pid, "vpid": self.inside, "command": self.command,
            "requested": r.requested, "held": r.held, "bound": r.bound,
            "severity": r.severity, "seconds_ago": (self.age * 1000.0).round() / 1000.0,
        })
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.refusal;
        let command = self.command.replace(char::is_control, " ");
        write!(f, "{command} (pid {}", self.pid)?;
        if let Some(inside) = self.inside {
            write!(f, ", inside {inside}")?;
        }
        write!(
            f,
            ") {}: asked for {} while {} of {} were held",
            ago(self.age),
            r.requested,
            r.held,
            r.bound
        )
    }
}

/// "12 s ago", "3 min ago", "5 h ago", "2 d ago".
#[must_use]
pub fn ago(secs: f64) -> String {
    let s = secs.max(0.0) as u64;
    match s {
        0..120 => format!("{s} s ago"),
        120..7200 => format!("{} min ago", s / 60),
        7200..172_800 => format!("{} h ago", s / 3600),
        _ => format!("{} d ago", s / 86_400),
    }
}

/// All tasks of the node that were refused something.
#[derive(Debug, Default)]
pub struct Scan {
    /// Whether the kernel keeps refusals.
    pub supported: bool,
    /// The tasks, the latest refusal first.
    pub tasks: Vec<Task>,
}

impl Scan {
    /// The tasks of a VE that were refused one resource.
    pub fn of<'a>(&'a self, veid: u32, resource: &'a str) -> impl Iterator<Item = &'a Task> {
        self.tasks
            .iter()
            .filter(move |t| t.veid == veid && t.refusal.resource == resource)
    }
}

/// Looks at every task. Those that end meanwhile are left out.
#[must_use]
pub fn scan(paths: &Paths) -> Scan {
    let proc = paths.proc("");
    let now = uptime(paths);
    let mut scan = Scan {
        supported: proc.join("self/ubc_last").exists(),
        tasks: Vec::new(),
    };
    // Threads are not listed in /proc, but have a directory there.
    let threads = |pid: &u32| numbers(&proc.join(format!("{pid}/task")));
    let pids = numbers(&proc);
    let tids: BTreeSet<u32> = pids.iter().flat_map(threads).chain(pids.clone()).collect();
    for tid in tids {
        let dir = proc.join(tid.to_string());
        let Ok(text) = std::fs::read_to_string(dir.join("ubc_last")) else {
            continue;
        };
        scan.supported = true;
        if let Some(refusal) = Refusal::parse(&text) {
            scan.tasks.extend(task(&dir, tid, refusal, now));
        }
    }
    scan.tasks.sort_by(|a, b| a.age.total_cmp(&b.age));
    scan
}

fn task(dir: &Path, pid: u32, refusal: Refusal, now: Option<f64>) -> Option<Task> {
    let status = std::fs::read_to_string(dir.join("status")).ok()?;
    let field = |key: &str| {
        status
            .lines()
            .find_map(|l| l.strip_prefix(key)?.strip_prefix(':'))
            .map(str::trim)
    };
    Some(Task {
        pid,
        inside: field("VPid").and_then(|v| v.parse().ok()),
        veid: field("envID")?.parse().ok()?,
        command: field("Name").unwrap_or("-").to_string(),
        age: (now.unwrap_or(refusal.time) - refusal.time).max(0.0),
        refusal,
    })
}

/// Names in a directory that are numbers.
fn numbers(dir: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect()
}

/// Seconds since the node booted.
fn uptime(paths: &Paths) -> Option<f64> {
    let text = std::fs::read_to_string(paths.proc("uptime")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "resource:\tnumproc\nrequested:\t1\nheld:\t240\nbound:\t240\n\
                        severity:\tbarrier\ntime:\t988.500000000\n";

    #[test]
    fn kernel_text() {
        let r = Refusal::parse(TEXT).unwrap();
        assert_eq!((r.resource.as_str(), r.bound), ("numproc", 240));
        assert_eq!((r.severity.as_str(), r.time), ("barrier", 988.5));
        assert_eq!(Refusal::parse(""), None);
        for line in TEXT.lines() {
            let without = TEXT.replace(&format!("{line}\n"), "");
            assert_eq!(Refusal::parse(&without), None, "{line}");
        }
    }

    #[test]
    fn ages() {
        for (secs, text) in [
            (0.9, "0 s ago"),
            (119.0, "119 s ago"),
            (121.0, "2 min ago"),
            (7300.0, "2 h ago"),
            (200_000.0, "2 d ago"),
            (-5.0, "0 s ago"),
        ] {
            assert_eq!(ago(secs), text);
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*", time in "\\PC*") {
            let _ = Refusal::parse(&text);
            let _ = Refusal::parse(&TEXT.replace("988.500000000", &time));
        }
    }
}
