//! What replication can be told: [`ReplicationConfig`], and which keys it is about, [`Scope`].

use std::time::Duration;

use strata_core::{Key, Pattern, Result};

/// Which keys are replicated. The store's own records never are.
#[derive(Clone, Debug)]
pub struct Scope {
    patterns: Vec<Pattern>,
    text: String,
}

impl Scope {
    /// All keys: the default.
    pub fn all() -> Self {
        Self { patterns: Vec::new(), text: String::new() }
    }

    /// Keys that match one of these globs, whole names. All peers of a group should say the same; what one does not cover it neither
    /// tells nor takes.
    pub fn only<'g>(globs: impl IntoIterator<Item = &'g str>) -> Result<Self> {
        let mut globs: Vec<&str> = globs.into_iter().collect();
        globs.sort_unstable();
        let patterns = globs.iter().map(|glob| Pattern::new(glob)).collect::<Result<Vec<_>>>()?;
        let text = if globs.is_empty() { "\n".to_owned() } else { globs.join("\n") };
        Ok(Self { patterns, text })
    }

    /// Whether a key is replicated.
    pub fn covers(&self, key: &Key) -> bool {
        !key.is_system() && (self.text.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(key)))
    }

    /// What a store remembers of it, to notice a change.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self::all()
    }
}

/// Times and bounds of replication. All peers of a group should have the same retention.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReplicationConfig {
    /// How often digests are exchanged, which is how long a lost message stays unrepaired. Default 30 s.
    pub interval: Duration,
    /// How long a removal is remembered. Peers out of touch for longer lose what the others no longer have. Default 30 days.
    pub retention: Duration,
    /// How far a peer's clock may be ahead of this one. Writes further ahead are refused and counted. Default 5 min.
    pub max_ahead: Duration,
    /// The longest message in bytes, and so about the longest record that replicates. Default 512 KiB.
    pub max_message: usize,
}

impl ReplicationConfig {
    /// With this interval between digests, at least one millisecond.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Remembers removals for this long.
    #[must_use]
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// Bears clocks that are ahead by this much.
    #[must_use]
    pub fn max_ahead(mut self, bound: Duration) -> Self {
        self.max_ahead = bound;
        self
    }

    /// Sends messages of at most this many bytes, at least 16 KiB.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.max_message = bytes.max(16 * 1024);
        self
    }

    /// Out of touch for longer than this, peers do not trust what they hold: earlier than removals are forgotten anywhere, with skew.
    pub(super) fn stale_after(&self) -> Duration {
        self.retention.saturating_sub(self.max_ahead * 2).max(self.retention / 2)
    }

    /// How many bytes of records one message has room for.
    pub(super) fn item_room(&self) -> usize {
        self.max_message.saturating_sub(256)
    }

    /// Records that die within this time are asked about: others may know of later activity.
    pub(super) fn horizon(&self) -> Duration {
        self.interval * 3
    }
}

impl Default for ReplicationConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(30),
            retention: Duration::from_hours(30 * 24),
            max_ahead: Duration::from_mins(5),
            max_message: 512 * 1024,
        }
    }
}
