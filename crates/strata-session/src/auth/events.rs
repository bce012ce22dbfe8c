//! Security events together with expiry: [`AuthEvents`].

use std::fmt;
use std::pin::pin;
use std::task::Poll;

use strata_core::{Change, ChangeKind, Event, Result, Subscription};

use super::listing::id_of;
use super::registry::Registry;
use crate::security::{Missed, SecurityEvent, SecurityEventKind, SecurityEvents, SecurityLog};

/// What a manager's log tells, and the sessions that were found dead by their idle time or cap and swept away, as
/// [`SecurityEventKind::SessionExpired`], which names no user: the record is gone. That is heard when the remains are removed, by
/// the sweeper or by whoever is faster.
#[must_use = "events are lost unless they are read"]
pub struct AuthEvents {
    log: SecurityLog,
    told: SecurityEvents,
    changes: Subscription,
    /// What the names of sessions begin with.
    prefix: String,
}

impl AuthEvents {
    pub(super) fn new(registry: &Registry) -> Self {
        let changes = registry.handle.subscribe("*").expect("an asterisk is a glob");
        let (log, prefix) = (registry.log.clone(), registry.handle.prefix().to_owned());
        Self { told: log.subscribe(), log, changes, prefix }
    }

    /// Waits for the next event; `None` once the manager and its handle are gone. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<SecurityEvent, Missed>> {
        loop {
            let arrived = {
                let (mut told, mut changed) = (pin!(self.told.next()), pin!(self.changes.next()));
                std::future::poll_fn(|context| {
                    if let Poll::Ready(told) = told.as_mut().poll(context) {
                        return Poll::Ready(Arrived::Told(told));
                    }
                    changed.as_mut().poll(context).map(Arrived::Changed)
                })
                .await
            };
            match arrived {
                Arrived::Told(told) => return told,
                Arrived::Changed(None) => return None,
                Arrived::Changed(Some(event)) => {
                    if let Some(expired) = self.expired(event) {
                        return Some(expired);
                    }
                }
            }
        }
    }

    /// The next event if one is waiting.
    pub fn try_next(&mut self) -> Option<Result<SecurityEvent, Missed>> {
        if let Some(told) = self.told.try_next() {
            return Some(told);
        }
        while let Some(event) = self.changes.try_next() {
            if let Some(expired) = self.expired(event) {
                return Some(expired);
            }
        }
        None
    }

    fn expired(&self, event: Event) -> Option<Result<SecurityEvent, Missed>> {
        match event {
            Event::Lagged(count) => Some(Err(Missed(count))),
            Event::Change(Change { key, kind: ChangeKind::Expired, .. }) => {
                let id = id_of(key.as_str().strip_prefix(&self.prefix)?).ok()?;
                Some(Ok(self.log.event(SecurityEventKind::SessionExpired).session(id).into_event()))
            }
            Event::Change(_) => None,
        }
    }
}

enum Arrived {
    Told(Option<Result<SecurityEvent, Missed>>),
    Changed(Option<Event>),
}

impl fmt::Debug for AuthEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthEvents").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
