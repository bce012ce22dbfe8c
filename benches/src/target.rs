//! A target of the table in `docs/benchmarks.md`: id, value, gate, aim; and whether it was met.

use std::fmt;

/// One line of the result.
#[derive(Debug)]
pub struct Target {
    /// `p01`, with a letter where one number has several parts.
    pub id: &'static str,
    /// What was compared.
    pub what: &'static str,
    /// What was measured: a ratio unless `what` names a unit.
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
    /// A cost: at most `gate`, and `aim` if that is named.
    pub fn cost(id: &'static str, what: &'static str, value: f64, gate: f64, aim: Option<f64>) -> Self {
        Self { id, what, value, gate: Bound::AtMost(gate), aim: aim.map(Bound::AtMost), note: String::new() }
    }

    /// An advantage: at least `gate`, and `aim` if that is named.
    pub fn gain(id: &'static str, what: &'static str, value: f64, gate: f64, aim: Option<f64>) -> Self {
        Self {
            id,
            what,
            value,
            gate: Bound::AtLeast(gate),
            aim: aim.map(Bound::AtLeast),
            note: String::new(),
        }
    }

    /// With absolute readings.
    #[must_use]
    pub fn noting(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Whether the gate holds.
    pub fn met(&self) -> bool {
        self.gate.holds(self.value)
    }

    /// Whether the aim holds, where there is one.
    pub fn aimed(&self) -> Option<bool> {
        self.aim.map(|aim| aim.holds(self.value))
    }

    /// `met`, `not met`, or `met, not the aim`.
    pub fn verdict(&self) -> &'static str {
        match (self.met(), self.aimed()) {
            (false, _) => "not met",
            (true, Some(false)) => "met, not the aim",
            (true, _) => "met",
        }
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
        let Self { id, value, gate, what, note, .. } = self;
        let gate = gate.to_string();
        write!(f, "{id:<5} {value:>9.2}  gate {gate:<7} aim {aim:<7} {met:<8} {what}")?;
        if note.is_empty() { Ok(()) } else { write!(f, " ({note})") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_tell_gate_and_aim_apart() {
        let cost = |value| Target::cost("p00", "cost", value, 2.0, Some(1.5)).verdict();
        assert_eq!([cost(1.5), cost(2.0), cost(2.1)], ["met", "met, not the aim", "not met"]);
        let gain = |value| Target::gain("p00", "gain", value, 3.0, None).verdict();
        assert_eq!([gain(3.0), gain(2.9)], ["met", "not met"]);
    }

    #[test]
    fn lines_are_aligned() {
        let line = |value| Target::cost("p00", "cost", value, 2.0, None).noting("note").to_string();
        assert_eq!(line(1.0).chars().count(), line(1234.5).chars().count());
        assert_eq!(line(1.0).find("cost"), line(3.0).find("cost"));
    }
}
