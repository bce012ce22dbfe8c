//! What came of a soak: every answer by kind and status, what was kept, and whether all of it was right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use super::book::{Book, Kind};
use super::oracle::Life;

/// Faults that are printed; the others are only counted.
const SHOWN: usize = 20;

/// The result of a soak.
#[derive(Debug, Default)]
pub struct Report {
    answers: BTreeMap<(Kind, u16), u64>,
    unexpected: BTreeMap<(Kind, u16), u64>,
    faults: Vec<String>,
    lives: [usize; 3],
    acknowledged: u64,
    elapsed: Duration,
    kills: u32,
    ended_well: bool,
}

impl Report {
    /// Of what is known at the end.
    pub fn new(book: &Book, elapsed: Duration, kills: u32, ended_well: bool) -> Self {
        let lives = [Life::Alive, Life::Unsure, Life::Ended]
            .map(|life| book.oracle.sessions().filter(|session| book.oracle.life(*session) == life).count());
        Self {
            answers: book.tally.answers.clone(),
            unexpected: book.tally.unexpected.clone(),
            faults: book.oracle.faults().iter().map(ToString::to_string).collect(),
            lives,
            acknowledged: book.oracle.acknowledged(),
            elapsed,
            kills,
            ended_well,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = self.table();
        let [alive, unsure, ended] = self.lives;
        let (opened, answers) = (alive + unsure + ended, self.answers.values().sum::<u64>());
        let seconds = self.elapsed.as_secs_f64();
        let kills = self.kills;
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "\n{opened} sessions: {alive} alive, {ended} ended, {unsure} either; {kills} kills"
        );
        let _ = writeln!(text, "{answers} answers in {seconds:.0} s; {} additions kept", self.acknowledged);
        for ((kind, status), count) in &self.unexpected {
            let _ = writeln!(text, "BAD  {kind:?} was answered {status} {count} times");
        }
        for fault in self.faults.iter().take(SHOWN) {
            let _ = writeln!(text, "BAD  {fault}");
        }
        if self.faults.len() > SHOWN {
            let _ = writeln!(text, "BAD  and {} more", self.faults.len() - SHOWN);
        }
        if !self.ended_well {
            text.push_str("BAD  the service did not end well when it was told to\n");
        }
        if self.has_shown_nothing() {
            text.push_str("BAD  no addition was kept or no session ended: nothing was shown\n");
        }
        text
    }

    /// One row per kind of request, one column per status.
    fn table(&self) -> String {
        let statuses: BTreeSet<u16> = self.answers.keys().map(|(_, status)| *status).collect();
        let kinds: BTreeSet<Kind> = self.answers.keys().map(|(kind, _)| *kind).collect();
        let mut text = format!("{:<12}", "request");
        for status in &statuses {
            let name = if *status == 0 { "no answer".to_owned() } else { status.to_string() };
            let _ = write!(text, "{name:>10}");
        }
        for kind in kinds {
            let _ = write!(text, "\n{:<12}", format!("{kind:?}").to_lowercase());
            for status in &statuses {
                let _ = write!(text, "{:>10}", self.answers.get(&(kind, *status)).copied().unwrap_or(0));
            }
        }
        text + "\n"
    }

    /// Whether nothing was lost and nothing came back. A soak that kept nothing and ended nothing has shown nothing.
    pub fn is_clean(&self) -> bool {
        let bad = !self.faults.is_empty() || !self.unexpected.is_empty() || !self.ended_well;
        !bad && !self.has_shown_nothing()
    }

    fn has_shown_nothing(&self) -> bool {
        self.acknowledged == 0 || self.lives[2] == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> Report {
        let answers = BTreeMap::from([((Kind::Login, 200), 2), ((Kind::Add, 200), 30), ((Kind::Add, 0), 1)]);
        Report { answers, lives: [1, 0, 1], acknowledged: 30, ended_well: true, ..Report::default() }
    }

    #[test]
    fn every_answer_is_in_the_table() {
        let text = fine().text();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["request", "no", "answer", "200"]);
        assert_eq!(lines[1], ["login", "0", "2"]);
        assert_eq!(lines[2], ["add", "1", "30"]);
    }

    #[test]
    fn any_fault_fails_and_so_does_a_soak_that_showed_nothing() {
        assert!(fine().is_clean());
        assert!(!Report { acknowledged: 0, ..fine() }.is_clean());
        assert!(!Report { lives: [2, 0, 0], ..fine() }.is_clean());
        assert!(!Report { ended_well: false, ..fine() }.is_clean());
        let faulty = Report { faults: vec!["lost".to_owned()], ..fine() };
        assert!(!faulty.is_clean() && faulty.text().contains("BAD  lost"));
        let broken = Report { unexpected: BTreeMap::from([((Kind::Add, 503), 4)]), ..fine() };
        assert!(!broken.is_clean() && broken.text().contains("BAD  Add was answered 503 4 times"));
    }
}
