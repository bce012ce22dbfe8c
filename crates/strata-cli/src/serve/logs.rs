//! Structured logs on standard error: one line for each event, JSON with `--json`. What goes into them is decided where it is written;
//! tokens, passwords, names of values and bodies never do.

use tracing_subscriber::filter::LevelFilter;

use crate::failure::Failure;

/// The variable with the level.
const LEVEL: &str = "STRATA_LOG";

/// Starts writing, for the whole process.
pub(crate) fn start(json: bool) -> Result<(), Failure> {
    let level = level(std::env::var(LEVEL).ok().as_deref())?;
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(false);
    let started = if json { lines.json().flatten_event(true).try_init() } else { lines.compact().try_init() };
    started.map_err(|_| Failure::Bad("logs are written by something else in this process already".to_owned()))
}

/// `off`, `error`, `warn`, `info` or `debug`; `info` if nothing is said.
fn level(word: Option<&str>) -> Result<LevelFilter, Failure> {
    match word {
        None | Some("" | "info") => Ok(LevelFilter::INFO),
        Some("off") => Ok(LevelFilter::OFF),
        Some("error") => Ok(LevelFilter::ERROR),
        Some("warn") => Ok(LevelFilter::WARN),
        Some("debug") => Ok(LevelFilter::DEBUG),
        Some(_) => Err(Failure::Usage(format!("{LEVEL} is `off`, `error`, `warn`, `info` or `debug`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_words_and_others_are_refused() {
        assert_eq!(level(None).expect("a level"), LevelFilter::INFO);
        assert_eq!(level(Some("off")).expect("a level"), LevelFilter::OFF);
        assert_eq!(level(Some("loud")).expect_err("no level").code(), 2);
    }
}
