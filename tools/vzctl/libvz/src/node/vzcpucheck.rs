// SPDX-License-Identifier: GPL-2.0
//! vzcpucheck: the CPU units that are promised, and what the node can give.

use crate::cli;
use crate::cli::run::with_context;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id::Veid;
use crate::paths::Paths;
use crate::table::Column;
use crate::table::Table;
use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Command;
use serde_json::Value;
use serde_json::json;
use std::ffi::OsString;

/// Units that one CPU can give: what a CPU of 2 GHz counted for when power was
/// reckoned from its speed.
const PER_CPU: u64 = 100_000;
/// Units per bogomips, as power was reckoned then.
const PER_BOGOMIPS: f64 = 25.0;
/// Units of a VE whose configuration names none.
const DEFAULT: u64 = 1000;

/// The command line.
#[must_use]
pub fn command() -> Command {
    cli::reading(
        Command::new("vzcpucheck").about("Show the CPU units of running VEs and of the node"),
    )
    .override_usage("vzcpucheck [-v]")
    .args([
        Arg::new("details")
            .short('v')
            .action(ArgAction::SetTrue)
            .help("Show the node and each running VE, not only the sum"),
        Arg::new("legacy-power")
            .long("legacy-power")
            .action(ArgAction::SetTrue)
            .help("Reckon the power from the bogomips of the CPUs, 25 units each"),
    ])
    .after_help(format!(
        "The node and each running VE count with their units: VE0CPUUNITS of vz.conf, CPUUNITS of \
         the VE's configuration, {DEFAULT} if that has none. The power of the node is {PER_CPU} \
         units for each CPU that is online. While the units do not exceed the power, each VE gets \
         at least its units' part of it. This version stores units and reckons with them; it \
         does not divide CPU time by them yet. Exit status: 0, or 1 if the units exceed the \
         power.\n\n\
         Examples:\n  vzcpucheck -v\n  vzcpucheck --json"
    ))
}

/// vzcpucheck from its command line to its exit status.
#[must_use]
pub fn main(argv: Vec<OsString>) -> u8 {
    let m = match cli::parse(command(), argv) {
        Ok(m) => m,
        Err(status) => return status,
    };
    with_context("vzcpucheck", "cpucheck", &m, |ctx| match run(ctx, &m) {
        Ok(status) => status,
        Err(err) => ctx.out.finish("cpucheck", None, Err(err)),
    })
}

fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<u8> {
    ctx.kernel.check()?;
    let cpus = Cpus::read(&ctx.paths)?;
    let power = match m.get_flag("legacy-power") {
        true => (cpus.bogomips * PER_BOGOMIPS) as u64,
        false => cpus.online * PER_CPU,
    };
    let units = units(ctx)?;
    let sum = units.iter().fold(0_u64, |n, (_, u)| n.saturating_add(*u));
    if ctx.out.json {
        let ves: Vec<Value> = units
            .iter()
            .map(|(id, units)| json!({ "veid": id, "cpuunits": units }))
            .collect();
        let value = json!({
            "cpus": cpus.online, "power": power, "cpuunits": sum, "over": sum > power, "ves": ves,
        });
        ctx.out.print(&format!("{value:#}\n"));
    } else {
        let mut text = String::new();
        if m.get_flag("details") {
            let rows: Vec<Vec<String>> = units
                .iter()
                .map(|(id, units)| vec![id.to_string(), units.to_string()])
                .collect();
            let layout = vec![Column::number("CTID", 10), Column::number("CPUUNITS", 10)];
            text = Table::new(layout).fit(&rows).render(&rows);
        }
        text.push_str(&format!("Current CPU utilization: {sum}\n"));
        text.push_str(&format!("Power of the node: {power}\n"));
        ctx.out.print(&text);
        if sum > power {
            ctx.out.warn(&format!(
                "{sum} units are promised, the node has {power}: VEs get less than their units say"
            ));
        }
    }
    Ok(u8::from(sum > power))
}

/// The node, then the running VEs with their units.
fn units(ctx: &Ctx<'_>) -> Result<Vec<(u32, u64)>> {
    let mut all = vec![(0, ctx.paths.global().number("VE0CPUUNITS"))];
    for info in ctx.kernel.list()?.iter().filter(|v| v.state.is_up()) {
        all.push((info.id.get(), units_of(ctx, info.id)?));
    }
    Ok(all)
}

fn units_of(ctx: &Ctx<'_>, id: Veid) -> Result<u64> {
    match ctx.config(id) {
        Ok(conf) => Ok(conf.number("CPUUNITS")?.unwrap_or(DEFAULT)),
        // It was started by other means than vzctl.
        Err(err) if err.code() == Code::NoConfig => Ok(DEFAULT),
        Err(err) => Err(err),
    }
}

/// What `/proc/cpuinfo` says.
struct Cpus {
    online: u64,
    bogomips: f64,
}

impl Cpus {
    fn read(paths: &Paths) -> Result<Self> {
        let path = paths.proc("cpuinfo");
        let failed = || "cannot find out how many CPUs the node has";
        let text = std::fs::read_to_string(&path)
            .or_err(Code::System, || format!("cannot read {}", path.display()))
            .map_err(|e| e.context(failed()).hint("mount -t proc proc /proc"))?;
        let mut cpus = Self {
            online: 0,
            bogomips: 0.0,
        };
        for (key, value) in text.lines().filter_map(|l| l.split_once(':')) {
            match key.trim() {
                "processor" => cpus.online += 1,
                "bogomips" => cpus.bogomips += value.trim().parse().unwrap_or(0.0),
                _ => {}
            }
        }
        if cpus.online == 0 {
            return Err(Error::new(Code::System, failed())
                .why(format!("{} has no line processor", path.display()))
                .hint("grep processor /proc/cpuinfo"));
        }
        Ok(cpus)
    }
}
