// SPDX-License-Identifier: GPL-2.0
//! vzsplit: a sample configuration that divides the node among equal VEs.

use super::memory::Memory;
use crate::cli;
use crate::cli::run::with_context;
use crate::config::File;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::output::Outcome;
use crate::params;
use crate::ubc::rules::MODERN;
use crate::ubc::rules::sizes;
use crate::units::PAGE;
use crate::units::Pair;
use crate::units::UNLIMITED;
use crate::units::Unit;
use clap::Arg;
use clap::ArgMatches;
use clap::Command;
use serde_json::json;
use std::ffi::OsString;

/// Pages in a MiB.
const MIB: u64 = (1 << 20) / PAGE;
/// RAM that is left to the node at least, in pages.
const RESERVE: u64 = 256 * MIB;
/// The least RAM that makes a VE, in pages.
const LEAST: u64 = sizes::LEAST_RAM / PAGE;

/// The command line.
#[must_use]
pub fn command() -> Command {
    cli::common(Command::new("vzsplit").about("Make a sample that divides the node into equal VEs"))
        .override_usage("vzsplit -n N [-f NAME] [-s KIB] [-v yes|no]")
        .args([
            Arg::new("number")
                .short('n')
                .value_name("N")
                .required(true)
                .value_parser(clap::value_parser!(u64).range(1..=100_000))
                .help("How many VEs are to share the node"),
            Arg::new("name")
                .short('f')
                .value_name("NAME")
                .help("Write /etc/vz/conf/ve-NAME.conf-sample [default: to stdout]"),
            Arg::new("swap")
                .short('s')
                .value_name("KIB")
                .value_parser(clap::value_parser!(u64).range(0..1 << 50))
                .help("Swap to divide, in KiB [default: the swap of this node]"),
            Arg::new("vswap")
                .short('v')
                .value_name("yes|no")
                .value_parser(clap::builder::PossibleValuesParser::new(["yes", "no"]))
                .hide_possible_values(true)
                .default_value("yes")
                .help("Set RAM and swap, or with no every counter on its own"),
        ])
        .after_help(
            "5 % of the RAM, at least 256 MiB, are left to the node. A VE gets as much swap as \
             twice its RAM, if its part of the swap is that large. The result passes \
             vzcfgvalidate and, for N running VEs, vzmemcheck. An existing sample is replaced \
             with --yes only.\n\nExamples:\n  vzsplit -n 20 -f twentieth\n  \
             vzctl create 101 --config twentieth",
        )
}

/// vzsplit from its command line to its exit status.
#[must_use]
pub fn main(argv: Vec<OsString>) -> u8 {
    let m = match cli::parse(command(), argv) {
        Ok(m) => m,
        Err(status) => return status,
    };
    with_context("vzsplit", "split", &m, |ctx| {
        let res = run(ctx, &m);
        ctx.out.finish("split", None, res)
    })
}

fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<Outcome> {
    let mut node = Memory::read(&ctx.paths)?;
    if let Some(kib) = m.get_one::<u64>("swap") {
        node.swap = kib * 1024 / PAGE;
    }
    let n = m.get_one::<u64>("number").copied().unwrap_or(1);
    let simple = m.get_one::<String>("vswap").is_none_or(|v| v == "yes");
    let (ram, swap) = divide(node, n)?;
    let (mode, values) = match simple {
        true => ("RAM and swap", self::simple(ram, swap)),
        false => ("every counter", classic(ram, swap)),
    };
    let text = sample(n, mode, &values);
    let name = m.get_one::<String>("name");
    let path = match name {
        Some(name) => ctx.paths.sample(cli::run::sample_name(name)?),
        None => "sample".into(),
    };
    let file = File::parse(&path, text.as_bytes())?;
    let parameters: serde_json::Map<String, serde_json::Value> = file
        .assignments()
        .map(|(name, value, _)| (name.to_string(), json!(value)))
        .collect();
    let outcome = |message: String| {
        let shown = name.map(|_| path.display().to_string());
        Outcome::done(message)
            .with("file", shown)
            .with("parameters", parameters)
    };
    if name.is_none() {
        if !ctx.out.json {
            ctx.out.print(&text);
        }
        return Ok(outcome(String::new()));
    }
    let shown = path.display();
    if path.exists() && !ctx.opts.yes {
        return Err(
            Error::new(Code::CopyConfig, format!("cannot write {shown}"))
                .why("there is a sample of that name")
                .hint("add --yes to replace it, or give another name to -f"),
        );
    }
    if ctx.opts.dry_run {
        return Ok(outcome(format!("{shown} would be written")));
    }
    file.save()?;
    Ok(outcome(format!("{shown} was written")))
}

/// RAM and swap of one VE, in pages.
fn divide(node: Memory, n: u64) -> Result<(u64, u64)> {
    let free = node.ram.saturating_sub(RESERVE.max(node.ram / 20));
    let ram = free / n / MIB * MIB;
    if ram < LEAST {
        let err = Error::new(
            Code::Resource,
            format!("cannot divide the node into {n} VEs"),
        )
        .why(format!(
            "each would get {} MiB of RAM, it takes {} to make a VE",
            free / n / MIB,
            LEAST / MIB
        ));
        return Err(match free / LEAST {
            0 => err,
            most => err.hint(format!("vzsplit -n {most}")),
        });
    }
    Ok((ram, (node.swap / n / MIB * MIB).min(2 * ram)))
}

/// Comment above the value, name, value.
type Value = (&'static str, &'static str, Pair);

fn simple(ram: u64, swap: u64) -> Vec<Value> {
    let zero_to = |limit| Pair { barrier: 0, limit };
    vec![
        ("Pages of 4096 bytes", "PHYSPAGES", zero_to(ram)),
        ("", "SWAPPAGES", zero_to(swap)),
    ]
}

/// A fifth of the RAM goes to kernel memory, what buffers leave is for
/// applications.
fn classic(ram: u64, swap: u64) -> Vec<Value> {
    let ram_bytes = ram * PAGE;
    let gap = |barrier: u64, gap: u64| Pair {
        barrier,
        limit: barrier + gap,
    };
    let guarantee = |barrier| Pair {
        barrier,
        limit: UNLIMITED,
    };
    let process = MODERN.process + sizes::FILES_PER_PROCESS * MODERN.file;
    let processes = (ram_bytes / 5 / process).clamp(20, 8000);
    let sockets = processes.clamp(20, 4000);
    let terminals = (processes / 10).clamp(4, 255);
    let files = (processes * sizes::FILES_PER_PROCESS).max(2 * sockets + terminals);
    let cache = files * MODERN.file;
    let kernel = processes * MODERN.process + cache;
    let room = sockets * sizes::PER_SOCKET;
    let tcp = gap(sizes::TCP_BUFFERS.max(room), room);
    let other = gap(sizes::OTHER_BUFFERS_GOOD.max(room), room);
    let datagrams = sizes::OTHER_BUFFERS_GOOD.max(room);
    let promised = kernel + kernel / 10 + 2 * tcp.limit + other.limit + datagrams;
    let rest = ram.saturating_sub(promised.div_ceil(PAGE));
    vec![
        ("Kernel memory, bytes", "KMEMSIZE", gap(kernel, kernel / 10)),
        ("", "DCACHESIZE", gap(cache - cache / 20, cache / 20)),
        (
            "Memory, pages of 4096 bytes",
            "LOCKEDPAGES",
            Pair::both(rest / 16),
        ),
        ("", "PRIVVMPAGES", gap(rest + swap, (rest + swap) / 16)),
        ("", "SHMPAGES", Pair::both(rest / 2)),
        ("", "PHYSPAGES", guarantee(0)),
        ("", "VMGUARPAGES", guarantee(rest + swap)),
        ("", "OOMGUARPAGES", guarantee(rest)),
        ("Items", "NUMPROC", Pair::both(2 * processes)),
        ("", "AVNUMPROC", Pair::both(processes)),
        ("", "NUMTCPSOCK", Pair::both(sockets)),
        ("", "NUMOTHERSOCK", Pair::both(sockets)),
        (
            "",
            "NUMFLOCK",
            gap(processes.max(100), processes.max(100) / 10),
        ),
        ("", "NUMPTY", Pair::both(terminals)),
        ("", "NUMSIGINFO", Pair::both((2 * processes).max(256))),
        ("", "NUMFILE", Pair::both(files)),
        ("", "NUMIPTENT", Pair::both(128)),
        ("Network buffers, bytes", "TCPSNDBUF", tcp),
        ("", "TCPRCVBUF", tcp),
        ("", "OTHERSOCKBUF", other),
        ("", "DGRAMRCVBUF", Pair::both(datagrams)),
    ]
}

fn sample(n: u64, mode: &str, values: &[Value]) -> String {
    let mut text =
        format!("# Made by vzsplit: {mode} for one of {n} equal VEs of a node.\n\nONBOOT=\"no\"\n");
    for (comment, name, pair) in values {
        if !comment.is_empty() {
            text.push_str(&format!("\n# {comment}\n"));
        }
        let pages = params::by_name(name).and_then(|p| p.kind.unit()) == Some(Unit::Pages);
        let value = match pages {
            true => pair.pages_to_config(),
            false => pair.to_config(),
        };
        text.push_str(&format!("{name}=\"{value}\"\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::Claim;
    use super::*;
    use crate::ubc::Beancounter;
    use crate::ubc::Usage;
    use crate::ubc::rules::Rules;
    use proptest::prelude::*;
    use std::path::Path;

    fn beancounter(values: &[Value], swap: u64) -> Beancounter {
        let mut bc = Beancounter {
            id: 101,
            rows: Vec::new(),
        };
        let both = Pair::both(swap);
        for (_, name, p) in values.iter().chain([&("", "SWAPPAGES", both)]) {
            let usage = Usage {
                barrier: p.barrier,
                limit: p.limit,
                ..Usage::default()
            };
            bc.rows.push((name.to_ascii_lowercase(), usage));
        }
        bc
    }

    proptest! {
        /// Every division validates, and all VEs together fit into the node.
        #[test]
        fn samples_are_good(ram in 300 * MIB..4_000_000 * MIB, swap in 0..8_000_000 * MIB, n in 1u64..2000) {
            let node = Memory { ram, swap, low: ram };
            let Ok((ram, swap)) = divide(node, n) else { return Ok(()) };
            for values in [simple(ram, swap), classic(ram, swap)] {
                let text = sample(n, "x", &values);
                let file = File::parse(Path::new("s"), text.as_bytes()).unwrap();
                prop_assert_eq!(Rules::new(Some(node)).check(&file), vec![]);
            }
            let bc = beancounter(&classic(ram, swap), UNLIMITED);
            let claim = Claim::new(&bc).unwrap().percent(node);
            for share in [claim.low_promised, claim.both_promised, claim.alloc_promised] {
                prop_assert!(share * n as f64 <= 100.0, "{share} {n}");
            }
        }
    }

    #[test]
    fn too_small_a_part_is_refused() {
        let node = Memory {
            ram: 512 * MIB,
            swap: 0,
            low: 512 * MIB,
        };
        assert_eq!(divide(node, 8).unwrap(), (32 * MIB, 0));
        let err = divide(node, 9).unwrap_err();
        assert_eq!(err.code(), Code::Resource);
        assert_eq!(err.hints(), ["vzsplit -n 8"]);
    }
}
