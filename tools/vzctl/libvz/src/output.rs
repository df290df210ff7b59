// SPDX-License-Identifier: GPL-2.0
//! The console: data on stdout, everything else on stderr.

use crate::error::Code;
use crate::error::Error;
use crate::id::Veid;
use crate::json;
use std::cell::RefCell;
use std::io::IsTerminal;
use std::io::Write;

/// Answer to `--color` and `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// Only if stderr is a terminal.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

/// What a command achieved.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// One sentence in the past tense; empty for commands that print data.
    pub message: String,
    /// Members of `data` in the JSON envelope.
    pub data: serde_json::Map<String, serde_json::Value>,
    /// Exit status, if it is not 0 although nothing failed (exec2).
    pub status: u8,
}

impl Outcome {
    /// Success with a sentence: "VE 101 was started".
    #[must_use]
    pub fn done(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            data: serde_json::Map::new(),
            status: 0,
        }
    }

    /// Success without a sentence.
    #[must_use]
    pub fn silent() -> Self {
        Self::done("")
    }

    /// Adds a member to the JSON data.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.data.insert(key.to_string(), value.into());
        self
    }

    /// Sets the exit status.
    #[must_use]
    pub fn exit(mut self, status: u8) -> Self {
        self.status = status;
        self
    }
}

/// Output settings and the warnings given so far.
#[derive(Debug)]
pub struct Output {
    /// Name of the tool, in front of messages.
    pub tool: &'static str,
    /// `--quiet`: errors only.
    pub quiet: bool,
    /// How often `--verbose` was given.
    pub verbose: u8,
    /// `--json`: one object or array on stdout.
    pub json: bool,
    color: bool,
    color_data: bool,
    progress: bool,
    warnings: RefCell<Vec<String>>,
}

impl Output {
    /// Settles `auto` by looking at stderr and `NO_COLOR`.
    #[must_use]
    pub fn new(tool: &'static str) -> Self {
        Self {
            tool,
            quiet: false,
            verbose: 0,
            json: false,
            color: decide_color(When::Auto, std::io::stderr().is_terminal()),
            color_data: decide_color(When::Auto, std::io::stdout().is_terminal()),
            progress: std::io::stderr().is_terminal(),
            warnings: RefCell::new(Vec::new()),
        }
    }

    /// Applies `--color`.
    pub fn set_color(&mut self, when: When) {
        self.color = decide_color(when, std::io::stderr().is_terminal());
        self.color_data = decide_color(when, std::io::stdout().is_terminal());
    }

    /// Applies `--progress`.
    pub fn set_progress(&mut self, when: When) {
        self.progress = match when {
            When::Auto => std::io::stderr().is_terminal(),
            When::Always => true,
            When::Never => false,
        };
    }

    /// Whether progress bars may be drawn.
    #[must_use]
    pub fn progress(&self) -> bool {
        self.progress && !self.quiet
    }

    /// Whether tables on stdout may be coloured.
    #[must_use]
    pub fn color_data(&self) -> bool {
        self.color_data
    }

    /// Whether messages on stderr may be coloured.
    #[must_use]
    pub fn color(&self) -> bool {
        self.color
    }

    /// A note on stderr; silent with `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.line(text);
        }
    }

    /// A detail on stderr, shown with at least `level` times `--verbose`.
    pub fn detail(&self, level: u8, text: &str) {
        if self.verbose >= level && !self.quiet {
            self.line(text);
        }
    }

    /// A warning: on stderr, and in the JSON envelope.
    pub fn warn(&self, text: &str) {
        self.warnings.borrow_mut().push(text.to_string());
        if !self.quiet {
            let head = self.paint("33", "warning:");
            self.line(&format!("{}: {head} {text}", self.tool));
        }
    }

    /// Ends an acting command: prints the sentence or the JSON object and
    /// returns the exit status.
    #[must_use]
    pub fn finish(&self, command: &str, id: Option<Veid>, res: Result<Outcome, Error>) -> u8 {
        let warnings = self.warnings.take();
        if self.json {
            let value = json::envelope(command, id, &res, &warnings);
            self.print(&format!("{value}\n"));
        }
        match res {
            Ok(done) => {
                if !self.json && !self.quiet && !done.message.is_empty() {
                    self.print(&format!("{}\n", done.message));
                }
                done.status
            }
            Err(err) => {
                if !self.json {
                    self.error(&err);
                }
                err.code().number()
            }
        }
    }

    /// Prints an error on stderr, even with `--quiet`.
    pub fn error(&self, err: &Error) {
        let text = err.to_string();
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let mut all = format!("{}: {}", self.tool, self.paint("31", first));
        if !rest.is_empty() {
            all.push('\n');
            all.push_str(rest);
        }
        self.line(&all);
    }

    /// A failure of one of several items, without an exit code.
    pub fn complain(&self, text: &str) {
        self.line(&format!("{}: {}", self.tool, self.paint("31", text)));
    }

    /// A finding on stderr, as it is, even with `--quiet`.
    pub fn complain_plain(&self, text: &str) {
        self.line(text);
    }

    /// Data on stdout. A reader that went away is not an error.
    pub fn print(&self, text: &str) {
        // Nothing can be told to anyone if stdout is gone.
        let _ = self.try_print(text);
    }

    /// As [`Output::print`], for commands that go on until nobody reads:
    /// `false` once the reader has gone away.
    #[must_use]
    pub fn try_print(&self, text: &str) -> bool {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .is_ok()
    }

    /// Wraps text in a colour if colour is on; `sgr` is the escape's number.
    #[must_use]
    pub fn paint(&self, sgr: &str, text: &str) -> String {
        if self.color {
            format!("\x1b[{sgr}m{text}\x1b[0m")
        } else {
            text.to_string()
        }
    }

    fn line(&self, text: &str) {
        let mut err = std::io::stderr().lock();
        drop(writeln!(err, "{text}"));
    }
}

fn decide_color(when: When, terminal: bool) -> bool {
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            let off = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
                || std::env::var_os("TERM").is_some_and(|t| t == "dumb");
            !off && terminal
        }
    }
}

/// Symbolic name for the envelope: `null` for success.
#[must_use]
pub fn symbol(code: Code) -> Option<&'static str> {
    (code != Code::Ok).then(|| code.symbol())
}
