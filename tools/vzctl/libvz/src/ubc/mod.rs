// SPDX-License-Identifier: GPL-2.0
//! User beancounters as the kernel prints them.

mod before;
pub mod cfgvalidate;
pub mod events;
pub mod explain;
mod lines;
pub mod monitor;
pub mod refusal;
pub mod rules;
pub mod show;
mod suggest;

use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::os_words;
use crate::id::Veid;
use crate::paths::Paths;
use serde_json::Value;
use serde_json::json;
use std::io::ErrorKind;

/// The only version of the format.
const VERSION: &str = "Version: 2.5";

/// One line: what a VE uses of a resource and may use. Bytes, pages or items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// In use.
    pub held: u64,
    /// Most that was ever in use.
    pub maxheld: u64,
    /// Bound of ordinary requests.
    pub barrier: u64,
    /// Bound of privileged requests.
    pub limit: u64,
    /// Refused requests.
    pub failcnt: u64,
}

impl Usage {
    /// As vzlist prints it.
    #[must_use]
    pub fn to_json(self) -> Value {
        json!({
            "held": self.held, "maxheld": self.maxheld, "barrier": self.barrier,
            "limit": self.limit, "failcnt": self.failcnt,
        })
    }
}

/// The beancounter of one VE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beancounter {
    /// The VE; 0 is the node.
    pub id: u32,
    /// Resource names and numbers in the order of the kernel, without dummies.
    pub rows: Vec<(String, Usage)>,
}

impl Beancounter {
    /// One resource.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Usage> {
        self.rows.iter().find(|(n, _)| n == name).map(|(_, u)| *u)
    }
}

/// Parses `/proc/user_beancounters` or `/proc/bc/resources`.
///
/// # Errors
/// Line number and what is wrong with it.
pub fn parse(text: &str) -> std::result::Result<Vec<Beancounter>, String> {
    let mut lines = text.lines().enumerate();
    if lines.next().map(|(_, l)| l) != Some(VERSION) {
        return Err(format!("line 1: expected \"{VERSION}\""));
    }
    let mut all: Vec<Beancounter> = Vec::new();
    for (i, line) in lines {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if words.is_empty() || words[0] == "uid" {
            continue;
        }
        let bad = |what: &str| format!("line {}: {what}", i + 1);
        if let Some(id) = words[0].strip_suffix(':') {
            let id = id.parse().map_err(|_| bad("bad uid"))?;
            all.push(Beancounter {
                id,
                rows: Vec::new(),
            });
            words.remove(0);
        }
        let [name, numbers @ ..] = words.as_slice() else {
            return Err(bad("nothing after uid"));
        };
        let [held, maxheld, barrier, limit, failcnt] = numbers else {
            return Err(bad("expected five numbers"));
        };
        let number = |text: &str| text.parse::<u64>().map_err(|_| bad("bad number"));
        let usage = Usage {
            held: number(held)?,
            maxheld: number(maxheld)?,
            barrier: number(barrier)?,
            limit: number(limit)?,
            failcnt: number(failcnt)?,
        };
        let current = all.last_mut().ok_or_else(|| bad("no uid yet"))?;
        if *name != "dummy" {
            current.rows.push(((*name).to_string(), usage));
        }
    }
    Ok(all)
}

/// Beancounters of this node; `None` if the kernel has none.
///
/// # Errors
/// May not be read (12), is not understood (3).
pub fn read(paths: &Paths) -> Result<Option<Vec<Beancounter>>> {
    for name in ["bc/resources", "user_beancounters"] {
        let path = paths.proc(name);
        let failed = || format!("cannot read {}", path.display());
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                return parse(&text)
                    .map(Some)
                    .map_err(|e| Error::new(Code::System, failed()).why(e));
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(unreadable(e, failed())),
        }
    }
    Ok(None)
}

/// The beancounter of one VE.
///
/// # Errors
/// There is no such VE (14), or it is not running (31).
pub fn of<'a>(ctx: &Ctx<'_>, all: &'a [Beancounter], id: Veid) -> Result<&'a Beancounter> {
    match all.iter().find(|b| b.id == id.get()) {
        Some(bc) => Ok(bc),
        None => Err(not_running(ctx, id, format!("VE {id} has no beancounter"))),
    }
}

/// The error for a VE that the kernel does not count.
fn not_running(ctx: &Ctx<'_>, id: Veid, what: String) -> Error {
    match ctx.config(id) {
        Err(e) if e.code() == Code::NoConfig => e,
        _ => Error::new(Code::NotRunning, what)
            .why("it is not running")
            .hint(format!("vzctl start {id}")),
    }
}

/// The error for a file of `/proc/bc` that cannot be used.
fn unreadable(err: std::io::Error, what: String) -> Error {
    let denied = err.kind() == ErrorKind::PermissionDenied;
    let err = Error::new(Code::System, what).why(os_words(&err));
    match denied {
        true => err
            .with_code(Code::Permission)
            .hint("run the command as root of the node"),
        false => err,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "Version: 2.5\n       uid  resource                     held              maxheld              barrier                limit              failcnt\n      101:  kmemsize                  2952339              3059712             14372700             14790164                    0\n            lockedpages                     0                    0                 2048                 2048                    3\n            dummy                           0                    0  9223372036854775807  9223372036854775807                    0\n        0:  kmemsize                        1                    2  9223372036854775807  9223372036854775807                    0\n";

    #[test]
    fn kernel_text() {
        let all = parse(TEXT).unwrap();
        assert_eq!(all.iter().map(|b| b.id).collect::<Vec<_>>(), [101, 0]);
        assert_eq!(all[0].rows.len(), 2);
        assert_eq!(all[0].get("lockedpages").unwrap().failcnt, 3);
        assert_eq!(
            all[1].get("kmemsize").unwrap().limit,
            crate::units::UNLIMITED
        );
    }

    #[test]
    fn broken_text() {
        for bad in [
            "",
            "Version: 2.4\n",
            "Version: 2.5\n x 1 2 3 4 5\n",
            "Version: 2.5\n 1: a 1 2\n",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse(&text);
            let _ = parse(&format!("{VERSION}\n{text}"));
        }

        #[test]
        fn numbers_survive(rows in proptest::collection::vec(any::<[u64; 5]>(), 1..30)) {
            let mut text = format!("{VERSION}\n       uid  resource\n");
            for (i, r) in rows.iter().enumerate() {
                let id = if i == 0 { "7:" } else { "" };
                text += &format!("{id:>10}  r{i:<11} {:>20} {:>20} {:>20} {:>20} {:>20}\n", r[0], r[1], r[2], r[3], r[4]);
            }
            let all = parse(&text).unwrap();
            prop_assert_eq!(all.len(), 1);
            for (i, r) in rows.iter().enumerate() {
                let u = all[0].get(&format!("r{i}")).unwrap();
                prop_assert_eq!([u.held, u.maxheld, u.barrier, u.limit, u.failcnt], *r);
            }
        }
    }
}
