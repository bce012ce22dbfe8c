//! What the store holds of a guest beside the values: the [`Root`], which says whether the values are still
//! the guest's.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use strata_core::{
    Error, ErrorKind, Guard, Handle, Lifetime, Random, Result, Set, Staged, Timestamp, Version,
};

use super::report::Report;
use crate::id::SessionId;

/// What the tags begin with that a migration in steps puts on the records it has in hand. Applications cannot
/// use it.
pub(super) const MARK: &str = "~plan:";

/// The tag on roots whose migration has begun and not ended.
pub(super) const UNFINISHED: &str = "~migrating";

/// Whose a guest's values are. No record is as good as [`Root::Active`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Root {
    /// The guest's.
    Active,
    /// A migration in steps has begun: values are being frozen. It can still be called off.
    Freezing(Plan),
    /// All values that will go are frozen, and nothing was refused: now they go. This has to be ended.
    Moving(Plan),
    /// The user's.
    Moved(Plan),
}

/// A migration: whose it is, and what becomes of each value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Tells it from any other.
    id: [u8; 16],
    /// The user.
    pub(super) user: String,
    /// As it was decided when all values were frozen, and corrected at the end by what was done.
    pub(super) report: Report,
}

/// A root as it was read.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) root: Root,
    version: Option<Version>,
}

/// The roots of all guests.
#[derive(Clone, Debug)]
pub(super) struct Roots {
    handle: Handle,
    life: Lifetime,
}

impl Plan {
    pub(super) fn new(user: &str, random: &dyn Random) -> Result<Self> {
        let mut id = [0; 16];
        random.fill(&mut id)?;
        Ok(Self { id, user: user.to_owned(), report: Report::default() })
    }

    /// The same plan with this report.
    pub(super) fn with(mut self, report: Report) -> Self {
        self.report = report;
        self
    }

    /// The tag it puts on records: on a guest's value, that it is frozen; on a user's, that the guest's is in
    /// it.
    pub(super) fn mark(&self) -> String {
        let mut mark = MARK.to_owned();
        for byte in self.id {
            // Writing to a String cannot fail.
            let _ = write!(mark, "{byte:02x}");
        }
        mark
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Root {
    /// Whether the guest may write.
    pub(super) fn is_active(&self) -> bool {
        matches!(self, Self::Active)
    }

    /// Refuses whoever comes as a guest once the values are no longer the guest's.
    pub(super) fn check(&self) -> Result<()> {
        let message = match self {
            Self::Active => return Ok(()),
            Self::Moved(_) => "the guest has become a user; use what belongs to the user instead",
            Self::Freezing(_) | Self::Moving(_) => {
                "the guest is becoming a user just now; end the migration and use what belongs to the user"
            }
        };
        Err(Error::new(ErrorKind::Gone, "use guest", message))
    }
}

impl Found {
    /// What holds as long as nobody has changed the root.
    pub(super) fn guard(&self) -> Guard {
        self.version.map_or(Guard::Absent, Guard::Version)
    }

    /// Whether a record lies in the store.
    pub(super) fn is_stored(&self) -> bool {
        self.version.is_some()
    }
}

impl Roots {
    pub(super) fn new(handle: Handle, life: Lifetime) -> Self {
        Self { handle, life }
    }

    /// The root of a guest who is active.
    pub(super) async fn visit(&self, id: SessionId) -> Result<Found> {
        Ok(Found::of(self.handle.get_versioned(&id.to_string()).await?))
    }

    /// The root of a guest. No activity.
    pub(super) async fn load(&self, id: SessionId) -> Result<Found> {
        Ok(Found::of(self.handle.peek_versioned(&id.to_string()).await?))
    }

    /// The change of a root from what was found. A migration under way does not expire; whatever else does.
    pub(super) fn put(&self, id: SessionId, found: &Found, root: &Root) -> Set<'_> {
        let set = self.handle.set(&id.to_string(), root);
        let set = match root {
            Root::Freezing(_) | Root::Moving(_) => set.forever().tag(UNFINISHED),
            Root::Active | Root::Moved(_) => set.lifetime(self.life).untagged(),
        };
        match found.version {
            Some(version) => set.if_version(version),
            None => set.if_absent(),
        }
    }

    /// That nobody has changed a root since it was found; creates the one that is not there.
    pub(super) fn hold(&self, id: SessionId, found: &Found) -> Staged<'_> {
        if found.is_stored() {
            self.handle.check(&id.to_string(), found.guard())
        } else {
            self.put(id, found, &Root::Active).into()
        }
    }

    /// The guests whose migration has begun and not ended.
    pub(super) async fn unfinished(&self) -> Result<Vec<String>> {
        self.handle.select().tag(UNFINISHED).keys().collect().await
    }

    pub(super) fn life(&self) -> Lifetime {
        self.life
    }

    pub(super) fn now(&self) -> Timestamp {
        self.handle.clock().now()
    }
}

impl Found {
    fn of(found: Option<(Root, Version)>) -> Self {
        found.map_or(Self { root: Root::Active, version: None }, |(root, version)| Self {
            root,
            version: Some(version),
        })
    }
}
