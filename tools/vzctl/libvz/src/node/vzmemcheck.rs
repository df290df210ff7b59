// SPDX-License-Identifier: GPL-2.0
//! vzmemcheck: what all running VEs use and are promised of the node's memory.

use super::claim;
use super::claim::Claim;
use super::memory::Memory;
use crate::cli;
use crate::cli::run::with_context;
use crate::ctx::Ctx;
use crate::error::Result;
use crate::table::Column;
use crate::table::Table;
use crate::ubc;
use crate::units;
use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Command;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsString;

/// The columns: two lines of heading, key in JSON.
const COLUMNS: [(&str, &str, &str); 8] = [
    ("LowMem", "util", "lowmem_util"),
    ("LowMem", "commit", "lowmem_commit"),
    ("RAM", "util", "ram_util"),
    ("MemSwap", "util", "memswap_util"),
    ("MemSwap", "commit", "memswap_commit"),
    ("Alloc", "util", "alloc_util"),
    ("Alloc", "commit", "alloc_commit"),
    ("Alloc", "limit", "alloc_limit"),
];

/// The command line.
#[must_use]
pub fn command() -> Command {
    cli::reading(
        Command::new("vzmemcheck").about("Show how much of the node's memory VEs use and may use"),
    )
    .override_usage("vzmemcheck [-v] [-A]")
    .args([
        Arg::new("details")
            .short('v')
            .action(ArgAction::SetTrue)
            .help("Show each VE, not only the sum"),
        Arg::new("absolute")
            .short('A')
            .action(ArgAction::SetTrue)
            .help("Show sizes instead of per cent of what the node has"),
    ])
    .after_help(
        "LowMem is kernel memory and network buffers, MemSwap RAM and swap, Alloc address space. \
         util is what is in use, commit what is promised, limit the most that may be taken. Exit \
         status: 0, or 1 if more than 100 % is in use or promised; a limit may be above that.\n\n\
         Examples:\n  vzmemcheck -v\n  vzmemcheck -A",
    )
}

/// vzmemcheck from its command line to its exit status.
#[must_use]
pub fn main(argv: Vec<OsString>) -> u8 {
    let m = match cli::parse(command(), argv) {
        Ok(m) => m,
        Err(status) => return status,
    };
    with_context("vzmemcheck", "memcheck", &m, |ctx| match run(ctx, &m) {
        Ok(status) => status,
        Err(err) => ctx.out.finish("memcheck", None, Err(err)),
    })
}

fn columns(c: &Claim) -> [f64; 8] {
    [
        c.low_used,
        c.low_promised,
        c.ram_used,
        c.both_used,
        c.both_promised,
        c.alloc_used,
        c.alloc_promised,
        c.alloc_max,
    ]
}

fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<u8> {
    let node = Memory::read(&ctx.paths)?;
    let mut all = ubc::read(&ctx.paths)?.ok_or_else(crate::kernel::absent)?;
    all.retain(|b| b.id != 0);
    all.sort_by_key(|b| b.id);
    let mut claims = Vec::new();
    for bc in &all {
        claims.push((bc.id, Claim::new(bc)?));
    }
    let sum = claims
        .iter()
        .fold(Claim::default(), |sum, (_, c)| sum.zip(*c, |a, b| a + b));
    // The last column is a limit, which may well be above what there is.
    let shares = columns(&sum.percent(node));
    let over: Vec<usize> = (0..COLUMNS.len() - 1)
        .filter(|i| shares.get(*i).is_some_and(|s| *s > 100.0))
        .collect();
    if ctx.out.json {
        ctx.out
            .print(&format!("{:#}\n", to_json(node, &claims, &sum, &over)));
    } else {
        ctx.out.print(&table(m, node, &claims, &sum));
        for i in &over {
            let (what, kind, _) = COLUMNS[*i];
            let kind = if kind == "util" { "in use" } else { "promised" };
            ctx.out.warn(&match shares[*i].is_finite() {
                true => format!(
                    "{what}: {} % of the node's is {kind}",
                    claim::percent(shares[*i])
                ),
                false => format!("{what}: no limit bounds what is {kind}, see vzmemcheck -v"),
            });
        }
    }
    Ok(u8::from(!over.is_empty()))
}

fn table(m: &ArgMatches, node: Memory, claims: &[(u32, Claim)], sum: &Claim) -> String {
    let absolute = m.get_flag("absolute");
    let row = |name: String, c: &Claim| {
        let cells = match absolute {
            true => columns(c).map(size),
            false => columns(&c.percent(node)).map(claim::percent),
        };
        std::iter::once(name).chain(cells).collect::<Vec<String>>()
    };
    let mut layout = vec![Column::text("veid", 10)];
    layout.extend(COLUMNS.iter().map(|(what, _, _)| Column::number(*what, 9)));
    let mut rows = vec![
        std::iter::once(String::new())
            .chain(COLUMNS.iter().map(|(_, kind, _)| (*kind).to_string()))
            .collect(),
    ];
    if m.get_flag("details") {
        rows.extend(claims.iter().map(|(id, c)| row(id.to_string(), c)));
    }
    rows.push(row("Summary:".into(), sum));
    if absolute {
        rows.push(row("Node:".into(), &Claim::of_node(node)));
    }
    Table::new(layout).fit(&rows).render(&rows)
}

fn size(bytes: f64) -> String {
    match bytes.is_finite() {
        true => units::human(bytes as u64),
        false => "unlimited".into(),
    }
}

fn to_json(node: Memory, claims: &[(u32, Claim)], sum: &Claim, over: &[usize]) -> Value {
    let members = |c: &Claim| -> Value {
        let (sizes, shares) = (columns(c), columns(&c.percent(node)));
        let pair = |i: usize| {
            let bytes = match sizes[i].is_finite() {
                true => json!(sizes[i] as u64),
                false => json!("unlimited"),
            };
            let value = json!({ "bytes": bytes, "percent": claim::to_json(shares[i]) });
            (COLUMNS[i].2.to_string(), value)
        };
        Value::Object((0..COLUMNS.len()).map(pair).collect())
    };
    let ves: Vec<Value> = claims
        .iter()
        .map(|(id, c)| json!({ "veid": id, "claims": members(c) }))
        .collect();
    let over: Vec<&str> = over.iter().map(|i| COLUMNS[*i].2).collect();
    json!({
        "node": {
            "ram": node.ram * units::PAGE, "swap": node.swap * units::PAGE,
            "low": node.low * units::PAGE,
        },
        "ves": ves, "sum": members(sum), "over": over,
    })
}
