//! Signing in: [`Login`], a builder that is awaited.

use std::fmt;

use strata_core::{Before, BoxFuture, Error, ErrorKind, Guard, Info, Result, Timestamp, Value, Version};

use super::device::Device;
use super::listing::last_active;
use super::manager::AuthSessions;
use super::policy::AtLimit;
use super::record::AuthRecord;
use super::registry::{Registry, is_lost, is_unknown};
use super::session::AuthSession;
use super::user::StoredUser;
use crate::bearer::{ATTEMPTS, Bound as _, contended};
use crate::id::SessionId;
use crate::roster::{Entry, Roll, user_tag};
use crate::secret::Digest;
use crate::security::{EndReason, SecurityEventKind};
use crate::token::SessionToken;

/// A user about to sign in. Await it for the token, which is for the client, and the session, which is for the program.
///
/// The session, its place in the user's roster, and the end of those it displaces are one commit.
///
/// # Errors
/// [`ErrorKind::Full`] at the parallel limit with [`AtLimit::Refuse`]; [`ErrorKind::Invalid`] and [`ErrorKind::TooLarge`] for a
/// user or device out of bounds; [`ErrorKind::Unsupported`] on a handle without randomness; what the store reports. Then no
/// session exists that anybody could open. One that a store made all the same, after an answer that was lost and could not be
/// found out, takes a place in the roster until it dies by its idle time or cap, or is revoked.
#[must_use = "nobody is signed in until this is awaited"]
pub struct Login<'m, C> {
    manager: &'m AuthSessions<C>,
    user: Result<StoredUser>,
    remember: bool,
    device: Device,
    instead_of: Option<(SessionId, Digest)>,
}

impl<'m, C: Value> Login<'m, C> {
    pub(super) fn new(manager: &'m AuthSessions<C>, user: Result<StoredUser>) -> Self {
        Self { manager, user, remember: false, device: Device::default(), instead_of: None }
    }

    /// Lets the session live as the policy for remembered ones says, when the user asked for that.
    pub fn remember(mut self) -> Self {
        self.remember = true;
        self
    }

    /// What the user signs in on.
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Ends the session that this client has had so far, in the same commit: whoever planted or saw its token has nothing (session
    /// fixation; ASVS 7.2.4). One that has ended already, or whose secret is another, is left alone. Also one of another user.
    pub fn instead_of(mut self, token: &SessionToken) -> Self {
        self.instead_of = Some((token.id(), token.digest()));
        self
    }

    /// As [`Login::instead_of`], for a session that is open.
    pub fn replacing(mut self, session: &AuthSession<C>) -> Self {
        self.instead_of = Some((session.id(), session.bearer.digest().clone()));
        self
    }
}

impl<'m, C: Value> IntoFuture for Login<'m, C> {
    type Output = Result<(SessionToken, AuthSession<C>)>;
    type IntoFuture = BoxFuture<'m, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { manager, user, remember, device, instead_of } = self;
        Box::pin(async move {
            device.check()?;
            let applicant = Applicant { user: user?, remember, device, instead_of };
            let token = manager.registry().login(&applicant).await?;
            let session = manager.session(token.id(), token.digest());
            Ok((token, session))
        })
    }
}

impl<C> fmt::Debug for Login<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user.as_ref().ok().map(StoredUser::id))
            .field("remember", &self.remember)
            .finish_non_exhaustive()
    }
}

/// Who signs in, and how.
struct Applicant {
    user: StoredUser,
    remember: bool,
    device: Device,
    instead_of: Option<(SessionId, Digest)>,
}

impl Applicant {
    fn record(&self, token: &SessionToken, now: Timestamp) -> AuthRecord {
        let (user, device) = (self.user.clone(), self.device.clone());
        AuthRecord::new(token.digest(), user, device, self.remember, now)
    }
}

/// The session a new one takes the place of.
struct Replaced {
    id: SessionId,
    user: String,
    version: Version,
}

impl Registry {
    async fn login(&self, applicant: &Applicant) -> Result<SessionToken> {
        let token = SessionToken::mint(&**self.handle.random())?;
        for _ in 0..ATTEMPTS {
            match self.try_login(&token, applicant).await {
                // Somebody else's commit was faster; look again.
                Err(error) if is_lost(&error) => {}
                done => return done.map(|()| token),
            }
        }
        Err(contended())
    }

    async fn try_login(&self, token: &SessionToken, applicant: &Applicant) -> Result<()> {
        let (now, user) = (self.now(), applicant.user.id());
        let mut roll = self.roster.load::<()>(user, now).await?;
        let replaced = self.replaced(applicant).await?;
        let mut other = None;
        match &replaced {
            Some(old) if old.user == user => remove(&mut roll, &[old.id]),
            Some(old) => {
                let mut theirs = self.roster.load::<()>(&old.user, now).await?;
                remove(&mut theirs, &[old.id]);
                other = self.roster.stage(&theirs);
            }
            None => {}
        }
        let evicted = self.make_room(user, &mut roll).await?;
        let (life, cap) = self.rules.life(applicant.remember, now)?;
        roll.entries_mut().push(Entry { id: token.id().to_bytes(), until: cap.as_millis(), about: () });
        let record = applicant.record(token, now);
        let set = self.handle.set(&token.id().to_string(), &record).lifetime(life).tag(&user_tag(user));
        let mut writes = self.handle.writes();
        for id in &evicted {
            // In whatever version it is: activity is no way out.
            writes = writes.stage(self.handle.removal(&id.to_string()));
        }
        writes = writes.stage(set.if_absent());
        writes = self.roster.stage(&roll).into_iter().chain(other).fold(writes, strata_core::Writes::stage);
        if let Some(old) = &replaced {
            let guard = Guard::Version(old.version);
            writes = writes.stage(self.handle.guarded_removal(&old.id.to_string(), guard));
        }
        let lived = match writes.commit().await {
            Ok(outcomes) => {
                outcomes.iter().map(|outcome| matches!(outcome.before, Before::Live(_))).collect()
            }
            // The answer was lost: the session is there if the commit was made.
            Err(error) if is_unknown(&error) && self.is_bound_to(token).await => vec![true; evicted.len()],
            Err(error) => return Err(error),
        };
        self.tell_of_login(token.id(), applicant, replaced, evicted.into_iter().zip(lived));
        Ok(())
    }

    async fn is_bound_to(&self, token: &SessionToken) -> bool {
        self.bearer(token.id(), token.digest()).is_opened_by(&token.digest()).await
    }

    /// The session to be replaced, if it lives and the secret is its own.
    async fn replaced(&self, applicant: &Applicant) -> Result<Option<Replaced>> {
        let Some((id, check)) = &applicant.instead_of else { return Ok(None) };
        let found = self.handle.peek_versioned::<AuthRecord>(&id.to_string()).await?;
        let own = found.filter(|(record, _)| record.check().matches(check));
        Ok(own.map(|(record, version)| Replaced { id: *id, user: record.user.id().to_owned(), version }))
    }

    /// Makes room in the roll for one more, and says which sessions have to be removed for it. Before the limit is judged, entries
    /// whose sessions have died by idleness are dropped, so that it is exact. They are removed, too: activity that began before one
    /// died and reaches the store only now would else keep it alive, and nobody would find it.
    async fn make_room(&self, user: &str, roll: &mut Roll<()>) -> Result<Vec<SessionId>> {
        let limit = self.rules.limit;
        if roll.entries().len() < limit {
            return Ok(Vec::new());
        }
        let living = self.handle.select().tag(&user_tag(user)).infos(usize::MAX).await?;
        let info_of = |entry: &Entry<()>| {
            let name = SessionId::from_bytes(entry.id).to_string();
            living.iter().find(|(found, _)| *found == name).map(|(_, info)| info)
        };
        let dead = roll.entries().iter().filter(|entry| info_of(entry).is_none());
        let mut removed: Vec<SessionId> = dead.map(|entry| SessionId::from_bytes(entry.id)).collect();
        remove(roll, &removed);
        let excess = (roll.entries().len() + 1).saturating_sub(limit);
        if excess == 0 {
            return Ok(removed);
        }
        if self.rules.at_limit == AtLimit::Refuse {
            return Err(at_limit(limit));
        }
        let mut order: Vec<(Timestamp, [u8; 16])> =
            roll.entries().iter().map(|entry| (self.rank(info_of(entry)), entry.id)).collect();
        // Stable: of equal ones the earlier entry goes first. A roster is in the order of logins, whatever the clock has done.
        order.sort_by_key(|(rank, _)| *rank);
        removed.extend(order.into_iter().take(excess).map(|(_, id)| SessionId::from_bytes(id)));
        remove(roll, &removed);
        Ok(removed)
    }

    /// Sessions with the lowest rank end first.
    fn rank(&self, info: Option<&Info>) -> Timestamp {
        match (self.rules.at_limit, info) {
            (AtLimit::EndLeastActive, Some(info)) => last_active(info),
            _ => Timestamp::EPOCH,
        }
    }

    fn tell_of_login(
        &self,
        id: SessionId,
        applicant: &Applicant,
        replaced: Option<Replaced>,
        evicted: impl Iterator<Item = (SessionId, bool)>,
    ) {
        let user = applicant.user.id();
        if let Some(old) = replaced {
            self.tell(SecurityEventKind::SessionEnded(EndReason::Replaced), old.id, &old.user);
        }
        for (id, _) in evicted.filter(|(_, lived)| *lived) {
            self.tell(SecurityEventKind::SessionEnded(EndReason::Limit), id, user);
        }
        self.tell(SecurityEventKind::SessionCreated, id, user);
    }
}

/// Takes sessions out of a roll.
pub(super) fn remove(roll: &mut Roll<()>, ids: &[SessionId]) {
    roll.entries_mut().retain(|entry| !ids.contains(&SessionId::from_bytes(entry.id)));
}

#[cold]
fn at_limit(limit: usize) -> Error {
    Error::new(
        ErrorKind::Full,
        "sign in",
        format!("the user has {limit} sessions, as many as are allowed; end one of them first"),
    )
}
