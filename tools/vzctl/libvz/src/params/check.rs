// SPDX-License-Identifier: GPL-2.0
//! Checks a value given as an option and brings it into the form that is
//! stored.

use super::Kind;
use super::Param;
use crate::error::Code;
use crate::error::Error;
use crate::error::Result;
use crate::names;
use crate::units;
use crate::units::Pair;
use crate::units::Unit;

/// One parameter and its new value.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Entry of the table; for `--ram` and `--swap` that of the resource.
    pub param: &'static Param,
    /// Value as stored; empty removes the parameter.
    pub value: String,
}

/// Ids of one VE.
pub(super) const ID_RANGE: u64 = 262_144;
/// First ids above this leave no room for a whole range below 2^32 - 1.
const ID_BASE_MAX: u64 = (u32::MAX as u64 / ID_RANGE - 1) * ID_RANGE;

/// Names of capabilities(7), without `cap_`, in the order of their numbers.
pub const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// Checks an option's value.
///
/// # Errors
/// Bad value (21), bad host name (70), bad name (131), layout (99).
pub fn normalise(param: &'static Param, text: &str) -> Result<Setting> {
    let bad = |why: String| {
        let shown = if param.kind == Kind::Password {
            "..."
        } else {
            text
        };
        Error::new(
            Code::BadValue,
            format!("bad value \"{shown}\" for --{}", param.option),
        )
        .why(why)
    };
    if text.contains(['\n', '\r', '\0']) {
        return Err(bad("it must be one line".into()));
    }
    let choice = |choices: &[&str]| {
        let lower = text.to_ascii_lowercase();
        match choices.contains(&lower.as_str()) {
            true => Ok(lower),
            false => Err(bad(format!("it must be {}", choices.join(" or ")))),
        }
    };
    let value = match param.kind {
        Kind::YesNo => choice(&["yes", "no"])?,
        Kind::YesNoUnset => match choice(&["yes", "no", "unset"])? {
            v if v == "unset" => String::new(),
            v => v,
        },
        Kind::Number(min, max) => match text.parse::<u64>() {
            Ok(n) if (min..=max).contains(&n) => n.to_string(),
            _ => return Err(bad(format!("it must be a number from {min} to {max}"))),
        },
        Kind::IdBase => match text.parse::<u64>() {
            Ok(n) if n > 0 && n <= ID_BASE_MAX && n % ID_RANGE == 0 => n.to_string(),
            _ => {
                let first = "it must be a multiple of 262144, such as 262144 or 524288";
                return Err(bad(format!("{first}, up to {ID_BASE_MAX}")));
            }
        },
        Kind::Pair(unit) => {
            let pair = units::parse_pair(text, unit).map_err(bad)?;
            if pair.barrier.min(pair.limit) < param.least {
                return Err(bad(format!("it must be at least {}", param.least)));
            }
            pair.to_config()
        }
        Kind::Limit(target) => return limit(target, text).map_err(bad),
        Kind::Factor => {
            units::parse_factor(text).map_err(bad)?;
            text.to_string()
        }
        Kind::Directory => match text.starts_with('/') && !text.split('/').any(|p| p == "..") {
            true => text.to_string(),
            false => return Err(bad("it must be an absolute path without \"..\"".into())),
        },
        Kind::Text => text.to_string(),
        Kind::Name => {
            if !text.is_empty() {
                names::check(text)?;
            }
            text.to_string()
        }
        Kind::Hostname => hostname(text)?,
        Kind::Template => template(text).map_err(bad)?,
        Kind::Layout => match text {
            "simfs" => text.to_string(),
            _ => {
                return Err(Error::new(
                    Code::Layout,
                    format!("layout \"{text}\" is not supported"),
                )
                .why("this version has simfs only"));
            }
        },
        Kind::Capabilities => capabilities(text).map_err(bad)?,
        Kind::Password => match text.split_once(':') {
            Some((user, pass)) if is_user_name(user) && !pass.is_empty() => text.to_string(),
            _ => return Err(bad("it must be USER:PASSWORD".into())),
        },
    };
    Ok(Setting { param, value })
}

/// `--ram 512M` is `PHYSPAGES="0:512M"`. A bare number is bytes, as it is for
/// vzctl of old, although it is pages in the configuration.
fn limit(target: &'static str, text: &str) -> std::result::Result<Setting, String> {
    let param = super::by_name(target).ok_or("no such resource")?;
    let bare = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let limit = match bare {
        true => units::parse_value(text, Unit::Bytes)?.div_ceil(units::PAGE),
        false => units::parse_value(text, Unit::Pages)?,
    };
    let value = Pair { barrier: 0, limit }.pages_to_config();
    Ok(Setting { param, value })
}

/// Letters, digits and inner hyphens, in labels of up to 63 characters.
fn hostname(text: &str) -> Result<String> {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    if text.len() > 64 || !text.split('.').all(label) {
        return Err(
            Error::new(Code::BadHostname, format!("bad host name \"{text}\"")).why(
                "it must be labels of letters, digits and hyphens, joined by dots, at most 64 \
             characters",
            ),
        );
    }
    Ok(text.to_string())
}

fn template(text: &str) -> std::result::Result<String, String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
    if text.is_empty() || text.starts_with(['.', '-']) || !text.bytes().all(plain) {
        return Err("a template name is made of letters, digits and . _ + -".into());
    }
    Ok(text.to_string())
}

fn is_user_name(user: &str) -> bool {
    let ok = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=32).contains(&user.len()) && user.bytes().all(ok) && !user.starts_with('-')
}

/// Lower case, names known, one entry a name.
fn capabilities(text: &str) -> std::result::Result<String, String> {
    let mut all: Vec<String> = Vec::new();
    for item in text.split([',', ' ']).filter(|i| !i.is_empty()) {
        let lower = item.to_ascii_lowercase();
        let (name, state) = lower
            .split_once(':')
            .ok_or("each entry must be NAME:on or NAME:off")?;
        let name = name.strip_prefix("cap_").unwrap_or(name);
        if !CAPABILITIES.contains(&name) {
            return Err(format!("there is no capability \"{name}\""));
        }
        if state != "on" && state != "off" {
            return Err(format!("\"{state}\" is neither on nor off"));
        }
        all.retain(|old| {
            !old.split(':')
                .next()
                .is_some_and(|n| n.eq_ignore_ascii_case(name))
        });
        all.push(format!("{}:{state}", name.to_ascii_uppercase()));
    }
    match all.is_empty() {
        true => Err("no capability is named".into()),
        false => Ok(all.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::by_option;
    use super::*;

    fn value(option: &str, text: &str) -> Result<String> {
        normalise(by_option(option).unwrap(), text).map(|s| s.value)
    }

    #[test]
    fn good_values() {
        for (option, text, stored) in [
            ("onboot", "YES", "yes"),
            ("onboot", "unset", ""),
            ("bootorder", "007", "7"),
            ("numproc", "400", "400"),
            ("kmemsize", "14M:15M", "14680064:15728640"),
            ("privvmpages", "256M", "65536"),
            ("ram", "512M", "0:512M"),
            ("ram", "1073741824", "0:1G"),
            ("ram", "1000000", "0:245"),
            ("swap", "0", "0"),
            ("swap", "2048M", "0:2G"),
            ("swap", "unlimited", "0:unlimited"),
            ("ram", "2.5G", "0:2560M"),
            ("vm_overcommit", "1.5", "1.5"),
            ("hostname", "web-1.example.org", "web-1.example.org"),
            ("name", "", ""),
            ("root", "/vz/root/$VEID", "/vz/root/$VEID"),
            (
                "capability",
                "sys_time:on,CAP_NET_ADMIN:off,sys_time:off",
                "NET_ADMIN:off SYS_TIME:off",
            ),
            ("local_uid", "524288", "524288"),
            ("userpasswd", "root:a:b", "root:a:b"),
        ] {
            assert_eq!(value(option, text).unwrap(), stored, "--{option} {text}");
        }
        assert_eq!(
            normalise(by_option("ram").unwrap(), "1G")
                .unwrap()
                .param
                .name,
            "PHYSPAGES"
        );
    }

    #[test]
    fn bad_values() {
        for (option, text, code) in [
            ("onboot", "maybe", 21),
            ("numproc", "10K", 21),
            ("numproc", "-1", 21),
            ("numiptent", "15", 21),
            ("stop-timeout", "1d", 21),
            ("hostname", "-web", 70),
            ("hostname", "a..b", 70),
            ("hostname", "", 70),
            ("name", "12", 131),
            ("name", "a/b", 131),
            ("private", "vz/1", 21),
            ("private", "/vz/../etc", 21),
            ("ostemplate", "../x", 21),
            ("layout", "ploop", 99),
            ("capability", "fly:on", 21),
            ("capability", "chown", 21),
            ("local_uid", "1000", 21),
            ("local_uid", "4294705152", 21),
            ("description", "a\nb", 21),
            ("userpasswd", "root", 21),
            ("userpasswd", "root:", 21),
            ("userpasswd", "a b:c", 21),
        ] {
            let err = value(option, text).unwrap_err();
            assert_eq!(err.code().number(), code, "--{option} {text}: {err}");
        }
    }

    #[test]
    fn passwords_are_not_repeated_in_errors() {
        let err = value("userpasswd", "bad user:secret").unwrap_err();
        assert!(!err.to_string().contains("secret"), "{err}");
    }
}
