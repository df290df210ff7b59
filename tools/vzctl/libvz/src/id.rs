// SPDX-License-Identifier: GPL-2.0
//! Identifiers of VEs: a number, or a name that stands for one.

use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::names;
use crate::paths::Paths;
use std::fmt;

/// Largest identifier of a VE.
pub const MAX: u32 = 2_147_483_644;
/// Largest identifier kept back for the system.
pub const RESERVED: u32 = 100;

/// Identifier of a VE, 1 to [`MAX`], or 0 for the hardware node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Veid(u32);

impl Veid {
    /// The hardware node.
    pub const NODE: Veid = Veid(0);

    /// `None` if the number is above [`MAX`].
    #[must_use]
    pub fn new(id: u32) -> Option<Self> {
        (id <= MAX).then_some(Self(id))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// Whether this is the hardware node.
    #[must_use]
    pub fn is_node(self) -> bool {
        self.0 == 0
    }

    /// Whether `create` refuses the number without `--force-reserved`.
    #[must_use]
    pub fn is_reserved(self) -> bool {
        self.0 <= RESERVED
    }

    /// Parses a decimal number; a name is not looked up.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if digits {
            text.parse().ok().and_then(Self::new)
        } else {
            None
        }
    }
}

impl fmt::Display for Veid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Finds the VE a person means by a number or a name.
///
/// # Errors
/// Bad number (21) or unknown name (14, with the nearest names).
pub fn resolve(paths: &Paths, text: &str) -> Result<Veid> {
    if let Some(id) = Veid::parse(text) {
        return Ok(id);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Error::new(Code::BadValue, format!("bad VE id \"{text}\""))
            .why(format!("an id is a number from 1 to {MAX}")));
    }
    if let Some(id) = names::lookup(paths, text)? {
        return Ok(id);
    }
    let mut err = Error::new(Code::NoConfig, format!("no VE is named \"{text}\""));
    let near = names::similar(paths, text);
    if near.is_empty() {
        err = err.hint("vzlist -a -n");
    } else {
        err = err.why(format!("did you mean {}?", near.join(" or ")));
    }
    Err(err)
}

/// The smallest id from 101 on that no configuration, private area or lock uses.
///
/// # Errors
/// All ids are taken (44).
pub fn next_free(paths: &Paths) -> Result<Veid> {
    for id in RESERVED + 1..=MAX {
        let id = Veid(id);
        let taken = paths.ve_conf(id).symlink_metadata().is_ok()
            || paths.default_private(id).symlink_metadata().is_ok()
            || paths.lock_file(id).symlink_metadata().is_ok();
        if !taken {
            return Ok(id);
        }
    }
    Err(Error::new(Code::PrivateExists, "no VE id is free"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(Veid::parse("101").map(Veid::get), Some(101));
        assert_eq!(Veid::parse("0"), Some(Veid::NODE));
        assert_eq!(Veid::parse("2147483644").map(Veid::get), Some(MAX));
        for bad in ["", "-1", "+5", "2147483645", "1x", " 1", "99999999999"] {
            assert_eq!(Veid::parse(bad), None, "{bad}");
        }
    }
}
