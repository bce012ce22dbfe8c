//! The manager: [`Tokens`].

use std::fmt;
use std::sync::Arc;

use strata_core::{Error, ErrorKind, Handle, Result, Spawn, Timer};

use super::accounts::{Account, Act, Core};
use super::answer::TokenAnswer;
use super::builder::TokensBuilder;
use super::failure::{Failure, is_of_one_record, signed_out};
use super::flight::{Flights, Landing};
use super::generation::{Generation, Mark, Timed};
use super::outcome::{Renewal, Renewed, TokenInfo};
use super::revocation::Revocations;
use super::text::{AccessToken, IdToken};
use super::transport::RefreshTransport;
use crate::security::{EndReason, SecurityEventKind, SecurityLog};

/// How often a refresh that landed on something already outdated is repeated.
const ROUNDS: usize = 4;

/// The tokens of a client's accounts. Cheap to clone; clones share the refreshes under way.
///
/// An account is whatever the program calls it: any text of 1 to 256 bytes without control characters. Each has at most one
/// generation of tokens, which is stored, replaced and removed as a whole. Several processes may share the store.
#[derive(Clone)]
pub struct Tokens {
    core: Arc<Core>,
    flights: Flights,
    spawn: Option<Arc<dyn Spawn>>,
}

impl Tokens {
    pub(super) fn over(core: Core, spawn: Option<Arc<dyn Spawn>>) -> Self {
        Self { core: Arc::new(core), flights: Flights::default(), spawn }
    }

    /// Tokens in the namespaces `tokens`, `tokens-lease` and `tokens-index` of a handle, refreshed over `transport`, which is
    /// given up after the policy's timeout by `timer`.
    ///
    /// # Errors
    /// As [`TokensBuilder::build`].
    pub fn new(handle: &Handle, transport: Arc<dyn RefreshTransport>, timer: Arc<dyn Timer>) -> Result<Self> {
        Self::builder(handle, transport, timer).build()
    }

    /// Tokens with other settings.
    pub fn builder(
        handle: &Handle,
        transport: Arc<dyn RefreshTransport>,
        timer: Arc<dyn Timer>,
    ) -> TokensBuilder<'_> {
        TokensBuilder::new(handle, transport, timer)
    }

    /// Keeps what the server gave at a sign-in, in place of whatever the account had. A refresh token of another user (both
    /// subjects known) is queued to be revoked; one of the same user is not, for many servers would end the new one with it.
    /// When this returns, the tokens are as durable as the handle says.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an empty, oversized, dead or not yet valid token or a bad account name, with nothing stored;
    /// [`ErrorKind::Full`] at 256 accounts; what the store reports, where calling again with the same answer is safe.
    pub async fn store(&self, account: &str, answer: TokenAnswer) -> Result<()> {
        let (core, account) = (&self.core, Account::parse(account)?);
        let fresh = Generation::first(answer, &core.making())?;
        let listed_until = core.list(&account, fresh.until()).await?;
        core.edit(&account, |record| {
            if record.live.as_ref().is_some_and(|live| live.mark.sign_in == fresh.mark.sign_in) {
                return Act::Leave(());
            }
            if let Some(old) = record.live.replace(fresh.clone())
                && old.is_of_another_than(&fresh)
            {
                record.abandon(&old, core.now());
            }
            record.listed_until = record.listed_until.max(listed_until);
            Act::Write(())
        })
        .await?;
        core.encourage(&account);
        core.log.event(SecurityEventKind::FamilyStarted).account(&account.name).write();
        Ok(())
    }

    /// A token that can be used now. A valid one is read from the store and given at once, without a write. One that is due is
    /// refreshed first: exactly once, however many callers wait, and what the server gave is stored before anybody gets it.
    ///
    /// A caller that gives up does not end the refresh: with a [`Spawn`] it runs on by itself, without one those who still
    /// wait drive it, or the next caller does.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`]: there are no tokens, or the server refused the refresh token, which signed the account out; sign in
    /// again. [`ErrorKind::Unavailable`]: the server could not be asked and the old token is over; the tokens are kept.
    /// [`ErrorKind::Invalid`]: the server answered nonsense. [`ErrorKind::Denied`]: it answered for another user. And what the
    /// store reports. As long as the old token is valid, an offline server or a nonsensical answer is no error: it is given.
    pub async fn access_token(&self, account: &str) -> Result<AccessToken> {
        let account = Account::parse(account)?;
        for _ in 0..ROUNDS {
            let current = self.core.read(&account).await?.live.ok_or_else(signed_out)?;
            if !current.is_due(self.core.now()) {
                return Ok(AccessToken::of(Arc::new(current)));
            }
            match self.refreshed(&account, current.mark, false).await {
                Ok(next) if next.is_usable(self.core.now()) => return Ok(AccessToken::of(next)),
                Ok(_) => {}
                Err(Failure::Offline(_) | Failure::Protocol(_) | Failure::Unusable(_))
                    if current.is_usable(self.core.now()) =>
                {
                    return Ok(AccessToken::of(Arc::new(current)));
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(outdated())
    }

    /// A token in place of one that a server has rejected although it looked valid: the one that somebody else has fetched meanwhile,
    /// or a fresh one.
    ///
    /// # Errors
    /// As [`Tokens::access_token`], but for the last sentence: an offline server is an error.
    pub async fn access_token_after(&self, account: &str, rejected: &AccessToken) -> Result<AccessToken> {
        let name = Account::parse(account)?;
        let current = self.core.read(&name).await?.live.ok_or_else(signed_out)?;
        if current.mark == rejected.mark() {
            self.refreshed(&name, current.mark, true).await?;
        }
        self.access_token(account).await
    }

    /// The id token of the living generation, if it has one that is alive. Nothing is refreshed.
    pub async fn id_token(&self, account: &str) -> Result<Option<IdToken>> {
        let account = Account::parse(account)?;
        let id = self.core.read(&account).await?.live.and_then(|live| live.id);
        let id = id.filter(|id| id.is_alive(self.core.now()));
        Ok(id.map(|id| {
            let until = id.until();
            IdToken::new(id.text, until)
        }))
    }

    /// Asks the server now, whether or not the access token is due: for restoring a session on the server's word. Joins a
    /// refresh under way. A dead token and a dead network are different outcomes, and neither is an error.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`], [`ErrorKind::Denied`] and the store's, as for [`Tokens::access_token`].
    pub async fn renew(&self, account: &str) -> Result<Renewal> {
        let account = Account::parse(account)?;
        let Some(current) = self.core.read(&account).await?.live else { return Ok(Renewal::SignedOut) };
        match self.refreshed(&account, current.mark, true).await {
            Ok(next) => {
                Ok(Renewal::Renewed(Renewed { subject: next.subject.clone(), user: next.user.clone() }))
            }
            Err(Failure::SignedOut) => Ok(Renewal::SignedOut),
            Err(Failure::Refused) => Ok(Renewal::Invalid),
            Err(failure @ Failure::Offline(_)) => Ok(Renewal::Offline(failure.into())),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Signs the account out: from when this returns nobody gets a token of it, and no refresh under way brings one back. Works with
    /// the network down: the refresh token is queued for the server in the same write, see [`Tokens::revoke_pending`]. Says
    /// whether there was something to end.
    ///
    /// # Errors
    /// What the store reports; call it again.
    pub async fn clear(&self, account: &str) -> Result<bool> {
        let (core, account) = (&self.core, Account::parse(account)?);
        let unsaved = core.unsaved(&account);
        let mut ended = false;
        core.edit(&account, |record| {
            let now = core.now();
            let held = unsaved.as_ref().filter(|unsaved| !record.awaits(&unsaved.next));
            if record.live.is_none() && held.is_none() {
                return Act::Leave(());
            }
            ended |= record.live.is_some();
            record.end(now);
            if let Some(unsaved) = held {
                record.abandon(&unsaved.next, now);
            }
            Act::Write(())
        })
        .await?;
        if let Some(unsaved) = &unsaved {
            core.release(&account, unsaved);
        }
        core.encourage(&account);
        if ended {
            core.log.event(SecurityEventKind::FamilyEnded(EndReason::Logout)).account(&account.name).write();
        }
        Ok(ended)
    }

    /// Removes what the store has of an account without reading it: the way out where its record cannot be opened any more, for a lost
    /// key or damage, and so neither [`store`](Self::store) nor [`clear`](Self::clear) can. The server is told nothing. Says whether
    /// something was there.
    pub async fn forget(&self, account: &str) -> Result<bool> {
        let (core, account) = (&self.core, Account::parse(account)?);
        let unsaved = core.unsaved(&account);
        let removed = core.records.remove(&account.key).await?;
        if let Some(unsaved) = &unsaved {
            core.release(&account, unsaved);
        }
        core.encourage(&account);
        if removed {
            core.log.event(SecurityEventKind::FamilyEnded(EndReason::Revoked)).account(&account.name).write();
        }
        Ok(removed)
    }

    /// Tells the server of refresh tokens that are not used any more, as far as they are due. Call it after a sign-out, when the
    /// program starts, and now and then; several processes may. What cannot be delivered stays queued, for as long as the token
    /// would have lived; at most eight per account.
    ///
    /// # Errors
    /// What the store reports. An unreachable server is none: see [`Revocations::left`]. A record that cannot be opened is reported when the
    /// others have been gone through.
    pub async fn revoke_pending(&self) -> Result<Revocations> {
        self.core.drain().await
    }

    /// The accounts that have tokens, in the order of their first sign-in; among them those whose record cannot be opened any more, which
    /// only [`forget`](Self::forget) removes.
    pub async fn accounts(&self) -> Result<Vec<String>> {
        let mut accounts = Vec::new();
        for name in self.core.listed().await? {
            match self.core.read(&Account::parse(&name)?).await {
                Ok(record) if record.live.is_none() => {}
                Err(error) if !is_of_one_record(&error) => return Err(error),
                _ => accounts.push(name),
            }
        }
        Ok(accounts)
    }

    /// What is known of an account's tokens without handing any out; `None` if it is signed out.
    pub async fn info(&self, account: &str) -> Result<Option<TokenInfo>> {
        let account = Account::parse(account)?;
        Ok(self.core.read(&account).await?.live.map(|live| TokenInfo {
            generation: live.mark.number,
            access_until: live.access.until(),
            refresh_until: live.refresh.as_ref().map(Timed::until),
            id_until: live.id.as_ref().map(Timed::until),
            subject: live.subject,
        }))
    }

    /// The log that the manager writes to.
    pub fn log(&self) -> &SecurityLog {
        &self.core.log
    }

    /// The generation that follows `base`, or that somebody else put in its place.
    async fn refreshed(&self, account: &Account, base: Mark, forced: bool) -> Landing {
        for _ in 0..ROUNDS {
            let flight = self.flights.join(account, base, self.spawn.as_ref(), || {
                Box::pin(Arc::clone(&self.core).fly(account.clone(), base, forced))
            });
            match flight.await {
                // It brought home what an earlier one had left in memory, which is not what was asked for.
                Ok(landed) if landed.mark == base => {}
                landing => return landing,
            }
        }
        Err(outdated().into())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("core", &self.core).field("spawn", &self.spawn).finish_non_exhaustive()
    }
}

#[cold]
fn outdated() -> Error {
    let message = "the tokens were replaced by others each time this was tried; retry";
    Error::new(ErrorKind::Conflict, "refresh tokens", message)
}
