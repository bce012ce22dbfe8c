//! Putting a handle together: [`HandleBuilder`], its [`Touch`] interval and what a user of a handle [`Needs`].

use std::sync::Arc;
use std::time::Duration;

use super::Handle;
use super::pipe::Pipe;
use crate::batch::Durability;
use crate::change::{Bus, Hub};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::Journal;
use crate::random::{NoRandom, Random};
use crate::seal::{Protection, Seal};
use crate::store::{Atomicity, Coherence, GuardScope, Listing, Store};
use crate::time::Clock;

/// How much later a deadline has to become before a read writes it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// The idle time divided by this; the default is a tenth. Zero counts as one.
    Fraction(u32),
    /// This long, whatever the idle time.
    Every(Duration),
}

impl Touch {
    /// What it comes to for an idle time.
    #[inline]
    pub fn interval(self, idle: Duration) -> Duration {
        match self {
            Self::Fraction(parts) => idle / parts.max(1),
            Self::Every(interval) => interval,
        }
    }
}

impl Default for Touch {
    fn default() -> Self {
        Self::Fraction(10)
    }
}

/// The ingredients of a [`Handle`], in any order; the handle runs them in the right one.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct HandleBuilder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    seal: Option<Arc<dyn Seal>>,
    journal: Option<Arc<dyn Journal>>,
    bus: Option<Arc<dyn Bus>>,
    random: Arc<dyn Random>,
    touch: Touch,
    durability: Option<Durability>,
    max_value: usize,
}

impl HandleBuilder {
    /// The longest encoded value a handle takes unless told otherwise: 256 KiB.
    pub const DEFAULT_MAX_VALUE: usize = 256 * 1024;

    pub(super) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            seal: None,
            journal: None,
            bus: None,
            random: Arc::new(NoRandom),
            touch: Touch::default(),
            durability: None,
            max_value: Self::DEFAULT_MAX_VALUE,
        }
    }

    /// Seals every value, and refuses to read any that is not.
    pub fn seal(mut self, seal: Arc<dyn Seal>) -> Self {
        self.seal = Some(seal);
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

    /// The source of randomness that managers draw secrets from.
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// How often activity is written down.
    pub fn touch(mut self, touch: Touch) -> Self {
        self.touch = touch;
        self
    }

    /// The durability of commits that name none. The default is [`Durability::Process`], or what the store has if that is
    /// less; a level named here that the store does not have is refused by [`HandleBuilder::build`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// The longest encoded value, in bytes.
    pub fn max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// The handle, or [`ErrorKind::Unsupported`] if the ingredients do not fit together.
    pub fn build(self) -> Result<Handle> {
        let capabilities = self.store.capabilities();
        let durability = match self.durability {
            Some(wanted) if wanted > capabilities.durability => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "build handle",
                    format!(
                        "durability `{wanted}` was asked for, the store has at most `{}`; ask for less or open another store",
                        capabilities.durability
                    ),
                )
                .in_store(&self.store));
            }
            Some(wanted) => wanted,
            None => Durability::default().min(capabilities.durability),
        };
        Ok(Handle::root(Pipe {
            store: self.store,
            capabilities,
            seal: self.seal,
            journal: self.journal,
            bus: self.bus,
            hub: Hub::new(),
            clock: self.clock,
            random: self.random,
            touch: self.touch,
            durability,
            max_value: self.max_value,
        }))
    }
}

/// What a manager cannot do without. Checked when it is built, so that nothing weaker is used by accident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Over what a commit has to be all or nothing.
    pub atomicity: Atomicity,
    /// Among whom guards have to hold.
    pub guards: GuardScope,
    /// What a read has to see.
    pub coherence: Coherence,
    /// Whether records have to be walked.
    pub listing: Listing,
    /// The least protection.
    pub protection: Protection,
}

impl Needs {
    /// What every store has: guards and atomicity over one key.
    pub const LEAST: Self = Self {
        atomicity: Atomicity::Key,
        guards: GuardScope::Process,
        coherence: Coherence::Strong,
        listing: Listing::None,
        protection: Protection::Plaintext,
    };
}

impl Handle {
    /// Refuses with [`ErrorKind::Unsupported`] (or [`ErrorKind::Downgrade`] for protection) unless the handle has what is
    /// needed.
    pub fn require(&self, needs: &Needs) -> Result<()> {
        let has = self.capabilities();
        let missing = [
            (has.atomicity < needs.atomicity, "commits over several keys"),
            (has.guards < needs.guards, "guards that hold among more processes"),
            (has.coherence < needs.coherence, "reads that see every commit"),
            (has.listing < needs.listing, "walks over its records"),
        ];
        if let Some((_, what)) = missing.iter().find(|(missing, _)| *missing) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "require",
                format!("this needs {what}, which the store does not have; open another store"),
            )
            .in_store(&self.pipe.store));
        }
        if self.protection() < needs.protection {
            return Err(Error::new(
                ErrorKind::Downgrade,
                "require",
                format!(
                    "protection {:?} is required, this handle has {:?}; open it with a stronger key source",
                    needs.protection,
                    self.protection()
                ),
            )
            .in_store(&self.pipe.store));
        }
        Ok(())
    }
}
