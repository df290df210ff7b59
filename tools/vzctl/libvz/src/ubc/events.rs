// SPDX-License-Identifier: GPL-2.0
//! `/proc/bc/ID/events`: refusals and pressure of one VE, one resource a line.

use crate::error::Code;
use crate::error::Error;
use crate::paths::Paths;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Longer files are none of the kernel's.
const MAX: usize = 1 << 16;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Resource, as the kernel names it.
    pub resource: String,
    /// Refusals since the VE started.
    pub failcnt: u64,
    /// How full it is, as the last of 75, 90 and 98 per cent that was
    /// passed; 0 below.
    pub pressure: u64,
}

/// Parses the file; lines that make no sense are left out, so that a newer
/// kernel can add to it.
#[must_use]
pub fn parse(text: &str) -> Vec<Event> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some(Event {
                resource: words.next()?.to_string(),
                failcnt: words.next()?.parse().ok()?,
                pressure: words.next()?.parse().ok()?,
            })
        })
        .collect()
}

/// A difference between two readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What is now.
    pub now: Event,
    /// Refusals since the reading before.
    pub increase: u64,
}

/// What changed, in the order of the kernel. A resource that was not there
/// counted 0.
#[must_use]
pub fn changes(before: &[Event], now: &[Event]) -> Vec<Change> {
    now.iter()
        .filter_map(|n| {
            let was = before.iter().find(|b| b.resource == n.resource);
            let (failcnt, pressure) = was.map_or((0, 0), |w| (w.failcnt, w.pressure));
            (n.failcnt != failcnt || n.pressure != pressure).then(|| Change {
                now: n.clone(),
                // A restore may set it back.
                increase: n.failcnt.saturating_sub(failcnt),
            })
        })
        .collect()
}

/// The events of one VE, kept open.
#[derive(Debug)]
pub struct Source {
    /// The VE.
    pub veid: u32,
    /// To wait on.
    pub file: File,
    path: PathBuf,
    last: Vec<Event>,
}

impl Source {
    /// Opens the file of a VE. Changes are counted from nothing on.
    ///
    /// # Errors
    /// The VE is gone, or the kernel has no such file.
    pub fn open(paths: &Paths, veid: u32) -> io::Result<Self> {
        let path = paths.proc(&format!("bc/{veid}/events"));
        Ok(Self {
            veid,
            file: File::open(&path)?,
            path,
            last: Vec::new(),
        })
    }

    /// What changed since the last call. Reading also tells the kernel that
    /// everything so far is known.
    ///
    /// # Errors
    /// The VE is gone.
    pub fn read(&mut self) -> io::Result<Vec<Change>> {
        let mut bytes = Vec::new();
        let mut part = [0; 4096];
        while bytes.len() < MAX {
            match self.file.read_at(&mut part, bytes.len() as u64)? {
                0 => break,
                n => bytes.extend(part.get(..n).unwrap_or_default()),
            }
        }
        let now = parse(&String::from_utf8_lossy(&bytes));
        let changes = changes(&self.last, &now);
        self.last = now;
        Ok(changes)
    }

    /// Whether the file is still that of the VE: one that was restarted has
    /// another.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let id = |m: std::fs::Metadata| (m.dev(), m.ino());
        match (self.file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(open), Ok(named)) => id(open) == id(named),
            _ => false,
        }
    }
}

/// VEs that have a beancounter now, ascending; without the node.
///
/// # Errors
/// `/proc/bc` cannot be read.
pub fn veids(paths: &Paths) -> io::Result<Vec<u32>> {
    let mut ids: Vec<u32> = std::fs::read_dir(paths.proc("bc"))?
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .filter(|id| *id != 0)
        .collect();
    ids.sort_unstable();
    Ok(ids)
}

/// The error of a kernel that counts, but does not tell.
#[must_use]
pub fn unsupported(veid: u32) -> Error {
    Error::new(Code::BadKernel, "cannot watch refusals")
        .why(format!(
            "this kernel does not report them (there is no /proc/bc/{veid}/events)"
        ))
        .hint("install the package linux-image-vz of these tools' version and boot that kernel")
        .hint("vzubc -w -i -q")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn differences() {
        let before = parse("kmemsize 0 0\nnumproc 5 90\nnumfile 1 0\n");
        let now = parse("kmemsize 0 75\nnumproc 7 90\nnumfile 1 0\nnew 2 0\nbroken x 0\n");
        let changes: Vec<_> = changes(&before, &now)
            .into_iter()
            .map(|c| (c.now.resource, c.now.failcnt, c.increase, c.now.pressure))
            .collect();
        let expected = [
            ("kmemsize", 0, 0, 75),
            ("numproc", 7, 2, 90),
            ("new", 2, 2, 0),
        ];
        assert_eq!(
            changes,
            expected.map(|(r, f, i, p)| (r.to_string(), f, i, p))
        );
    }

    proptest! {
        #[test]
        fn never_panics(a in "\\PC*", b in "[a-c 0-9\n]*") {
            let _ = changes(&parse(&a), &parse(&b));
        }

        #[test]
        fn nothing_new_is_no_change(text in "([a-c]{1,3} [0-9]{1,3} [0-9]{1,2}\n){0,5}") {
            let mut all = parse(&text);
            all.dedup_by(|a, b| a.resource == b.resource);
            let unique = all.iter().all(|e| all.iter().filter(|o| o.resource == e.resource).count() == 1);
            prop_assume!(unique);
            prop_assert_eq!(changes(&all, &all), vec![]);
        }
    }
}
