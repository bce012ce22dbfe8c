//! A refresh from its turn to its end: asked once, stored before it is handed out, never stored after a sign-out.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};

use super::accounts::{Account, Act, Core, Unsaved};
use super::answer::TokenAnswer;
use super::failure::Failure;
use super::flight::Landing;
use super::generation::{Generation, Mark};
use super::record::AccountRecord;
use super::transport::{RefreshFailure, RefreshRequest};
use crate::security::{EndReason, Misuse, SecurityEventKind};

/// Where a generation on its way into the store has ended up.
enum Placed {
    /// It is the living one.
    Kept,
    /// Another one was there already.
    Overtaken(Box<Generation>),
    /// The account was signed out meanwhile; its refresh token is to be revoked.
    TooLate,
}

impl Core {
    /// Refreshes `base`, unless somebody has done so meanwhile.
    pub(super) async fn fly(self: Arc<Self>, account: Account, base: Mark, forced: bool) -> Landing {
        // What the server gave before and the store did not take: asking again would be reuse.
        if let Some(unsaved) = self.unsaved(&account) {
            return self.place(&account, &unsaved).await;
        }
        self.may_ask(&account, forced)?;
        let turn = self.take_turn(&account, base).await?;
        let landing = self.exchange(&account, base).await;
        if landing.is_err() {
            // After a success nobody waits for the lease: its generation is over.
            self.end_turn(&account, &turn).await;
        }
        landing
    }

    /// Asks the server, if `base` is still the living generation.
    async fn exchange(&self, account: &Account, base: Mark) -> Landing {
        let record = self.read(account).await?;
        let live = record.live.as_ref().ok_or(Failure::SignedOut)?;
        if live.mark != base {
            return Ok(Arc::new(live.clone()));
        }
        let token = live.renewal(self.now()).ok_or(Failure::SignedOut)?;
        let request = || RefreshRequest {
            account: &account.name,
            token: token.text.as_str(),
            subject: live.subject.as_deref(),
        };
        let mut answer = self.in_time(self.transport.refresh(request())).await;
        if let Err(RefreshFailure::Unanswered) = answer {
            // The server may have rotated, and its window for the retry is short: nobody may come for a token again before it is over.
            answer = self.in_time(self.transport.refresh(request())).await;
        }
        match answer {
            Ok(answer) => self.accept(account, &record, live, answer).await,
            Err(RefreshFailure::Invalid) => self.dismiss(account, base).await,
            Err(RefreshFailure::Offline { retry_after }) => {
                Err(self.discourage(account, Failure::Offline(retry_after)))
            }
            Err(RefreshFailure::Unanswered) => Err(self.discourage(account, Failure::Offline(None))),
            Err(RefreshFailure::Protocol(what)) => Err(self.discourage(account, Failure::Protocol(what))),
        }
    }

    /// What `call` gives within the policy's timeout. An answer that is there counts, however late it is looked at.
    pub(super) async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, RefreshFailure>>,
    ) -> Result<T, RefreshFailure> {
        match select(pin!(call), self.timer.sleep(self.policy.timeout)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => Err(RefreshFailure::Unanswered),
        }
    }

    async fn accept(
        &self,
        account: &Account,
        record: &AccountRecord,
        live: &Generation,
        answer: TokenAnswer,
    ) -> Landing {
        let (next, unfit) = match live.next(answer, &self.making()) {
            Ok(made) => made,
            Err(failure) => {
                if let Failure::OtherUser = failure {
                    let kind = SecurityEventKind::InvalidUse(Misuse::OtherUser);
                    self.log.event(kind).account(&account.name).write();
                }
                return Err(self.discourage(account, failure));
            }
        };
        let unsaved = Arc::new(Unsaved { base: live.mark, next, listed_until: record.listed_until });
        // From here on it is in memory until the store has it: the old refresh token may be spent.
        self.hold(account, &unsaved);
        let landing = self.place(account, &unsaved).await?;
        match unfit {
            Some(what) if landing.is(&unsaved.next) => Err(self.discourage(account, Failure::Unusable(what))),
            _ => Ok(landing),
        }
    }

    /// Stores a generation in place of exactly the one it follows, or finds out why that cannot be.
    pub(super) async fn place(&self, account: &Account, unsaved: &Arc<Unsaved>) -> Landing {
        let Unsaved { base, next, .. } = &**unsaved;
        let mut listed_until = unsaved.listed_until;
        if next.until().as_millis() > listed_until {
            listed_until = self.list(account, next.until()).await?;
        }
        let mut rotated = false;
        let placed = self
            .edit(account, |record| {
                let Some(live) = &record.live else { return record.too_late(next, self.now()) };
                if live.mark == *base {
                    rotated |= live.refresh.as_ref().map(|token| &token.text)
                        != next.refresh.as_ref().map(|token| &token.text);
                    record.live = Some(next.clone());
                    record.listed_until = record.listed_until.max(listed_until);
                    return Act::Write(Placed::Kept);
                }
                if live.is(next) {
                    return Act::Leave(Placed::Kept);
                }
                record.overtaken(next, self.now())
            })
            .await?;
        self.release(account, unsaved);
        self.encourage(account);
        match placed {
            Placed::Kept => {
                if rotated {
                    self.log.event(SecurityEventKind::TokenRotated).account(&account.name).write();
                }
                Ok(Arc::new(next.clone()))
            }
            Placed::Overtaken(live) => Ok(Arc::new(*live)),
            Placed::TooLate => Err(Failure::SignedOut),
        }
    }

    /// The server refused the refresh token of `base`: signs the account out, unless a sibling has refreshed it meanwhile.
    async fn dismiss(&self, account: &Account, base: Mark) -> Landing {
        let newer = self
            .edit(account, |record| match &record.live {
                Some(live) if live.mark == base => {
                    record.live = None;
                    Act::Write(None)
                }
                Some(live) => Act::Leave(Some(Arc::new(live.clone()))),
                None => Act::Leave(None),
            })
            .await?;
        if let Some(newer) = newer {
            return Ok(newer);
        }
        self.encourage(account);
        let kind = SecurityEventKind::FamilyEnded(EndReason::RefusedByServer);
        self.log.event(kind).account(&account.name).write();
        Err(Failure::Refused)
    }
}

impl AccountRecord {
    fn too_late(&mut self, next: &Generation, now: strata_core::Timestamp) -> Act<Placed> {
        if self.awaits(next) {
            return Act::Leave(Placed::TooLate);
        }
        self.abandon(next, now);
        Act::Write(Placed::TooLate)
    }

    /// Another generation is there. Tokens of the same sign-in continue one line at the server; those of a user who was replaced
    /// by another are to be revoked.
    fn overtaken(&mut self, next: &Generation, now: strata_core::Timestamp) -> Act<Placed> {
        let Some(live) = self.live.clone() else { return self.too_late(next, now) };
        let strange = live.is_of_another_than(next);
        let live = Placed::Overtaken(Box::new(live));
        if !strange || self.awaits(next) {
            return Act::Leave(live);
        }
        self.abandon(next, now);
        Act::Write(live)
    }
}
