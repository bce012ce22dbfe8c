//! A target of the table in `docs/performance` terms: id, ratio, gate, aim; and whether it was met.

use std::fmt;

/// One line of the result.
#[derive(Debug)]
pub struct Target {
    /// `p01`, with a letter where one number has several parts.
    pub id: &'static str,
    /// What was compared.
    pub what: &'static str,
    /// What was measured: usually a ratio to the floor.
    pub value: f64,
    /// What has to hold.
    pub gate: Bound,
    /// What we want to show.
    pub aim: Option<Bound>,
    /// Absolute readings and the like.
    pub note: String,
}

/// Where a value has to lie.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// This or less: a cost.
    AtMost(f64),
    /// This or more: an advantage.
    AtLeast(f64),
}

impl Bound {
    /// Whether `value` lies there.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(bound) => value <= bound,
            Self::AtLeast(bound) => value >= bound,
        }
    }
}

impl Target {
    /// Whether the gate holds.
    pub fn met(&self) -> bool {
        self.gate.holds(self.value)
    }

    /// Whether the aim holds, where there is one.
    pub fn aimed(&self) -> Option<bool> {
        self.aim.map(|aim| aim.holds(self.value))
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bound) => write!(f, "≤ {bound}"),
            Self::AtLeast(bound) => write!(f, "≥ {bound}"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let met = if self.met() { "met" } else { "not met" };
        let aim = self.aim.map_or_else(|| "-".to_owned(), |aim| aim.to_string());
        write!(
            f,
            "{:<5} {:>8.2}  gate {:<8} aim {:<8} {met:<8} {} ({})",
            self.id,
            self.value,
            self.gate.to_string(),
            aim,
            self.what,
            self.note
        )
    }
}
