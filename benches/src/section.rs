//! One table of the report: [`Section`], its [`Row`]s, and [`Who`] each of them is.

use crate::target::Target;

/// What one table measured.
#[derive(Debug)]
pub struct Section {
    /// How it is called on the command line and in file names.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What was done, in a sentence or two; sizes included.
    pub how: String,
    /// What the rows' values are.
    pub unit: &'static str,
    /// What was measured.
    pub rows: Vec<Row>,
    /// What it means for the targets.
    pub targets: Vec<Target>,
}

/// One reading.
#[derive(Debug)]
pub struct Row {
    /// Of what.
    pub name: String,
    /// In the section's unit.
    pub value: f64,
}

/// Whose reading it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Written by hand, as fast as the parts go.
    Floor,
    /// Strata.
    Strata,
    /// Another library.
    Peer,
}

impl Row {
    /// A reading.
    pub fn new(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value }
    }

    /// Told by the name's first word.
    pub fn who(&self) -> Who {
        match self.name.split([' ', ',']).next() {
            Some("floor") => Who::Floor,
            Some("strata") => Who::Strata,
            _ => Who::Peer,
        }
    }
}
