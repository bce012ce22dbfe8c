//! A store that fails (s35): what a response says is what was stored.

use http::StatusCode;
use strata_core::conformance::Fault;

use crate::browser::Browser;
use crate::world::World;

/// Every store call of a request fails once, in each way. 200 means stored, 503 means that the client has to ask again, and no
/// failure signs anybody out or gives a new session in place of one.
#[tokio::test]
async fn s35_a_response_of_200_stands_for_what_was_stored() {
    for (path, read) in [("/n", "/n"), ("/user/n", "/user/n")] {
        for fault in Fault::ALL {
            for nth in 1.. {
                let world = World::new();
                let mut browser = Browser::new(&world.app());
                browser.post("/login/ada").await;
                browser.post(path).await;
                let jar = browser.jar.clone();
                world.faulty.arm(nth, fault);
                let answer = browser.post(path).await;
                let fired = world.faulty.disarm();
                assert_eq!(browser.jar, jar, "no cookie changes");
                let stored = browser.get(read).await.body;
                match answer.status {
                    StatusCode::OK => assert_eq!(stored, "2", "{path}: {fault:?} at {nth}"),
                    StatusCode::SERVICE_UNAVAILABLE => {
                        let happened = fault == Fault::LostAnswer && stored == "2";
                        assert!(stored == "1" || happened, "{path}: {fault:?} at {nth}: {stored}");
                        assert!(answer.headers.contains_key("retry-after"));
                        assert_eq!(answer.code(), "unavailable");
                    }
                    other => panic!("{path}: {fault:?} at {nth}: {other}"),
                }
                if fired == 0 {
                    assert_eq!(nth, 3, "a read and a commit, each failed once");
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn an_outage_is_503_and_never_a_new_session() {
    let world = World::new();
    let mut browser = Browser::new(&world.app());
    browser.post("/n").await;
    browser.post("/login/ada").await;
    let jar = browser.jar.clone();
    world.faulty.arm_from(1, Fault::Unavailable);
    for path in ["/n", "/me", "/who", "/user/n"] {
        let answer = browser.get(path).await;
        assert_eq!((answer.status, answer.cookie()), (StatusCode::SERVICE_UNAVAILABLE, None), "{path}");
    }
    for path in ["/n", "/user/n", "/login/bob", "/logout", "/destroy", "/rotate"] {
        let answer = browser.post(path).await;
        assert_eq!((answer.status, answer.cookie()), (StatusCode::SERVICE_UNAVAILABLE, None), "{path}");
    }
    assert_eq!(browser.get("/plain").await.status, StatusCode::OK, "who needs no session is served");
    world.faulty.disarm();
    assert_eq!(browser.jar, jar);
    assert_eq!((browser.get("/n").await.body, browser.get("/me").await.body), ("1".into(), "ada".into()));
}

/// Each call of a sign-in fails once. Whatever was told, the browser's cookies open what they should, or nothing.
#[tokio::test]
async fn s35_a_failed_sign_in_leaves_a_browser_that_works() {
    for fault in Fault::ALL {
        for nth in 1.. {
            let world = World::new();
            let mut browser = Browser::new(&world.app());
            browser.post("/n").await;
            browser.post("/login/ada").await;
            world.faulty.arm(nth, fault);
            let answer = browser.post("/login/bob").await;
            let fired = world.faulty.disarm();
            let me = browser.get("/me").await;
            if answer.status == StatusCode::OK {
                assert_eq!(me.body, "bob", "{fault:?} at {nth}");
            } else {
                assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{fault:?} at {nth}");
                let lost = me.status == StatusCode::UNAUTHORIZED && fault == Fault::LostAnswer;
                assert!(["ada", "bob"].contains(&me.body.as_str()) || lost, "{fault:?} at {nth}: {me:?}");
            }
            if fired == 0 {
                assert!(nth > 5, "{nth}");
                break;
            }
        }
    }
}
