//! Measures Strata against floors and peers and prints one line per target: id, value, gate, aim, `met` or `not met`. Ends with 1
//! if a gate is missed.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use strata_benches::harness::{Effort, elapsed, since};
use strata_benches::section::Section;
use strata_benches::spin::{Path, Spin};
use strata_benches::{pins, plot, report, table};

/// What to measure.
#[derive(Debug, Parser)]
struct Options {
    /// Fewer and shorter rounds, smaller stores on disk; writes no report.
    #[arg(long)]
    quick: bool,
    /// Write docs/benchmarks.md and its plots, also of a quick run.
    #[arg(long)]
    write: bool,
    /// Only these tables; writes no report unless told to.
    #[arg(long, value_name = "TABLE", value_delimiter = ',')]
    only: Vec<String>,
    /// Print every reading, not only the targets.
    #[arg(long)]
    rows: bool,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Compare instructions and allocations of the hot paths with benches/pins.json.
    Pins {
        /// Write it anew instead.
        #[arg(long)]
        update: bool,
    },
    /// Run one hot path and print nothing: for profilers and instruction counts.
    Spin {
        /// Which.
        path: Path,
        /// How often.
        #[arg(default_value_t = 1_000_000)]
        times: usize,
    },
    /// Fill a store and print the bytes a session took: what the table `space` runs in fresh processes.
    #[command(hide = true)]
    Space { filled: table::space::Filled },
}

fn main() -> ExitCode {
    let options = Options::parse();
    match options.task {
        None => measure(&options),
        Some(Task::Pins { update: true }) => {
            pins::update();
            ExitCode::SUCCESS
        }
        Some(Task::Pins { update: false }) => verdict(pins::check()),
        Some(Task::Spin { path, times }) => {
            let mut spin = Spin::default();
            (0..times).for_each(|turn| spin.once(path, turn));
            ExitCode::SUCCESS
        }
        Some(Task::Space { filled }) => {
            println!("{}", table::space::fill(filled));
            ExitCode::SUCCESS
        }
    }
}

fn measure(options: &Options) -> ExitCode {
    let names = table::ALL.map(|(name, _)| name);
    if let Some(unknown) = options.only.iter().find(|only| !names.contains(&only.as_str())) {
        eprintln!("there is no table `{unknown}`; there are {}", names.join(", "));
        return ExitCode::from(2);
    }
    let effort = if options.quick { Effort::QUICK } else { Effort::FULL };
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let tables = table::ALL.into_iter().filter(|(name, _)| wanted(name));
    let sections: Vec<Section> = tables.map(|(name, run)| run_one(name, run, effort, options.rows)).collect();
    if options.write || !options.quick && options.only.is_empty() {
        match report::write(&sections, effort) {
            Ok(page) => eprintln!("wrote {}", page.display()),
            Err(error) => {
                eprintln!("the report cannot be written: {error}");
                return ExitCode::from(2);
            }
        }
    }
    verdict(sections.iter().flat_map(|section| &section.targets).all(strata_benches::target::Target::met))
}

fn run_one(name: &str, run: table::Run, effort: Effort, rows: bool) -> Section {
    let start = elapsed();
    let section = run(effort);
    for target in &section.targets {
        println!("{target}");
    }
    if rows {
        let print = |row: &strata_benches::section::Row| {
            println!("      {:>12} {} {}", plot::number(row.value), section.unit, row.name);
        };
        section.rows.iter().for_each(print);
    }
    eprintln!("      table {name} took {:.1} s", since(start).as_secs_f64());
    section
}

fn verdict(holds: bool) -> ExitCode {
    if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
