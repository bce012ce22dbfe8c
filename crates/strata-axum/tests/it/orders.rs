//! Every order in which the store calls of concurrent requests can meet.

use std::sync::{Arc, Mutex};

use axum::Router;
use http::StatusCode;
use strata_core::conformance::{Stepped, Task, World as Scene, every_distinct_schedule, every_schedule};
use strata_core::{ReferenceStore, Store};

use crate::browser::{Answer, Browser};
use crate::world::World;

/// A browser with several tabs on one session.
struct Tabs {
    store: Arc<Stepped>,
    world: World,
    browser: Browser,
    answers: Arc<Mutex<Vec<(&'static str, Answer)>>>,
}

fn run<T>(work: impl Future<Output = T>) -> T {
    strata_core::conformance::block_on(work)
}

impl Tabs {
    fn new(prepare: &[&'static str]) -> Self {
        let store = Stepped::over(Arc::new(ReferenceStore::new()));
        let world = World::over(Arc::clone(&store) as Arc<dyn Store>);
        let app: Router = world.app();
        let mut browser = Browser::new(&app);
        for path in prepare {
            assert_eq!(run(browser.post(path)).status, StatusCode::OK);
        }
        Self { store, world, browser, answers: Arc::default() }
    }

    fn scene(self, paths: &[&'static str], check: impl FnOnce(&Self) + 'static) -> Scene {
        let tasks = paths.iter().map(|path| self.tab(path)).collect();
        Scene { store: Arc::clone(&self.store), tasks, check: Box::new(move || check(&self)) }
    }

    fn tab(&self, path: &'static str) -> Task {
        let (mut browser, answers) = (self.browser.clone(), Arc::clone(&self.answers));
        Box::pin(async move {
            let answer = browser.post(path).await;
            answers.lock().expect("lock").push((path, answer));
        })
    }

    fn count(&self, path: &str, status: StatusCode) -> usize {
        let answers = self.answers.lock().expect("lock");
        answers.iter().filter(|(what, answer)| *what == path && answer.status == status).count()
    }

    /// The session as the browser sees it once all answers have arrived, in the order of their arrival.
    fn after(&self) -> Browser {
        let mut browser = self.browser.clone();
        for (_, answer) in &*self.answers.lock().expect("lock") {
            browser.keep(answer);
        }
        browser
    }
}

#[test]
fn concurrent_requests_lose_no_update() {
    for (path, prepare, paths) in [
        ("/n", &["/n"][..], &["/n", "/n", "/n"][..]),
        ("/user/n", &["/login/ada", "/user/n"], &["/user/n", "/user/n", "/user/n"]),
    ] {
        let count = every_distinct_schedule(|| {
            Tabs::new(prepare).scene(paths, move |tabs| {
                assert_eq!(tabs.count(path, StatusCode::OK), 3);
                assert_eq!(run(tabs.after().get(path)).body, "4");
            })
        });
        assert!(count >= 90, "{path}: {count} schedules");
    }
}

/// Signing out in one tab while others save: it is gone, and who was too late is told so.
#[test]
fn s13_a_session_that_was_signed_out_stays_so_whatever_another_request_saves() {
    for paths in [&["/user/n", "/logout"][..], &["/user/n", "/user/n", "/logout"]] {
        let count = every_distinct_schedule(|| {
            Tabs::new(&["/login/ada", "/user/n"]).scene(paths, |tabs| {
                assert_eq!(tabs.count("/logout", StatusCode::OK), 1);
                let [saved, late] =
                    [StatusCode::OK, StatusCode::UNAUTHORIZED].map(|status| tabs.count("/user/n", status));
                assert_eq!(saved + late + 1, tabs.answers.lock().expect("lock").len());
                assert!(run(tabs.world.raw()).is_empty(), "nothing is left");
                let mut browser = tabs.browser.clone();
                assert_eq!(run(browser.get("/me")).status, StatusCode::UNAUTHORIZED);
                assert!(!tabs.after().jar.contains_key("__Host-auth"), "no answer brings the cookie back");
            })
        });
        assert!(count >= 5, "{paths:?}: {count} schedules");
    }
}

/// The same for guests. A request that found the session ended before it read it begins another one, which holds nothing of the old.
#[test]
fn s13_a_destroyed_session_stays_destroyed() {
    let count = every_schedule(|| {
        Tabs::new(&["/n", "/n"]).scene(&["/n", "/destroy"], |tabs| {
            let mut old = tabs.browser.clone();
            assert_eq!(run(old.get("/n")).body, "0", "the old token opens nothing");
            let answers = tabs.answers.lock().expect("lock");
            let (_, add) = answers.iter().find(|(path, _)| *path == "/n").expect("it took part");
            let left = run(tabs.world.raw()).len();
            match (add.status, add.body.as_str()) {
                (StatusCode::UNAUTHORIZED, _) => {
                    assert_eq!((left, add.code().as_str()), (0, "session_ended"));
                }
                (StatusCode::OK, "3") => assert_eq!(left, 0, "saved before the end"),
                (StatusCode::OK, "1") => assert!(left == 1 && add.cookie().is_some(), "a session of its own"),
                other => panic!("{other:?}"),
            }
        })
    });
    assert!(count >= 5, "{count} schedules");
}

/// A new token in one tab while another saves: saved, or told to come again; never both tokens, never an update lost.
#[test]
fn s04_a_new_token_and_a_save_do_not_get_in_each_others_way() {
    let count = every_schedule(|| {
        Tabs::new(&["/n"]).scene(&["/n", "/rotate"], |tabs| {
            assert_eq!(tabs.count("/rotate", StatusCode::OK), 1);
            let mut after = tabs.after();
            let answers = tabs.answers.lock().expect("lock");
            let (_, add) = answers.iter().find(|(path, _)| *path == "/n").expect("it took part");
            assert_eq!(
                (add.cookie(), run(tabs.world.raw()).len()),
                (None, 1),
                "no other session in its place"
            );
            let now = run(after.get("/n")).body;
            match add.status {
                StatusCode::UNAUTHORIZED => assert_eq!(now, "1"),
                StatusCode::OK => assert_eq!(now, "2"),
                other => panic!("{other}"),
            }
        })
    });
    assert!(count >= 5, "{count} schedules");
}

/// Two tabs sign in at once: both do, and the guest's session goes on with a new token.
#[test]
fn s04_a_guest_who_signs_in_twice_at_once_is_signed_in() {
    let count = every_schedule(|| {
        Tabs::new(&["/n"]).scene(&["/login/ada", "/login/bob"], |tabs| {
            assert_eq!(
                tabs.count("/login/ada", StatusCode::OK) + tabs.count("/login/bob", StatusCode::OK),
                2
            );
            let mut after = tabs.after();
            assert!(["ada", "bob"].contains(&run(after.get("/me")).body.as_str()));
            assert_eq!(run(after.get("/n")).body, "1");
            assert_eq!(run(tabs.browser.clone().get("/n")).body, "0", "the planted token is dead");
        })
    });
    assert!(count >= 5, "{count} schedules");
}

/// A new token in one tab while another signs out: it is gone, or whoever signs out is told that it is not.
#[test]
fn s13_a_sign_out_beside_a_new_token_says_what_is() {
    let count = every_schedule(|| {
        Tabs::new(&["/login/ada"]).scene(&["/user/rotate", "/logout"], |tabs| {
            let me = run(tabs.after().get("/me"));
            if tabs.count("/logout", StatusCode::OK) == 1 {
                assert!(run(tabs.world.raw()).is_empty(), "nothing is left");
            } else {
                assert_eq!(tabs.count("/logout", StatusCode::UNAUTHORIZED), 1);
                assert_eq!((tabs.count("/user/rotate", StatusCode::OK), me.body.as_str()), (1, "ada"));
            }
        })
    });
    assert!(count >= 5, "{count} schedules");
}

/// Two first requests of one visitor at once: each begins a session of its own, and the browser keeps one of them.
#[test]
fn first_requests_at_once_begin_whole_sessions() {
    let count = every_schedule(|| {
        Tabs::new(&[]).scene(&["/n", "/n"], |tabs| {
            assert_eq!(tabs.count("/n", StatusCode::OK), 2);
            assert_eq!(run(tabs.world.raw()).len(), 2);
            assert_eq!(run(tabs.after().get("/n")).body, "1");
        })
    });
    assert!(count >= 2, "{count} schedules");
}
