//! From the global options to an open store: which keys, whether it may be created, what is told about it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strata::crypto::{FileKeys, KeyProvider as _, Passphrase, StoreId};
use strata::{Builder, ErrorKind, Keys, Random, Strata, SystemRandom};

use crate::args::{Command, Global, Serve};
use crate::failure::Failure;
use crate::location::Location;

/// The variable with a key or a keyset.
const KEY: &str = "STRATA_KEY";
/// The variable with a passphrase.
const PASSPHRASE: &str = "STRATA_PASSPHRASE";

/// What a command needs of the store.
#[derive(Clone, Copy, Debug, Default)]
struct Purpose {
    /// It may be created.
    creates: bool,
    /// `--plaintext` is about what is written out, not about the store.
    exports: bool,
    /// It sweeps by itself, this often.
    sweeps: Option<Duration>,
    /// The watermark may be wrong or damaged and is not to be read.
    ignores_watermark: bool,
}

impl Purpose {
    fn of(command: &Command) -> Self {
        let none = Self::default();
        match command {
            Command::Set(_) | Command::Import(_) => Self { creates: true, ..none },
            Command::Serve(_) => Self { creates: true, sweeps: Some(Duration::from_secs(10)), ..none },
            Command::Export(_) => Self { exports: true, ..none },
            Command::Watch { .. } => Self { sweeps: Some(Duration::from_millis(250)), ..none },
            Command::Sweep { reset_watermark } => Self { ignores_watermark: *reset_watermark, ..none },
            _ => none,
        }
    }
}

/// Opens the store for `command`.
pub(crate) async fn open(global: &Global, command: &Command) -> Result<Strata, Failure> {
    let purpose = Purpose::of(command);
    let location = location(global, command)?;
    check_there(&location, purpose)?;
    let keys = keys(global, &location, purpose)?;
    if let (Location::Sled(dir), Some(keys)) = (&location, &keys)
        && is_vacant(dir)
    {
        rehearse(global, dir, keys).await?;
    }
    let opened = match (keys, global.plaintext) {
        (None, _) => builder(global, &location, purpose).plaintext().open().await,
        (Some(keys), false) => builder(global, &location, purpose).keys(keys).open().await,
        // A readable export is asked for by name, so a store that is readable already may be read.
        (Some(keys), true) => match builder(global, &location, purpose).keys(keys).open().await {
            Err(error) if error.kind() == ErrorKind::Downgrade => {
                builder(global, &location, purpose).plaintext().open().await
            }
            opened => opened,
        },
    };
    let db = opened.map_err(|error| match error.kind() {
        ErrorKind::Gone => nothing_there(&location),
        _ => error.into(),
    })?;
    tell(&db, global);
    Ok(db)
}

/// Which store was named; the service has one of its own.
fn location(global: &Global, command: &Command) -> Result<Location, Failure> {
    match (&global.store, command) {
        (Some(_), Command::Serve(Serve { data: Some(_), .. })) => Err(Failure::Usage(
            "`--data` and `--store` (or STRATA_STORE) both name a store; leave one of them out".to_owned(),
        )),
        (Some(location), _) => Ok(location.clone()),
        (None, Command::Serve(Serve { data, .. })) => {
            Ok(Location::Sled(data.clone().unwrap_or_else(|| "strata-data".into())))
        }
        (None, _) => {
            Err(Failure::Usage("name a store with `--store sled:DIR`, or in STRATA_STORE".to_owned()))
        }
    }
}

/// A mistyped folder is not made into a store by looking at it.
fn check_there(location: &Location, purpose: Purpose) -> Result<(), Failure> {
    match location {
        Location::Sled(dir) if !purpose.creates && is_vacant(dir) => Err(nothing_there(location)),
        _ => Ok(()),
    }
}

/// Nothing is there, or an empty folder.
fn is_vacant(dir: &Path) -> bool {
    !dir.exists() || std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none())
}

/// No folder, an empty one, or a store that was left before it got its keys.
fn nothing_there(location: &Location) -> Failure {
    Failure::NotFound(format!("there is no store at `{location}`; `set`, `import` and `serve` create one"))
}

/// Keys that can't be read, or may not lie where they do, are met before the store is made. Fresh ones are drawn later.
async fn rehearse(global: &Global, dir: &Path, keys: &Keys) -> Result<(), Failure> {
    let apart = |file: &FileKeys| file.check_apart(StoreId::new([0; 16]), dir);
    if let Some(path) = &global.key_file {
        let path = absolute(path)?;
        apart(&FileKeys::named(&path))?;
        if !path.exists() {
            return Ok(());
        }
    } else if !is_set(KEY) {
        // A passphrase was read already. Whether a keyring takes keys is only seen by giving it some.
        return match FileKeys::of_user() {
            _ if is_set(PASSPHRASE) => Ok(()),
            Ok(files) => Ok(apart(&files)?),
            Err(error) if global.no_keyring => Err(error.into()),
            Err(_) => Ok(()),
        };
    }
    let db = strata::builder().memory().keys(keys.clone()).without_sweeper().open().await?;
    Ok(db.close().await?)
}

fn builder(global: &Global, location: &Location, purpose: Purpose) -> Builder {
    let builder = match location {
        Location::Sled(dir) if purpose.creates => strata::builder().sled(dir),
        Location::Sled(dir) => strata::builder().sled_with(dir, |config| config.create(false)).existing(),
        Location::Memory => strata::builder().memory(),
    };
    let builder = match purpose.sweeps {
        Some(interval) => builder.sweep_every(interval),
        None => builder.without_sweeper(),
    };
    let builder = match global.durability {
        Some(level) => builder.durability(level.into()),
        None => builder,
    };
    if purpose.ignores_watermark {
        return builder.clock(Arc::new(strata::native::system_clock().open()));
    }
    builder
}

/// The keys that were named; `None` for a store without encryption.
fn keys(global: &Global, location: &Location, purpose: Purpose) -> Result<Option<Keys>, Failure> {
    if global.plaintext && !purpose.exports {
        return match &global.key_file {
            Some(_) => Err(Failure::Usage("`--plaintext` and `--key-file` exclude each other".to_owned())),
            None => Ok(None),
        };
    }
    if let Some(path) = &global.key_file {
        return Ok(Some(Keys::file(absolute(path)?)));
    }
    if is_set(KEY) && is_set(PASSPHRASE) {
        return Err(Failure::Usage(format!(
            "both {KEY} and {PASSPHRASE} are set; unset the one that is not meant"
        )));
    }
    if is_set(KEY) {
        return Ok(Some(Keys::env(KEY)));
    }
    if is_set(PASSPHRASE) {
        let text = std::env::var(PASSPHRASE)
            .map_err(|_| Failure::Usage(format!("{PASSPHRASE} is not valid text (UTF-8)")))?;
        return Ok(Some(Keys::passphrase(Passphrase::new(text)?)));
    }
    match location {
        Location::Memory => fresh().map(Some),
        Location::Sled(_) if global.no_keyring => Ok(Some(Keys::auto()?)),
        Location::Sled(_) => Ok(Some(strata::user_keys()?)),
    }
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

fn absolute(path: &Path) -> Result<std::path::PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::Io("can't find the key file", error))
}

/// A key that nobody keeps, for a store that nobody keeps.
pub(crate) fn fresh() -> Result<Keys, Failure> {
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key)?;
    Ok(Keys::bytes(&key)?)
}

/// Tells, on standard error, what somebody has to know: where fresh keys are, which are missing, what the clock met.
fn tell(db: &Strata, global: &Global) {
    use std::io::Write as _;
    let report = db.report();
    let mut stderr = std::io::stderr();
    // Nobody to tell if standard error is closed.
    if let Some(keys) = report.keys.as_ref().filter(|keys| keys.created && !global.json) {
        let _ = writeln!(stderr, "note: {keys}");
    }
    let clocks = report.clock.iter().map(ToString::to_string);
    for warning in clocks.chain(missing_warning(db)) {
        let _ = if global.json {
            writeln!(stderr, "{}", json!({ "warning": { "message": warning } }))
        } else {
            writeln!(stderr, "warning: {warning}")
        };
    }
}

fn missing_warning(db: &Strata) -> Option<String> {
    let missing = missing_keys(db);
    (!missing.is_empty()).then(|| {
        format!(
            "the keys given are not all of this store's: what is sealed under {} can't be opened; bring the keys that have it",
            missing.join(", ")
        )
    })
}

/// The ids of the store's keys that were not given.
pub(crate) fn missing_keys(db: &Strata) -> Vec<String> {
    db.report().keys.map_or_else(Vec::new, |keys| keys.missing.iter().map(ToString::to_string).collect())
}
