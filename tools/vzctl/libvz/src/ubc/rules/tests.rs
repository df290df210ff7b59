// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::units::UNLIMITED;
use proptest::prelude::*;
use std::path::Path;

const BASIC: &str = include_str!("../../../../etc/conf/ve-basic.conf-sample");
const LIGHT: &str = include_str!("../../../../etc/conf/ve-light.conf-sample");

fn file(text: &str) -> File {
    File::parse(Path::new("t.conf"), text.as_bytes()).unwrap()
}

fn rules() -> Rules {
    Rules::new(Some(Memory {
        ram: 262_144,
        swap: 0,
        low: 262_144,
    }))
}

fn check(text: &str) -> Vec<Finding> {
    rules().check(&file(text))
}

#[test]
fn shipped_samples_are_good() {
    for (name, text) in [
        ("basic", BASIC),
        ("light", LIGHT),
        (
            "vswap-256m",
            include_str!("../../../../etc/conf/ve-vswap-256m.conf-sample"),
        ),
        (
            "vswap-4g",
            include_str!("../../../../etc/conf/ve-vswap-4g.conf-sample"),
        ),
    ] {
        assert_eq!(Rules::new(None).check(&file(text)), [], "{name}");
    }
    // More than what earlier kernels needed.
    let legacy = Rules {
        sizes: LEGACY,
        ..rules()
    };
    assert_eq!(legacy.check(&file(LIGHT)), []);
    assert_eq!(legacy.check(&file(BASIC)), []);
}

#[test]
fn each_rule_is_found_and_repaired() {
    for (line, class) in [
        ("NUMPROC=\"240:250\"", Class::Error),
        ("NUMTCPSOCK=\"300:360\"", Class::Error),
        ("NUMOTHERSOCK=\"300:360\"", Class::Error),
        ("SHMPAGES=\"1:2\"", Class::Error),
        ("NUMFILE=\"9000:9312\"", Class::Error),
        ("NUMPTY=\"15:16\"", Class::Error),
        ("NUMSIGINFO=\"255:256\"", Class::Error),
        ("NUMIPTENT=\"16:20\"", Class::Error),
        ("NUMIPTENT=\"15\"", Class::Error),
        ("LOCKEDPAGES=\"10:9\"", Class::Error),
        ("NUMFLOCK=\"10:9\"", Class::Error),
        ("VMGUARPAGES=\"100:200\"", Class::Error),
        ("OOMGUARPAGES=\"100\"", Class::Error),
        ("PHYSPAGES=\"1:unlimited\"", Class::Error),
        ("KMEMSIZE=\"1000000:2000000\"", Class::Error),
        ("TCPSNDBUF=\"1720320:1720321\"", Class::Error),
        ("OTHERSOCKBUF=\"1126080\"", Class::Error),
        ("TCPRCVBUF=\"1720320\"", Class::Warning),
        ("TCPSNDBUF=\"65535:2000000\"", Class::Warning),
        ("TCPRCVBUF=\"65535:2000000\"", Class::Warning),
        ("DGRAMRCVBUF=\"32767\"", Class::Warning),
        ("DGRAMRCVBUF=\"132095\"", Class::Advice),
        ("OTHERSOCKBUF=\"32768:2000000\"", Class::Advice),
        ("PRIVVMPAGES=\"1000\"", Class::Warning),
        ("NUMFILE=\"735\"", Class::Warning),
        ("DCACHESIZE=\"1000\"", Class::Warning),
    ] {
        let text = format!("{BASIC}\n{line}\n");
        let found = check(&text);
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert_eq!(found[0].class, class, "{line}");
        assert!(found[0].line.is_some(), "{line}");
        let mut f = file(&text);
        rules().repair(&mut f, |_| true).unwrap();
        assert_eq!(rules().check(&f), [], "{line}");
    }
}

/// Whoever types each repair that is shown, in this order, ends with a good
/// configuration: the last one for a parameter breaks none of its rules.
#[test]
fn repairs_may_be_typed_in_order() {
    for line in [
        "TCPRCVBUF=\"10\"",
        "TCPSNDBUF=\"10:5\"",
        "OTHERSOCKBUF=\"20:10\"",
        "DGRAMRCVBUF=\"20:10\"",
        "NUMIPTENT=\"5:4\"",
    ] {
        let mut f = file(&format!("{BASIC}\n{line}\n"));
        for finding in rules().check(&f) {
            f.set(finding.param.name, &finding.fix.unwrap()).unwrap();
        }
        let left = rules().check(&f);
        assert!(left.iter().all(|f| f.class == Class::Advice), "{left:?}");
    }
}

#[test]
fn simple_mode() {
    assert_eq!(check("PHYSPAGES=\"0:256M\"\nSWAPPAGES=\"0\"\n"), []);
    let found = check("PHYSPAGES=\"0:2G\"\nSWAPPAGES=\"1:0\"\n");
    assert_eq!(found.len(), 3, "{found:?}");
    let warnings: Vec<_> = found.iter().filter(|f| f.class > Class::Error).collect();
    assert_eq!(
        warnings[0].text,
        "PHYSPAGES: the limit of 2G is above the 1G of RAM that the node has"
    );
    // As of somebody who says 512 and means megabytes.
    let found = check("PHYSPAGES=\"0:512B\"\nSWAPPAGES=\"0\"\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].class, Class::Warning);
    assert_eq!(
        found[0].text,
        "PHYSPAGES: the limit of 4K is below the 32M that it takes to make a VE"
    );
    let forced = Rules {
        simple: Some(true),
        ..rules()
    };
    let found = forced.check(&file("PHYSPAGES=\"0:unlimited\"\n"));
    let texts: Vec<_> = found.iter().map(|f| f.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "PHYSPAGES: the limit must not be unlimited",
            "SWAPPAGES: it is not set, but memory is to be set by swap"
        ]
    );
    let forced = Rules {
        simple: Some(false),
        ..rules()
    };
    let found = forced.check(&file("PHYSPAGES=\"0:256M\"\nSWAPPAGES=\"0\"\n"));
    assert_eq!(found.len(), 20);
}

#[test]
fn missing_and_bad_values() {
    let found = check("NUMPROC=\"many\"\n");
    assert_eq!(found[0].line, Some(1));
    assert_eq!(found.len(), 20);
}

#[test]
fn old_names_are_found_and_replaced() {
    let text = BASIC.replace("NUMIPTENT=\"128\"", "IPTENTRIES=\"100:128\"");
    let found = check(&text);
    assert_eq!(found.len(), 1);
    let line = text.lines().position(|l| l.starts_with("IPT")).unwrap() + 1;
    assert_eq!(found[0].line, Some(line));
    let mut f = file(&text);
    rules().repair(&mut f, |_| true).unwrap();
    assert_eq!(
        (f.get("NUMIPTENT"), f.get("IPTENTRIES")),
        (Some("128"), None)
    );
}

#[test]
fn what_was_refused_is_not_asked_again() {
    let mut f = file(&format!("{BASIC}\nNUMPROC=\"240:250\"\nNUMPTY=\"15:16\"\n"));
    let mut asked = 0;
    let done = rules().repair(&mut f, |finding| {
        asked += 1;
        finding.param.name == "NUMPTY"
    });
    assert_eq!((asked, done.unwrap().len()), (2, 1));
    assert_eq!(f.get("NUMPROC"), Some("240:250"));
}

fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        0u64..20,
        0u64..1_000_000,
        0u64..UNLIMITED,
        Just(UNLIMITED),
        Just(UNLIMITED - 1),
    ]
}

proptest! {
    /// Whatever the numbers, repairing ends with nothing left to repair.
    #[test]
    fn repairs_converge(pairs in proptest::collection::vec((value(), value()), 22), legacy: bool) {
        let counters = params::TABLE.iter().filter(|p| p.kind.unit().is_some());
        let text: String = counters
            .zip(&pairs)
            .map(|(p, (bar, lim))| format!("{}=\"{bar}:{lim}\"\n", p.name))
            .collect();
        for simple in [None, Some(false), Some(true)] {
            let rules = Rules { simple, sizes: if legacy { LEGACY } else { MODERN }, ..rules() };
            let mut f = file(&text);
            rules.repair(&mut f, |_| true).unwrap();
            let left: Vec<_> = rules.check(&f).into_iter().filter(|l| l.fix.is_some()).collect();
            prop_assert_eq!(left, vec![]);
        }
    }
}
