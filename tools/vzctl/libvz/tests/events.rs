// SPDX-License-Identifier: GPL-2.0
//! Waiting for exceptional conditions, as files of events signal them. Urgent
//! data of TCP is another such condition, and one that can be had anywhere.

use libvz::kernel::Kernel;
use libvz::kernel::real::RealKernel;
use libvz::paths::Paths;
use rustix::net::SendFlags;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;
use std::time::Instant;

#[test]
fn only_changes_and_the_time_end_a_wait() {
    let dir = std::env::temp_dir().join(format!("vz-events-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("etc/vz")).unwrap();
    std::fs::write(dir.join("etc/vz/vz.conf"), "").unwrap();
    let kernel = RealKernel::open(&Paths::at(Some(dir.clone())).unwrap());
    std::fs::remove_dir_all(&dir).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (receiver, _) = listener.accept().unwrap();
    let wait = |timeout| {
        let start = Instant::now();
        kernel.wait_events(&[receiver.as_fd()], timeout).unwrap();
        start.elapsed()
    };
    let short = Duration::from_millis(50);
    assert!(wait(short) >= short);
    // Ordinary data is no event.
    rustix::net::send(&sender, b"x", SendFlags::empty()).unwrap();
    assert!(wait(short) >= short);
    rustix::net::send(&sender, b"!", SendFlags::OOB).unwrap();
    assert!(wait(Duration::from_secs(60)) < Duration::from_secs(30));
}
