// SPDX-License-Identifier: GPL-2.0
//! Fields of vzlist: those of the parameter table, and what no parameter says.

use super::rows::Row;
use crate::error::Result;
use crate::params;
use crate::params::Kind;
use crate::params::Param;
use crate::status;
use crate::table::Column;
use crate::ubc::Usage;
use crate::units;
use serde_json::Value;
use serde_json::json;
use std::fmt;

/// A value in a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Nothing,
    Text(String),
    Number(u64),
    Uptime(f64),
    List(Vec<String>),
    Flag(bool),
    Usage(Usage),
}

impl Cell {
    fn text(text: Option<&str>) -> Self {
        text.map_or(Cell::Nothing, |t| Cell::Text(t.to_string()))
    }

    /// For sorting.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Cell::Number(n) => Some(*n as f64),
            Cell::Uptime(secs) => Some(*secs),
            Cell::Usage(u) => Some(u.held as f64),
            Cell::Text(t) => t.parse().ok(),
            // What is not there comes first.
            Cell::Nothing => Some(-1.0),
            Cell::List(_) | Cell::Flag(_) => None,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Nothing => f.write_str("-"),
            // One VE is one line, whatever its configuration says.
            Cell::Text(t) => f.write_str(&t.replace(char::is_control, " ")),
            Cell::Number(n) => write!(f, "{n}"),
            Cell::Uptime(secs) => {
                let s = *secs as u64;
                let (d, h) = (s / 86_400, s / 3600 % 24);
                write!(f, "{d:03}d{h:02}h:{:02}m:{:02}s", s / 60 % 60, s % 60)
            }
            Cell::List(list) if list.is_empty() => f.write_str("-"),
            Cell::List(list) => f.write_str(&list.join(" ")),
            Cell::Flag(yes) => f.write_str(if *yes { "yes" } else { "no" }),
            Cell::Usage(u) => write!(f, "{}", u.held),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Ctid,
    SmartName,
    Status,
    Ip,
    Laverage,
    Uptime,
    Vswap,
    LockedBy,
    Failcnt,
    Param(&'static Param),
    Ubc(&'static Param, char),
}

/// One field.
#[derive(Debug, Clone)]
pub struct Field {
    /// Name for `-o` and JSON.
    pub name: String,
    /// Heading.
    pub header: String,
    /// Width.
    pub width: usize,
    /// Whether it is aligned to the right.
    pub right: bool,
    source: Source,
}

/// Name, other names, heading, width, right, where the value comes from.
type Special = (
    &'static str,
    &'static [&'static str],
    &'static str,
    usize,
    bool,
    Source,
);

/// Fields that are no parameters.
const SPECIAL: [Special; 9] = [
    ("ctid", &["veid", "vpsid"], "CTID", 10, true, Source::Ctid),
    ("smart_name", &[], "SMARTNAME", 10, true, Source::SmartName),
    ("status", &[], "STATUS", 9, false, Source::Status),
    ("ip", &[], "IP_ADDR", 15, false, Source::Ip),
    ("laverage", &[], "LAVERAGE", 14, true, Source::Laverage),
    ("uptime", &[], "UPTIME", 15, true, Source::Uptime),
    ("vswap", &[], "VSWAP", 5, false, Source::Vswap),
    ("locked_by", &[], "LOCKED_BY", 20, false, Source::LockedBy),
    ("failcnt", &[], "FAILCNT", 10, true, Source::Failcnt),
];

/// All fields, in the order of `-L` and of JSON.
#[must_use]
pub fn all() -> Vec<Field> {
    let mut list: Vec<Field> = SPECIAL
        .iter()
        .map(|(name, _, header, width, right, source)| Field {
            name: (*name).to_string(),
            header: (*header).to_string(),
            width: *width,
            right: *right,
            source: *source,
        })
        .collect();
    for param in params::TABLE.iter() {
        let Some(c) = param.column else { continue };
        let parts: &[&str] = if param.resource.is_some() {
            &["", ".m", ".b", ".l", ".f"]
        } else {
            &[""]
        };
        for part in parts {
            let source = match (param.resource, part.chars().nth(1)) {
                (Some(_), kind) => Source::Ubc(param, kind.unwrap_or(' ')),
                (None, _) => Source::Param(param),
            };
            list.push(Field {
                name: format!("{}{part}", c.field),
                header: format!("{}{}", c.header, part.to_ascii_uppercase()),
                width: c.width,
                right: c.right,
                source,
            });
        }
    }
    list
}

/// Finds a field by any of its names.
///
/// # Errors
/// There is no such field (21).
pub(super) fn find(name: &str) -> Result<Field> {
    let lower = name.trim().to_ascii_lowercase();
    let other = SPECIAL
        .iter()
        .find(|s| s.1.contains(&lower.as_str()))
        .map(|s| s.0);
    let wanted = other.unwrap_or(&lower);
    all()
        .into_iter()
        .find(|f| f.name == wanted)
        .ok_or_else(|| super::no_field(name))
}

impl Field {
    /// Its place in a table.
    pub(super) fn column(&self) -> Column {
        Column {
            header: self.header.clone(),
            width: self.width,
            right: self.right,
            gap: " ",
        }
    }

    /// False for `.m .b .l .f`, which JSON has as members.
    pub(super) fn is_whole(&self) -> bool {
        !matches!(self.source, Source::Ubc(_, part) if part != ' ')
    }

    /// As printed.
    pub(super) fn text(&self, row: &Row) -> String {
        self.cell(row).to_string()
    }

    pub(super) fn cell(&self, row: &Row) -> Cell {
        let conf = row.conf.as_ref();
        match self.source {
            Source::Ctid => Cell::Number(row.id.get().into()),
            Source::SmartName => match conf.and_then(|c| c.name()) {
                Some(name) => Cell::Text(name.to_string()),
                None => Cell::Number(row.id.get().into()),
            },
            Source::Status => Cell::Text(row.state.word().to_string()),
            Source::Ip => {
                let live = row
                    .entry
                    .as_ref()
                    .map(|e| e.ips.clone())
                    .filter(|l| !l.is_empty());
                let stored = || conf.and_then(|c| c.get("IP_ADDRESS")).map(words);
                Cell::List(live.or_else(stored).unwrap_or_default())
            }
            // The kernel does not tell yet.
            Source::Laverage => Cell::Nothing,
            Source::Uptime => row
                .info
                .as_ref()
                .and_then(status::uptime)
                .map_or(Cell::Nothing, Cell::Uptime),
            Source::Vswap => conf
                .and_then(|c| c.simple().ok())
                .map_or(Cell::Nothing, |s| Cell::Flag(s.is_some())),
            Source::LockedBy => match &row.holder {
                Some(h) => Cell::Text(format!("{} ({})", h.pid, h.status)),
                None => Cell::Nothing,
            },
            Source::Failcnt => match &row.bc {
                Some(bc) => Cell::Number(
                    bc.rows
                        .iter()
                        .fold(0, |n, (_, u)| n.saturating_add(u.failcnt)),
                ),
                None => Cell::Nothing,
            },
            Source::Param(param) => param_cell(param, row),
            Source::Ubc(param, part) => ubc_cell(param, part, row),
        }
    }

    pub(super) fn json(&self, row: &Row) -> Value {
        match (self.source, self.cell(row)) {
            (_, Cell::Uptime(secs)) => json!((secs * 1000.0).round() / 1000.0),
            (Source::Uptime, Cell::Nothing) => json!(0.0),
            (Source::SmartName, cell) => json!(cell.to_string()),
            (_, Cell::Nothing) => Value::Null,
            (_, Cell::Text(t)) => json!(t),
            (_, Cell::Number(n)) => json!(n),
            (_, Cell::List(list)) => json!(list),
            (_, Cell::Flag(yes)) => json!(yes),
            (_, Cell::Usage(u)) => u.to_json(),
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_string).collect()
}

fn param_cell(param: &'static Param, row: &Row) -> Cell {
    let Some(conf) = row.conf.as_ref() else {
        return Cell::Nothing;
    };
    let value = conf.get(param.name);
    match (param.kind, param.name) {
        (Kind::YesNo, _) => Cell::Flag(conf.is_yes(param.name)),
        (Kind::Number(..), _) => match value.and_then(|v| v.parse().ok()) {
            Some(n) => Cell::Number(n),
            None => Cell::text(value),
        },
        (_, "NAMESERVER" | "SEARCHDOMAIN") => Cell::List(value.map(words).unwrap_or_default()),
        (Kind::Directory, name) => match &row.dirs {
            Some((root, _)) if name == "VE_ROOT" => Cell::Text(root.display().to_string()),
            Some((_, private)) => Cell::Text(private.display().to_string()),
            None => Cell::Nothing,
        },
        _ => Cell::text(value),
    }
}

fn ubc_cell(param: &'static Param, part: char, row: &Row) -> Cell {
    let usage = row.bc.as_ref().and_then(|bc| bc.get(param.option));
    match (usage, part) {
        (Some(u), ' ') => Cell::Usage(u),
        (Some(u), 'm') => Cell::Number(u.maxheld),
        (Some(u), 'b') => Cell::Number(u.barrier),
        (Some(u), 'l') => Cell::Number(u.limit),
        (Some(u), _) => Cell::Number(u.failcnt),
        // The number of processes is known without the counters, too.
        (None, ' ') if param.name == "NUMPROC" => match (&row.entry, &row.info) {
            (Some(e), _) => Cell::Number(e.nproc.into()),
            (None, Some(v)) => Cell::Number(v.nproc.into()),
            (None, None) => Cell::Nothing,
        },
        // A VE that is down has limits all the same.
        (None, 'b' | 'l') => {
            let pair = row
                .conf
                .as_ref()
                .and_then(|c| c.pair(param.name).ok().flatten());
            match pair {
                Some(p) if part == 'b' => Cell::Number(p.barrier.min(units::UNLIMITED)),
                Some(p) => Cell::Number(p.limit.min(units::UNLIMITED)),
                None => Cell::Nothing,
            }
        }
        (None, _) => Cell::Nothing,
    }
}
