// SPDX-License-Identifier: GPL-2.0
//! `/proc/vz/veinfo`: `id class processes [address...]`, one VE per line.

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Identifier.
    pub id: u32,
    /// Processes and threads.
    pub nproc: u32,
    /// Addresses.
    pub ips: Vec<String>,
}

/// Parses the file; lines that make no sense are left out, so that a newer
/// kernel can add to it.
#[must_use]
pub fn parse(text: &str) -> Vec<Entry> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let id = words.next()?.parse().ok()?;
            words.next()?.parse::<u32>().ok()?;
            let nproc = words.next()?.parse().ok()?;
            Some(Entry {
                id,
                nproc,
                ips: words.map(str::to_string).collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn kernel_text() {
        let text =
            "       101     0    23 10.0.0.101 fd00::1\n       102     0     5\nVersion: 9\n";
        let all = parse(text);
        assert_eq!(all.len(), 2);
        assert_eq!(
            all[0],
            Entry {
                id: 101,
                nproc: 23,
                ips: vec!["10.0.0.101".into(), "fd00::1".into()]
            }
        );
        assert!(all[1].ips.is_empty());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn lines_survive(id: u32, nproc: u32) {
            let all = parse(&format!("{id:>10} {:>5} {nproc:>5}\n", 0));
            prop_assert_eq!(all, vec![Entry { id, nproc, ips: vec![] }]);
        }
    }
}
