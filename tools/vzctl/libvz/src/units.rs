// SPDX-License-Identifier: GPL-2.0
//! Numbers with units: sizes, pages, counts and `barrier:limit` pairs.

/// Bytes in a page, on every machine this runs on.
pub const PAGE: u64 = 4096;
/// "unlimited": the largest signed 64-bit value.
pub const UNLIMITED: u64 = i64::MAX as u64;
/// Page limits from here on meant "unlimited" to 32-bit tools.
pub const LEGACY_UNLIMITED_PAGES: u64 = i32::MAX as u64;

/// What a bare number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes; takes suffixes.
    Bytes,
    /// Pages of 4096 bytes; takes suffixes.
    Pages,
    /// Items; takes no suffix.
    Count,
}

/// Barrier and limit of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Bound of ordinary requests.
    pub barrier: u64,
    /// Bound of requests that must not fail lightly.
    pub limit: u64,
}

impl Pair {
    /// The same value twice.
    #[must_use]
    pub fn both(value: u64) -> Self {
        Self {
            barrier: value,
            limit: value,
        }
    }

    /// As written to configuration files.
    #[must_use]
    pub fn to_config(self) -> String {
        self.join(bound)
    }

    /// As [`Pair::to_config`], for pages, in M or G where that is exact.
    #[must_use]
    pub fn pages_to_config(self) -> String {
        self.join(pages)
    }

    fn join(self, text: fn(u64) -> String) -> String {
        match self.barrier == self.limit {
            true => text(self.barrier),
            false => format!("{}:{}", text(self.barrier), text(self.limit)),
        }
    }
}

/// Pages as a size: "512M", "2G"; the number of pages where neither is exact.
#[must_use]
pub fn pages(value: u64) -> String {
    const MIB: u64 = (1 << 20) / PAGE;
    match value {
        0 | UNLIMITED.. => bound(value),
        _ if value % (1024 * MIB) == 0 => format!("{}G", value / (1024 * MIB)),
        _ if value % MIB == 0 => format!("{}M", value / MIB),
        _ => bound(value),
    }
}

/// A number, or "unlimited".
#[must_use]
pub fn bound(value: u64) -> String {
    if value >= UNLIMITED {
        "unlimited".into()
    } else {
        value.to_string()
    }
}

/// Whether a bound stands for none, also one written by 32-bit tools.
#[must_use]
pub fn is_unlimited(value: u64, unit: Unit) -> bool {
    value
        >= match unit {
            Unit::Bytes => LEGACY_UNLIMITED_PAGES * PAGE,
            Unit::Pages | Unit::Count => LEGACY_UNLIMITED_PAGES,
        }
}

type Parsed<T> = Result<T, String>;

/// Parses `barrier[:limit]`; one value sets both.
///
/// # Errors
/// What is wrong with the text, in words.
pub fn parse_pair(text: &str, unit: Unit) -> Parsed<Pair> {
    match text.split_once(':') {
        None => parse_value(text, unit).map(Pair::both),
        Some((barrier, limit)) => Ok(Pair {
            barrier: parse_value(barrier, unit)?,
            limit: parse_value(limit, unit)?,
        }),
    }
}

/// Parses one value: digits with an optional suffix, or "unlimited".
///
/// # Errors
/// What is wrong with the text, in words.
pub fn parse_value(text: &str, unit: Unit) -> Parsed<u64> {
    if text == "unlimited" {
        return Ok(UNLIMITED);
    }
    if text.is_empty() {
        return Err("a number is missing".into());
    }
    if text.starts_with('-') {
        return Err(format!("\"{text}\" is negative"));
    }
    let last = text
        .chars()
        .next_back()
        .filter(|c| !c.is_ascii_digit() && *c != '.');
    let factor = match last.map(|c| c.to_ascii_uppercase()) {
        None => None,
        Some(c) => Some(match c {
            'B' => 1,
            'K' => 1 << 10,
            'M' => 1 << 20,
            'G' => 1 << 30,
            'T' => 1 << 40,
            'P' => PAGE,
            _ => return Err(not_a_number(text, unit)),
        }),
    };
    if factor.is_some() && unit == Unit::Count {
        return Err(format!(
            "\"{text}\" has a suffix, but this parameter counts items"
        ));
    }
    let digits = &text[..text.len() - last.map_or(0, char::len_utf8)];
    let (whole, frac) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || (digits.contains('.') && (factor.is_none() || !is_number(frac))) {
        return Err(not_a_number(text, unit));
    }
    let too_big = || format!("\"{text}\" is too big, the largest value is \"unlimited\"");
    let whole: u64 = whole.parse().map_err(|_| too_big())?;
    let Some(factor) = factor else {
        return check_range(whole).ok_or_else(too_big);
    };
    // Nine decimals are more than any suffix up to 1G can tell apart.
    let frac: u64 = format!("{:0<9.9}", frac)
        .parse()
        .map_err(|_| not_a_number(text, unit))?;
    let bytes = u128::from(whole) * u128::from(factor)
        + u128::from(frac) * u128::from(factor) / 1_000_000_000;
    let value = match unit {
        Unit::Pages => bytes.div_ceil(u128::from(PAGE)),
        Unit::Bytes | Unit::Count => bytes,
    };
    u64::try_from(value)
        .ok()
        .and_then(check_range)
        .ok_or_else(too_big)
}

/// Parses a non-negative decimal factor into thousandths.
///
/// # Errors
/// What is wrong with the text, in words.
pub fn parse_factor(text: &str) -> Parsed<u64> {
    let bad = || format!("\"{text}\" is not a factor such as 1.5");
    let (whole, frac) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| !s.is_empty() && s.len() <= 6 && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(frac) {
        return Err(bad());
    }
    let whole: u64 = whole.parse().map_err(|_| bad())?;
    let milli: u64 = format!("{frac:0<3.3}").parse().map_err(|_| bad())?;
    Ok(whole * 1000 + milli)
}

fn check_range(value: u64) -> Option<u64> {
    (value <= UNLIMITED).then_some(value)
}

fn not_a_number(text: &str, unit: Unit) -> String {
    match unit {
        Unit::Count => format!("\"{text}\" is not a number"),
        _ => format!("\"{text}\" is not a size such as 512M, 2.5G or 1000, or \"unlimited\""),
    }
}

/// Bytes for people: "512M", "1.5G", "900".
#[must_use]
pub fn human(bytes: u64) -> String {
    let mut scaled = bytes as f64;
    for suffix in ["", "K", "M", "G", "T", "P"] {
        if scaled < 1023.95 || suffix == "P" {
            let text = format!("{scaled:.1}");
            return format!("{}{suffix}", text.strip_suffix(".0").unwrap_or(&text));
        }
        scaled /= 1024.0;
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(text: &str, unit: Unit) -> Option<u64> {
        parse_value(text, unit).ok()
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("1000", 1000),
            ("1B", 1),
            ("2k", 2048),
            ("2K", 2048),
            ("1M", 1 << 20),
            ("2.5G", 5 << 29),
            ("1t", 1 << 40),
            ("3P", 12_288),
            ("0.5K", 512),
            ("unlimited", UNLIMITED),
            ("9223372036854775807", UNLIMITED),
        ] {
            assert_eq!(value(text, Unit::Bytes), Some(bytes), "{text}");
        }
        for (text, pages) in [
            ("256", 256),
            ("256M", 65_536),
            ("1B", 1),
            ("4097b", 2),
            ("7p", 7),
        ] {
            assert_eq!(value(text, Unit::Pages), Some(pages), "{text}");
        }
        assert_eq!(value("240", Unit::Count), Some(240));
    }

    #[test]
    fn bad_sizes() {
        for bad in [
            "",
            "-1",
            "+1",
            " 1",
            "1 ",
            "1.5",
            "1.K",
            ".5K",
            "K",
            "1KB",
            "1X",
            "0x10",
            "1e3",
            "1.2.3K",
            "9223372036854775808",
            "99999999999T",
            "18446744073709551616",
            "Unlimited",
            "1\u{e9}",
        ] {
            assert_eq!(value(bad, Unit::Bytes), None, "{bad}");
        }
        assert_eq!(value("1K", Unit::Count), None);
        assert_eq!(value("3.5", Unit::Pages), None);
    }

    #[test]
    fn pairs_and_factors() {
        let pair = parse_pair("65536:256M", Unit::Pages);
        assert_eq!(pair, Ok(Pair::both(65_536)));
        assert_eq!(
            parse_pair("1:unlimited", Unit::Count).map(Pair::to_config),
            Ok("1:unlimited".into())
        );
        assert!(parse_pair("1:2:3", Unit::Count).is_err());
        assert!(parse_pair(":5", Unit::Count).is_err());
        assert_eq!(parse_factor("1.5"), Ok(1500));
        assert_eq!(parse_factor("3"), Ok(3000));
        assert!(parse_factor("-1").is_err() && parse_factor("1.").is_err());
    }

    #[test]
    fn for_people() {
        for (bytes, text) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1K"),
            (1536, "1.5K"),
            (1 << 20, "1M"),
            ((1 << 20) - 1, "1M"),
            (UNLIMITED, "8192P"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            for unit in [Unit::Bytes, Unit::Pages, Unit::Count] {
                let _ = parse_pair(&text, unit);
            }
            let _ = parse_factor(&text);
        }

        #[test]
        fn numbers_with_suffixes_never_panic(text in "[0-9]{0,25}(\\.[0-9]{0,12})?[BKMGTPbkmgtp]?") {
            let _ = parse_value(&text, Unit::Pages);
        }

        #[test]
        fn pairs_survive(barrier in 0..=UNLIMITED, limit in 0..=UNLIMITED) {
            let pair = Pair { barrier, limit };
            for unit in [Unit::Bytes, Unit::Pages, Unit::Count] {
                prop_assert_eq!(parse_pair(&pair.to_config(), unit), Ok(pair));
            }
        }
    }
}
