//! A meeting of operations in one store: [`Meeting`] sets the scene, makes a task of each operation by its name, and holds
//! everything that came of it against [what has to be true](Meeting::audit). For every order of authentication's own operations,
//! and for orders in which other managers take part: add their tasks to those of [`Meeting::task`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use strata_core::conformance::{Stepped, Task, World, block_on, every_schedule, sampled_schedules};
use strata_core::{ErrorKind, Handle, ManualClock, ReferenceStore, Result, Store};
use strata_session::auth::{AtLimit, AuthSessions};
use strata_session::security::SecurityLog;
use strata_session::{SessionId, SessionToken};

use super::{Auth, Signed, ada, audit, opened, sign_in};
use crate::{MINUTE, world_over};

/// Ada's session, a second one of hers, and what became of them.
pub(crate) struct Meeting {
    pub(crate) store: Arc<Stepped>,
    pub(crate) db: Handle,
    clock: Arc<ManualClock>,
    pub(crate) auth: Auth,
    /// The token and the session that the operations meet on.
    pub(crate) token: Arc<SessionToken>,
    pub(crate) session: Signed,
    /// Another session of the same user, which is older.
    pub(crate) second: SessionToken,
    elder: Signed,
    said: Arc<Said>,
}

static LOG: OnceLock<SecurityLog> = OnceLock::new();

/// What the operations came to.
#[derive(Default)]
struct Said {
    results: Mutex<BTreeMap<&'static str, Result<u64>>>,
    /// The tokens that took the place of the first.
    renewed: Mutex<Vec<SessionToken>>,
    /// The tokens of new sessions.
    begun: Mutex<Vec<SessionToken>>,
}

impl Meeting {
    /// Both sessions are half an idle time old, so that activity is due to be written down.
    pub(crate) fn new(limit: usize, at_limit: AtLimit) -> Self {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let world = world_over(Arc::clone(&store) as Arc<dyn Store>);
        // One log for all meetings: making it takes longer than a login.
        let log = LOG.get_or_init(|| SecurityLog::new(&world.db)).clone();
        let builder = AuthSessions::builder(&world.db).parallel(limit, at_limit).log(log);
        let auth = builder.build().expect("a manager");
        let (second, elder) = sign_in(&auth, &ada());
        world.clock.advance(MINUTE);
        let (token, session) = sign_in(&auth, &ada());
        block_on(session.set("n", &0_u32)).expect("set");
        world.clock.advance(30 * MINUTE);
        Self {
            store,
            db: world.db,
            clock: world.clock,
            auth,
            token: Arc::new(token),
            session,
            second,
            elder,
            said: Arc::default(),
        }
    }

    /// One operation by its name, through its own clone of the session.
    pub(crate) fn task(&self, what: &'static str) -> Task {
        let (auth, session, elder) = (self.auth.clone(), self.session.clone(), self.elder.clone());
        let clock = Arc::clone(&self.clock);
        let (token, said) = (Arc::clone(&self.token), Arc::clone(&self.said));
        Box::pin(async move {
            let result = match what {
                // Half an hour: every session that is not active now dies of idleness.
                "pass" => {
                    clock.advance(30 * MINUTE);
                    Ok(1)
                }
                "rotate, and go on in the second" => {
                    let rotated = act("rotate", &auth, session, &token, &said).await;
                    match rotated {
                        Ok(_) => elder.set("n", &1_u32).await.map(|()| 1),
                        Err(error) => Err(error),
                    }
                }
                _ => act(what, &auth, session, &token, &said).await,
            };
            let twice = said.results.lock().expect("lock").insert(what, result);
            assert!(twice.is_none(), "an operation takes part once: {what}");
        })
    }

    /// How often an operation was done: at least once if it was; `None` if the session was gone for it.
    pub(crate) fn said(&self, what: &str) -> Option<u64> {
        let results = self.said.results.lock().expect("lock");
        match results.get(what).expect("it took part") {
            Ok(count) => Some(*count),
            Err(error) if error.kind() == ErrorKind::Gone => None,
            Err(error) => panic!("{what}: {error:?}"),
        }
    }

    /// Whether an operation was refused because the limit was reached.
    pub(crate) fn was_full(&self, what: &str) -> bool {
        let results = self.said.results.lock().expect("lock");
        matches!(results.get(what), Some(Err(error)) if error.kind() == ErrorKind::Full)
    }

    /// Whether an operation was part of this meeting.
    pub(crate) fn took_part(&self, what: &str) -> bool {
        self.said.results.lock().expect("lock").contains_key(what)
    }

    fn done(&self, what: &str) -> bool {
        self.said.results.lock().expect("lock").get(what).is_some_and(|result| matches!(result, Ok(1..)))
    }

    /// The living sessions of ada.
    pub(crate) fn living(&self) -> Vec<SessionId> {
        super::ids_of(&self.auth, "ada")
    }

    /// How many new sessions live.
    pub(crate) fn living_begun(&self) -> usize {
        let begun = self.said.begun.lock().expect("lock");
        begun.iter().filter(|token| opened(&self.auth, token).is_some()).count()
    }

    /// What has to be true after any operations in any order:
    /// rosters equal records; at most one token opens the session, the newest; it lives unless its end was acknowledged, and what
    /// has ended is not in the store; what was acknowledged is there, what was refused is not.
    pub(crate) fn audit(&self) {
        let passed = self.done("pass");
        let mut wrong = block_on(audit(&self.db));
        wrong.retain(|wrong| !(passed && wrong.contains("is listed and dead")));
        assert_eq!(wrong, Vec::<String>::new());
        let renewed = self.said.renewed.lock().expect("lock");
        let opening: Vec<Signed> =
            renewed.iter().chain([&*self.token]).filter_map(|token| opened(&self.auth, token)).collect();
        assert!(opening.len() <= 1, "{} tokens open one session", opening.len());
        if !renewed.is_empty() {
            assert!(opened(&self.auth, &self.token).is_none(), "the old token opens nothing");
        }
        let lives = self.living().contains(&self.token.id());
        assert_eq!(lives, opening.len() == 1, "whoever holds the newest token opens what lives");
        let ended = ["logout", "revoke", "revoke user", "everywhere", "revoke all"];
        let has_ended = ended.iter().any(|what| self.done(what));
        assert!(!(has_ended && lives), "a session ended stays ended");
        if let Some(session) = opening.first() {
            self.audit_living(session);
        }
    }

    fn audit_living(&self, session: &Signed) {
        block_on(async {
            let n: Option<u32> = session.get("n").await.expect("get");
            assert_eq!(n, Some(u32::from(self.done("add")) + u32::from(self.done("add again"))));
            let a: Option<u32> = session.get("a").await.expect("get");
            assert_eq!(a, self.done("set").then_some(1));
            assert_eq!(session.has_role("admin").await.expect("asked"), self.done("change user"));
            if self.done("pass") {
                return;
            }
            let now = self.db.clock().now();
            let info = session.info().await.expect("info");
            assert_eq!(info.authenticated == now, self.done("reauthenticate"));
            let active = ["set", "add", "touch", "extend", "rotate", "reauthenticate", "change user"];
            if active.iter().any(|what| self.done(what)) {
                assert_eq!(info.last_active, now, "acknowledged activity counts");
            }
        });
    }

    /// The world of these tasks, for a schedule.
    pub(crate) fn world(self, tasks: Vec<Task>, check: impl FnOnce(&Self) + 'static) -> World {
        let store = Arc::clone(&self.store);
        let check = move || {
            self.audit();
            check(&self);
        };
        World { store, tasks, check: Box::new(check) }
    }
}

async fn act(
    what: &'static str,
    auth: &Auth,
    mut session: Signed,
    token: &SessionToken,
    said: &Said,
) -> Result<u64> {
    let add = |n: Option<u32>| Some(n.unwrap_or(0) + 1);
    match what {
        "set" => session.set("a", &1_u32).await.map(|()| 1),
        "add" | "add again" => session.update("n", add).await.map(|()| 1),
        "touch" => session.touch().await.map(|()| 1),
        "extend" => session.extend(60 * MINUTE).await.map(|_| 1),
        "rotate" | "reauthenticate" | "change user" => {
            let token = match what {
                "rotate" => session.rotate().await?,
                "reauthenticate" => session.reauthenticate().await?,
                _ => session.change_user(|user| _ = user.roles.insert("admin".to_owned())).await?,
            };
            said.renewed.lock().expect("lock").push(token);
            Ok(1)
        }
        "login" | "login again" | "replace" => {
            let login = auth.login(&ada());
            let login = if what == "replace" { login.instead_of(token) } else { login };
            let (token, _) = login.await?;
            said.begun.lock().expect("lock").push(token);
            Ok(1)
        }
        "logout" => session.logout().await.map(u64::from),
        "others" => session.logout_others().await,
        "everywhere" => session.logout_everywhere().await,
        "revoke" => auth.revoke(token.id()).await.map(u64::from),
        "revoke user" => auth.revoke_user("ada").await,
        "revoke all" => auth.revoke_all().await,
        _ => unreachable!("no operation `{what}`"),
    }
}

/// Runs these operations in every order, over the default limit; `check` looks at the end of each, after the audit.
pub(crate) fn meet(operations: &[&'static str], check: fn(&Meeting)) -> usize {
    meet_at(100, AtLimit::EndOldest, operations, check)
}

pub(crate) fn meet_at(
    limit: usize,
    at_limit: AtLimit,
    operations: &[&'static str],
    check: fn(&Meeting),
) -> usize {
    let count = every_schedule(|| world_of(limit, at_limit, operations, check));
    println!("{operations:?} at {limit}: {count} schedules");
    count
}

/// Where there are too many to try all: 600 of them, drawn from a seed. Says how many different ones there were.
pub(crate) fn sampled(
    limit: usize,
    at_limit: AtLimit,
    operations: &[&'static str],
    check: fn(&Meeting),
) -> usize {
    let count = sampled_schedules(7, 600, || world_of(limit, at_limit, operations, check));
    println!("{operations:?} at {limit}: {count} of many schedules");
    count
}

fn world_of(limit: usize, at_limit: AtLimit, operations: &[&'static str], check: fn(&Meeting)) -> World {
    let meeting = Meeting::new(limit, at_limit);
    let tasks = operations.iter().map(|operation| meeting.task(operation)).collect();
    meeting.world(tasks, check)
}
