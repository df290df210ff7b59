// SPDX-License-Identifier: GPL-2.0
//! Multiplies numbers as they stand in configurations, suffixes kept.

use crate::params::Param;
use crate::params::Scale;
use crate::units::UNLIMITED;

/// Thousandths.
pub(super) type Milli = u64;

/// The scaled value; `None`: the text is not made of numbers.
pub(super) fn value(param: &Param, text: &str, by: Milli) -> Option<String> {
    match param.scale {
        Scale::No => Some(text.to_string()),
        Scale::Numbers => {
            let parts: Option<Vec<String>> = text
                .split(':')
                .map(|part| number(part, by, param.least))
                .collect();
            Some(parts?.join(":"))
        }
        Scale::Last => {
            let words: Option<Vec<String>> = text
                .split_whitespace()
                .map(|word| {
                    let (head, last) = word.rsplit_once(':')?;
                    Some(format!("{head}:{}", number(last, by, 0)?))
                })
                .collect();
            Some(words?.join(" "))
        }
    }
}

/// "240", "2.2G", "25%", "unlimited" times a factor, at least `least`.
fn number(text: &str, by: Milli, least: u64) -> Option<String> {
    if text == "unlimited" {
        return Some(text.into());
    }
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(digits);
    let (whole, frac) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(frac) || suffix.chars().count() > 1 {
        return None;
    }
    if suffix.is_empty() && digits.contains('.') {
        return None;
    }
    // In thousandths; more decimals are cut.
    let frac: u128 = format!("{frac:0<3.3}").parse().ok()?;
    let milli = whole.parse::<u64>().map(u128::from).ok()? * 1000 + frac;
    let scaled = milli * u128::from(by) / 1000;
    if suffix.is_empty() {
        let rounded = u64::try_from((scaled + 500) / 1000).unwrap_or(UNLIMITED);
        return Some(match rounded.max(least) {
            UNLIMITED.. => "unlimited".into(),
            n => n.to_string(),
        });
    }
    let (whole, frac) = (scaled / 1000, scaled % 1000);
    let frac = format!("{frac:03}");
    Some(match frac.trim_end_matches('0') {
        "" => format!("{whole}{suffix}"),
        frac => format!("{whole}.{frac}{suffix}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params;
    use proptest::prelude::*;

    fn scaled(name: &str, text: &str, by: Milli) -> Option<String> {
        value(params::by_name(name).unwrap(), text, by)
    }

    #[test]
    fn values() {
        for (name, text, by, new) in [
            ("NUMPROC", "240", 1500, "360"),
            ("NUMFLOCK", "188:206", 2000, "376:412"),
            ("NUMFLOCK", "3", 1500, "5"),
            ("VMGUARPAGES", "100:unlimited", 500, "50:unlimited"),
            ("PHYSPAGES", "0:512M", 2000, "0:1024M"),
            ("DISKSPACE", "2G:2.2G", 1500, "3G:3.3G"),
            ("CPULIMIT", "25%", 500, "12.5%"),
            ("NUMIPTENT", "20", 100, "16"),
            ("RATE", "eth0:1:8 eth1:1:10", 2000, "eth0:1:16 eth1:1:20"),
            ("KMEMSIZE", "9223372036854775806", 2000, "unlimited"),
            ("HOSTNAME", "web1", 2000, "web1"),
        ] {
            assert_eq!(scaled(name, text, by).as_deref(), Some(new), "{text}");
        }
        for (name, text) in [
            ("NUMPROC", "many"),
            ("NUMPROC", "1.5"),
            ("NUMPROC", ""),
            ("NUMPROC", "-1"),
            ("RATE", "8"),
            ("KMEMSIZE", "1KB"),
        ] {
            assert_eq!(scaled(name, text, 2000), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn one_changes_nothing(n in 0..UNLIMITED, k in 0u64..1_000_000) {
            prop_assert_eq!(number(&n.to_string(), 1000, 0), Some(n.to_string()));
            let text = format!("{k}.5G");
            prop_assert_eq!(number(&text, 1000, 0), Some(text));
        }

        #[test]
        fn never_panics(text in "\\PC*", by: u64) {
            let _ = number(&text, by, 0);
        }
    }
}
