//! `cargo xtask crash`: the release binary is killed, or loses its power, while it writes; then what it acknowledged has
//! to be there. (s33)
//!
//! `traffic` knows what was written and judges what is found; `strata` drives the binary; `kill` and `power` are the two
//! ways to die. For power, `powercut.c` records what the binary asks of the disk, `log` reads the recording and `image`
//! rebuilds what a disk could hold after a cut.

#[cfg(target_os = "linux")]
mod image;
mod kill;
#[cfg(target_os = "linux")]
mod log;
#[cfg(target_os = "linux")]
mod power;
mod random;
#[cfg(target_os = "linux")]
mod recorder;
mod strata;
mod traffic;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;

use crate::report::Table;
use crate::run::{During, Failure, Result, cargo, run as execute};
use crate::workspace::Workspace;
use random::Dice;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Cut the power instead of killing: only what was synced is sure to be there.
    #[arg(long)]
    power: bool,
    /// How many kills or cuts.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Repeats the choices (not the timing) of an earlier run.
    #[arg(long)]
    seed: Option<u64>,
    /// The program to torment, instead of building `target/release/strata`.
    #[arg(long)]
    binary: Option<PathBuf>,
}

/// What happened over all rounds.
#[derive(Debug, Default)]
struct Tally {
    rounds: u32,
    acknowledged: u64,
    recovered: u64,
    lost: u64,
    invented: u64,
    /// Batches of which only a part was there.
    torn: u64,
    check_failures: u64,
    open_failures: u64,
    /// One line per bad round, with where to look.
    notes: Vec<String>,
}

/// Builds the binary, runs the rounds, prints the table. Failure when anything was lost, invented or inconsistent.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result {
    let binary = match &arguments.binary {
        Some(binary) => binary.canonicalize().during("the program to torment")?,
        None => build(workspace)?,
    };
    let seed = arguments.seed.unwrap_or_else(random::fresh_seed);
    println!("seed {seed}; repeat with --seed {seed}");
    std::fs::create_dir_all(&workspace.target).during("making the target folder")?;
    let scene = tempfile::Builder::new().prefix("crash-").tempdir_in(&workspace.target);
    let scene = scene.during("making a folder for the stores")?;
    let mut dice = Dice::new(seed);
    let tally = if arguments.power {
        cut_power(&binary, scene.path(), &mut dice, arguments.rounds)?
    } else {
        kill::run(&binary, scene.path(), &mut dice, arguments.rounds)?
    };
    tally.print(if arguments.power { "cuts" } else { "kills" });
    if !tally.is_clean() {
        println!("the stores are kept in {}", scene.keep().display());
    }
    tally.verdict(seed)
}

#[cfg(target_os = "linux")]
use power::run as cut_power;

#[cfg(not(target_os = "linux"))]
fn cut_power(_: &std::path::Path, _: &std::path::Path, _: &mut Dice, _: u32) -> Result<Tally> {
    Err(Failure::new("power cuts are simulated on Linux only; leave out --power to kill instead"))
}

fn build(workspace: &Workspace) -> Result<PathBuf> {
    execute(cargo(&workspace.root).args(["build", "--release", "-p", "strata-cli"]))?;
    Ok(workspace.target.join(format!("release/strata{}", std::env::consts::EXE_SUFFIX)))
}

impl Tally {
    fn is_clean(&self) -> bool {
        self.lost + self.invented + self.torn + self.check_failures + self.open_failures == 0
    }

    /// Adds what reading the store back found.
    fn judge(&mut self, verdict: &traffic::Verdict) {
        self.recovered += verdict.recovered;
        self.lost += verdict.lost;
        self.invented += verdict.invented;
        self.torn += verdict.torn;
        self.notes.extend(verdict.examples.iter().cloned());
    }

    fn print(&self, what: &str) {
        for note in &self.notes {
            println!("BAD  {note}");
        }
        let headings = [
            what,
            "acknowledged",
            "recovered",
            "lost",
            "invented",
            "torn",
            "check failures",
            "open failures",
        ];
        let mut table = Table::new(&headings);
        let counts = [
            u64::from(self.rounds),
            self.acknowledged,
            self.recovered,
            self.lost,
            self.invented,
            self.torn,
            self.check_failures,
            self.open_failures,
        ];
        let cells = counts.map(|count| count.to_string());
        table.row(&cells.each_ref().map(String::as_str));
        println!("\n{}", table.text());
    }

    /// A run that wrote nothing has shown nothing.
    fn verdict(&self, seed: u64) -> Result {
        if !self.is_clean() {
            return Err(Failure::new(format!("crash: see BAD above; --seed {seed} repeats the choices")));
        }
        if self.acknowledged == 0 || self.recovered == 0 {
            return Err(Failure::new(
                "crash: not one write was acknowledged and recovered, so nothing was shown",
            ));
        }
        Ok(())
    }
}

/// Says how far it is: on a terminal after every round, elsewhere every tenth part.
fn progress(done: u32, of: u32) {
    let percent = |rounds: u32| u64::from(rounds) * 100 / u64::from(of);
    if std::io::stdout().is_terminal() {
        print!("\r{:3} % ({done} of {of})", percent(done));
        let _ = std::io::Write::flush(&mut std::io::stdout()); // only decoration
        if done == of {
            println!();
        }
    } else if done == of || percent(done) / 10 > percent(done - 1) / 10 {
        println!("{:3} % ({done} of {of})", percent(done));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_of_any_kind_fails_and_so_does_silence() {
        let fine = || Tally { rounds: 1, acknowledged: 2, recovered: 2, ..Tally::default() };
        fine().verdict(1).expect("nothing is wrong");
        assert!(Tally { lost: 1, ..fine() }.verdict(1).is_err());
        assert!(Tally { invented: 1, ..fine() }.verdict(1).is_err());
        assert!(Tally { torn: 1, ..fine() }.verdict(1).is_err());
        assert!(Tally { check_failures: 1, ..fine() }.verdict(1).is_err());
        assert!(Tally { open_failures: 1, ..fine() }.verdict(1).is_err());
        assert!(Tally { acknowledged: 0, ..fine() }.verdict(1).is_err());
    }
}
