// SPDX-License-Identifier: GPL-2.0
//! The log file: one line per event, for every command that changes state.

use crate::id::Veid;
use crate::paths::Paths;
use nix::libc;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Where and how much to log. Opened per line, so that rotation just works.
#[derive(Debug, Clone)]
pub struct Log {
    tool: &'static str,
    file: Option<PathBuf>,
    level: i32,
}

impl Log {
    /// `LOGGING`, `LOGFILE` and `LOG_LEVEL` of vz.conf.
    #[must_use]
    pub fn new(paths: &Paths, tool: &'static str) -> Self {
        let level = paths.global().get("LOG_LEVEL").parse().unwrap_or(0);
        Self {
            tool,
            file: paths.log_file(),
            level,
        }
    }

    /// No log at all.
    #[must_use]
    pub fn off() -> Self {
        Self {
            tool: "vzctl",
            file: None,
            level: 0,
        }
    }

    /// An event of a VE.
    pub fn event(&self, id: Veid, text: &str) {
        self.at(0, id, text);
    }

    /// A detail, written if `LOG_LEVEL` is at least `level`.
    pub fn at(&self, level: i32, id: Veid, text: &str) {
        let Some(file) = self.file.as_ref().filter(|_| level <= self.level) else {
            return;
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_secs());
        let line = line(now, self.tool, id, text);
        // A full disk or a missing directory must not stop a VE from stopping.
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o640)
            .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW)
            .open(file);
        if let Ok(mut f) = opened {
            drop(f.write_all(line.as_bytes()));
        }
    }
}

/// `2026-05-01T12:00:00+0000 vzctl : CT 101 : text`; one line whatever the text.
fn line(secs: u64, tool: &str, id: Veid, text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("{} {tool} : CT {id} : {text}\n", timestamp(secs))
}

/// Seconds since 1970 as ISO 8601 in UTC.
#[must_use]
pub fn timestamp(secs: u64) -> String {
    let (y, m, d) = civil(secs / 86_400);
    let (h, mi, s) = (secs / 3600 % 24, secs / 60 % 60, secs % 60);
    format!("{y:04}-{m:02}-{d:02}T{h:02}:{mi:02}:{s:02}+0000")
}

/// Days since 1970-01-01 to year, month, day of the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years are counted from March, so that the leap day is the last of a year.
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let id = Veid::parse("101").unwrap();
        assert_eq!(
            line(1_777_636_800, "vzctl", id, "started\nwith a newline"),
            "2026-05-01T12:00:00+0000 vzctl : CT 101 : started with a newline\n"
        );
        assert_eq!(timestamp(951_782_400), "2000-02-29T00:00:00+0000");
        assert_eq!(timestamp(0), "1970-01-01T00:00:00+0000");
    }
}
