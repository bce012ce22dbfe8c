//! `GET /api/events`: server-sent events of this browser's session. `signed-out` when it has ended, here, elsewhere or by its time;
//! `changed` when its cart, values or the user's list of sessions have. Events say that there is something to read, not what.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use strata::session::SessionId;
use strata::session::auth::{AuthEvents, AuthSession};
use strata::session::security::{Missed, SecurityEvent};
use strata::{Error, ErrorKind, Info, Subscription, Timestamp};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::answer::{Answer, Refusal};
use super::cart::CART;
use super::identity::Identity;
use super::metrics::Open;
use super::service::{Shared, ending};

/// How long a quiet connection is left quiet.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream lasts at most; browsers come back by themselves.
const LONGEST: Duration = Duration::from_hours(1);

/// Whose events they are.
enum Whose {
    User { session: AuthSession, id: String },
    Guest(SessionId),
}

/// What somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    Cart,
    Values,
    Sessions,
    /// Who this browser is has changed; the stream ends.
    Identity,
    /// The session has ended; the stream ends.
    SignedOut,
}

impl Notice {
    fn ends(self) -> bool {
        matches!(self, Self::Identity | Self::SignedOut)
    }

    fn event(self) -> Event {
        let (name, what) = match self {
            Self::Cart => ("changed", "cart"),
            Self::Values => ("changed", "values"),
            Self::Sessions => ("changed", "sessions"),
            Self::Identity => ("changed", "identity"),
            Self::SignedOut => ("signed-out", "session"),
        };
        Event::default().event(name).data(json!({ "what": what }).to_string())
    }
}

/// The stream of the session behind this request; 204 for a browser that has none, which tells it not to ask again.
pub(crate) async fn events(State(service): State<Shared>, identity: Identity) -> Answer {
    let whose = match (&identity.user, identity.guest.id().await?) {
        (Some(session), _) => Whose::User { session: session.opened().await?, id: session.user().id.clone() },
        (None, Some(guest)) => Whose::Guest(guest),
        (None, None) => return Ok(StatusCode::NO_CONTENT.into_response()),
    };
    let Ok(place) = Arc::clone(&service.streams).try_acquire_owned() else {
        let message = "there are too many streams of events; ask for what is needed instead, or try again";
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message);
        return Err(refusal.retry_after(HEARTBEAT));
    };
    let watch = Watch::new(service, whose, place)?;
    let stream = stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        let notice = watch.next().await?;
        let event = Ok::<_, Infallible>(notice.event());
        Some((event, (!notice.ends()).then_some(watch)))
    });
    let heartbeat = KeepAlive::new().interval(HEARTBEAT).text("still here");
    Ok::<Response, _>(Sse::new(stream).keep_alive(heartbeat).into_response())
}

/// What one stream listens to.
struct Watch {
    service: Shared,
    whose: Whose,
    changes: Subscription,
    security: AuthEvents,
    /// The whole names of the session's record and the cart.
    session_key: String,
    cart_key: String,
    /// When to look whether the session still lives: at once, and then when its time is over.
    look: Instant,
    until: Instant,
    _place: OwnedSemaphorePermit,
    _open: Open,
}

impl Watch {
    fn new(service: Shared, whose: Whose, place: OwnedSemaphorePermit) -> Answer<Self> {
        let (session_key, cart_key) = match &whose {
            Whose::User { session, id } => (
                format!("{}{}", service.auth.handle().prefix(), session.id()),
                format!("{}{CART}", service.guests.user(id)?.prefix()),
            ),
            Whose::Guest(guest) => {
                (format!("{}{guest}", service.sessions.handle().prefix()), format!("guest:{guest}:{CART}"))
            }
        };
        let now = Instant::now();
        Ok(Self {
            changes: service.handle.subscribe("*")?,
            security: service.auth.events(),
            _place: place,
            _open: service.metrics.open_stream(),
            session_key,
            cart_key,
            look: now,
            until: now + LONGEST,
            service,
            whose,
        })
    }

    /// The next notice; `None` when the service ends or the stream has lasted long enough.
    async fn next(&mut self) -> Option<Notice> {
        let mut closing = pin!(ending(self.service.closing.clone()));
        loop {
            tokio::select! {
                () = &mut closing => return None,
                () = tokio::time::sleep_until(self.until) => return None,
                () = tokio::time::sleep_until(self.look) => {
                    if !self.is_alive().await { return Some(self.ended()) }
                }
                event = self.changes.next() => {
                    if let Some(notice) = self.hear(event?).await { return Some(notice) }
                }
                event = self.security.next() => {
                    if self.is_of_user(&event?) {
                        // It may have been this one that ended: then that comes first.
                        return Some(if self.is_alive().await { Notice::Sessions } else { self.ended() });
                    }
                }
            }
        }
    }

    /// What a change means here. Whether the session lives is read, not guessed from the kind of change.
    async fn hear(&mut self, event: strata::Event) -> Option<Notice> {
        let key = match &event {
            strata::Event::Change(change) => Some(change.key.as_str()),
            strata::Event::Lagged(_) => None,
        };
        if key == Some(&self.cart_key) {
            return Some(Notice::Cart);
        }
        if key.is_some_and(|key| key != self.session_key) {
            return None;
        }
        if !self.is_alive().await {
            return Some(self.ended());
        }
        // What was missed may have been anything: whoever hears of values reads all of it again.
        Some(Notice::Values)
    }

    fn ended(&self) -> Notice {
        match &self.whose {
            Whose::User { .. } => Notice::SignedOut,
            Whose::Guest(_) => Notice::Identity,
        }
    }

    fn is_of_user(&self, event: &Result<SecurityEvent, Missed>) -> bool {
        match (&self.whose, event) {
            (Whose::User { id, .. }, Ok(event)) => event.user.as_deref() == Some(id),
            (Whose::User { .. }, Err(Missed(_))) => true,
            (Whose::Guest(_), _) => false,
        }
    }

    /// Whether the session lives, and when to look again. A store that cannot be asked ends nobody's session.
    async fn is_alive(&mut self) -> bool {
        let expires = match &self.whose {
            Whose::User { session, .. } => session.info().await.map(|info| Some(info.expires)),
            Whose::Guest(guest) => self.service.sessions.info(*guest).await.and_then(of_guest),
        };
        let left = |at: Timestamp| at.since(self.service.now());
        match expires {
            Ok(expires) => {
                // One that is over by now is asked about once more a moment later.
                let wait = expires.map_or(LONGEST, left).clamp(Duration::from_millis(50), LONGEST);
                self.look = Instant::now() + wait;
                true
            }
            Err(error) if error.kind() == ErrorKind::Gone => false,
            Err(_) => {
                self.look = Instant::now() + Duration::from_secs(1);
                true
            }
        }
    }
}

/// When a guest's session ends, if it is there.
fn of_guest(info: Option<Info>) -> Result<Option<Timestamp>, Error> {
    let gone = || Error::new(ErrorKind::Gone, "look at session", "the session of the guest has ended");
    info.map(|info| info.expiry.deadline()).ok_or_else(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::service::Service;

    #[tokio::test]
    async fn whoever_missed_changes_is_told_to_read_all_of_it() {
        let (_db, _close, service) = Service::in_memory().await;
        let guest = service.sessions.create().await.expect("a session").1.id();
        let place = Arc::clone(&service.streams).try_acquire_owned().expect("a place");
        let mut watch = Watch::new(Arc::clone(&service), Whose::Guest(guest), place).expect("a watch");
        assert_eq!(watch.hear(strata::Event::Lagged(7)).await, Some(Notice::Values));
        service.sessions.revoke(guest).await.expect("ended");
        assert_eq!(watch.hear(strata::Event::Lagged(7)).await, Some(Notice::Identity), "it is over");
    }
}
