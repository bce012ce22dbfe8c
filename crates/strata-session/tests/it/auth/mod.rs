//! Authentication sessions: what their tests share, and [`audit`], which compares rosters with records. Over the reference store, and
//! by `grounds` in memory and on disk.

mod damage;
mod ending;
mod events;
mod faults;
mod life;
mod login;
mod meeting;
mod not_again;
mod orders;
mod privileges;
mod restore;
mod walks;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strata_core::Handle;
use strata_core::conformance::block_on;
use strata_session::auth::{AuthSession, AuthSessions, User};
use strata_session::{SessionId, SessionToken};

use crate::World;

/// What the application of these tests knows of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) tenant: String,
    pub(super) level: u8,
}

pub(super) type Auth = AuthSessions<Claims>;
pub(super) type Signed = AuthSession<Claims>;

pub(super) fn ada() -> User<Claims> {
    named("ada").role("editor").permission("page:write")
}

pub(super) fn named(id: &str) -> User<Claims> {
    User::new(id).claims(Claims { tenant: "acme".to_owned(), level: 1 })
}

pub(super) fn auth(world: &World) -> Auth {
    AuthSessions::new(&world.db).expect("a manager")
}

pub(super) fn sign_in(auth: &Auth, user: &User<Claims>) -> (SessionToken, Signed) {
    block_on(async { auth.login(user).await }).expect("login")
}

pub(super) fn opened(auth: &Auth, token: &SessionToken) -> Option<Signed> {
    block_on(auth.open(token)).expect("open")
}

pub(super) fn ids_of(auth: &Auth, user: &str) -> Vec<SessionId> {
    block_on(auth.list(user)).expect("list").into_iter().map(|session| session.id).collect()
}

/// An entry of a roster as it lies in the store. A roster is a list of these under a hash of the user's id.
#[derive(Serialize, Deserialize)]
struct Listed {
    id: [u8; 16],
    until: u64,
    about: (),
}

/// What is wrong between the rosters and the records under `auth`: every living session is in exactly one roster, that of its
/// user, until its cap; and every entry of a roster is such a session. Empty if all is well.
pub(crate) async fn audit(db: &Handle) -> Vec<String> {
    let home = db.namespace("auth").expect("a namespace");
    let (sessions, rosters) =
        (home.namespace("session").expect("a namespace"), home.namespace("roster").expect("a namespace"));
    let mut alive = BTreeMap::new();
    for (name, info) in sessions.select().infos(usize::MAX).await.expect("sessions") {
        let tag = info.tags.iter().next().expect("a tag").as_str().to_owned();
        let cap = info.expiry.not_after().expect("a cap").as_millis();
        alive.insert(name, (tag, cap));
    }
    let mut wrong = Vec::new();
    for (name, entries) in rosters.entries::<Vec<Listed>>("*").collect().await.expect("rosters") {
        for Listed { id, until, about: () } in entries {
            let id = crate::hex(&id);
            match alive.remove(&id) {
                None => wrong.push(format!("{id} is listed and dead, or listed twice")),
                Some((tag, _)) if tag != format!("user:{name}") => wrong.push(format!("{id} is another's")),
                Some((_, cap)) if cap != until => {
                    wrong.push(format!("{id} is listed until {until}, not {cap}"));
                }
                Some(_) => {}
            }
        }
    }
    wrong.extend(alive.into_keys().map(|id| format!("{id} lives and is not listed")));
    wrong
}

/// All rosters as they lie in the store.
async fn rosters(db: &Handle) -> Vec<(String, Vec<Listed>)> {
    let home = db.namespace("auth").and_then(|home| home.namespace("roster")).expect("a namespace");
    home.entries::<Vec<Listed>>("*").collect().await.expect("rosters")
}

/// Makes the rosters what they were, as a peer's that knew no more.
async fn restore_rosters(db: &Handle, earlier: &[(String, Vec<Listed>)]) {
    let home = db.namespace("auth").and_then(|home| home.namespace("roster")).expect("a namespace");
    home.select().clear().await.expect("cleared");
    for (name, entries) in earlier {
        home.set(name, entries).await.expect("set");
    }
}

pub(super) fn audited(db: &Handle) {
    assert_eq!(block_on(audit(db)), Vec::<String>::new());
}

/// Handlers of servers move between threads: whatever they await has to.
#[test]
fn every_future_can_be_moved_to_another_thread() {
    fn is_send(_: impl Send) {}
    let world = crate::world();
    let auth = auth(&world);
    let (token, mut session) = sign_in(&auth, &ada());
    let user = ada();
    is_send(auth.login(&user).into_future());
    is_send(auth.open(&token));
    is_send(auth.infos().collect());
    is_send((auth.list("ada"), auth.info(token.id()), auth.revoke(token.id())));
    is_send((auth.revoke_user("ada"), auth.revoke_all()));
    is_send((session.user(), session.is_authenticated(), session.siblings(), session.info()));
    is_send((session.require_permission("a"), session.require_fresh(crate::MINUTE)));
    is_send((session.get::<u8>("n"), session.set("n", &1_u8), session.update("n", |n: Option<u8>| n)));
    is_send((session.touch(), session.extend(crate::MINUTE)));
    is_send((session.logout(), session.logout_others(), session.logout_everywhere()));
    is_send(session.rotate());
    is_send(session.reauthenticate());
    is_send(session.change_user(|user| user.claims.level = 2));
    is_send(auth.events().next());
}
