//! Tables for people, and steps that are timed.

use std::time::{Duration, Instant};

use crate::run::{Failure, Result};

/// Rows under headings, as wide as they need to be.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(ToString::to_string).collect()] }
    }

    pub(crate) fn row(&mut self, cells: &[&str]) {
        self.rows.push(cells.iter().map(ToString::to_string).collect());
    }

    /// The table as text: two spaces between columns, a rule under the headings.
    pub(crate) fn text(&self) -> String {
        let columns = self.rows[0].len();
        let widths: Vec<usize> = (0..columns).map(|column| self.width(column)).collect();
        let mut lines: Vec<String> = self.rows.iter().map(|row| line(row, &widths)).collect();
        lines.insert(1, "-".repeat(widths.iter().sum::<usize>() + 2 * (columns - 1)));
        lines.join("\n")
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// A step of a longer task: its name and what it does.
pub(crate) struct Step<'a> {
    pub(crate) name: &'static str,
    pub(crate) action: Box<dyn FnOnce() -> Result + 'a>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(name: &'static str, action: impl FnOnce() -> Result + 'a) -> Self {
        Self { name, action: Box::new(action) }
    }
}

/// Runs the steps in order, stops at the first failure, and prints a table with the time of each.
pub(crate) fn run_steps(steps: Vec<Step<'_>>) -> Result {
    let mut table = Table::new(&["step", "result", "time"]);
    let mut failed = None;
    let begin = Instant::now();
    for step in steps {
        if failed.is_some() {
            table.row(&[step.name, "not run", ""]);
            continue;
        }
        println!("\n=== {} ===", step.name);
        let start = Instant::now();
        let result = (step.action)();
        table.row(&[step.name, if result.is_ok() { "ok" } else { "FAILED" }, &clock(start.elapsed())]);
        failed = result.err().map(|failure| Failure::new(format!("step `{}`: {failure}", step.name)));
    }
    table.row(&["all", if failed.is_some() { "FAILED" } else { "ok" }, &clock(begin.elapsed())]);
    println!("\n{}", table.text());
    failed.map_or(Ok(()), Err)
}

/// Minutes and seconds.
pub(crate) fn clock(time: Duration) -> String {
    format!("{}:{:04.1}", time.as_secs() / 60, time.as_secs_f64() % 60.0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["step", "time"]);
        table.row(&["everything", "0:01.0"]);
        assert_eq!(table.text(), "step        time\n------------------\neverything  0:01.0");
    }

    #[test]
    fn the_first_failure_stops_the_rest_and_is_named() {
        let later = Cell::new(false);
        let steps = vec![
            Step::new("good", || Ok(())),
            Step::new("bad", || Err(Failure::new("broken"))),
            Step::new("later", || {
                later.set(true);
                Ok(())
            }),
        ];
        assert_eq!(run_steps(steps).expect_err("a step failed").to_string(), "step `bad`: broken");
        assert!(!later.get());
    }

    #[test]
    fn time_reads_as_minutes_and_seconds() {
        assert_eq!(clock(Duration::from_millis(61_250)), "1:01.2");
    }
}
