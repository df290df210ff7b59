// SPDX-License-Identifier: GPL-2.0
//! The lines of vzubc: which ones, and how they look.

use crate::params;
use crate::table::Column;
use crate::table::Table;
use crate::ubc::Beancounter;
use crate::ubc::Usage;
use crate::ubc::before::Before;
use crate::ubc::refusal::Scan;
use crate::units;
use crate::units::Unit;
use serde_json::Value;
use serde_json::json;

/// Which lines, and in which form.
pub(super) struct Choice {
    /// Only lines whose held or maxheld is above these shares of the limit,
    /// or that have refusals.
    pub(super) trouble: Option<(f64, f64)>,
    /// Only so many.
    pub(super) top: Option<usize>,
    /// Numbers as the kernel counts.
    pub(super) exact: bool,
    /// Colours.
    pub(super) color: bool,
}

/// One line.
pub(super) struct Row<'a> {
    name: &'a str,
    now: Usage,
    /// What held was, with `-r`.
    held_before: Option<u64>,
    /// Refusals: all of them, or with `-i` the new ones.
    fails: u64,
    incremental: bool,
}

impl Row<'_> {
    /// Share of the bound that refuses requests.
    fn nearness(&self) -> f64 {
        share(self.name, self.now.held, self.now.limit).unwrap_or(0.0)
    }
}

impl Choice {
    /// The lines of one VE.
    pub(super) fn rows<'a>(
        &self,
        bc: &'a Beancounter,
        relative: &Before,
        incremental: &Before,
    ) -> Vec<Row<'a>> {
        let row = |(name, now): &'a (String, Usage)| {
            let fails_before = incremental.of(bc.id, name, now).map(|u| u.failcnt);
            Row {
                name,
                now: *now,
                held_before: relative.of(bc.id, name, now).map(|u| u.held),
                fails: now.failcnt - fails_before.unwrap_or(0),
                incremental: fails_before.is_some(),
            }
        };
        let mut rows: Vec<Row<'_>> = bc.rows.iter().map(row).collect();
        if let Some((held, maxheld)) = self.trouble {
            let near = |r: &Row<'_>, value, most| {
                share(r.name, value, r.now.limit).is_some_and(|s| s > most)
            };
            rows.retain(|r| {
                r.fails > 0 || near(r, r.now.held, held) || near(r, r.now.maxheld, maxheld)
            });
        }
        if let Some(n) = self.top {
            rows.sort_by(|a, b| b.nearness().total_cmp(&a.nearness()));
            rows.truncate(n);
        }
        rows
    }

    /// The table of one VE.
    pub(super) fn table(
        &self,
        title: &str,
        id: u32,
        rows: &[Row<'_>],
        scan: Option<&Scan>,
    ) -> String {
        let columns = vec![
            Column::text(title, 14),
            Column::number("HELD", 9),
            Column::number("Bar%", 4),
            Column::number("Lim%", 4),
            Column::number("MAXH", 8).bar(),
            Column::number("Bar%", 4),
            Column::number("Lim%", 4),
            Column::number("BAR", 8).bar(),
            Column::number("LIM", 8),
            Column::number("FAIL", 6).bar(),
        ];
        let cells: Vec<Vec<String>> = rows.iter().map(|r| self.cells(r)).collect();
        let layout = Table::new(columns).fit(&cells);
        let mut text = layout.header() + "\n";
        for (row, cells) in rows.iter().zip(&cells) {
            let line = layout.line(cells);
            text.push_str(&match (self.color, row.fails > 0, row.nearness() > 0.8) {
                (true, true, _) => format!("\x1b[31m{line}\x1b[0m"),
                (true, false, true) => format!("\x1b[33m{line}\x1b[0m"),
                _ => line,
            });
            text.push('\n');
            let victims = scan.filter(|_| row.fails > 0);
            for task in victims.iter().flat_map(|s| s.of(id, row.name)) {
                text.push_str(&format!("  refused: {task}\n"));
            }
        }
        text
    }

    fn cells(&self, row: &Row<'_>) -> Vec<String> {
        let (name, u) = (row.name, &row.now);
        let amount = |value| self.amount(name, value);
        let held = match row.held_before {
            Some(was) => match u.held.cmp(&was) {
                std::cmp::Ordering::Less => format!("-{}", amount(was - u.held)),
                std::cmp::Ordering::Equal => "=".into(),
                std::cmp::Ordering::Greater => format!("+{}", amount(u.held - was)),
            },
            None => amount(u.held),
        };
        vec![
            name.to_string(),
            held,
            percent(name, u.held, u.barrier),
            percent(name, u.held, u.limit),
            amount(u.maxheld),
            percent(name, u.maxheld, u.barrier),
            percent(name, u.maxheld, u.limit),
            amount(u.barrier),
            amount(u.limit),
            match row.fails {
                0 => "-".into(),
                n => n.to_string(),
            },
        ]
    }

    fn amount(&self, name: &str, value: u64) -> String {
        match unit(name) {
            _ if value == 0 || value >= units::UNLIMITED => "-".into(),
            Unit::Bytes if !self.exact => units::human(value),
            Unit::Pages if !self.exact => units::human(value.saturating_mul(units::PAGE)),
            _ => value.to_string(),
        }
    }
}

/// Resources that a newer kernel adds count items.
fn unit(name: &str) -> Unit {
    params::by_resource_name(name)
        .and_then(|p| p.kind.unit())
        .unwrap_or(Unit::Count)
}

/// Share of a bound, `None` if there is no bound to speak of.
fn share(name: &str, value: u64, bound: u64) -> Option<f64> {
    let bounded = bound != 0 && !units::is_unlimited(bound, unit(name));
    bounded.then(|| value as f64 / bound as f64)
}

fn percent(name: &str, value: u64, bound: u64) -> String {
    match share(name, value, bound) {
        Some(s) if value > 0 => format!("{:.0}%", (s * 100.0).min(9999.0)),
        _ => "-".into(),
    }
}

/// One VE as an object.
pub(super) fn to_json(bc: &Beancounter, rows: &[Row<'_>], scan: Option<&Scan>) -> Value {
    let member = |row: &Row<'_>| {
        let mut value = row.now.to_json();
        if let Some(was) = row.held_before {
            value["held_before"] = json!(was);
        }
        if row.incremental {
            value["failcnt_new"] = json!(row.fails);
        }
        if let Some(scan) = scan.filter(|s| s.supported) {
            value["refused"] = scan.of(bc.id, row.name).map(|t| t.to_json()).collect();
        }
        (row.name.to_string(), value)
    };
    let members: serde_json::Map<String, Value> = rows.iter().map(member).collect();
    json!({ "veid": bc.id, "resources": members })
}
