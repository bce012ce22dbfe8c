//! The words of the command line: [`Cli`], its global options and one variant per command. What the words do is elsewhere.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use strata::{Durability, KeyId, Timestamp, Version};

use crate::location::Location;
use crate::words;

/// Session state, kept safe: a tour of the library and an operator's tools.
///
/// Exit codes: 0 done, 1 error, 2 usage, 3 not found, 4 conflict.
#[derive(Debug, Parser)]
#[command(name = "strata", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The store: `sled:DIR` on disk, or `memory:` for one that is gone when the command ends. Only `set`, `import` and
    /// `serve` create one on disk.
    #[arg(long, global = true, value_name = "URL", env = "STRATA_STORE")]
    pub(crate) store: Option<Location>,
    /// Take the store's keys from this file; created (mode 0600) together with a fresh store. It has to lie outside the
    /// store's folder. Without it: the variable `STRATA_KEY` (32 bytes in base64, or a keyset), else a passphrase in
    /// `STRATA_PASSPHRASE`, else where the store says its keys are; for a fresh store the system's keyring, and where there is
    /// none a key file of yours.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Leave the system's keyring alone: keep the keys of a fresh store in a key file.
    #[arg(long, global = true, env = "STRATA_NO_KEYRING", value_parser = FalseyValueParser::new())]
    pub(crate) no_keyring: bool,
    /// Use a store without encryption; a store stays what it was created as. With `export`: write values that anybody can
    /// read, also from an encrypted store.
    #[arg(long, global = true)]
    pub(crate) plaintext: bool,
    /// What has to be true of a change before it is reported: `relaxed` may be lost in a crash, `process` survives
    /// kill -9, `power` survives a power cut.
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(crate) durability: Option<Level>,
    /// Print JSON: one object, or one per line; errors too, on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// A level of durability, as it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    Relaxed,
    Process,
    Power,
}

impl From<Level> for Durability {
    fn from(level: Level) -> Self {
        match level {
            Level::Relaxed => Self::Relaxed,
            Level::Process => Self::Process,
            Level::Power => Self::Power,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the session service and its console: a web page on which to sign in, with sessions, a cart, devices and charts.
    ///
    /// The first start creates demo users and prints their passwords once. Ends on an interrupt or SIGTERM, after what is under way is
    /// answered and everything is on disk.
    Serve(Serve),
    /// Run every part of the library for real, on disk, and print what it did. Ends with 0 only if every step held.
    Tour,
    /// List keys.
    Ls(Ls),
    /// Print a value. Looking is no activity: idle times go on.
    Get {
        /// Its key.
        key: String,
    },
    /// Store a value. What is not mentioned (expiry, tags) stays as it is.
    Set(Set),
    /// Remove values. Ends with 3 if one of them was not there.
    Rm {
        /// Their keys.
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
    /// Remove all values that every given filter selects, and print how many.
    Clear(Clear),
    /// Print how long a value still lives, or give it another life.
    Ttl(Ttl),
    /// Count activity now: an idle time starts anew, never past its cap.
    Touch {
        /// The value's key.
        key: String,
    },
    /// Drop the expiry of a value: it never dies.
    Persist {
        /// The value's key.
        key: String,
    },
    /// Print changes made by this process, until interrupted. An embedded store belongs to one process, so on it these
    /// are the values that die meanwhile and are swept.
    Watch {
        /// Which keys; `*` is any text, `?` one character.
        #[arg(default_value = "*")]
        glob: String,
        /// End after this long.
        #[arg(long = "for", value_name = "DURATION", value_parser = words::duration)]
        period: Option<Duration>,
    },
    /// Print what the store holds and how it is protected.
    Stats,
    /// Sessions, of visitors and of users who have signed in: list, show and end them.
    #[command(subcommand)]
    Sessions(Sessions),
    /// Remove what has died.
    Sweep {
        /// Forget the latest time this store has seen. For after a clock that was wrong by years had been set right.
        #[arg(long)]
        reset_watermark: bool,
    },
    /// Compare indexes with records and open every value. Ends with 1 if anything is wrong.
    Check,
    /// Write values as lines of JSON, sealed unless plaintext is asked for.
    Export(Export),
    /// Read values as lines of JSON: those of `export`, or `{"key":"k","value":1,"tags":["t"],"ttl":"1h"}` with `idle`,
    /// `at_most`, `expire_at` and `durability` as further words. Lines that cannot be imported are named, the others are.
    ///
    /// `{"key":"k","remove":true}` removes a key. `{"batch":[…]}` holds such lines, of values and removals, that are committed
    /// together or not at all, and counts as one line; it is as durable as the command is told, or more where one of its lines asks for it.
    Import(Import),
    /// The keys that values are sealed under.
    #[command(subcommand)]
    Keyset(Keyset),
    /// What visits came to.
    #[command(subcommand)]
    Analytics(Analytics),
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one. Browsers keep the cookies on this machine; for others put a proxy with TLS before it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7878")]
    pub(crate) listen: SocketAddr,
    /// The folder of the data, created if it is missing; `./strata-data` unless `--store` names a store.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Draw new passwords for the demo users, print them, and end their sessions.
    #[arg(long)]
    pub(crate) new_passwords: bool,
}

/// Options of `ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Which keys; `*` is any text, `?` one character.
    #[arg(default_value = "*")]
    pub(crate) glob: String,
    /// Only with this tag; several: with all of them.
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// At most so many.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// With size, time to live, version, codec and tags.
    #[arg(long, short)]
    pub(crate) long: bool,
}

/// Options of `set`.
#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Its key: 1 to 512 bytes without control characters.
    pub(crate) key: String,
    /// Valid JSON is stored as that, other text as a string. `-` reads it from standard input.
    #[arg(allow_hyphen_values = true)]
    pub(crate) value: String,
    #[command(flatten)]
    pub(crate) life: Life,
    /// Label it; several times for several labels. Replaces the labels it has.
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Only if nothing is there; ends with 4 if something is.
    #[arg(long, conflicts_with = "if_version")]
    pub(crate) if_absent: bool,
    /// Only if it has this version; ends with 4 if it has another, with 3 if it has ended.
    #[arg(long, value_name = "N", value_parser = words::version)]
    pub(crate) if_version: Option<Version>,
}

/// How long a value lives.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Life {
    /// Dies after this long, such as `90s`, `30m`, `12h`, `7d` or `1h30m`.
    #[arg(long, value_name = "DURATION", value_parser = words::duration)]
    pub(crate) ttl: Option<Duration>,
    /// Count the time from the last activity.
    #[arg(long, requires = "ttl")]
    pub(crate) sliding: bool,
    /// Dies at this instant, such as `2030-01-01T00:00:00Z`; with --sliding, at the latest then.
    #[arg(long, value_name = "RFC3339", value_parser = words::instant)]
    pub(crate) expire_at: Option<Timestamp>,
}

/// Options of `clear`.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Clear {
    /// Keys that begin with this.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,
    /// Keys that match; `*` is any text, `?` one character.
    #[arg(long, value_name = "GLOB")]
    pub(crate) glob: Option<String>,
    /// With this tag; several: with all of them.
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Not changed for this long.
    #[arg(long, value_name = "DURATION", value_parser = words::duration)]
    pub(crate) older_than: Option<Duration>,
    /// Dead and not swept yet.
    #[arg(long)]
    pub(crate) expired: bool,
}

/// Options of `ttl`.
#[derive(Debug, Args)]
pub(crate) struct Ttl {
    /// The value's key.
    pub(crate) key: String,
    /// Live this long from now.
    #[arg(long, value_name = "DURATION", value_parser = words::duration)]
    pub(crate) set: Option<Duration>,
    /// Count the time from the last activity.
    #[arg(long, requires = "set")]
    pub(crate) sliding: bool,
    /// Die at this instant; with --sliding, at the latest then.
    #[arg(long, value_name = "RFC3339", value_parser = words::instant)]
    pub(crate) expire_at: Option<Timestamp>,
}

/// Options of `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Which keys; `*` is any text, `?` one character.
    #[arg(default_value = "*")]
    pub(crate) glob: String,
    /// Only with this tag; several: with all of them.
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// Seal under this key of the keyset in place of the primary one.
    #[arg(long, value_name = "ID", value_parser = words::key_id)]
    pub(crate) key_id: Option<KeyId>,
}

/// Options of `import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file to read; standard input if none is given.
    pub(crate) file: Option<PathBuf>,
    /// Print each key as soon as its commit is as durable as asked.
    #[arg(long)]
    pub(crate) ack: bool,
    /// Leave what exists already as it is; such lines count as not imported, and the exit code is 4.
    #[arg(long)]
    pub(crate) if_absent: bool,
}

/// The keys that values are sealed under.
#[derive(Debug, Subcommand)]
pub(crate) enum Keyset {
    /// List the keys: id, check value, creation, which is primary. Never their bytes.
    List,
    /// Draw a key. It opens values and seals none before it is promoted.
    Add,
    /// Seal new values under this key.
    Promote {
        /// Its id.
        #[arg(value_parser = words::key_id)]
        id: KeyId,
    },
    /// Seal every value anew under the primary key. Interrupted, it goes on where it was.
    Rekey,
    /// Remove a key under which nothing is sealed any more.
    ///
    /// Let programs that were writing before the promotion finish first: a write that was sealed under this key and is stored
    /// only afterwards could not be read.
    Retire {
        /// Its id.
        #[arg(value_parser = words::key_id)]
        id: KeyId,
    },
}

/// Sessions, of visitors and of users who have signed in.
#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    /// List living sessions. Looking is no activity.
    List {
        /// Only those of this user.
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    /// Print what is known of a session. The application's own claims and values stay unread.
    Show {
        /// Its public id.
        id: String,
    },
    /// End a session. Ends with 3 if it is not there.
    Revoke {
        /// Its public id.
        id: String,
    },
    /// End all sessions of a user in one commit, and all of the user's refresh tokens before; print how many there were.
    RevokeUser {
        /// The user's id.
        user: String,
    },
    /// End everybody's sessions and refresh tokens, and print how many there were.
    RevokeAll {
        /// Only those of this user, as `revoke-user` does.
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
}

/// What visits came to.
#[derive(Debug, Subcommand)]
pub(crate) enum Analytics {
    /// Print visits, users, views, durations, the most frequent pages, events and referrers, devices, and how many visits were open
    /// over time. Visits count where they began.
    Report {
        /// How far back from now.
        #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = words::duration)]
        since: Duration,
        /// The namespace that they were counted in.
        #[arg(long, value_name = "NAME", default_value = "analytics")]
        namespace: String,
        /// How many of the most frequent ones.
        #[arg(long, value_name = "N", default_value_t = 10)]
        top: usize,
    },
}
