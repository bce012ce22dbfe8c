//! The commands, one file per group: `list`, `value` (get, set, rm), `clear`, `life` (ttl, touch, persist), `watch`, `stats`,
//! `sessions`, `sweep`, `check`, `export`, `import`, `keyset`, `analytics`. Each gets an open store and says what it found.

mod analytics;
mod check;
mod clear;
mod export;
mod import;
mod keyset;
mod life;
mod list;
mod sessions;
mod stats;
mod sweep;
mod value;
mod watch;

use strata::Strata;

use self::import::Input;
use crate::args::{Cli, Command, Global};
use crate::failure::Failure;
use crate::opening;
use crate::output::Out;
use crate::serve;
use crate::tour;

/// Opens the store, does what was asked, and closes it.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    let mut out = Out::new(global.json);
    if let Command::Tour = command {
        return tour::run(&mut out, global.no_keyring).await;
    }
    if let Command::Serve(_) = &command {
        return serve::run(&global, &command, &mut out).await;
    }
    // Before the store: what cannot be read makes none.
    let input = match &command {
        Command::Import(import) => Input::open(import.file.as_deref())?,
        _ => Input::default(),
    };
    let db = opening::open(&global, &command).await?;
    let done = dispatch(&db, &global, command, input, &mut out).await;
    let flushed = out.flush();
    let closed = db.close().await.map_err(Failure::from);
    // A reader that has left is the last to be told of: any other failure is no good end.
    let (gone, failed): (Vec<Failure>, Vec<Failure>) = [done, closed, flushed]
        .into_iter()
        .filter_map(Result::err)
        .partition(|failure| matches!(failure, Failure::BrokenPipe));
    failed.into_iter().chain(gone).next().map_or(Ok(()), Err)
}

async fn dispatch(
    db: &Strata,
    global: &Global,
    command: Command,
    input: Input,
    out: &mut Out,
) -> Result<(), Failure> {
    match command {
        // They open stores of their own.
        Command::Tour | Command::Serve(_) => Ok(()),
        Command::Ls(ls) => list::ls(db, &ls, out).await,
        Command::Get { key } => value::get(db, &key, out).await,
        Command::Set(set) => value::set(db, &set, out).await,
        Command::Rm { keys } => value::rm(db, &keys, out).await,
        Command::Clear(clear) => clear::clear(db, &clear, out).await,
        Command::Ttl(ttl) => life::ttl(db, &ttl, out).await,
        Command::Touch { key } => life::touch(db, &key, out).await,
        Command::Persist { key } => life::persist(db, &key, out).await,
        Command::Watch { glob, period } => watch::watch(db, &glob, period, out).await,
        Command::Stats => stats::stats(db, out).await,
        Command::Sessions(asked) => sessions::sessions(db, &asked, out).await,
        Command::Sweep { reset_watermark: false } => sweep::sweep(db, out).await,
        Command::Sweep { reset_watermark: true } => sweep::reset(db, out).await,
        Command::Check => check::check(db, out).await,
        Command::Export(export) => export::export(db, &export, global.plaintext, out).await,
        Command::Import(import) => import::import(db, &import, input, out).await,
        Command::Keyset(keyset) => keyset::keyset(db, &keyset, out).await,
        Command::Analytics(analytics) => analytics::analytics(db, &analytics, out).await,
    }
}

/// The failure of naming a key that has no living value.
fn missing(key: &str) -> Failure {
    Failure::NotFound(format!("`{key}` is not there"))
}
