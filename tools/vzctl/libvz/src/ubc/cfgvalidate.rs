// SPDX-License-Identifier: GPL-2.0
//! vzcfgvalidate: checks the limits in a configuration and repairs them.

use crate::cli;
use crate::cli::run::with_context;
use crate::config::File;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::node::Memory;
use crate::ubc::rules::Class;
use crate::ubc::rules::Finding;
use crate::ubc::rules::LEGACY;
use crate::ubc::rules::MODERN;
use crate::ubc::rules::Rules;
use crate::ubc::rules::Sizes;
use crate::ubc::rules::sizes;
use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Command;
use serde_json::json;
use std::ffi::OsString;
use std::io::BufRead;
use std::io::IsTerminal;
use std::path::Path;

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
            Arg::new("legacy")
                .long("legacy")
                .action(ArgAction::SetTrue)
                .help("Assume the kernel memory that kernels up to 2.6.32 needed"),
        ])
        .after_help(notes())
}

/// The sizes in the manual page are those in the code.
fn notes() -> String {
    let size = |s: Sizes| {
        let process = s.process / 1024;
        format!(
            "{process} KiB for a process and {} bytes for a file",
            s.file
        )
    };
    format!(
        "Each finding names the line and a value that mends it. Exit status: 0 good or only \
         advice, 1 errors, 2 only warnings; with -r and -i what is left after the repairs. \
         Kernel memory is taken as {} that is cached, which is what this kernel was measured to \
         need; with --legacy as {}. A socket needs {} bytes of buffers.\n\n\
         Examples:\n  vzcfgvalidate /etc/vz/conf/101.conf\n  vzcfgvalidate -i /etc/vz/conf/101.conf",
        size(MODERN),
        size(LEGACY),
        sizes::PER_SOCKET
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
        return Err(Error::new(Code::NoConfig, format!("cannot read {path}"))
            .why("no such file")
            .hint("ls /etc/vz/conf"));
    };
    let rules = Rules {
        sizes: if m.get_flag("legacy") { LEGACY } else { MODERN },
        simple: m.get_one::<String>("vswap").map(|v| v == "yes"),
        node: Memory::read(&ctx.paths).ok(),
    };
    let ask_first = m.get_flag("ask") && !ctx.opts.yes;
    if ask_first && !std::io::stdin().is_terminal() {
        return Err(
            Error::new(Code::Usage, "cannot ask: stdin is not a terminal")
                .why("each repair is a question")
                .hint("vzcfgvalidate -r FILE"),
        );
    }
    let repaired = match m.get_flag("repair") || m.get_flag("ask") {
        true => rules.repair(&mut file, |f| !ask_first || ask(ctx, f))?,
        false => Vec::new(),
    };
    if !repaired.is_empty() && !ctx.opts.dry_run {
        file.save()?;
    }
    let found = rules.check(&file);
    report(ctx, &file, &found, &repaired);
    Ok(match found.iter().map(|f| f.class).min() {
        Some(Class::Error) => 1,
        Some(Class::Warning) => 2,
        Some(Class::Advice) | None => 0,
    })
}

/// The line of the configuration that repairs it.
fn line(finding: &Finding) -> String {
    let fix = finding.fix.as_deref().unwrap_or_default();
    format!("{}=\"{fix}\"", finding.param.name)
}

fn ask(ctx: &Ctx<'_>, finding: &Finding) -> bool {
    ctx.out.note(&finding.text);
    ctx.out.note(&format!("set {}? [y/N]", line(finding)));
    let mut answer = String::new();
    drop(std::io::stdin().lock().read_line(&mut answer));
    matches!(answer.trim(), "y" | "Y" | "yes")
}

fn report(ctx: &Ctx<'_>, file: &File, found: &[Finding], repaired: &[Finding]) {
    if ctx.out.json {
        let list = |all: &[Finding]| -> serde_json::Value {
            all.iter()
                .map(|f| {
                    json!({
                        "class": f.class.word(), "parameter": f.param.name, "line": f.line,
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
        let done = if ctx.opts.dry_run {
            "would be"
        } else {
            "is now"
        };
        ctx.out.note(&format!(
            "{}: repaired, it {done} {}",
            f.param.name,
            line(f)
        ));
    }
    for f in found {
        let place = f.line.map(|l| format!(":{l}")).unwrap_or_default();
        let sgr = match f.class {
            Class::Error => "31",
            Class::Warning => "33",
            Class::Advice => "36",
        };
        let class = ctx.out.paint(sgr, f.class.word());
        ctx.out.complain_plain(&format!(
            "{}{place}: {class}: {}",
            file.path().display(),
            f.text
        ));
        if f.fix.is_some() {
            ctx.out.note(&format!("  try: {}", line(f)));
        }
    }
    if found.iter().all(|f| f.class == Class::Advice) && !ctx.out.quiet {
        ctx.out.print("Validation completed: success\n");
    }
}
