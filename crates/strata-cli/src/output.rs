//! Where results go: [`Out`], standard output that ends quietly when its reader leaves, and [`Table`].

use std::fmt::Display;
use std::io::{self, BufWriter, Stdout, Write};

use serde_json::Value;

use crate::failure::Failure;

/// Standard output, buffered.
#[derive(Debug)]
pub(crate) struct Out {
    stdout: BufWriter<Stdout>,
    /// Whether results are for programs.
    pub(crate) json: bool,
}

impl Out {
    pub(crate) fn new(json: bool) -> Self {
        Self { stdout: BufWriter::new(io::stdout()), json }
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.stdout, "{text}").map_err(write_failure)
    }

    /// Writes an object on a line of its own.
    pub(crate) fn object(&mut self, value: &Value) -> Result<(), Failure> {
        self.line(value)
    }

    /// Writes `value` for programs, `text` for people.
    pub(crate) fn either(&mut self, value: &Value, text: impl Display) -> Result<(), Failure> {
        if self.json { self.object(value) } else { self.line(text) }
    }

    /// Hands what was written to whoever reads.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.stdout.flush().map_err(write_failure)
    }
}

fn write_failure(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Failure::BrokenPipe
    } else {
        Failure::Io("can't write to standard output", error)
    }
}

/// Rows in aligned columns, two spaces between them. The last column is as wide as it is.
#[derive(Debug)]
pub(crate) struct Table<const N: usize> {
    widths: [usize; N],
    /// Columns of numbers, which stand to the right.
    right: [bool; N],
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(right: [bool; N]) -> Self {
        Self { widths: [0; N], right }
    }

    /// Makes the columns wide enough for these rows, and lays them out. Columns never get narrower, so a long list can be
    /// written part by part.
    pub(crate) fn lay_out(&mut self, rows: &[[String; N]]) -> Vec<String> {
        for row in rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        rows.iter().map(|row| self.row(row)).collect()
    }

    fn row(&self, row: &[String; N]) -> String {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let gap = " ".repeat(self.widths[column].saturating_sub(cell.chars().count()));
            if column > 0 {
                line.push_str("  ");
            }
            if self.right[column] {
                line.push_str(&gap);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&gap);
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_never_narrow() {
        let mut table = Table::new([false, true, false]);
        let row = |cells: [&str; 3]| cells.map(str::to_owned);
        let lines = table.lay_out(&[row(["key", "size", "tags"]), row(["é", "7", ""])]);
        assert_eq!(lines, ["key  size  tags", "é       7"]);
        assert_eq!(table.lay_out(&[row(["longer", "12345", "t"])]), ["longer  12345  t"]);
        assert_eq!(table.lay_out(&[row(["k", "1", "t"])]), ["k           1  t"]);
    }
}
