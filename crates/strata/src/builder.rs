//! Putting a store, its keys and its clock together: [`Builder`].

use std::sync::Arc;
#[cfg(feature = "ttl")]
use std::time::Duration;

#[cfg(all(feature = "keyring", not(target_arch = "wasm32")))]
use strata_adapter_keyring::KeyringConfig;
#[cfg(feature = "memory")]
use strata_adapter_memory::MemoryConfig;
#[cfg(feature = "sled")]
use strata_adapter_sled::SledConfig;
use strata_core::{
    Bus, Clock, Durability, Error, ErrorKind, Handle, Journal, NoRandom, Protection, Random, Result, Store,
    Touch,
};
#[cfg(feature = "crypto")]
use strata_crypto::Keys;

#[cfg(all(feature = "keyring", not(target_arch = "wasm32")))]
use crate::engine::OrElse;
use crate::engine::{Choice, Found};
use crate::open::Strata;
use crate::protect::Protect;
#[cfg(feature = "ttl")]
use crate::sweeping::{Sweep, Sweeping};
use crate::time::Time;

/// What a [`Strata`] is made of. Two things have to be said: a store, and keys or [`plaintext`](Builder::plaintext).
///
/// ```
/// # #[cfg(all(feature = "memory", feature = "ttl", feature = "crypto"))]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> strata::Result<()> {
/// let db = strata::builder().memory().plaintext().open().await?;
/// db.set("greeting", &"hello".to_owned()).await?;
/// assert_eq!(db.get::<String>("greeting").await?.as_deref(), Some("hello"));
/// # Ok(())
/// # }
/// # #[cfg(not(all(feature = "memory", feature = "ttl", feature = "crypto")))]
/// # fn main() {}
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `open`"]
pub struct Builder {
    choice: Choice,
    protect: Protect,
    least: Protection,
    durability: Option<Durability>,
    touch: Touch,
    max_value: Option<usize>,
    clock: Option<Arc<dyn Clock>>,
    random: Option<Arc<dyn Random>>,
    journal: Option<Arc<dyn Journal>>,
    bus: Option<Arc<dyn Bus>>,
    existing: bool,
    #[cfg(feature = "ttl")]
    timer: Option<Arc<dyn strata_core::Timer>>,
    #[cfg(feature = "ttl")]
    sweep: Sweep,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            choice: Choice::Undecided,
            protect: Protect::Unsaid,
            least: Protection::Plaintext,
            durability: None,
            touch: Touch::default(),
            max_value: None,
            clock: None,
            random: None,
            journal: None,
            bus: None,
            existing: false,
            #[cfg(feature = "ttl")]
            timer: None,
            #[cfg(feature = "ttl")]
            sweep: Sweep::Default,
        }
    }

    /// On disk, in the folder `dir`, which is made if it is missing. One process at a time.
    #[cfg(feature = "sled")]
    pub fn sled(self, dir: impl AsRef<std::path::Path>) -> Self {
        self.sled_with(dir, |config| config)
    }

    /// On disk, as `tune` makes the configuration.
    #[cfg(feature = "sled")]
    pub fn sled_with(
        mut self,
        dir: impl AsRef<std::path::Path>,
        tune: impl FnOnce(SledConfig) -> SledConfig,
    ) -> Self {
        let config = tune(SledConfig::new(dir.as_ref()));
        self.choice = Choice::Sled(Box::new(config), dir.as_ref().to_owned());
        self
    }

    /// In memory, without a bound. Gone with the process.
    #[cfg(feature = "memory")]
    pub fn memory(self) -> Self {
        self.memory_with(MemoryConfig::new())
    }

    /// In memory, within bounds.
    #[cfg(feature = "memory")]
    pub fn memory_with(mut self, config: MemoryConfig) -> Self {
        self.choice = Choice::Memory(config);
        self
    }

    /// In the operating system's keyring, as entries of `service`, which guards them: nothing is said about keys. For small secrets;
    /// there is no listing and no sweeper. Where there is no keyring, [`Builder::open`] fails with [`ErrorKind::Unsupported`]; see
    /// [`or_memory`](Builder::or_memory).
    #[cfg(all(feature = "keyring", not(target_arch = "wasm32")))]
    pub fn keyring(self, service: impl Into<String>) -> Self {
        self.keyring_with(KeyringConfig::new(service))
    }

    /// In the operating system's keyring, as this configuration has it.
    #[cfg(all(feature = "keyring", not(target_arch = "wasm32")))]
    pub fn keyring_with(mut self, config: KeyringConfig) -> Self {
        self.choice = Choice::Keyring(Box::new(config), OrElse::Refuse);
        self
    }

    /// Where there is no keyring, in memory: gone with the process and never on disk; [`Strata::report`] says so. A keyring that is
    /// locked, refuses or does not answer is an error all the same. [`require`](Builder::require) refuses what memory is less. Said of a
    /// keyring, after it.
    #[cfg(all(feature = "keyring", feature = "memory", not(target_arch = "wasm32")))]
    pub fn or_memory(mut self) -> Self {
        self.choice = match self.choice {
            Choice::Keyring(config, _) => Choice::Keyring(config, OrElse::Memory),
            _ => Choice::Undecided,
        };
        self
    }

    /// Any store.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.choice = Choice::Given(store);
        self
    }

    /// Seals every value under keys from here. A fresh store remembers who keeps its keys, and is never opened by another.
    #[cfg(feature = "crypto")]
    pub fn keys(mut self, keys: Keys) -> Self {
        self.protect = Protect::Keys(Box::new(keys));
        self
    }

    /// Seals nothing. A store that is encrypted refuses to be opened so.
    pub fn plaintext(mut self) -> Self {
        self.protect = Protect::Plaintext;
        self
    }

    /// Opens only a store that somebody has begun. One without a header is refused ([`ErrorKind::Gone`] when it is empty,
    /// else [`ErrorKind::Foreign`]) and left as it is, where it would otherwise be bound to the keys that are given, or marked as
    /// plaintext. A keyring has no header and is opened all the same. For programs that only look. Whether a folder may be made is said
    /// in the store's own configuration.
    pub fn existing(mut self) -> Self {
        self.existing = true;
        self
    }

    /// Refuses, with [`ErrorKind::Downgrade`], to open with less protection than this.
    pub fn require(mut self, least: Protection) -> Self {
        self.least = least;
        self
    }

    /// The durability of commits that name none; [`Durability::Process`] or the store's highest unless said here. More than the
    /// store has is [`ErrorKind::Unsupported`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// How often activity is written down; a tenth of the idle time unless said here.
    pub fn touch(mut self, touch: Touch) -> Self {
        self.touch = touch;
        self
    }

    /// The longest encoded value, in bytes; 256 KiB unless said here.
    pub fn max_value(mut self, bytes: usize) -> Self {
        self.max_value = Some(bytes);
        self
    }

    /// Takes time from here in place of the system's clocks. The store's watermark is then neither read nor raised: what a test
    /// does to time stays in the test.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Takes randomness from here in place of the system's generator.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = Some(random);
        self
    }

    /// Waits by this in place of tokio's timer.
    #[cfg(feature = "ttl")]
    pub fn timer(mut self, timer: Arc<dyn strata_core::Timer>) -> Self {
        self.timer = Some(timer);
        self
    }

    /// Adds a journal's writes to every commit.
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Carries changes to other processes.
    pub fn bus(mut self, bus: Arc<dyn Bus>) -> Self {
        self.bus = Some(bus);
        self
    }

    /// Removes dead records this often; once a minute unless said here. It never decides what is dead: every read does.
    #[cfg(feature = "ttl")]
    pub fn sweep_every(mut self, interval: Duration) -> Self {
        self.sweep = Sweep::Every(interval);
        self
    }

    /// Removes dead records only when [`Strata::sweep`] is called.
    ///
    /// What is dead is never served, swept or not. But nothing then writes down the time between the open and
    /// [`Strata::close`]: if the process is killed and the wall is set back before the next open, whatever died in between lives
    /// again, without a limit of one sweep.
    #[cfg(feature = "ttl")]
    pub fn without_sweeper(mut self) -> Self {
        self.sweep = Sweep::Never;
        self
    }

    /// Opens the store, obtains its keys and starts the sweeper. Blocking work (reading a log, stretching a passphrase) runs on
    /// threads for that.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when something was not said; what the store reports ([`ErrorKind::Locked`],
    /// [`ErrorKind::Foreign`], [`ErrorKind::Newer`] …); what the keys report ([`ErrorKind::MissingKey`],
    /// [`ErrorKind::WrongKey`]); [`ErrorKind::Downgrade`] when protection differs from what the store was made with or is
    /// less than required.
    pub async fn open(self) -> Result<Strata> {
        let guards_itself = self.choice.guards_itself();
        let protect = if guards_itself { self.protect.by_engine()? } else { self.protect };
        let Found { engine, instead } = self.choice.open().await?;
        if self.existing && !guards_itself {
            crate::protect::check_begun(&engine).await?;
        }
        let time = Time::open(self.clock, &engine).await?;
        let random = self.random.unwrap_or_else(default_random);
        let protected = protect.open(&engine, &random, time.clock().now()).await?;
        let mut builder = Handle::builder(engine.store(), time.clock()).random(random).touch(self.touch);
        if let Some(seal) = &protected.seal {
            builder = builder.seal(Arc::clone(seal));
        }
        if let Some(durability) = self.durability {
            builder = builder.durability(durability);
        }
        if let Some(bytes) = self.max_value {
            builder = builder.max_value(bytes);
        }
        if let Some(journal) = self.journal {
            builder = builder.journal(journal);
        }
        if let Some(bus) = self.bus {
            builder = builder.bus(bus);
        }
        let handle = builder.build()?;
        check_protection(&handle, self.least)?;
        let stood = time.keep(&engine, None).await?;
        Ok(Strata {
            #[cfg(feature = "ttl")]
            sweeping: Sweeping::start(&handle, self.timer, self.sweep, time.is_system())?,
            handle,
            engine,
            protected,
            time,
            stood,
            instead,
        })
    }
}

fn check_protection(handle: &Handle, least: Protection) -> Result<()> {
    if handle.protection() >= least {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Downgrade,
        "open",
        format!(
            "protection {least:?} is required, this store has {:?}; open it with a stronger key source",
            handle.protection()
        ),
    )
    .in_store(handle.store()))
}

fn default_random() -> Arc<dyn Random> {
    #[cfg(feature = "crypto")]
    return Arc::new(strata_crypto::SystemRandom::new());
    #[allow(unreachable_code)]
    Arc::new(NoRandom)
}
