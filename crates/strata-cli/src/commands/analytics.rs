//! `analytics report`: what visits came to, as tables and bars for people, as one object for programs.

use std::time::Duration;

use console::{Term, measure_text_width, truncate_str};
use strata::session::analytics::{Insight, Insights, Period, Queue, Ranked, Ranking, Recorder};
use strata::{ErrorKind, Strata, Timestamp};

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
    let queue = queue(db, namespace).await?;
    if out.json {
        return out.object(&object(&insight, queue)?);
    }
    Page::new(out).write(&insight, queue)
}

/// What was recorded here and not delivered yet: it is in none of the numbers. Nothing where nobody can record, such as a server's store
/// that commits single keys.
async fn queue(db: &Strata, namespace: &str) -> Result<Queue, Failure> {
    match Recorder::builder(db).namespace(namespace).build() {
        Ok(recorder) => Ok(recorder.queue().await?),
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Queue::default()),
        Err(error) => Err(error.into()),
    }
}

fn object(insight: &Insight, queue: Queue) -> Result<serde_json::Value, Failure> {
    let unwritten = |error: serde_json::Error| Failure::Io("can't write the numbers as JSON", error.into());
    let mut object = serde_json::to_value(insight).map_err(unwritten)?;
    let lost = serde_json::to_value(queue.lost).map_err(unwritten)?;
    object["queue"] = serde_json::json!({ "waiting": queue.waiting, "lost": lost });
    Ok(object)
}

/// A row with a bar.
struct Bar {
    name: String,
    count: u64,
    /// What else there is to say.
    note: String,
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

    fn write(&mut self, insight: &Insight, queue: Queue) -> Result<(), Failure> {
        self.numbers(insight, queue)?;
        self.ranking("PAGES, VIEWS, TIME OF ONE", &insight.pages, time_of_one)?;
        let share = |ranked: &Ranked| percent(ranked.count, insight.visits);
        self.ranking("ENTRIES", &insight.entries, share)?;
        self.ranking("EVENTS", &insight.names, |_| String::new())?;
        self.ranking("REFERRERS", &insight.referrers, share)?;
        let devices = insight.devices.iter().filter(|count| count.visits > 0);
        let devices = devices.map(|count| Bar {
            name: count.device.to_string(),
            count: count.visits,
            note: percent(count.visits, insight.visits),
        });
        self.bars("DEVICES", &devices.collect::<Vec<_>>())?;
        if insight.active.iter().all(|step| step.visits == 0) {
            return Ok(());
        }
        let steps = insight.active.iter();
        let steps =
            steps.map(|step| Bar { name: minutes(step.from), count: step.visits, note: String::new() });
        self.bars("OPEN VISITS FROM (UTC)", &steps.collect::<Vec<_>>())
    }

    fn numbers(&mut self, insight: &Insight, queue: Queue) -> Result<(), Failure> {
        let about = |approximate: bool| if approximate { "about " } else { "" };
        let millis = |millis| words::print_duration(Duration::from_millis(millis));
        let (users, duration) = (insight.users, insight.duration);
        let lost = queue.lost;
        let rows = [
            ("from", format!("{} UTC", minutes(insight.from))),
            ("to", format!("{} UTC", minutes(insight.to))),
            ("visits", insight.visits.to_string()),
            ("users", format!("{}{}", about(users.approximate), users.count)),
            ("page views", insight.views.to_string()),
            ("events", insight.events.to_string()),
            ("dropped events", insight.dropped.to_string()),
            ("bounce rate", format!("{:.1} %", insight.bounce_rate * 100.0)),
            ("median duration", format!("{}{}", about(duration.approximate), millis(duration.median))),
            ("95 % at most", format!("{}{}", about(duration.approximate), millis(duration.p95))),
            ("reports waiting", queue.waiting.to_string()),
            ("reports lost", (lost.full + lost.rejected + lost.too_large + lost.expired).to_string()),
        ];
        let rows = rows.map(|(name, text)| [name.to_owned(), text]);
        for line in Table::new([false, false]).lay_out(&rows) {
            self.out.line(line)?;
        }
        Ok(())
    }

    fn ranking(
        &mut self,
        title: &str,
        ranking: &Ranking,
        note: impl Fn(&Ranked) -> String,
    ) -> Result<(), Failure> {
        let bar =
            |ranked: &Ranked| Bar { name: ranked.name.clone(), count: ranked.count, note: note(ranked) };
        let mut rows: Vec<_> = ranking.top.iter().map(bar).collect();
        if ranking.others > 0 {
            rows.push(Bar { name: "(others)".to_owned(), count: ranking.others, note: String::new() });
        }
        self.bars(title, &rows)
    }

    /// Rows with a number and a bar each; nothing where there are none.
    fn bars(&mut self, title: &str, rows: &[Bar]) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        let most = rows.iter().map(|row| row.count).max().unwrap_or(0);
        let digits = most.to_string().len();
        let note = rows.iter().map(|row| row.note.len()).max().unwrap_or(0);
        // Two gaps of two, and one more before notes.
        let beside = digits + 4 + if note > 0 { note + 2 } else { 0 };
        let most_name = NAME.min(self.width / 2).min(self.width.saturating_sub(beside)).max(1);
        let names: Vec<String> = rows.iter().map(|row| shown(&row.name, most_name)).collect();
        let name = names.iter().map(|name| measure_text_width(name)).max().unwrap_or(0);
        let room = self.width.saturating_sub(name + beside);
        let full = self.full;
        let lines = names.into_iter().zip(rows).map(|(shown, row)| {
            let gap = " ".repeat(name - measure_text_width(&shown));
            let bar: String = std::iter::repeat_n(full, length(row.count, most, room)).collect();
            let notes = if note > 0 { format!("  {:>note$}", row.note) } else { String::new() };
            format!("{shown}{gap}  {:>digits$}{notes}  {bar}", row.count).trim_end().to_owned()
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

/// A name as a terminal may get it, for visitors choose it: without what steers a terminal or turns the order of the line, cut to `most`
/// columns.
fn shown(name: &str, most: usize) -> String {
    let clean: String = name.chars().map(|sign| if steers(sign) { '\u{fffd}' } else { sign }).collect();
    truncate_str(&clean, most, "…").into_owned()
}

/// Control characters, and those that cannot be seen: of direction, of no width, tags.
fn steers(sign: char) -> bool {
    sign.is_control()
        || matches!(sign, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// How long a page was looked at each time.
fn time_of_one(ranked: &Ranked) -> String {
    let mean = ranked.millis.checked_div(ranked.count).unwrap_or(0);
    words::print_duration(Duration::from_millis(if mean < 1000 { mean } else { mean / 1000 * 1000 }))
}

/// A part of all, in whole percent.
fn percent(part: u64, all: u64) -> String {
    let rounded = (u128::from(part) * 200 + u128::from(all)) / (u128::from(all) * 2).max(1);
    format!("{rounded} %")
}

/// An instant in UTC, without its seconds.
fn minutes(instant: u64) -> String {
    let instant = words::print_instant(Timestamp::from_millis(instant));
    instant.get(..16).unwrap_or(&instant).replace('T', " ")
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
        assert_eq!(shown("/日本語", 7), "/日本語", "seven columns");
        assert_eq!(shown("/日本語", 6), "/日本…");
        assert_eq!(shown("/\u{202e}gpj.exe\u{200b}", 40), "/\u{fffd}gpj.exe\u{fffd}");
        assert_eq!(minutes(1_767_262_830_000), "2026-01-01 10:20");
    }

    #[test]
    fn parts_and_means_are_rounded() {
        assert_eq!(
            [(0, 3), (1, 3), (2, 3), (3, 3), (0, 0)].map(|(part, all)| percent(part, all)),
            ["0 %", "33 %", "67 %", "100 %", "0 %"]
        );
        let time = |count, millis| time_of_one(&Ranked { name: String::new(), count, millis });
        assert_eq!([time(2, 61_900), time(2, 1000), time(0, 0)], ["30s", "500ms", "0ms"]);
    }
}
