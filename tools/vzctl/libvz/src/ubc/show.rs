// SPDX-License-Identifier: GPL-2.0
//! vzubc: beancounters for people, in units they can read.

use crate::cli;
use crate::cli::run::with_context;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use crate::id;
use crate::ubc;
use crate::ubc::Beancounter;
use crate::ubc::before::Before;
use crate::ubc::lines;
use crate::ubc::lines::Choice;
use crate::ubc::refusal;
use crate::undo;
use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Command;
use serde_json::Value;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::time::Duration;
use std::time::Instant;

/// Two-letter options of old, which only look like two options.
const OLD: [(&str, &str); 6] = [
    ("-qh", "--quiet-held"),
    ("-qm", "--quiet-maxheld"),
    ("-rc", "--relative-clear"),
    ("-rd", "--relative-dir"),
    ("-ic", "--incremental-clear"),
    ("-id", "--incremental-dir"),
];

/// How often `-w` shows the table.
const PERIOD: Duration = Duration::from_secs(2);

fn flag(id: &'static str, short: char, help: &'static str) -> Arg {
    Arg::new(id)
        .short(short)
        .long(id)
        .action(ArgAction::SetTrue)
        .help(help)
}

fn fraction(id: &'static str, default: &'static str, help: &'static str) -> Arg {
    Arg::new(id)
        .long(id)
        .value_name("FRACTION")
        .value_parser(|text: &str| match text.parse::<f64>() {
            Ok(f) if (0.0..=1000.0).contains(&f) => Ok(f),
            _ => Err("it must be a number such as 0.8".to_string()),
        })
        .default_value(default)
        .help(help)
}

fn clear(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).action(ArgAction::SetTrue).help(help)
}

fn dir(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).value_name("DIR").help(help)
}

/// The command line.
#[must_use]
pub fn command() -> Command {
    cli::reading(Command::new("vzubc").about("Show what VEs use and may use"))
        .override_usage("vzubc [OPTIONS] [ID|NAME...]")
        .arg(
            Arg::new("ids")
                .value_name("ID|NAME")
                .num_args(0..)
                .help("Only these; 0 is the node"),
        )
        .args([
            flag("watch", 'w', "Show again every two seconds, until Ctrl-C"),
            flag(
                "trouble",
                'q',
                "Only resources near their limit, or with refusals",
            ),
            fraction(
                "quiet-held",
                "0.5",
                "With -q: how much held of the limit is near; also -qh",
            ),
            fraction(
                "quiet-maxheld",
                "0.8",
                "With -q: the same for maxheld; also -qm",
            ),
            flag(
                "relative",
                'r',
                "Show by how much held changed since the last call with -r",
            ),
            clear("relative-clear", "Forget the last call with -r; also -rc"),
            dir(
                "relative-dir",
                "Where that call is kept [default: /var/lib/vzctl/vzubc]; also -rd",
            ),
            flag(
                "incremental",
                'i',
                "Count only refusals since the last call with -i",
            ),
            clear(
                "incremental-clear",
                "Forget the last call with -i; also -ic",
            ),
            dir(
                "incremental-dir",
                "Where that call is kept [default: /var/lib/vzctl/vzubc]; also -id",
            ),
            Arg::new("color-old")
                .short('c')
                .action(ArgAction::SetTrue)
                .help("As --color always"),
            Arg::new("exact")
                .short('v')
                .action(ArgAction::SetTrue)
                .help("Show numbers as the kernel counts them: bytes, pages, items"),
            Arg::new("file")
                .short('f')
                .long("file")
                .value_name("FILE")
                .help("Read a saved /proc/user_beancounters; - is stdin"),
            Arg::new("top")
                .long("top")
                .value_name("N")
                .value_parser(clap::value_parser!(u32).range(1..))
                .help("Only the N resources of each VE that are nearest to their limit"),
            Arg::new("why")
                .long("why")
                .action(ArgAction::SetTrue)
                .conflicts_with("file")
                .help("Below each resource with refusals, name the processes that were refused"),
        ])
        .after_help(
            "HELD is what is in use, MAXH the most that ever was, BAR and LIM are barrier and \
             limit, FAIL counts refusals; the shares behind HELD and MAXH are of barrier and \
             limit. \"-\" stands for unlimited or zero. Sizes are in bytes with K, M, G, pages \
             count as 4096 bytes.\n\n\
             Examples:\n  vzubc 101\n  vzubc -q -qh 0.9\n  vzubc --top 3 --why\n  vzubc -i -q",
        )
}

/// vzubc from its command line to its exit status.
#[must_use]
pub fn main(argv: Vec<OsString>) -> u8 {
    let argv = argv
        .into_iter()
        .map(|a| {
            OLD.iter()
                .find(|(old, _)| a == *old)
                .map_or(a, |(_, new)| OsString::from(new))
        })
        .collect();
    let m = match cli::parse(command(), argv) {
        Ok(m) => m,
        Err(status) => return status,
    };
    with_context("vzubc", "ubc", &m, |ctx| match show(ctx, &m) {
        Ok(()) => 0,
        Err(err) => ctx.out.finish("ubc", None, Err(err)),
    })
}

fn show(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<()> {
    if !m.get_flag("watch") {
        ctx.out.print(&run(ctx, m)?);
        return Ok(());
    }
    undo::catch_interrupts();
    let screen = std::io::stdout().is_terminal();
    while !undo::interrupted() {
        let text = run(ctx, m)?;
        let text = if screen {
            format!("\x1b[H\x1b[2J{text}")
        } else {
            text
        };
        if !ctx.out.try_print(&text) {
            break;
        }
        let end = Instant::now() + PERIOD;
        while Instant::now() < end && !undo::interrupted() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<String> {
    let all = chosen(ctx, m)?;
    let relative = Before::take(ctx, m, "relative", &all)?;
    let incremental = Before::take(ctx, m, "incremental", &all)?;
    let scan = m.get_flag("why").then(|| refusal::scan(&ctx.paths));
    if scan.as_ref().is_some_and(|s| !s.supported)
        && all
            .iter()
            .any(|b| b.rows.iter().any(|(_, u)| u.failcnt > 0))
    {
        ctx.out.warn(refusal::UNSUPPORTED);
    }
    let choice = Choice {
        trouble: m.get_flag("trouble").then(|| {
            let fraction = |n: &str| m.get_one::<f64>(n).copied().unwrap_or(1.0);
            (fraction("quiet-held"), fraction("quiet-maxheld"))
        }),
        top: m.get_one::<u32>("top").map(|n| *n as usize),
        exact: m.get_flag("exact"),
        color: m.get_flag("color-old") || ctx.out.color_data(),
    };
    let mut tables = Vec::new();
    let mut list = Vec::new();
    for bc in &all {
        let rows = choice.rows(bc, &relative, &incremental);
        if rows.is_empty() && choice.trouble.is_some() {
            continue;
        }
        match ctx.out.json {
            true => list.push(lines::to_json(bc, &rows, scan.as_ref())),
            false => tables.push(choice.table(&title(ctx, bc), bc.id, &rows, scan.as_ref())),
        }
    }
    Ok(match ctx.out.json {
        true => format!("{:#}\n", Value::Array(list)),
        false => tables.join("\n"),
    })
}

fn title(ctx: &Ctx<'_>, bc: &Beancounter) -> String {
    match crate::Veid::new(bc.id) {
        Some(id) if id.is_node() => "node (0)".to_string(),
        Some(id) => ctx.label(id),
        None => format!("UB {}", bc.id),
    }
}

/// The beancounters the command line asks for.
fn chosen(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<Vec<Beancounter>> {
    let mut all = read(ctx, m)?;
    let Some(wanted) = m.get_many::<String>("ids") else {
        all.sort_by_key(|b| b.id);
        return Ok(all);
    };
    let file = m.get_one::<String>("file");
    let of = |text: &String| {
        let id = id::resolve(&ctx.paths, text)?;
        let found = ubc::of(ctx, &all, id).cloned();
        // Whether the VE exists or runs now says nothing about a file.
        found.map_err(|err| match file {
            Some(file) => Error::new(Code::BadValue, format!("cannot show VE {id}"))
                .why(format!("{file} has no lines of it")),
            None => err,
        })
    };
    wanted.map(of).collect()
}

fn read(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<Vec<Beancounter>> {
    let Some(file) = m.get_one::<String>("file") else {
        let all = ubc::read(&ctx.paths)?;
        return all.ok_or_else(crate::kernel::absent);
    };
    let failed = || format!("cannot read {file}");
    let text = match file.as_str() {
        "-" => std::io::read_to_string(std::io::stdin()),
        path => std::fs::read_to_string(path),
    };
    let text = text.or_err(Code::System, failed)?;
    ubc::parse(&text).map_err(|e| {
        Error::new(Code::BadValue, failed())
            .why(e)
            .hint("cat /proc/user_beancounters > FILE")
    })
}
