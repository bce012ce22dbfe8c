//! What peers say to each other: [`Letter`], one byte of version before it. Bounded when read: nothing a peer sends makes more work or
//! memory than its length.

use serde::{Deserialize, Serialize};
use strata_core::{Codec, Exported, Result};

use super::index::{FANOUT, NameHash};
use super::report::Refusal;
use super::stamp::Stamp;
use super::state::{Life, State};

const VERSION: u8 = 1;

/// The most entries, names or records one message can be about.
pub(super) const MOST: usize = 512;

/// A message and who wrote it when.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) origin: u64,
    /// The sender's clock: whoever reads it goes on after it.
    pub(super) stamp: Stamp,
    /// Whether the sender has agreed with nobody for too long.
    pub(super) apart: bool,
    pub(super) body: Body,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Body {
    /// What the sender's states below `prefix` come to.
    Digest { prefix: Vec<u8>, parts: Vec<u64> },
    /// All of the sender's states from `first` to `last`.
    Keys { first: NameHash, last: NameHash, states: Vec<(NameHash, State)> },
    /// The sender asks for these.
    Want(Vec<NameHash>),
    /// Records and removals; an `answer` to `Keys` or `Want`, or news.
    Records { items: Vec<Item>, answer: bool },
    /// These will soon die at the sender, for want of activity. Who knows of later activity?
    Ask(Vec<Activity>),
    /// So long do they live at the sender.
    Alive(Vec<Activity>),
}

/// All that is told of one key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) removed: Option<Stamp>,
    pub(super) life: Option<ItemLife>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ItemLife {
    pub(super) life: Life,
    /// As [`StoredLife::latest`](super::record::StoredLife::latest).
    pub(super) latest: u64,
    /// The record; `None` when this version of it has ended at the sender.
    pub(super) record: Option<Exported>,
}

impl Item {
    pub(super) fn state(&self) -> State {
        State::new(self.removed, self.life.as_ref().map(|life| life.life))
    }

    /// About how many bytes it takes in a message.
    pub(super) fn size(&self) -> usize {
        let record = self.life.as_ref().and_then(|life| life.record.as_ref());
        let value = record.map_or(0, |record| {
            let bytes = match &record.body {
                strata_core::Body::Plain { bytes, .. } | strata_core::Body::Sealed(bytes) => bytes.len(),
            };
            bytes + record.key.len() + record.tags.iter().map(|tag| tag.len() + 3).sum::<usize>() + 64
        });
        value + self.name.len() + 100
    }
}

/// Until when a life lives at the sender.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Activity {
    pub(super) hash: NameHash,
    pub(super) birth: Stamp,
    pub(super) deadline: u64,
}

impl Letter {
    pub(super) fn encode(&self, max: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![VERSION];
        Codec::Bincode.encode(self, &mut bytes, max - 1)?;
        Ok(bytes)
    }

    /// Reads a message; what is wrong with it, if it is not one.
    pub(super) fn decode(bytes: &[u8], max: usize) -> Result<Self, Refusal> {
        if bytes.len() > max {
            return Err(Refusal::TooLarge);
        }
        let letter: Self = match bytes.split_first() {
            Some((&VERSION, body)) => Codec::Bincode.decode(body).map_err(|_| Refusal::Garbage)?,
            Some(_) => return Err(Refusal::OtherVersion),
            None => return Err(Refusal::Garbage),
        };
        letter.body.check()?;
        Ok(letter)
    }
}

impl Body {
    fn check(&self) -> Result<(), Refusal> {
        let (fits, bounded) = match self {
            Self::Digest { prefix, parts } => (prefix.len() <= 2 && parts.len() == FANOUT, true),
            Self::Keys { first, last, states } => {
                let ordered = states.windows(2).all(|pair| pair[0].0 < pair[1].0);
                let inside = states.iter().all(|(hash, _)| (first..=last).contains(&hash));
                (first <= last && ordered && inside, states.len() <= MOST)
            }
            Self::Want(names) => (true, names.len() <= MOST),
            Self::Records { items, .. } => (true, items.len() <= MOST),
            Self::Ask(lives) | Self::Alive(lives) => (true, lives.len() <= MOST),
        };
        match (fits, bounded) {
            (_, false) => Err(Refusal::TooLarge),
            (false, _) => Err(Refusal::Garbage),
            _ => Ok(()),
        }
    }
}
