//! Measures Strata against floors and peers and prints one line per target: id, value, gate, aim, `met` or `not met`.

#![allow(unreachable_pub)] // a binary: nothing here is reached from outside

mod floor;
mod harness;
mod record;
mod table;
mod target;

use clap::Parser;

/// What to measure.
#[derive(Debug, Parser)]
struct Options {
    /// Fewer and shorter rounds.
    #[arg(long)]
    quick: bool,
}

fn main() {
    let options = Options::parse();
    let effort = if options.quick { harness::Effort::QUICK } else { harness::Effort::FULL };
    for target in table::memory::run(effort) {
        println!("{target}");
    }
}
