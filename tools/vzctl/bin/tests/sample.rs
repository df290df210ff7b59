// SPDX-License-Identifier: GPL-2.0
//! `vzctl set --applyconfig`, and the samples themselves.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::Node;
use common::put;

const UNLIMITED: u64 = i64::MAX as u64;

#[test]
fn from_counters_to_ram_and_swap() {
    let node = Node::with_ves();
    node.fake_running(102);
    node.run("vzctl set 102 --name web1 --description mine --save")
        .ok();
    let ran = node.run("vzctl set 102 --applyconfig vswap-1g --save");
    assert_eq!(
        (ran.status, ran.out.as_str(), ran.err.as_str()),
        (
            0,
            "sample vswap-1g was applied to VE 102 (web1) and saved\n",
            ""
        )
    );
    assert_eq!(node.fake_ubc(102, 6), Some((0, 262_144)));
    assert_eq!(node.fake_ubc(102, 24), Some((0, 524_288)));
    // What follows from RAM, and what is limited no more.
    assert_eq!(node.fake_ubc(102, 1), Some((262_144, 262_144)));
    assert_eq!(node.fake_ubc(102, 5), Some((UNLIMITED, UNLIMITED)));
    let text = node.conf_text(102);
    for line in [
        "PHYSPAGES=\"0:1G\"\n",
        "SWAPPAGES=\"0:2G\"\n",
        "NAME=\"web1\"\n",
        "DESCRIPTION=\"mine\"\n",
        "ORIGIN_SAMPLE=\"vswap-1g\"\n",
        "# Kernel memory, bytes\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    for name in ["KMEMSIZE", "NUMPROC", "AVNUMPROC", "DGRAMRCVBUF"] {
        assert!(!text.contains(&format!("\n{name}=")), "{name} {text}");
    }
    assert_eq!(
        node.run("vzlist -H -o vswap,origin_sample 102").ok().trim(),
        "yes   vswap-1g"
    );
}

#[test]
fn from_ram_and_swap_to_counters() {
    let node = Node::with_ves();
    node.run("vzctl set 101 --vm_overcommit 2 --save").ok();
    node.run("vzctl set 101 --applyconfig basic --save").ok();
    // The same limits as a VE that was made from it.
    let limits = |id| {
        let text = node.run(&format!(
            "vzctl --json --dry-run set {id} --applyconfig basic --save"
        ));
        text.json()["data"]["changes"].clone()
    };
    assert_eq!(limits(101), serde_json::json!([]));
    let text = node.conf_text(101);
    assert!(
        !text.contains("SWAPPAGES=") && !text.contains("VM_OVERCOMMIT="),
        "{text}"
    );
    assert!(
        text.contains("AVNUMPROC=") && text.contains("PHYSPAGES=\"0:unlimited\""),
        "{text}"
    );
}

#[test]
fn without_save_it_lasts_until_the_stop() {
    let node = Node::with_ves();
    node.fake_running(101);
    let before = node.conf_text(101);
    put(
        &node,
        "etc/vz/conf/ve-mine.conf-sample",
        "ONBOOT=\"yes\"\nCPUUNITS=\"2000\"\nPHYSPAGES=\"0:100M\"\nSWAPPAGES=\"0:0\"\nNUMFILE=\"77\"\n",
    );
    let ran = node.run("vzctl set 101 --applyconfig mine");
    assert_eq!(ran.out, "sample mine was applied to VE 101\n");
    assert_eq!(
        ran.err,
        "this lasts until the VE stops; add --save to keep it\n"
    );
    assert_eq!(node.fake_ubc(101, 6), Some((0, 25_600)));
    assert_eq!(node.fake_ubc(101, 19), Some((77, 77)));
    assert_eq!(node.conf_text(101), before);
    // Options of the same command come after the sample.
    let ran = node.run("vzctl set 101 --applyconfig mine --numfile 88 --onboot no --save");
    assert_eq!(
        ran.out,
        "sample mine was applied to VE 101, ONBOOT, NUMFILE were set and saved\n"
    );
    let text = node.conf_text(101);
    for line in ["ONBOOT=\"no\"\n", "CPUUNITS=\"2000\"\n", "NUMFILE=\"88\"\n"] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert_eq!(node.fake_ubc(101, 19), Some((88, 88)));
}

#[test]
fn a_sample_without_limits_leaves_them() {
    let node = Node::with_ves();
    node.fake_running(102);
    let before = node.conf_text(102);
    put(
        &node,
        "etc/vz/conf/ve-mine.conf-sample",
        "BOOTORDER=\"5\"\nVE_PRIVATE=\"/x\"\nLOCAL_UID=\"262144\"\nOSTEMPLATE=\"other\"\nHOSTNAME=\"h\"\n",
    );
    node.run("vzctl set 102 --applyconfig mine --save").ok();
    assert_eq!(
        node.conf_text(102),
        format!("{before}BOOTORDER=\"5\"\nORIGIN_SAMPLE=\"mine\"\n")
    );
    assert_eq!(node.fake_ubc(102, 0), None);
}

#[test]
fn samples_that_cannot_be_applied() {
    let node = Node::with_ves();
    put(&node, "etc/vz/conf/ve-part.conf-sample", "NUMPROC=\"5\"\n");
    put(
        &node,
        "etc/vz/conf/ve-bad.conf-sample",
        "PHYSPAGES=\"0:100M\"\nSWAPPAGES=\"0:0\"\nNUMFILE=\"many\"\n",
    );
    put(
        &node,
        "etc/vz/conf/ve-typo.conf-sample",
        "BOOTORDER=\"first\"\n",
    );
    let before = node.conf_text(101);
    assert_eq!(
        node.run("vzctl set 101 --applyconfig none --save")
            .fails(109),
        "vzctl: cannot apply sample none: there is no /etc/vz/conf/ve-none.conf-sample  \
         [VZ_APPLY_CONFIG_ERROR, 109]\n  try: ls /etc/vz/conf/*.conf-sample\n"
    );
    for (name, text) in [
        ("part", "KMEMSIZE"),
        ("bad", "ve-bad.conf-sample line 3"),
        ("typo", "ve-typo.conf-sample line 1"),
    ] {
        let err = node
            .run(&format!("vzctl set 101 --applyconfig {name} --save"))
            .fails(109);
        assert!(err.contains(text), "{err}");
    }
    node.run("vzctl set 101 --applyconfig ../x --save")
        .fails(21);
    node.run("vzctl set 0 --applyconfig basic --save").fails(21);
    node.run("vzctl set 101 --applyconfig_map basic --save")
        .fails(109);
    assert_eq!(node.conf_text(101), before);
    // A VE that is down changes with --save only.
    let ran = node.run("vzctl set 101 --applyconfig vswap-2g");
    assert!(ran.err.contains("nothing was changed"), "{ran:?}");
    assert_eq!(node.conf_text(101), before);
}

#[test]
fn dry_run_of_a_sample() {
    let node = Node::with_ves();
    let before = node.conf_text(101);
    assert_eq!(
        node.run("vzctl --dry-run set 101 --applyconfig vswap-1g --save")
            .ok(),
        "PHYSPAGES: 0:512M -> 0:1G\nSWAPPAGES: 0:1G -> 0:2G\n\
         ORIGIN_SAMPLE: (unset) -> vswap-1g\n\
         LOCKEDPAGES: 131072 -> 262144 (follows)\n\
         VMGUARPAGES: 393216:unlimited -> 786432:unlimited (follows)\n\
         OOMGUARPAGES: 131072:unlimited -> 262144:unlimited (follows)\n"
    );
    assert_eq!(node.conf_text(101), before);
}

/// Every sample that is shipped is good, and fits a node that is large enough.
#[test]
fn shipped_samples_validate() {
    let node = Node::new();
    put(
        &node,
        "proc/meminfo",
        "MemTotal: 16777216 kB\nSwapTotal: 16777216 kB\n",
    );
    let mut samples = 0;
    for entry in std::fs::read_dir(node.path("etc/vz/conf")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "conf-sample") {
            samples += 1;
            let out = node.run_args(&["vzcfgvalidate", path.to_str().unwrap()]);
            assert_eq!(
                (out.status, out.out.as_str(), out.err.as_str()),
                (0, "Validation completed: success\n", ""),
                "{path:?}"
            );
        }
    }
    assert_eq!(samples, 8);
}
