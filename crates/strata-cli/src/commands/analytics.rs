//! `analytics report`: what visits came to, as tables and bars for people, as one object for programs.

use std::time::Duration;

use console::Term;
use strata::session::analytics::{Insight, Insights, Period, Ranking};
use strata::{Strata, Timestamp};

use crate::args::Analytics;
use crate::failure::Failure;
use crate::output::{Out, Table};
use crate::words;

/// How wide a line is where nobody says.
const PLAIN_WIDTH: usize = 80;
/// The widest name of a row; the rest is cut.
const NAME: usize = 40;

/// Prints the numbers of the time up to now.
pub(crate) async fn analytics(db: &Strata, analytics: &Analytics, out: &mut Out) -> Result<(), Failure> {
    let Analytics::Report { since, namespace, top } = analytics;
    let period = Period::last(*since, &**db.clock())?.top(*top);
    let insight = Insights::in_namespace(db, namespace)?.over(period).await?;
    if out.json {
        return out.object(&object(&insight)?);
    }
    Page::new(out).write(&insight)
}

fn object(insight: &Insight) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(insight)
        .map_err(|error| Failure::Io("can't write the numbers as JSON", error.into()))
}

/// A page on its way to the terminal.
struct Page<'o> {
    out: &'o mut Out,
    width: usize,
    /// What a full step of a bar is drawn with: a block on a terminal, a sign that every reader has elsewhere.
    full: char,
}

impl<'o> Page<'o> {
    fn new(out: &'o mut Out) -> Self {
        let terminal = Term::stdout();
        let width = if terminal.is_term() { usize::from(terminal.size().1) } else { PLAIN_WIDTH };
        Self { out, width: width.max(20), full: if terminal.is_term() { '█' } else { '#' } }
    }

    fn write(&mut self, insight: &Insight) -> Result<(), Failure> {
        self.numbers(insight)?;
        self.ranking("PAGES", &insight.pages)?;
        self.ranking("ENTRIES", &insight.entries)?;
        self.ranking("EVENTS", &insight.names)?;
        self.ranking("REFERRERS", &insight.referrers)?;
        let devices = insight.devices.iter().filter(|count| count.visits > 0);
        let devices = devices.map(|count| (count.device.to_string(), count.visits));
        self.bars("DEVICES", &devices.collect::<Vec<_>>())?;
        if insight.visits == 0 {
            return Ok(());
        }
        let steps = insight.active.iter();
        let steps = steps.map(|step| (words::print_instant(Timestamp::from_millis(step.from)), step.visits));
        self.bars("OPEN VISITS FROM", &steps.map(|(at, visits)| (minutes(&at), visits)).collect::<Vec<_>>())
    }

    fn numbers(&mut self, insight: &Insight) -> Result<(), Failure> {
        let about = |approximate: bool| if approximate { "about " } else { "" };
        let millis = |millis| words::print_duration(Duration::from_millis(millis));
        let (users, duration) = (insight.users, insight.duration);
        let at = |instant| words::print_instant(Timestamp::from_millis(instant));
        let rows = [
            ("from", at(insight.from)),
            ("to", at(insight.to)),
            ("visits", insight.visits.to_string()),
            ("users", format!("{}{}", about(users.approximate), users.count)),
            ("page views", insight.views.to_string()),
            ("events", insight.events.to_string()),
            ("dropped events", insight.dropped.to_string()),
            ("bounce rate", format!("{:.1} %", insight.bounce_rate * 100.0)),
            ("median duration", format!("{}{}", about(duration.approximate), millis(duration.median))),
            ("95 % at most", format!("{}{}", about(duration.approximate), millis(duration.p95))),
        ];
        let rows = rows.map(|(name, text)| [name.to_owned(), text]);
        for line in Table::new([false, false]).lay_out(&rows) {
            self.out.line(line)?;
        }
        Ok(())
    }

    fn ranking(&mut self, title: &str, ranking: &Ranking) -> Result<(), Failure> {
        let mut rows: Vec<_> = ranking.top.iter().map(|ranked| (ranked.name.clone(), ranked.count)).collect();
        if ranking.others > 0 {
            rows.push(("(others)".to_owned(), ranking.others));
        }
        self.bars(title, &rows)
    }

    /// Rows with a number and a bar each; nothing where there are none.
    fn bars(&mut self, title: &str, rows: &[(String, u64)]) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let digits = most.to_string().len();
        let names: Vec<String> = rows.iter().map(|(name, _)| shown(name, NAME.min(self.width / 2))).collect();
        let name = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        // Two gaps of two.
        let room = self.width.saturating_sub(name + digits + 4);
        let full = self.full;
        let lines = names.into_iter().zip(rows).map(|(shown, (_, count))| {
            let gap = " ".repeat(name - shown.chars().count());
            let bar: String = std::iter::repeat_n(full, length(*count, most, room)).collect();
            format!("{shown}{gap}  {count:>digits$}  {bar}").trim_end().to_owned()
        });
        for line in [String::new(), title.to_owned()].into_iter().chain(lines) {
            self.out.line(line)?;
        }
        Ok(())
    }
}

/// How long a bar is; what is not zero shows.
fn length(count: u64, most: u64, room: usize) -> usize {
    let share = u128::from(count) * room as u128 / u128::from(most.max(1));
    usize::try_from(share).unwrap_or(room).max(usize::from(count > 0 && room > 0))
}

/// A name as a terminal may get it: without control characters, cut to `most` characters.
fn shown(name: &str, most: usize) -> String {
    let clean = name.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character });
    if name.chars().count() <= most {
        clean.collect()
    } else {
        clean.take(most.saturating_sub(1)).chain(['…']).collect()
    }
}

/// An instant without its seconds.
fn minutes(instant: &str) -> String {
    instant.get(..16).unwrap_or(instant).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_share_the_room() {
        assert_eq!([0, 1, 50, 100].map(|count| length(count, 100, 10)), [0, 1, 5, 10]);
        assert_eq!(length(u64::MAX, u64::MAX, 70), 70);
        assert_eq!((length(1, 1, 0), length(0, 0, 10)), (0, 0));
    }

    #[test]
    fn names_are_cut_and_cannot_steer_the_terminal() {
        assert_eq!(shown("/a\u{1b}[31m", 40), "/a\u{fffd}[31m");
        assert_eq!(shown("/héhé", 5), "/héhé");
        assert_eq!(shown("/héhéh", 5), "/héh…");
        assert_eq!(minutes("2026-01-01T10:20:30Z"), "2026-01-01 10:20");
    }
}
