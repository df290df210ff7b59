// SPDX-License-Identifier: GPL-2.0
//! A configuration file as a list of lines. Lines that are not changed are
//! written back byte for byte.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::error::ResultExt;
use rustix::fs::Mode;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::path::PathBuf;

/// One line with its end of line, and the assignment on it, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    raw: Vec<u8>,
    assign: Option<Assign>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Assign {
    name: String,
    value: String,
    /// What follows the value: blanks and a comment, kept on rewriting.
    tail: String,
}

/// A parsed configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    path: PathBuf,
    lines: Vec<Line>,
}

impl File {
    /// No lines yet; `path` is for messages and [`File::save`].
    #[must_use]
    pub fn empty(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            lines: Vec::new(),
        }
    }

    /// Reads and parses. A missing file is `Ok(None)`.
    ///
    /// # Errors
    /// Cannot be read (3) or is broken (85).
    pub fn read(path: &Path) -> Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(bytes) => Self::parse(path, &bytes).map(Some),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).or_err(Code::System, || format!("cannot read {}", path.display())),
        }
    }

    /// Parses the content of a file.
    ///
    /// # Errors
    /// A line is broken (85); the text names file, line and column.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let mut lines = Vec::new();
        for (i, raw) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            let assign =
                parse_line(raw).map_err(|(col, why)| broken(path, i + 1, col, raw, why))?;
            lines.push(Line {
                raw: raw.to_vec(),
                assign,
            });
        }
        Ok(Self {
            path: path.to_path_buf(),
            lines,
        })
    }

    /// The file this was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the content another destination.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = path.into();
        self
    }

    /// Value of a parameter; the last line counts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|(_, a)| a.value.as_str())
    }

    /// Line number of a parameter, counted from 1.
    #[must_use]
    pub fn line_of(&self, name: &str) -> Option<usize> {
        self.find(name).map(|(i, _)| i + 1)
    }

    /// "set in FILE line N".
    #[must_use]
    pub fn origin(&self, name: &str) -> Option<String> {
        self.line_of(name)
            .map(|n| format!("set in {} line {n}", self.path.display()))
    }

    /// All assignments in the order of the file: name, value, line number.
    pub fn assignments(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        self.lines.iter().enumerate().filter_map(|(i, l)| {
            l.assign
                .as_ref()
                .map(|a| (a.name.as_str(), a.value.as_str(), i + 1))
        })
    }

    /// Sets a parameter where it stands, or on a new last line.
    ///
    /// # Errors
    /// The value cannot be written in one quoted line (21).
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let quoted = quote(name, value)?;
        if let Some((i, old)) = self.find(name) {
            if old.value == value {
                return Ok(());
            }
            let tail = old.tail.clone();
            let end = if self.lines[i].raw.ends_with(b"\n") {
                "\n"
            } else {
                ""
            };
            let raw = format!("{name}={quoted}{tail}{end}").into_bytes();
            let assign = Some(Assign {
                name: name.into(),
                value: value.into(),
                tail,
            });
            self.lines[i] = Line { raw, assign };
            return Ok(());
        }
        if let Some(last) = self.lines.last_mut() {
            if !last.raw.ends_with(b"\n") {
                last.raw.push(b'\n');
            }
        }
        self.lines.push(Line {
            raw: format!("{name}={quoted}\n").into_bytes(),
            assign: Some(Assign {
                name: name.into(),
                value: value.into(),
                tail: String::new(),
            }),
        });
        Ok(())
    }

    /// Removes every line that sets a parameter.
    pub fn unset(&mut self, name: &str) {
        self.lines
            .retain(|l| l.assign.as_ref().is_none_or(|a| a.name != name));
    }

    /// The bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.lines
            .iter()
            .flat_map(|l| l.raw.iter().copied())
            .collect()
    }

    /// Replaces the file atomically: new file, fsync, rename, fsync of the
    /// directory. A link is followed, so that `/etc` under version control
    /// or a shared directory keeps working.
    ///
    /// # Errors
    /// The file cannot be written (139).
    pub fn save(&self) -> Result<()> {
        let path = std::fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let failed = || format!("cannot save {}", path.display());
        let dir = path.parent().unwrap_or(Path::new("."));
        let mut tmp = tempfile::Builder::new()
            .prefix(".vzctl-")
            .tempfile_in(dir)
            .or_err(Code::SaveConfig, failed)?;
        tmp.write_all(&self.to_bytes())
            .or_err(Code::SaveConfig, failed)?;
        rustix::fs::fchmod(tmp.as_file().as_fd(), Mode::from_raw_mode(0o644))
            .or_err(Code::SaveConfig, failed)?;
        tmp.as_file().sync_all().or_err(Code::SaveConfig, failed)?;
        tmp.persist(&path)
            .map_err(|e| e.error)
            .or_err(Code::SaveConfig, failed)?;
        let dir = std::fs::File::open(dir).or_err(Code::SaveConfig, failed)?;
        dir.sync_all().or_err(Code::SaveConfig, failed)
    }

    fn find(&self, name: &str) -> Option<(usize, &Assign)> {
        self.lines
            .iter()
            .enumerate()
            .rev()
            .find_map(|(i, l)| l.assign.as_ref().filter(|a| a.name == name).map(|a| (i, a)))
    }
}

/// Puts a value in quotes that it does not contain.
fn quote(name: &str, value: &str) -> Result<String> {
    let bad = |why| Err(Error::new(Code::BadValue, format!("bad value for {name}")).why(why));
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return bad("control characters cannot be stored");
    }
    match (value.contains('"'), value.contains('\'')) {
        (false, _) => Ok(format!("\"{value}\"")),
        (true, false) => Ok(format!("'{value}'")),
        (true, true) => bad("both kinds of quotes in one value cannot be stored"),
    }
}

type Broken = (usize, &'static str);

/// Parses one line; an error carries the column, counted from 1 in bytes.
fn parse_line(raw: &[u8]) -> std::result::Result<Option<Assign>, Broken> {
    let line = raw.strip_suffix(b"\n").unwrap_or(raw);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let start = line.iter().position(|b| !matches!(b, b' ' | b'\t'));
    let Some(start) = start.filter(|s| line[*s] != b'#') else {
        return Ok(None);
    };
    let line = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(e) => return Err((e.valid_up_to() + 1, "not UTF-8 text")),
    };
    let body = &line[start..];
    let name_len = body
        .bytes()
        .position(|b| !(b.is_ascii_alphanumeric() || b == b'_'))
        .unwrap_or(body.len());
    if name_len == 0 || body.as_bytes()[0].is_ascii_digit() {
        return Err((start + 1, "expected NAME=\"value\""));
    }
    let (name, rest) = body.split_at(name_len);
    let Some(rest) = rest.strip_prefix('=') else {
        let why = if rest.trim_start().starts_with('=') {
            "no blanks are allowed around \"=\""
        } else {
            "expected \"=\" after the name"
        };
        return Err((start + name_len + 1, why));
    };
    let at = start + name_len + 2;
    let (value, tail) = parse_value(rest).map_err(|(col, why)| (at + col, why))?;
    Ok(Some(Assign {
        name: name.into(),
        value: value.into(),
        tail: tail.into(),
    }))
}

/// Splits what follows "=" into value and tail; columns are relative.
fn parse_value(rest: &str) -> std::result::Result<(&str, &str), Broken> {
    let (value, tail, used) = match rest.chars().next() {
        Some(q @ ('"' | '\'')) => {
            let inner = &rest[1..];
            let end = inner.find(q).ok_or((0, "the closing quote is missing"))?;
            (&inner[..end], &inner[end + 1..], end + 2)
        }
        Some(' ' | '\t') if !rest.trim().is_empty() && !rest.trim_start().starts_with('#') => {
            return Err((0, "no blanks are allowed around \"=\""));
        }
        _ => {
            let end = [" #", "\t#"]
                .iter()
                .filter_map(|c| rest.find(c))
                .min()
                .unwrap_or(rest.len());
            let value = rest[..end].trim_end();
            if let Some(i) = value.find(['"', '\'']) {
                return Err((i, "a quote inside a value that is not quoted"));
            }
            return Ok((value, &rest[value.len()..]));
        }
    };
    let after = tail.trim_start();
    if !after.is_empty() && !after.starts_with('#') {
        return Err((
            used + tail.len() - after.len(),
            "text after the closing quote",
        ));
    }
    Ok((value, tail))
}

/// `FILE:LINE:COLUMN: why` with the line and a marker below.
fn broken(path: &Path, line: usize, col: usize, raw: &[u8], why: &str) -> Error {
    let text = String::from_utf8_lossy(raw);
    let text: String = text
        .trim_end()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let lead = String::from_utf8_lossy(&raw[..(col - 1).min(raw.len())])
        .chars()
        .count();
    Error::new(Code::BadConfig, format!("{}:{line}:{col}", path.display()))
        .why(why)
        .at(format!("{text}\n  {:lead$}^", ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<File> {
        File::parse(Path::new("101.conf"), text.as_bytes())
    }

    #[test]
    fn forms_of_a_line() {
        let text = "# c\n\nA=\"x y\"\nB=1\nC='q\"q' # tail\n  D=\"\"\t\nE=a b # c\nF=a#b\r\nA=last";
        let file = parse(text).unwrap();
        for (name, value) in [
            ("A", "last"),
            ("B", "1"),
            ("C", "q\"q"),
            ("D", ""),
            ("E", "a b"),
            ("F", "a#b"),
        ] {
            assert_eq!(file.get(name), Some(value), "{name}");
        }
        assert_eq!(file.line_of("A"), Some(9));
        assert_eq!(file.to_bytes(), text.as_bytes());
    }

    #[test]
    fn nothing_is_run_or_replaced() {
        let file = parse("A=\"$(reboot) `x` $HOME \\n\"\n").unwrap();
        assert_eq!(file.get("A"), Some("$(reboot) `x` $HOME \\n"));
    }

    #[test]
    fn broken_lines_are_pointed_at() {
        for (text, place) in [
            ("A=\"x\n", "1:3"),
            ("\nA = \"x\"\n", "2:2"),
            ("A= 1\n", "1:3"),
            ("A=\"x\" y\n", "1:7"),
            ("  ?A=1\n", "1:3"),
            ("A\n", "1:2"),
            ("1A=1\n", "1:1"),
            ("A=x\"y\"\n", "1:4"),
        ] {
            let err = parse(text).unwrap_err();
            assert_eq!(err.code(), Code::BadConfig);
            assert!(
                err.message().starts_with(&format!("101.conf:{place}:")),
                "{text:?}: {err}"
            );
        }
        let err = parse("NUMPROC=\"1\nB=2\n").unwrap_err();
        assert_eq!(err.origin(), Some("NUMPROC=\"1\n          ^"));
    }

    #[test]
    fn other_lines_are_kept() {
        let mut file = parse("# top\nA=\"1\" # why\nX=odd\nA2=\"1\"").unwrap();
        file.set("A", "2").unwrap();
        file.set("NEW", "say \"hi\"").unwrap();
        assert_eq!(
            String::from_utf8(file.to_bytes()).unwrap(),
            "# top\nA=\"2\" # why\nX=odd\nA2=\"1\"\nNEW='say \"hi\"'\n"
        );
        file.unset("X");
        assert_eq!(file.get("X"), None);
        assert!(file.set("A", "a\nb").is_err());
        assert!(file.set("A", "'\"").is_err());
    }

    #[test]
    fn saving_is_atomic_and_readable() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("101.conf");
        let mut file = File::empty(&path);
        file.set("A", "1").unwrap();
        file.save().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "A=\"1\"\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(
            File::empty("/nonexistent-dir/x").save().unwrap_err().code(),
            Code::SaveConfig
        );
    }

    proptest! {
        #[test]
        fn any_file_that_parses_is_kept(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(file) = File::parse(Path::new("x"), &bytes) {
                prop_assert_eq!(file.to_bytes(), bytes);
            }
        }

        #[test]
        fn likely_files_are_kept(text in "([A-Z_]{1,3}=[\"']?[a-z$ #]{0,4}[\"']?|#[ -~]{0,5}|)(\r?\n([A-Z]{1,2}=\"[ -!#-~]{0,6}\")?){0,6}") {
            if let Ok(mut file) = parse(&text) {
                prop_assert_eq!(file.to_bytes(), text.as_bytes());
                let same: Vec<(String, String)> =
                    file.assignments().map(|(n, v, _)| (n.into(), v.into())).collect();
                for (name, _) in same {
                    let value = file.get(&name).map(str::to_string).unwrap();
                    file.set(&name, &value).unwrap();
                }
                prop_assert_eq!(file.to_bytes(), text.as_bytes());
            }
        }

        #[test]
        fn values_survive(value in "[^\\p{C}]{0,40}") {
            let mut file = parse("Z=1").unwrap();
            if file.set("A", &value).is_ok() {
                let again = File::parse(Path::new("x"), &file.to_bytes()).unwrap();
                prop_assert_eq!(again.get("A"), Some(value.as_str()));
                prop_assert_eq!(again.get("Z"), Some("1"));
            }
        }
    }
}
