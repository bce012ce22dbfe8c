//! The `strata` command: a tour of the library and an operator's tools. What is said is in `args`, where a store is found in
//! `opening`, what is done in `commands`, `serve` and `tour`, what is printed in `output` and `failure`.

mod args;
mod commands;
mod failure;
mod json;
mod line;
mod location;
mod opening;
mod output;
mod progress;
mod serve;
mod tour;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::Cli;
use crate::failure::Failure;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.global.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell(json);
            ExitCode::from(failure.code())
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Io("can't start the runtime", error))?;
    runtime.block_on(commands::run(cli))
}

/// Tells what clap found: help and version on standard output, anything else as a failure.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nobody to tell if standard output is closed.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = match (error.kind(), not_text(std::env::args_os())) {
        (ErrorKind::InvalidUtf8, Some(what)) => what,
        _ => error.to_string(),
    };
    let json = std::env::args_os().any(|word| word == "--json");
    if json {
        let message = text.trim().trim_start_matches("error: ");
        Failure::Usage(message.to_owned()).tell(true);
    } else if error.kind() == ErrorKind::InvalidUtf8 {
        Failure::Usage(text.trim().trim_start_matches("error: ").to_owned()).tell(false);
    } else {
        let _ = error.print();
    }
    ExitCode::from(2)
}

/// Names the first argument that is no text, and the way out. The paths of files may be any bytes, but a store's may not.
fn not_text(mut words: impl Iterator<Item = OsString>) -> Option<String> {
    let mut position = 0;
    // The program's own name.
    words.next()?;
    while let Some(word) = words.next() {
        position += 1;
        if word == "--key-file" {
            words.next();
            position += 1;
        } else if word.to_str().is_none() && !word.as_encoded_bytes().starts_with(b"--key-file=") {
            return Some(format!(
                "argument {position} (`{}`) is not text (UTF-8): keys, values and tags are text, so encode such bytes, for \
                 example in base64; a store is named by a path that is text, such as a link to it",
                word.to_string_lossy()
            ));
        }
    }
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[test]
    fn the_argument_that_is_no_text_is_named_by_its_place() {
        let bytes = OsString::from_vec(b"caf\xe9".to_vec());
        let told = |words: &[&OsString]| not_text(words.iter().map(|word| (*word).clone()));
        let [program, get, key_file] = ["strata", "get", "--key-file"].map(OsString::from);
        let what = told(&[&program, &key_file, &bytes, &get, &bytes]).expect("the last one");
        assert!(
            what.starts_with("argument 4 (`caf\u{fffd}`) is not text") && what.contains("base64"),
            "{what}"
        );
        assert_eq!(told(&[&program, &key_file, &bytes, &get]), None);
        assert_eq!(told(&[&bytes, &get]), None);
    }
}
