//! Where the operations meet, [`Scene`]: ada is signed in, a guest at the same browser has a cart, and a client of ada's holds a
//! refresh token. Each operation is a task by its name; [`Scene::audit`] holds what they came to against what has to be true.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use strata_core::conformance::{Stepped, Task, World, block_on};
use strata_core::{ErrorKind, Handle, ManualClock, ReferenceStore, Result, Store};
use strata_session::auth::{AuthSession, AuthSessions, User};
use strata_session::migration::{Cart, Guests};
use strata_session::refresh::{RefreshToken, RefreshTokens, Rotation};
use strata_session::security::SecurityLog;
use strata_session::{Session, SessionToken, Sessions};

use crate::auth::audit;
use crate::{MINUTE, world_over};

/// What can meet. `sweep` lets so much time pass first that sessions without activity die.
pub(super) const OPERATIONS: [&str; 12] = [
    "read",
    "update",
    "touch",
    "extend",
    "rotate",
    "logout",
    "revoke user",
    "sweep",
    "refresh",
    "migrate",
    "guest adds",
    "user adds",
];

/// How much tea there is before anybody adds some: the guest's and the user's.
const TEA: (u32, u32) = (2, 1);

static LOG: OnceLock<SecurityLog> = OnceLock::new();

/// The managers, and what the operations meet on. Cheap to clone.
#[derive(Clone)]
struct Stage {
    db: Handle,
    clock: Arc<ManualClock>,
    auth: AuthSessions,
    refresh: RefreshTokens,
    guests: Guests,
    session: AuthSession,
    guest: Session,
    token: Arc<SessionToken>,
    refresh_token: Arc<RefreshToken>,
}

/// The stage, and what the operations have said.
pub(super) struct Scene {
    store: Arc<Stepped>,
    stage: Stage,
    said: Arc<Mutex<Said>>,
}

/// What was acknowledged.
#[derive(Default)]
struct Said {
    /// How often each operation was done.
    done: BTreeMap<&'static str, u32>,
    /// Tokens that took the place of ada's first.
    renewed: Vec<SessionToken>,
    /// Refresh tokens that were handed out.
    refreshed: Vec<RefreshToken>,
}

impl Said {
    fn count(&self, what: &str) -> u32 {
        self.done.get(what).copied().unwrap_or(0)
    }
}

impl Scene {
    /// Everything is half an idle time old, so that activity is due to be written down.
    pub(super) fn new() -> Self {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let world = world_over(Arc::clone(&store) as Arc<dyn Store>);
        let db = world.db.clone();
        // One log for all scenes: making it takes longer than a login.
        let log = LOG.get_or_init(|| SecurityLog::new(&db)).clone();
        let stage = block_on(async {
            let auth = AuthSessions::builder(&db).log(log.clone()).build()?;
            let refresh = RefreshTokens::builder(&db).log(log.clone()).build()?;
            let guests = Guests::builder(&db).log(log).build()?;
            let (token, session) = auth.login(&User::new("ada")).await?;
            let (refresh_token, _) = refresh.issue("ada", "laptop").await?;
            let (_, guest) = Sessions::new(&db)?.create().await?;
            guests.of(&guest)?.set("cart", &tea(TEA.0)).await?;
            guests.user("ada")?.set("cart", &tea(TEA.1)).await?;
            let (token, refresh_token) = (Arc::new(token), Arc::new(refresh_token));
            let clock = Arc::clone(&world.clock);
            Ok::<_, strata_core::Error>(Stage {
                db,
                clock,
                auth,
                refresh,
                guests,
                session,
                guest,
                token,
                refresh_token,
            })
        });
        world.clock.advance(15 * MINUTE);
        Self { store, stage: stage.expect("a stage"), said: Arc::default() }
    }

    /// One operation by its name.
    pub(super) fn task(&self, what: &'static str) -> Task {
        let (stage, said) = (self.stage.clone(), Arc::clone(&self.said));
        Box::pin(async move {
            match stage.act(what, &said).await {
                Ok(true) => *lock(&said).done.entry(what).or_default() += 1,
                Ok(false) => {}
                // It came too late, with a token that was replaced, or for somebody who had gone.
                Err(error) if error.kind() == ErrorKind::Gone => {}
                Err(error) => panic!("{what}: {error:?}"),
            }
        })
    }

    /// The world of these tasks, for a schedule.
    pub(super) fn world(self, tasks: Vec<Task>) -> World {
        World { store: Arc::clone(&self.store), tasks, check: Box::new(move || self.audit()) }
    }

    /// What has to be true, whatever met in whatever order.
    fn audit(&self) {
        let said = lock(&self.said);
        block_on(async {
            self.audit_rosters(&said).await;
            self.audit_session(&said).await;
            self.audit_family(&said).await;
            self.audit_carts(&said).await;
        });
    }

    /// Rosters equal records; after time has passed, a session that died of it may still be listed.
    async fn audit_rosters(&self, said: &Said) {
        let mut wrong = audit(&self.stage.db).await;
        if said.count("sweep") > 0 {
            wrong.retain(|line| !line.contains("is listed and dead"));
        }
        assert_eq!(wrong, Vec::<String>::new());
    }

    /// A session ended stays ended; one token opens it, the newest; no update that was acknowledged is lost; who was active lives.
    async fn audit_session(&self, said: &Said) {
        let Stage { auth, token, .. } = &self.stage;
        let mut living = Vec::new();
        for token in said.renewed.iter().chain([&**token]) {
            living.extend(auth.open(token).await.expect("asked"));
        }
        assert!(living.len() <= 1, "{} tokens open one session", living.len());
        let info = auth.info(token.id()).await.expect("asked");
        assert_eq!(info.is_some(), living.len() == 1, "whoever holds the newest token opens what lives");
        if said.count("logout") + said.count("revoke user") > 0 {
            assert!(living.is_empty(), "a session ended stays ended");
            assert!(auth.list("ada").await.expect("asked").is_empty());
        }
        let ended = said.count("logout") + said.count("revoke user") + said.count("sweep") > 0;
        assert!(ended || !living.is_empty(), "a session that nobody ended lives");
        let Some(session) = living.first() else { return };
        let counted: Option<u32> = session.get("n").await.expect("get");
        assert_eq!(
            counted.unwrap_or(0),
            said.count("update"),
            "acknowledged updates are there, others are not"
        );
        let active = ["update", "touch", "extend", "rotate"].iter().any(|what| said.count(what) > 0);
        assert!(active || said.count("sweep") == 0, "idleness ends whom nobody saw");
    }

    /// One live lineage or none; after a revocation none.
    async fn audit_family(&self, said: &Said) {
        let Stage { refresh, refresh_token, .. } = &self.stage;
        let families = refresh.list("ada").await.expect("asked");
        let left = usize::from(said.count("revoke user") == 0);
        assert_eq!(families.len(), left, "a family revoked stays ended, and nothing else ends one");
        let mut granted = 0;
        // The newest first: what is older would end the family.
        for token in said.refreshed.iter().rev().chain([&**refresh_token]).take(1) {
            granted += u32::from(refresh.rotate(token).await.expect("asked").granted().is_ok());
        }
        assert_eq!(granted as usize, families.len(), "whoever holds the newest token holds the lineage");
        let mut texts: Vec<_> = said.refreshed.iter().map(RefreshToken::expose).collect();
        texts.dedup();
        assert!(texts.len() <= 1, "a retry gets what the first got");
    }

    /// All tea that was there or acknowledged is there once, with the guest or with the user.
    async fn audit_carts(&self, said: &Said) {
        let Stage { guests, guest, .. } = &self.stage;
        let of_user: Cart =
            guests.user("ada").expect("a user").peek("cart").await.expect("peek").unwrap_or_default();
        let of_guest = match guests.of(guest).expect("a guest").get::<Cart>("cart").await {
            Ok(cart) => cart.unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Gone => Cart::new(),
            Err(error) => panic!("{error:?}"),
        };
        let there = of_user.quantity("tea") + of_guest.quantity("tea");
        let expected = u64::from(TEA.0 + TEA.1 + said.count("guest adds") + said.count("user adds"));
        assert_eq!(there, expected, "nothing is lost or doubled");
        if said.count("migrate") > 0 {
            assert_eq!(of_guest, Cart::new(), "all is the user's");
        }
    }
}

impl Stage {
    /// Says whether it was done.
    async fn act(mut self, what: &str, said: &Mutex<Said>) -> Result<bool> {
        let one_more = |cart: Option<Cart>| {
            let mut cart = cart.unwrap_or_default();
            cart.add("tea", 1).expect("room for one more");
            Some(cart)
        };
        match what {
            "read" => self.session.has_permission("read").await.map(|_| true),
            "update" => {
                self.session.update("n", |n: Option<u32>| Some(n.unwrap_or(0) + 1)).await.map(|()| true)
            }
            "touch" => self.session.touch().await.map(|()| true),
            "extend" => self.session.extend(60 * MINUTE).await.map(|_| true),
            "rotate" => {
                let token = self.session.rotate().await?;
                lock(said).renewed.push(token);
                Ok(true)
            }
            "logout" => self.session.logout().await,
            "revoke user" => {
                self.auth.revoke_user("ada").await?;
                self.refresh.revoke_user("ada").await?;
                Ok(true)
            }
            "sweep" => {
                // More than an hour since the last activity, were there none.
                self.clock.advance(50 * MINUTE);
                let mut after = None;
                loop {
                    after = self.db.purge(after, 16).await?.next;
                    if after.is_none() {
                        return Ok(true);
                    }
                }
            }
            "refresh" => match self.refresh.rotate(&self.refresh_token).await? {
                Rotation::Rotated { token, .. } | Rotation::Retried { token, .. } => {
                    lock(said).refreshed.push(token);
                    Ok(true)
                }
                // The family was revoked, or so much time has passed that this is no retry.
                Rotation::Refused(_) => Ok(false),
            },
            "migrate" => self.guests.migrate(&mut self.guest, "ada").await.map(|_| true),
            "guest adds" => self.guests.of(&self.guest)?.update("cart", one_more).await.map(|()| true),
            "user adds" => self.guests.user("ada")?.update("cart", one_more).await.map(|_| true),
            _ => unreachable!("no operation `{what}`"),
        }
    }
}

fn tea(quantity: u32) -> Cart {
    let mut cart = Cart::new();
    cart.add("tea", quantity).expect("a cart");
    cart
}

fn lock(said: &Mutex<Said>) -> std::sync::MutexGuard<'_, Said> {
    // A panic elsewhere is reported by itself.
    said.lock().unwrap_or_else(PoisonError::into_inner)
}
