// SPDX-License-Identifier: GPL-2.0
//! vzcfgvalidate.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;

use common::Node;

#[test]
fn vzcfgvalidate() {
    let node = Node::with_ves();
    let basic = node.conf(102);
    let basic = basic.to_str().unwrap();
    let validate = |args: &[&str]| {
        let mut line = vec!["vzcfgvalidate"];
        line.extend(args);
        line.push(basic);
        node.run_args(&line)
    };
    assert_eq!(validate(&[]).ok(), "Validation completed: success\n");
    let before = node.conf_text(102);
    let write = |from: &str, to: &str| {
        std::fs::write(node.conf(102), before.replace(from, to)).unwrap();
    };
    write("NUMPROC=\"240\"", "NUMPROC=\"240:250\"");
    assert_eq!(
        validate(&[]).fails(1),
        "/etc/vz/conf/102.conf:20: error: NUMPROC: barrier and limit must be equal, they are \
         240:250\n  try: NUMPROC=\"250\"\n"
    );
    let ran = validate(&["-r", "--dry-run"]);
    assert_eq!(
        (ran.status, ran.err.as_str()),
        (0, "NUMPROC: repaired, it would be NUMPROC=\"250\"\n")
    );
    assert!(node.conf_text(102).contains("240:250"));
    validate(&["-r"]).ok();
    assert_eq!(
        node.conf_text(102),
        before.replace("NUMPROC=\"240\"", "NUMPROC=\"250\"")
    );
    write("TCPSNDBUF=\"1720320", "TCPSNDBUF=\"1000");
    let ran = validate(&["--json"]);
    assert_eq!(ran.status, 2);
    assert_eq!(ran.json()["findings"][0]["class"], "warning");
    assert_eq!(ran.json()["findings"][0]["line"], 31);
    assert_eq!(ran.json()["findings"][0]["fix"], "65536:2767896");
    validate(&["-i"]).fails(1);
    validate(&["-i", "--yes"]).ok();
    assert!(node.conf_text(102).contains("TCPSNDBUF=\"65536:2767896\""));
    // Advice is no fault.
    write("DGRAMRCVBUF=\"262144\"", "DGRAMRCVBUF=\"65536\"");
    let ran = validate(&[]);
    assert_eq!(ran.status, 0);
    assert!(ran.err.contains("advice: DGRAMRCVBUF"), "{ran:?}");
    // 96 KiB for a process now, 40 KiB then.
    write("KMEMSIZE=\"33554432", "KMEMSIZE=\"23554432");
    validate(&[]).fails(1);
    validate(&["--legacy"]).ok();
    // As if it were to set RAM and swap.
    std::fs::write(node.conf(102), &before).unwrap();
    validate(&["-v", "yes"]).fails(1);
    validate(&["-v", "no"]).ok();
    validate(&["-v", "perhaps"]).fails(21);
    // An id is no file.
    let err = node.run("vzcfgvalidate 102").fails(1);
    assert!(err.ends_with("try: ls /etc/vz/conf\n"), "{err}");
}
