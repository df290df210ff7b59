// SPDX-License-Identifier: GPL-2.0
//! vzlist: one line per VE.

mod fields;
mod rows;
mod veinfo;

pub use fields::Field;
pub use fields::all as all_fields;
pub use rows::configured;
pub use veinfo::Entry;
pub use veinfo::parse as parse_veinfo;

use crate::cli;
use crate::cli::run::with_context;
use crate::ctx::Ctx;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::id;
use crate::id::Veid;
use crate::names::nearest;
use crate::status::State;
use crate::table::Table;
use clap::Arg;
use clap::ArgAction;
use clap::ArgMatches;
use clap::Command;
use fields::Cell;
use rows::Row;
use serde_json::Map;
use serde_json::Value;
use std::cmp::Ordering;
use std::ffi::OsString;

const DEFAULT: &str = "ctid,numproc,status,ip,hostname";

/// The command line.
#[must_use]
pub fn command() -> Command {
    let flag = |id: &'static str, short: char, help: &'static str| {
        Arg::new(id)
            .short(short)
            .long(id)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    let value = |id: &'static str, short: char, name: &'static str, help: &'static str| {
        Arg::new(id)
            .short(short)
            .long(id)
            .value_name(name)
            .help(help)
    };
    cli::reading(Command::new("vzlist").about("List VEs"))
        // -h is for host names, as it always was.
        .mut_arg("help", |a| a.short(None))
        .override_usage("vzlist [OPTIONS] [ID|NAME...]")
        .arg(
            Arg::new("ids")
                .value_name("ID|NAME")
                .num_args(0..)
                .help("Only these VEs"),
        )
        .args([
            flag("all", 'a', "All VEs, not only the running ones"),
            flag("stopped", 'S', "Only VEs that do not run"),
            flag(
                "name",
                'n',
                "Show names in place of ids, where there are names",
            ),
            flag("no-header", 'H', "No header line"),
            flag("no-trim", 't', "Do not cut long values"),
            Arg::new("json-short")
                .short('j')
                .action(ArgAction::SetTrue)
                .help("As --json"),
            value("output", 'o', "FIELD[,...]", "Show these fields, see -L")
                .allow_hyphen_values(true),
            Arg::new("ids-only")
                .short('1')
                .action(ArgAction::SetTrue)
                .help("As -H -o ctid"),
            value("sort", 's', "[-]FIELD", "Sort by a field; - reverses").allow_hyphen_values(true),
            value("hostname", 'h', "PATTERN", "Only VEs with such a host name"),
            value("name-filter", 'N', "PATTERN", "Only VEs with such a name"),
            value(
                "description",
                'd',
                "PATTERN",
                "Only VEs with such a description",
            ),
            Arg::new("filter")
                .long("filter")
                .value_name("FIELD=PATTERN[,...]")
                .help("Only VEs whose fields match; != excludes"),
            flag("list", 'L', "List the fields and exit"),
        ])
        .after_help(
            "In patterns, * and ? stand for any text and any character.\n\n\
             Examples:\n  vzlist -a\n  vzlist -a -o ctid,name,status,physpages,physpages.l\n  \
             vzlist -H -o ctid -s -numproc | head -3\n  vzlist -a --json | jq '.[].hostname'",
        )
}

/// vzlist from its command line to its exit status.
#[must_use]
pub fn main(argv: Vec<OsString>) -> u8 {
    let m = match cli::parse(command(), argv) {
        Ok(m) => m,
        Err(status) => return status,
    };
    if m.get_flag("list") {
        let lines: String = fields::all()
            .iter()
            .map(|f| format!("{:<16} {}\n", f.name, f.header))
            .collect();
        crate::output::Output::new("vzlist").print(&lines);
        return 0;
    }
    with_context("vzlist", "list", &m, |ctx| match run(ctx, &m) {
        Ok(status) => status,
        Err(err) => ctx.out.finish("list", None, Err(err)),
    })
}

fn run(ctx: &Ctx<'_>, m: &ArgMatches) -> Result<u8> {
    let json = ctx.out.json || m.get_flag("json-short");
    let columns = columns(m, json)?;
    let mut status = 0;
    let mut all = rows::gather(ctx);
    if let Some(wanted) = m.get_many::<String>("ids") {
        let mut ids = Vec::new();
        for text in wanted {
            match id::resolve(&ctx.paths, text) {
                Ok(id) if all.iter().any(|r| r.id == id) => ids.push(id),
                found => {
                    let why = match found {
                        Ok(id) => format!("VE {id} does not exist"),
                        Err(err) => err.message(),
                    };
                    ctx.out.complain(&why);
                    status = 1;
                }
            }
        }
        all.retain(|r| ids.contains(&r.id));
    } else if m.get_flag("stopped") {
        all.retain(|r| r.state != State::Running);
    } else if !m.get_flag("all") {
        all.retain(|r| r.is_up());
    }
    for (arg, field) in [
        ("hostname", "hostname"),
        ("name-filter", "name"),
        ("description", "description"),
    ] {
        if let Some(pattern) = m.get_one::<String>(arg) {
            let field = fields::find(field)?;
            all.retain(|r| glob(pattern, &field.text(r)));
        }
    }
    if let Some(text) = m.get_one::<String>("filter") {
        let filter = Filter::parse(text)?;
        all.retain(|r| filter.matches(r));
    }
    if let Some(key) = m.get_one::<String>("sort") {
        sort(&mut all, key)?;
    }
    let text = if json {
        let list: Vec<Value> = all.iter().map(|r| object(&columns, r)).collect();
        format!("{:#}\n", Value::Array(list))
    } else {
        table(ctx, m, &columns, &all)
    };
    ctx.out.print(&text);
    Ok(status)
}

fn columns(m: &ArgMatches, json: bool) -> Result<Vec<Field>> {
    let text = match m.get_one::<String>("output") {
        Some(text) => text.as_str(),
        None if m.get_flag("ids-only") => "ctid",
        None if json => return Ok(fields::all().into_iter().filter(Field::is_whole).collect()),
        None => DEFAULT,
    };
    let mut columns = Vec::new();
    for name in text.split(',').filter(|n| !n.is_empty()) {
        columns.push(fields::find(name)?);
    }
    if columns.is_empty() {
        return Err(Error::new(Code::BadValue, "no field is named").hint("vzlist -L"));
    }
    if m.get_flag("name") {
        let smart = fields::find("smart_name")?;
        match columns.iter_mut().find(|c| c.name == "ctid") {
            Some(ctid) => *ctid = smart,
            None => columns.insert(0, smart),
        }
    }
    Ok(columns)
}

fn table(ctx: &Ctx<'_>, m: &ArgMatches, columns: &[Field], rows: &[Row]) -> String {
    let mut layout = Table::new(columns.iter().map(Field::column).collect());
    if !m.get_flag("no-trim") {
        layout = layout.cut();
    }
    let mut text = String::new();
    if !m.get_flag("no-header") && !m.get_flag("ids-only") && !rows.is_empty() {
        text = layout.header() + "\n";
    }
    for row in rows {
        let cells: Vec<String> = columns.iter().map(|c| c.text(row)).collect();
        let mut shown = layout.line(&cells);
        if ctx.out.color_data() {
            let sgr = match row.state {
                State::Running => "32",
                State::Between(_) => "33",
                _ => "2",
            };
            let word = row.state.word();
            if columns.iter().any(|c| c.name == "status") {
                shown = shown.replacen(word, &format!("\x1b[{sgr}m{word}\x1b[0m"), 1);
            }
        }
        text.push_str(&shown);
        text.push('\n');
    }
    text
}

fn object(columns: &[Field], row: &Row) -> Value {
    let members: Map<String, Value> = columns
        .iter()
        .map(|c| (c.name.clone(), c.json(row)))
        .collect();
    Value::Object(members)
}

fn sort(rows: &mut [Row], key: &str) -> Result<()> {
    let (name, reverse) = match key.strip_prefix('-') {
        Some(name) => (name, true),
        None => (key, false),
    };
    let field = fields::find(name)?;
    rows.sort_by(|a, b| {
        let order = compare(&field.cell(a), &field.cell(b));
        if reverse { order.reverse() } else { order }
    });
    Ok(())
}

fn compare(a: &Cell, b: &Cell) -> Ordering {
    match (a.number(), b.number()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.to_string().cmp(&b.to_string()),
    }
}

/// `FIELD=PATTERN[,...]`; all of them must match.
struct Filter(Vec<(Field, bool, String)>);

impl Filter {
    fn parse(text: &str) -> Result<Self> {
        let mut all = Vec::new();
        for item in text.split(',') {
            let Some((name, pattern)) = item.split_once('=') else {
                return Err(Error::new(Code::BadValue, format!("bad filter \"{item}\""))
                    .why("it must be FIELD=PATTERN or FIELD!=PATTERN"));
            };
            let (name, wanted) = match name.strip_suffix('!') {
                Some(name) => (name, false),
                None => (name, true),
            };
            all.push((fields::find(name)?, wanted, pattern.to_string()));
        }
        Ok(Self(all))
    }

    fn matches(&self, row: &Row) -> bool {
        self.0
            .iter()
            .all(|(f, wanted, pattern)| glob(pattern, &f.text(row)) == *wanted)
    }
}

/// VEs that match a `--filter` of vzctl.
///
/// # Errors
/// The filter is bad (21).
pub fn filter(ctx: &Ctx<'_>, text: &str) -> Result<Vec<Veid>> {
    let filter = Filter::parse(text)?;
    Ok(rows::gather(ctx)
        .iter()
        .filter(|r| filter.matches(r))
        .map(|r| r.id)
        .collect())
}

/// Whether a text matches a pattern with `*` and `?`.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut i, mut j) = (0, 0);
    // Where the last "*" stood and what it has swallowed so far.
    let mut star: Option<(usize, usize)> = None;
    while j < t.len() {
        if i < p.len() && p[i] == '*' {
            star = Some((i, j));
            i += 1;
        } else if i < p.len() && (p[i] == '?' || p[i] == t[j]) {
            i += 1;
            j += 1;
        } else if let Some((at, eaten)) = star {
            star = Some((at, eaten + 1));
            i = at + 1;
            j = eaten + 1;
        } else {
            return false;
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

/// The error for a field that does not exist.
fn no_field(name: &str) -> Error {
    let names: Vec<String> = fields::all().into_iter().map(|f| f.name).collect();
    let near = nearest(name, &names);
    let err = Error::new(Code::BadValue, format!("there is no field \"{name}\"")).hint("vzlist -L");
    match near.is_empty() {
        true => err,
        false => err.why(format!("did you mean {}?", near.join(" or "))),
    }
}

#[cfg(test)]
mod tests {
    use super::glob;
    use proptest::prelude::*;

    #[test]
    fn globs() {
        for (p, t) in [
            ("web*", "web1"),
            ("*", ""),
            ("w?b*1", "webxx1"),
            ("a*b*c", "aXbYbZc"),
        ] {
            assert!(glob(p, t), "{p} {t}");
        }
        for (p, t) in [("web", "web1"), ("?", ""), ("a*b", "abc"), ("", "x")] {
            assert!(!glob(p, t), "{p} {t}");
        }
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_and_stars(text in "[a-c]{0,8}", cut in 0usize..8) {
            prop_assert!(glob(&text, &text));
            let cut = cut.min(text.len());
            let (head, tail) = (format!("{}*", &text[..cut]), format!("*{}", &text[cut..]));
            prop_assert!(glob(&head, &text));
            prop_assert!(glob(&tail, &text));
        }
    }
}
