// SPDX-License-Identifier: GPL-2.0
//! Cells in columns, for every table on stdout.

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub header: String,
    /// Least width, in characters.
    pub width: usize,
    /// Whether cells are aligned to the right, as numbers are.
    pub right: bool,
    /// What stands in front of it, unless it is the first.
    pub gap: &'static str,
}

impl Column {
    /// A column of text.
    #[must_use]
    pub fn text(header: impl Into<String>, width: usize) -> Self {
        Self {
            header: header.into(),
            width,
            right: false,
            gap: " ",
        }
    }

    /// A column of numbers.
    #[must_use]
    pub fn number(header: impl Into<String>, width: usize) -> Self {
        Self {
            right: true,
            ..Self::text(header, width)
        }
    }

    /// Puts a bar in front of the column.
    #[must_use]
    pub fn bar(mut self) -> Self {
        self.gap = " | ";
        self
    }
}

/// Columns, and what happens to cells that are wider.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    cut: bool,
}

impl Table {
    /// Wider cells shift what follows them.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            cut: false,
        }
    }

    /// Wider text is cut. Numbers are not, half a number would be another
    /// number, and neither is the last cell.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.cut = true;
        self
    }

    /// Widens columns to their longest cell.
    #[must_use]
    pub fn fit<S: AsRef<str>>(mut self, rows: &[Vec<S>]) -> Self {
        for (i, c) in self.columns.iter_mut().enumerate() {
            let cells = rows.iter().filter_map(|r| r.get(i)).map(AsRef::as_ref);
            let longest = cells.map(|c| c.chars().count()).max().unwrap_or(0);
            c.width = c.width.max(longest).max(c.header.chars().count());
        }
        self
    }

    /// The line of headings.
    #[must_use]
    pub fn header(&self) -> String {
        let cells: Vec<&str> = self.columns.iter().map(|c| c.header.as_str()).collect();
        self.line(&cells)
    }

    /// One line, without its end.
    #[must_use]
    pub fn line<S: AsRef<str>>(&self, cells: &[S]) -> String {
        let last = self.columns.len().saturating_sub(1);
        let mut text = String::new();
        for (i, (c, cell)) in self.columns.iter().zip(cells).enumerate() {
            let width = c.width;
            let cell: String = match self.cut && i != last && !c.right {
                true => cell.as_ref().chars().take(width).collect(),
                false => cell.as_ref().to_string(),
            };
            if i > 0 {
                text.push_str(c.gap);
            }
            match (c.right, i == last) {
                (true, _) => text.push_str(&format!("{cell:>width$}")),
                (false, false) => text.push_str(&format!("{cell:<width$}")),
                (false, true) => text.push_str(&cell),
            }
        }
        text
    }

    /// Headings and all lines.
    #[must_use]
    pub fn render<S: AsRef<str>>(&self, rows: &[Vec<S>]) -> String {
        let lines = rows.iter().map(|r| self.line(r));
        std::iter::once(self.header())
            .chain(lines)
            .map(|l| l + "\n")
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<Column> {
        vec![
            Column::text("NAME", 6),
            Column::number("N", 3).bar(),
            Column::text("WHAT", 2),
        ]
    }

    #[test]
    fn widths() {
        let rows = [vec!["a", "1", "x"], vec!["longername", "12345", "yyyy"]];
        assert_eq!(
            Table::new(columns()).render(&rows),
            "NAME   |   N WHAT\na      |   1 x\nlongername | 12345 yyyy\n"
        );
        assert_eq!(
            Table::new(columns()).cut().line(&rows[1]),
            "longer | 12345 yyyy"
        );
        assert_eq!(
            Table::new(columns()).fit(&rows).render(&rows),
            "NAME       |     N WHAT\na          |     1 x\nlongername | 12345 yyyy\n"
        );
    }
}
