//! The manager of refresh tokens: [`RefreshTokens`], which begins families, rotates their tokens and lists them. What ends them is
//! in `ending`.

use std::fmt;
use std::time::Duration;

use strata_core::{Error, ErrorKind, Handle, Lifetime, Result, Staged, Timestamp, Writes};

use super::builder::RefreshTokensBuilder;
use super::family::Family;
use super::record::{FamilyRecord, Standing, last_instant};
use super::token::RefreshToken;
use super::verdict::{Rotation, Verdict};
use crate::bearer::ATTEMPTS;
use crate::id::FamilyId;
use crate::roster::{Entry, Roll, Roster, check_user, user_tag};
use crate::security::{EndReason, SecurityEventKind, SecurityLog};

/// The longest label of a client, in bytes.
const MAX_CLIENT: usize = 128;

/// A server's refresh tokens: families of them, one for each sign-in of a client, rotated at each use. Cheap to clone.
///
/// The store holds hashes only. A family has one current token; it is changed only in the version that was judged, and nothing brings
/// back one that has ended.
#[derive(Clone)]
pub struct RefreshTokens {
    pub(super) families: Handle,
    pub(super) roster: Roster,
    pub(super) life: Lifetime,
    pub(super) grace: Duration,
    pub(super) max_families: usize,
    pub(super) log: SecurityLog,
}

impl RefreshTokens {
    /// The longest window for retries.
    pub const MAX_GRACE: Duration = Duration::from_mins(1);
    /// The most families a user can be allowed.
    pub const MOST_FAMILIES: usize = 500;

    /// Refresh tokens in the namespace `refresh`: families that live 30 days, a window of 10 seconds for retries, up to 100 families
    /// for each user.
    pub fn new(handle: &Handle) -> Result<Self> {
        Self::builder(handle).build()
    }

    /// Refresh tokens with other settings.
    pub fn builder(handle: &Handle) -> RefreshTokensBuilder<'_> {
        RefreshTokensBuilder::new(handle)
    }

    /// Begins a family for a user who has just been authenticated, and gives its first token. `client` is what lists show, such as an
    /// OAuth client id or a device; it may be empty. Where the user has as many families as allowed, the oldest ends in the same commit.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] or [`ErrorKind::TooLarge`] for a user or client that is empty (the user), has control characters or
    /// is too long (256 and 128 bytes); [`ErrorKind::Unsupported`] on a handle without randomness. After
    /// [`ErrorKind::Unavailable`] there may be a family that nobody has the token of: it is in the list and ends by its lifetime.
    pub async fn issue(&self, user: &str, client: &str) -> Result<(RefreshToken, Family)> {
        check_user("issue refresh token", user)?;
        check_client(client)?;
        let random = &**self.families.random();
        let id = FamilyId::mint(random)?;
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let expiry = self.life.starting(now)?;
            let (record, token) = FamilyRecord::begin(id, (user, client), (now, expiry), random)?;
            let until = last_instant(expiry).unwrap_or(Timestamp::MAX);
            let mut roll = self.roster.load::<()>(user, now).await?;
            let room = self.make_room(&mut roll).await?;
            roll.entries_mut().push(Entry { id: id.to_bytes(), until: until.as_millis(), about: () });
            match self.begin(id, &record, until, &roll, &room).await {
                Err(error) if is_race(&error) => continue,
                Err(error) if !self.is_current_after(&error, &token).await => return Err(error),
                _ => {}
            }
            for displaced in room.displaced {
                self.note(SecurityEventKind::FamilyEnded(EndReason::Limit), displaced, Some(user));
            }
            self.note(SecurityEventKind::FamilyStarted, id, Some(user));
            return Ok((token, record.describe(id)));
        }
        Err(contended())
    }

    /// Exchanges a token for its successor. The presented one is used up; presented again inside the window it gets the same
    /// successor again, as long as that was not used; any other use of it ends the family.
    ///
    /// # Giving up on it
    /// Its future may be dropped at any time, and its answer may be lost: the client presents the token again and has the successor.
    /// So does a call that gave an error which [is retryable](Error::is_retryable).
    ///
    /// # Errors
    /// What the store reports; then no token is handed out, and a token that is refused may not have ended its family yet: it does
    /// when it is presented again.
    pub async fn rotate(&self, presented: &RefreshToken) -> Result<Rotation> {
        let id = presented.family();
        let mut fresh = None;
        let act = |record: &mut FamilyRecord| self.exchange(record, presented, &mut fresh);
        let stop = match self.families.try_modify(&id.to_string(), act).await {
            Ok(family) => return Ok(self.rotated(fresh.take(), family)),
            Err(stop) => stop,
        };
        match stop {
            Stop::Repeat(repeated) => {
                let (token, family) = *repeated;
                self.note(SecurityEventKind::TokenRetried, id, Some(&family.user));
                Ok(Rotation::Retried { token, family })
            }
            Stop::Misused(verdict, user) => {
                self.end_misused(id, &user, verdict).await?;
                Ok(Rotation::Refused(verdict))
            }
            Stop::Failed(error) if error.kind() == ErrorKind::Gone => {
                self.note(SecurityEventKind::InvalidUse(Verdict::Unknown.misuse()), id, None);
                Ok(Rotation::Refused(Verdict::Unknown))
            }
            Stop::Failed(error) => self.rotated_after(error, fresh).await,
        }
    }

    /// Whose token this is, if a rotation would give a token for it. Nothing changes and it is no activity: for a check before
    /// [`rotate`](Self::rotate), such as whether the client that sends it is the one it was issued to (RFC 6749, section 6).
    pub async fn inspect(&self, token: &RefreshToken) -> Result<Option<Family>> {
        let found = self.families.peek::<FamilyRecord>(&token.family().to_string()).await?;
        let granted = |record: &FamilyRecord| {
            matches!(record.standing(token, self.now()), Standing::Current | Standing::Retry(_))
        };
        Ok(found.filter(granted).map(|record| record.describe(token.family())))
    }

    /// A user's living families, oldest first. No activity.
    pub async fn list(&self, user: &str) -> Result<Vec<Family>> {
        let roll = self.roster.load::<()>(user, self.now()).await?;
        let mut families = Vec::with_capacity(roll.entries().len());
        for entry in roll.entries() {
            let id = FamilyId::from_bytes(entry.id);
            let found = self.families.peek::<FamilyRecord>(&id.to_string()).await?;
            families.extend(found.map(|record| record.describe(id)));
        }
        Ok(families)
    }

    /// The handle of the families' namespace. Its `subscribe` tells of families begun, rotated, ended and expired, by id.
    pub fn handle(&self) -> &Handle {
        &self.families
    }

    /// Where events are written.
    pub fn log(&self) -> &SecurityLog {
        &self.log
    }

    pub(super) fn now(&self) -> Timestamp {
        self.families.clock().now()
    }

    pub(super) fn note(&self, kind: SecurityEventKind, family: FamilyId, user: Option<&str>) {
        let event = self.log.event(kind).family(family);
        match user {
            Some(user) => event.user(user).write(),
            None => event.write(),
        }
    }

    /// Makes room for one more, and says which have to end for it. Those that ended by idleness take none.
    async fn make_room(&self, roll: &mut Roll<()>) -> Result<Room> {
        if roll.entries().len() < self.max_families {
            return Ok(Room::default());
        }
        let dead = self.drop_dead(roll).await?;
        let over = (roll.entries().len() + 1).saturating_sub(self.max_families);
        let displaced =
            roll.entries_mut().drain(..over).map(|entry| FamilyId::from_bytes(entry.id)).collect();
        Ok(Room { displaced, dead })
    }

    /// Takes off a roll what has ended by idleness, and says what that was.
    pub(super) async fn drop_dead(&self, roll: &mut Roll<()>) -> Result<Vec<FamilyId>> {
        let mut dead = Vec::new();
        for id in roll.entries().iter().map(|entry| FamilyId::from_bytes(entry.id)) {
            if !self.families.contains(&id.to_string()).await? {
                dead.push(id);
            }
        }
        roll.entries_mut().retain(|entry| !dead.contains(&FamilyId::from_bytes(entry.id)));
        Ok(dead)
    }

    /// One commit: the family, the roster, and those that end for it.
    async fn begin(
        &self,
        id: FamilyId,
        record: &FamilyRecord,
        until: Timestamp,
        roll: &Roll<()>,
        room: &Room,
    ) -> Result<()> {
        // The roster says when it dies at the latest, so it must not live a moment longer.
        let life = self.life.with_until(until);
        let family = self.families.set(&id.to_string(), record);
        let family = family.lifetime(life).tag(&user_tag(record.user())).if_absent();
        let writes = self.families.writes().stage(family);
        let writes = staged(writes, self.roster.stage(roll));
        // The dead as well: a rotation on its way that began before their end would else keep one alive, and nobody would find it.
        let ended = room.displaced.iter().chain(&room.dead);
        let removals = ended.map(|id| self.families.removal(&id.to_string()));
        removals.fold(writes, Writes::stage).commit().await.map(drop)
    }

    /// Judges, and moves on only what is current. Run again on the fresh record as long as others are faster.
    fn exchange(
        &self,
        record: &mut FamilyRecord,
        presented: &RefreshToken,
        fresh: &mut Option<RefreshToken>,
    ) -> Result<Family, Stop> {
        let now = self.now();
        match record.standing(presented, now) {
            Standing::Current => {}
            Standing::Retry(sealed) => {
                let token = record.repeat(sealed, presented)?;
                return Err(Stop::Repeat(Box::new((token, record.describe(presented.family())))));
            }
            Standing::Misused(verdict) => return Err(Stop::Misused(verdict, record.user().to_owned())),
        }
        *fresh = Some(record.advance(presented, now, self.grace, &**self.families.random())?);
        Ok(record.describe(presented.family()))
    }

    fn rotated(&self, token: Option<RefreshToken>, family: Family) -> Rotation {
        self.note(SecurityEventKind::TokenRotated, family.id, Some(&family.user));
        Rotation::Rotated { token: token.expect("a change that was made has minted it"), family }
    }

    /// A rotation whose answer may be lost: whether it was made is read back. If it was not, or that cannot be read either, the
    /// client's retry finds the right thing.
    async fn rotated_after(&self, error: Error, fresh: Option<RefreshToken>) -> Result<Rotation> {
        let Some(token) = fresh.filter(|_| error.kind() == ErrorKind::Unavailable) else { return Err(error) };
        let name = token.family().to_string();
        match self.families.peek::<FamilyRecord>(&name).await {
            Ok(Some(record)) if record.is_current(&token) => {
                let family = record.describe(token.family());
                Ok(self.rotated(Some(token), family))
            }
            _ => Err(error),
        }
    }

    /// Whether a beginning whose answer was lost has happened.
    async fn is_current_after(&self, error: &Error, token: &RefreshToken) -> bool {
        if error.kind() != ErrorKind::Unavailable {
            return false;
        }
        let found = self.families.peek::<FamilyRecord>(&token.family().to_string()).await;
        matches!(found, Ok(Some(record)) if record.is_current(token))
    }
}

impl fmt::Debug for RefreshTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshTokens")
            .field("families", &self.families)
            .field("life", &self.life)
            .field("grace", &self.grace)
            .field("max_families", &self.max_families)
            .finish_non_exhaustive()
    }
}

/// What a new family takes the place of.
#[derive(Debug, Default)]
struct Room {
    /// Living ones that end for it.
    displaced: Vec<FamilyId>,
    /// Listed ones that have ended already.
    dead: Vec<FamilyId>,
}

/// Why an exchange changed nothing.
enum Stop {
    /// A retry: what was handed out before. Boxed, for it is rare and large.
    Repeat(Box<(RefreshToken, Family)>),
    /// Why, and whose family it is.
    Misused(Verdict, String),
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Adds a change if there is one.
pub(super) fn staged<'h>(writes: Writes<'h>, change: Option<Staged<'h>>) -> Writes<'h> {
    change.into_iter().fold(writes, Writes::stage)
}

/// Somebody was faster: what was read has to be read again.
pub(super) fn is_race(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Gone)
}

fn check_client(client: &str) -> Result<()> {
    if client.chars().any(char::is_control) {
        let message = "the client's label has a control character; give the name a list should show";
        return Err(Error::new(ErrorKind::Invalid, "issue refresh token", message));
    }
    if client.len() > MAX_CLIENT {
        let message = format!(
            "the client's label has {} bytes, at most {MAX_CLIENT} are allowed; give a shorter one",
            client.len()
        );
        return Err(Error::new(ErrorKind::TooLarge, "issue refresh token", message));
    }
    Ok(())
}

#[cold]
pub(super) fn contended() -> Error {
    let message = "the user's families were changed by others each time this was tried; retry";
    Error::new(ErrorKind::Conflict, "change families", message)
}
