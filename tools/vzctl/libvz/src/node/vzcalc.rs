// SPDX-License-Identifier: GPL-2.0
//! vzcalc: the share of the node that one VE uses, is promised and may take.

use super::claim;
use super::claim::Claim;
use super::memory;
use super::memory::Memory;
use crate::cli;
use crate::cli::run::with_context;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::id;
use crate::id::Veid;
use crate::table::Column;
use crate::table::Table;
use crate::ubc;
use crate::ubc::Beancounter;
use crate::ubc::Usage;
use crate::units;
use crate::units::Unit;
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
    cli::reading(
        Command::new("vzcalc").about("Show the share of the node that a VE uses and may use"),
    )
    .override_usage("vzcalc [-v] ID|NAME")
    .arg(
        Arg::new("id")
            .value_name("ID|NAME")
            .required(true)
            .help("The VE; one that is stopped has its configured limits and uses nothing"),
    )
    .arg(
        Arg::new("details")
            .short('v')
            .action(ArgAction::SetTrue)
            .help("Show each kind of memory and the processes, not only the largest share"),
    )
    .after_help(
        "All numbers are per cent of what the node has. Current is what the VE uses now, Promised \
         what it will get when it asks for it, Max the most it may take. \"unlimited\" is a share \
         that no limit bounds, n/a one that the resource does not have. Kernel memory is kmemsize \
         and the four kinds of network buffers together; where RAM and swap are set it is part of \
         the RAM.\n\nExample:\n  vzcalc -v 101",
    )
}

/// vzcalc from its command line to its exit status.
#[must_use]
pub fn main(argv: Vec<OsString>) -> u8 {
    let m = match cli::parse(command(), argv) {
        Ok(m) => m,
        Err(status) => return status,
    };
    with_context("vzcalc", "calc", &m, |ctx| match run(ctx, &m) {
        Ok(text) => {
            ctx.out.print(&text);
            0
        }
        Err(err) => ctx.out.finish("calc", None, Err(err)),
    })
}

/// One line: per cent now, promised, at most.
struct Row {
    name: &'static str,
    key: &'static str,
    shares: [Option<f64>; 3],
}

fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<String> {
    let text = m.get_one::<String>("id").map_or("", String::as_str);
    let id = id::resolve(&ctx.paths, text)?;
    if id.is_node() {
        return Err(Error::new(Code::BadValue, "VE 0 is the hardware node")
            .why("its share of itself is everything")
            .hint("vzmemcheck -v"));
    }
    let bc = counters(ctx, id)?;
    let rows = rows(
        &bc,
        Memory::read(&ctx.paths)?,
        memory::threads_max(&ctx.paths)?,
    )?;
    let most = most(&rows);
    if ctx.out.json {
        return Ok(format!("{:#}\n", to_json(id, &rows, &most)));
    }
    let table = Table::new(vec![
        Column::text("Resource", 10),
        Column::number("Current(%)", 10),
        Column::number("Promised(%)", 11),
        Column::number("Max(%)", 9),
    ]);
    let mut shown: Vec<Vec<String>> = Vec::new();
    if m.get_flag("details") {
        shown.extend(rows.iter().map(cells));
    }
    shown.push(cells(&most));
    Ok(table.render(&shown))
}

/// What the kernel counts, or what it would begin with.
fn counters(ctx: &Ctx<'_>, id: Veid) -> Result<Beancounter> {
    let all = ubc::read(&ctx.paths)?.unwrap_or_default();
    if let Some(live) = all.into_iter().find(|b| b.id == id.get()) {
        return Ok(live);
    }
    let rows = ctx.config(id)?.limits()?;
    let idle = |l: &crate::config::Limit| Usage {
        barrier: l.pair.barrier,
        limit: l.pair.limit,
        ..Usage::default()
    };
    Ok(Beancounter {
        id: id.get(),
        rows: rows
            .iter()
            .map(|l| (l.param.option.to_string(), idle(l)))
            .collect(),
    })
}

fn rows(bc: &Beancounter, node: Memory, threads: u64) -> Result<Vec<Row>> {
    let c = Claim::new(bc)?.percent(node);
    // Without a limit of its own, RAM is not a resource that has a maximum.
    let simple = |max: f64| max.is_finite().then_some(max);
    let tasks = bc.get("numproc").unwrap_or_default();
    let share = |n: u64| match units::is_unlimited(n, Unit::Count) {
        true => f64::INFINITY,
        false => n as f64 / threads as f64 * 100.0,
    };
    let row = |name, key, shares| Row { name, key, shares };
    Ok(vec![
        row(
            "Low Mem",
            "low",
            [Some(c.low_used), Some(c.low_promised), Some(c.low_promised)],
        ),
        row(
            "Total RAM",
            "ram",
            [Some(c.ram_used), None, simple(c.ram_max)],
        ),
        row(
            "Mem + Swap",
            "memswap",
            [Some(c.both_used), Some(c.both_promised), simple(c.both_max)],
        ),
        row(
            "Alloc. Mem",
            "alloc",
            [
                Some(c.alloc_used),
                Some(c.alloc_promised),
                Some(c.alloc_max),
            ],
        ),
        row(
            "Num. Proc",
            "numproc",
            [Some(share(tasks.held)), None, Some(share(tasks.barrier))],
        ),
    ])
}

/// The largest share of each column.
fn most(rows: &[Row]) -> Row {
    let column = |i: usize| {
        rows.iter()
            .filter_map(|r| r.shares.get(i).copied().flatten())
            .reduce(f64::max)
    };
    Row {
        name: "Largest",
        key: "largest",
        shares: [column(0), column(1), column(2)],
    }
}

fn cells(row: &Row) -> Vec<String> {
    let shares = row
        .shares
        .iter()
        .map(|s| s.map_or("n/a".to_string(), claim::percent));
    std::iter::once(row.name.to_string())
        .chain(shares)
        .collect()
}

fn to_json(id: Veid, rows: &[Row], most: &Row) -> Value {
    let member = |row: &Row| {
        let [current, promised, max] = row.shares.map(|s| s.map(claim::to_json));
        (
            row.key.to_string(),
            json!({ "current": current, "promised": promised, "max": max }),
        )
    };
    let members: serde_json::Map<_, _> = rows.iter().chain([most]).map(member).collect();
    json!({ "veid": id.get(), "percent": members })
}
