// SPDX-License-Identifier: GPL-2.0
//! The samples that are shipped, for the manual.

/// Name of each sample, and what it is for.
pub const SHIPPED: [(&str, &str); 8] = [
    (
        "basic",
        "Every counter has its own limit. For systemd, a few services, and installing and updating \
         software: dpkg takes up to 10 MiB of dcachesize.",
    ),
    (
        "light",
        "The same, small: Debian 13 with sshd, cron, rsyslog and Apache, about twice what these \
         need to start. It was once for a handful of processes without systemd: numproc counts \
         the 56 threads of Apache, privvmpages 8 MiB of stack for each.",
    ),
    ("vswap-256m", SIMPLE),
    ("vswap-512m", SIMPLE),
    ("vswap-1g", SIMPLE),
    ("vswap-1024m", "Another name of vswap-1g."),
    ("vswap-2g", SIMPLE),
    ("vswap-4g", SIMPLE),
];

const SIMPLE: &str = "RAM as the name says and twice as much swap; nothing else is limited.";

#[cfg(test)]
mod tests {
    use super::SHIPPED;

    #[test]
    fn all_are_described() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../etc/conf");
        let mut files: Vec<String> = std::fs::read_dir(dir)
            .unwrap()
            .filter_map(|e| {
                let name = e.unwrap().file_name().into_string().unwrap();
                let name = name.strip_prefix("ve-")?.strip_suffix(".conf-sample")?;
                Some(name.to_string())
            })
            .collect();
        files.sort();
        let mut names: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        assert_eq!(names, files);
    }
}
