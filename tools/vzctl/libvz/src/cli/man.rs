// SPDX-License-Identifier: GPL-2.0
//! Manual pages, made from the command lines and the parameter table.

use crate::cli;
use crate::cli::options;
use crate::config;
use crate::error::Code;
use crate::error::Result;
use crate::error::ResultExt;
use crate::list;
use crate::params;
use crate::params::Group;
use crate::params::Support;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::Roff;
use clap_mangen::roff::bold;
use clap_mangen::roff::italic;
use clap_mangen::roff::roman;
use std::path::Path;

/// Writes all pages into a directory; returns their names.
///
/// # Errors
/// A page cannot be written (3).
pub fn generate(dir: &Path) -> Result<Vec<String>> {
    let mut made = Vec::new();
    let mut write = |name: String, bytes: Vec<u8>| -> Result<()> {
        let path = dir.join(&name);
        std::fs::write(&path, bytes)
            .or_err(Code::System, || format!("cannot write {}", path.display()))?;
        made.push(name);
        Ok(())
    };
    std::fs::create_dir_all(dir)
        .or_err(Code::System, || format!("cannot make {}", dir.display()))?;
    for mut cmd in cli::tools() {
        cmd.build();
        let name = cmd.get_name().to_string();
        write(format!("{name}.8"), page(&cmd, &name))?;
        for sub in cmd.get_subcommands().filter(|s| !s.is_hide_set()) {
            let full = format!("{name}-{}", sub.get_name());
            write(format!("{full}.8"), page(sub, &full))?;
        }
    }
    write("vz.conf.5".into(), vz_conf())?;
    write("ctid.conf.5".into(), ctid_conf())?;
    Ok(made)
}

fn page(cmd: &Command, name: &str) -> Vec<u8> {
    let mut cmd = cmd.clone().name(name.to_string()).version(cli::VERSION);
    let sub = name.contains('-');
    if sub {
        // They are explained once, in the page of the tool.
        cmd = cmd.mut_args(|a| if a.is_global_set() { a.hide(true) } else { a });
    }
    let usage = cmd.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim().to_string();
    let after = cmd
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    let about = cmd.get_about().map(ToString::to_string).unwrap_or_default();
    let cmd = cmd.about(lower_first(&about)).after_help("");
    let source = format!("vzctl {}", cli::VERSION);
    let man = Man::new(cmd.clone())
        .title(name.to_uppercase())
        .section("8")
        .source(source);
    let mut bytes = Vec::new();
    let mut out = Roff::new();
    out.control("SH", ["SYNOPSIS"]);
    out.text([roman(usage)]);
    // Writing to memory does not fail.
    drop(man.render_title(&mut bytes));
    drop(man.render_name_section(&mut bytes));
    drop(out.to_writer(&mut bytes));
    drop(man.render_options_section(&mut bytes));
    if cmd.has_subcommands() {
        drop(man.render_subcommands_section(&mut bytes));
    }
    let mut end = Roff::new();
    closing(&mut end, &after);
    match name {
        "vzctl" => exit_status(&mut end),
        "vzlist" => fields(&mut end),
        _ => {}
    }
    end.control("SH", ["SEE ALSO"]);
    if sub {
        end.text([roman(
            "Global options and exit status are explained in vzctl(8).",
        )]);
        end.control("PP", []);
    }
    let tools: Vec<String> = cli::TOOLS
        .iter()
        .map(|t| format!("{}(8)", t.name))
        .collect();
    end.text([roman(format!(
        "{}, vz.conf(5), ctid.conf(5)",
        tools.join(", ")
    ))]);
    drop(end.to_writer(&mut bytes));
    bytes
}

/// What follows the options in the help: notes, then examples.
fn closing(page: &mut Roff, text: &str) {
    let (notes, examples) = match text.find("Example") {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    if !notes.trim().is_empty() {
        page.control("SH", ["NOTES"]);
        page.text([roman(notes.trim())]);
    }
    if examples.is_empty() {
        return;
    }
    page.control("SH", ["EXAMPLES"]);
    page.control("nf", []);
    for line in examples
        .lines()
        .skip(1)
        .map(str::trim)
        .filter(|l| !l.is_empty())
    {
        page.text([roman(line)]);
    }
    page.control("fi", []);
}

fn samples(page: &mut Roff) {
    page.control("SH", ["SAMPLES"]);
    page.text([roman(
        "A file ve-NAME.conf-sample beside the configurations is what vzctl create --config NAME \
         begins with and what vzctl set --applyconfig NAME takes over. With each of those that \
         are shipped a Debian 13 with sshd, cron, rsyslog and Apache starts without a refusal.",
    )]);
    for (name, text) in config::SHIPPED {
        page.control("TP", []);
        page.text([bold(name)]);
        page.text([roman(text)]);
    }
}

/// Descriptions in NAME sections begin in lower case, abbreviations aside.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(c) => c.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn fields(page: &mut Roff) {
    page.control("SH", ["FIELDS"]);
    page.text([roman(
        "Beancounters have five fields each: what is held, and with the suffixes .m .b .l .f the \
         most that was held, barrier, limit and refusals.",
    )]);
    page.control("PP", []);
    let names: Vec<String> = list::all_fields()
        .into_iter()
        .map(|f| f.name)
        .filter(|n| !n.contains('.'))
        .collect();
    page.text([roman(format!("{}.", names.join(", ")))]);
}

fn exit_status(page: &mut Roff) {
    page.control("SH", ["EXIT STATUS"]);
    for code in Code::ALL {
        page.control("TP", ["8"]);
        page.text([bold(code.number().to_string())]);
        page.text([
            roman(code.text()),
            roman(" ("),
            roman(code.symbol()),
            roman(")"),
        ]);
    }
}

fn head(title: &str, name: &str, about: &str) -> Roff {
    let mut page = Roff::new();
    page.control("TH", [title, "5", "", &format!("vzctl {}", cli::VERSION)]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - {about}"))]);
    page
}

const SYNTAX: &str = "Each line is NAME=\"value\". There are no blanks around the equals sign; the \
    quotes may be left out or be single ones. A line that begins with # is a comment. The file is \
    never run by a shell: only $VEID is replaced, and only in directories. Names that are not known \
    are kept and ignored. A line that is none of these is an error, reported with its line and \
    column.";

fn vz_conf() -> Vec<u8> {
    let mut page = head("VZ.CONF", "vz.conf", "parameters of the node");
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "The file /etc/vz/vz.conf holds what concerns the whole node.",
    )]);
    page.control("PP", []);
    page.text([roman(SYNTAX)]);
    for (used, title) in [(true, "PARAMETERS"), (false, "ACCEPTED AND IGNORED")] {
        page.control("SH", [title]);
        for p in params::GLOBALS.iter().filter(|p| p.used == used) {
            page.control("TP", []);
            page.text([bold(p.name)]);
            page.text([roman(format!("{}.", p.help))]);
            if !p.default.is_empty() {
                page.text([roman("Default: "), italic(p.default)]);
            }
        }
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([roman("vzctl(8), ctid.conf(5)")]);
    page.render().into_bytes()
}

fn ctid_conf() -> Vec<u8> {
    let mut page = head("CTID.CONF", "ctid.conf", "parameters of one VE");
    page.control("SH", ["DESCRIPTION"]);
    page.text([roman(
        "The file /etc/vz/conf/ID.conf holds the parameters of VE ID. It is best changed with \
         vzctl set --save, which keeps comments, order and unknown lines.",
    )]);
    page.control("PP", []);
    page.text([roman(SYNTAX)]);
    page.control("PP", []);
    page.text([roman(
        "Sizes take the suffixes B, K, M, G, T (powers of 1024) and P (pages of 4096 bytes). A \
         pair is BARRIER:LIMIT; one value sets both. unlimited is the largest value.",
    )]);
    for group in [
        Group::General,
        Group::Memory,
        Group::Ubc,
        Group::Access,
        Group::Cpu,
        Group::Disk,
        Group::Network,
    ] {
        let all = params::TABLE
            .iter()
            .filter(|p| p.group == group && p.is_stored());
        page.control("SH", [group.title().to_uppercase().as_str()]);
        for p in all {
            page.control("TP", []);
            page.text([bold(p.name)]);
            let option = match p.support {
                Support::Full if !p.option.is_empty() => format!(" Option --{}.", p.option),
                Support::Full => String::new(),
                Support::Kept(..) => " Kept, not acted upon by this version.".to_string(),
            };
            page.text([roman(format!("{}.{option}", options::help(p)))]);
            if !p.refused.is_empty() {
                page.text([roman(format!("When it is refused: {}.", p.refused))]);
            }
        }
    }
    samples(&mut page);
    page.control("SH", ["SEE ALSO"]);
    page.text([roman(
        "vzctl(8), vzctl-set(8), vzcfgvalidate(8), vz.conf(5)",
    )]);
    page.render().into_bytes()
}
