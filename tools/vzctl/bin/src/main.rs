// SPDX-License-Identifier: GPL-2.0
//! One executable for all vz commands, chosen by the name it is called by:
//! a link named vzlist runs vzlist, and so does `vz-tools vzlist`.

use libvz::cli;
use libvz::cli::Tool;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut argv: Vec<OsString> = std::env::args_os().collect();
    if find(argv.first()).is_none() && !argv.is_empty() {
        argv.remove(0);
    }
    let status = match find(argv.first()) {
        Some(tool) => (tool.run)(argv),
        None => tools(&argv),
    };
    ExitCode::from(status)
}

fn find(name: Option<&OsString>) -> Option<&'static Tool> {
    let name = Path::new(name?).file_name()?;
    cli::TOOLS.iter().find(|t| name == t.name)
}

/// Where tests can make a command fail or die, one `COMMAND STEP` per line;
/// those of the command "init" are in the new VE and can only fail.
fn fault_points(out: &libvz::output::Output) {
    let init: Vec<&str> = libvz::ve::init::Step::ALL.iter().map(|s| s.key()).collect();
    for (command, steps) in [
        ("create", libvz::ve::create::STEPS),
        ("start", libvz::ve::start::STEPS),
        ("init", init.as_slice()),
    ] {
        steps
            .iter()
            .for_each(|step| out.print(&format!("{command} {step}\n")));
    }
}

/// What is left for `vz-tools` itself: the files of the package.
fn tools(argv: &[OsString]) -> u8 {
    let words: Vec<&str> = argv.iter().filter_map(|a| a.to_str()).collect();
    let out = libvz::output::Output::new("vz-tools");
    match words.as_slice() {
        ["gen-man", dir] => match cli::man::generate(Path::new(dir)) {
            Ok(made) => {
                out.note(&format!("{} manual pages written to {dir}", made.len()));
                0
            }
            Err(err) => {
                out.error(&err);
                err.code().number()
            }
        },
        ["boot", ..] => libvz::ve::boot(argv.to_vec()),
        ["fault-points"] => {
            fault_points(&out);
            0
        }
        ["names"] => {
            cli::TOOLS
                .iter()
                .for_each(|t| out.print(&format!("{}\n", t.name)));
            0
        }
        _ => {
            let names: Vec<&str> = cli::TOOLS.iter().map(|t| t.name).collect();
            let err = libvz::Error::new(libvz::Code::Usage, "no command named")
                .why(format!(
                    "vz-tools is called through links named {}",
                    names.join(", ")
                ))
                .hint("vz-tools vzctl --help")
                .hint("vz-tools gen-man DIR");
            out.error(&err);
            err.code().number()
        }
    }
}
