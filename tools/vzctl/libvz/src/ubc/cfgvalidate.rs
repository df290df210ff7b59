// SPDX-License-Identifier: GPL-2.0
//! vzcfgvalidate: checks the limits in a configuration and repairs them.

use crate::cli;
use crate::cli::run::with_context;
use crate::config::File;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::ubc::rules;
use crate::ubc::rules::Class;
use crate::ubc::rules::Finding;
use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Command;
use serde_json::json;
use std::ffi::OsString;
use std::io::BufRead;
use std::io::IsTerminal;
use std::path::Path;

/// Repairs may uncover others; more rounds than rules are never needed.
const ROUNDS: usize = 32;

/// The command line.
#[must_use]
pub fn command() -> Command {
    cli::common(Command::new("vzcfgvalidate").about("Check the limits in a VE configuration"))
        .override_usage("vzcfgvalidate [OPTIONS] FILE")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("The configuration"),
        )
        .args([
            Arg::new("repair")
                .short('r')
                .action(ArgAction::SetTrue)
                .help("Repair what can be repaired"),
            Arg::new("ask")
                .short('i')
                .action(ArgAction::SetTrue)
                .conflicts_with("repair")
                .help("Ask before each repair"),
            Arg::new("vswap")
                .short('v')
                .value_name("yes|no")
                .value_parser(clap::builder::PossibleValuesParser::new(["yes", "no"]))
                .hide_possible_values(true)
                .help("Use the rules for RAM and swap, or for counters [default: as FILE is]"),
            Arg::new("modern")
                .long("modern")
                .action(ArgAction::SetTrue)
                .help("Assume the kernel memory that a current kernel needs"),
        ])
        .after_help(
            "Exit status: 0 good, 1 errors, 2 only warnings. Kernel memory is taken as 40 KiB \
             for a process and 384 bytes for a file, as it always was; with --modern as 96 KiB \
             and 1400 bytes.\n\nExample:\n  vzcfgvalidate /etc/vz/conf/101.conf",
        )
}

/// vzcfgvalidate from its command line to its exit status.
#[must_use]
pub fn main(argv: Vec<OsString>) -> u8 {
    let m = match cli::parse(command(), argv) {
        Ok(m) => m,
        Err(status) => return status,
    };
    with_context("vzcfgvalidate", "validate", &m, |ctx| match run(ctx, &m) {
        Ok(status) => status,
        Err(err) => {
            // Here 2 means warnings, so every failure is 1.
            ctx.out.finish("validate", None, Err(err)).min(1)
        }
    })
}

fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<u8> {
    let path = m.get_one::<String>("file").map_or("", String::as_str);
    let Some(mut file) = File::read(Path::new(path))? else {
        return Err(Error::new(Code::NoConfig, format!("cannot read {path}")).why("no such file"));
    };
    let vswap = m.get_one::<String>("vswap").map(|v| v == "yes");
    let sizes = if m.get_flag("modern") {
        rules::MODERN
    } else {
        rules::CLASSIC
    };
    let host = rules::host(&ctx.paths);
    let check = |file: &File| rules::check_with(file, host, sizes, vswap);
    let mut found = check(&file);
    if m.get_flag("ask") && !std::io::stdin().is_terminal() && !ctx.opts.yes {
        return Err(
            Error::new(Code::Usage, "cannot ask: stdin is not a terminal")
                .hint("vzcfgvalidate -r FILE"),
        );
    }
    let repaired = match m.get_flag("repair") || m.get_flag("ask") {
        true => repair(ctx, m, &mut file, &check)?,
        false => Vec::new(),
    };
    if !repaired.is_empty() {
        found = check(&file);
        if !ctx.opts.dry_run {
            file.save()?;
        }
    }
    report(ctx, &file, &found, &repaired);
    Ok(match found.iter().map(|f| f.class).min() {
        None => 0,
        Some(Class::Error) => 1,
        Some(Class::Warning) => 2,
    })
}

type Check<'a> = dyn Fn(&File) -> Vec<Finding> + 'a;

fn repair(
    ctx: &Ctx<'_>,
    m: &ArgMatches,
    file: &mut File,
    check: &Check<'_>,
) -> Result<Vec<Finding>> {
    let mut done: Vec<Finding> = Vec::new();
    let mut refused: Vec<String> = Vec::new();
    for _ in 0..ROUNDS {
        let open = check(file);
        let next = open
            .into_iter()
            .find(|f| !f.fix.is_empty() && !refused.contains(&f.text));
        let Some(finding) = next else { break };
        if m.get_flag("ask") && !ctx.opts.yes && !ask(ctx, &finding) {
            refused.push(finding.text);
            continue;
        }
        file.set(finding.name, &finding.fix)?;
        done.push(finding);
    }
    Ok(done)
}

fn ask(ctx: &Ctx<'_>, finding: &Finding) -> bool {
    ctx.out.note(&finding.text);
    ctx.out
        .note(&format!("set {}=\"{}\"? [y/N]", finding.name, finding.fix));
    let mut answer = String::new();
    drop(std::io::stdin().lock().read_line(&mut answer));
    matches!(answer.trim(), "y" | "Y" | "yes")
}

fn word(class: Class) -> &'static str {
    match class {
        Class::Error => "error",
        Class::Warning => "warning",
    }
}

fn report(ctx: &Ctx<'_>, file: &File, found: &[Finding], repaired: &[Finding]) {
    if ctx.out.json {
        let list = |all: &[Finding]| -> serde_json::Value {
            all.iter()
                .map(|f| {
                    json!({
                        "class": word(f.class), "parameter": f.name, "line": f.line,
                        "message": f.text, "fix": f.fix,
                    })
                })
                .collect()
        };
        let value = json!({
            "file": file.path(), "findings": list(found), "repaired": list(repaired),
        });
        ctx.out.print(&format!("{value}\n"));
        return;
    }
    for f in repaired {
        ctx.out
            .note(&format!("repaired: {} is now {}", f.name, f.fix));
    }
    for f in found {
        let place = f.line.map(|l| format!(":{l}")).unwrap_or_default();
        let sgr = if f.class == Class::Error { "31" } else { "33" };
        let class = ctx.out.paint(sgr, word(f.class));
        ctx.out.complain_plain(&format!(
            "{}{place}: {class}: {}",
            file.path().display(),
            f.text
        ));
        if !f.fix.is_empty() {
            ctx.out.note(&format!("  try: {}=\"{}\"", f.name, f.fix));
        }
    }
    if found.is_empty() && !ctx.out.quiet {
        ctx.out.print("Validation completed: success\n");
    }
}
