// SPDX-License-Identifier: GPL-2.0
//! Errors of vzpkg, which has exit codes of its own.

use crate::error::Code;
use crate::error::Error;
use std::fmt;

/// Why vzpkg failed. Numbers are an interface to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fail {
    /// No such VE.
    NoVe = 16,
    /// Another vzpkg works on the template.
    Locked = 21,
    /// Newer packages are available.
    NotUpToDate = 22,
    /// The template has no cache.
    NotCached = 23,
    /// No such recipe.
    NotFound = 24,
    /// The cache exists already.
    Exists = 29,
    /// Bad argument or recipe.
    BadArgument = 35,
    /// Fetching packages failed.
    Fetch = 52,
    /// The package manager failed.
    Manager = 70,
    /// Interrupted.
    Interrupted = 175,
}

impl Fail {
    /// Symbolic name as printed in messages.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Fail::NoVe => "VZPKG_NO_VE",
            Fail::Locked => "VZPKG_LOCKED",
            Fail::NotUpToDate => "VZPKG_NOT_UP_TO_DATE",
            Fail::NotCached => "VZPKG_NOT_CACHED",
            Fail::NotFound => "VZPKG_NOT_FOUND",
            Fail::Exists => "VZPKG_CACHE_EXISTS",
            Fail::BadArgument => "VZPKG_BAD_ARGUMENT",
            Fail::Fetch => "VZPKG_FETCH_FAILED",
            Fail::Manager => "VZPKG_MANAGER_FAILED",
            Fail::Interrupted => "VZPKG_INTERRUPTED",
        }
    }

    /// Exit status.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// A failure of vzpkg, in the three parts of [`Error`].
#[derive(Debug)]
pub struct Failure {
    /// Its exit code.
    pub kind: Fail,
    text: Error,
}

impl Failure {
    /// `what` names the object.
    #[must_use]
    pub fn new(kind: Fail, what: impl Into<String>) -> Self {
        Self {
            kind,
            text: Error::new(Code::System, what),
        }
    }

    /// The reason, in words.
    #[must_use]
    pub fn why(mut self, why: impl fmt::Display) -> Self {
        self.text = self.text.why(why);
        self
    }

    /// Something to type.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.text = self.text.hint(hint);
        self
    }

    /// First line without the code.
    #[must_use]
    pub fn message(&self) -> String {
        self.text.message()
    }

    /// What to do.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        self.text.hints()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (symbol, number) = (self.kind.symbol(), self.kind.number());
        write!(f, "{}  [{symbol}, {number}]", self.message())?;
        for hint in self.hints() {
            write!(f, "\n  try: {hint}")?;
        }
        Ok(())
    }
}

/// For commands that build a template on the way.
impl From<Failure> for Error {
    fn from(fail: Failure) -> Self {
        match fail.kind {
            Fail::Interrupted => fail.text.with_code(Code::Interrupted),
            _ => fail.text,
        }
    }
}

/// Errors of the library, in a step that is the node's own.
impl From<Error> for Failure {
    fn from(err: Error) -> Self {
        let kind = match err.code() {
            Code::NoConfig => Fail::NoVe,
            Code::Locked => Fail::Locked,
            Code::Interrupted => Fail::Interrupted,
            Code::Usage | Code::BadValue => Fail::BadArgument,
            _ => Fail::Manager,
        };
        Self { kind, text: err }
    }
}
