//! Every store call of every operation fails once, in each way: an error or success, rosters that equal records, and never a half
//! state.

use strata_core::conformance::{Fault, block_on, every_call};
use strata_core::{Error, ErrorKind, Result};
use strata_session::SessionToken;
use strata_session::auth::{AtLimit, AuthSessions};

use super::{Auth, Claims, Signed, ada, audit, opened, sign_in};
use crate::{MINUTE, World, world};

/// A user with two sessions, at a limit of two, half an idle time old.
struct Scene {
    world: World,
    auth: Auth,
    token: SessionToken,
    session: Signed,
    second: SessionToken,
}

fn scene() -> Scene {
    let world = world();
    let auth = AuthSessions::<Claims>::builder(&world.db).parallel(2, AtLimit::EndOldest).build();
    let auth = auth.expect("a manager");
    let (second, _) = sign_in(&auth, &ada());
    world.clock.advance(MINUTE);
    let (token, session) = sign_in(&auth, &ada());
    world.clock.advance(30 * MINUTE);
    Scene { world, auth, token, session, second }
}

fn is_expected(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict)
}

/// Fails each call of `act` in each way. `check` is told whether it was done (`None`: not known).
async fn fails_whole<T>(
    (calls, paged): (u64, bool),
    act: impl AsyncFn(&Scene) -> Result<T>,
    check: impl AsyncFn(&Scene, Option<&T>, Fault),
) {
    for fault in Fault::ALL {
        let mut nth = 0;
        loop {
            nth += 1;
            let scene = scene();
            scene.world.faulty.arm(nth, fault);
            let result = act(&scene).await;
            let fired = scene.world.faulty.disarm();
            if let Err(error) = &result {
                assert!(fired == 1 && is_expected(error), "{fault:?} at call {nth}: {error:?}");
            }
            // Between two pages of the end of everybody's, rosters list what has ended, as they do of what dies by idleness.
            let of_all = |wrong: &String| paged && wrong.contains("is listed and dead");
            let mut wrong = audit(&scene.world.db).await;
            wrong.retain(|wrong| !of_all(wrong));
            assert!(wrong.is_empty(), "{fault:?} at call {nth}: {wrong:?}");
            check(&scene, result.as_ref().ok(), fault).await;
            if fired == 0 {
                assert!(nth > calls, "{fault:?}: {} calls, each failed once", nth - 1);
                break;
            }
        }
    }
}

#[test]
fn s35_a_failed_login_is_whole_or_nothing() {
    block_on(fails_whole(
        (3, false),
        async |scene| scene.auth.login(&ada()).await,
        async |scene, done, fault| {
            let living = scene.auth.list("ada").await.expect("list");
            assert_eq!(living.len(), 2, "the limit holds either way");
            match done {
                Some((token, _)) => {
                    assert!(opened(&scene.auth, token).is_some());
                    assert!(opened(&scene.auth, &scene.second).is_none());
                }
                // A read fails before anything is written; a commit whose answer was lost is found out.
                None => assert!(opened(&scene.auth, &scene.second).is_some(), "{fault:?}"),
            }
        },
    ));
}

#[test]
fn s35_a_failed_renewal_leaves_exactly_one_token() {
    for what in ["rotate", "reauthenticate", "change user"] {
        block_on(fails_whole(
            (2, false),
            async |scene| {
                let mut session = scene.session.clone();
                match what {
                    "rotate" => session.rotate().await,
                    "reauthenticate" => session.reauthenticate().await,
                    _ => session.change_user(|user| user.claims.level = 9).await,
                }
            },
            async |scene, done, fault| {
                let opens_old = opened(&scene.auth, &scene.token).is_some();
                match done {
                    Some(token) => assert!(!opens_old && opened(&scene.auth, token).is_some(), "{fault:?}"),
                    None => assert!(opens_old, "{what}, {fault:?}: nobody has the new token"),
                }
            },
        ));
    }
}

#[test]
fn s35_a_failed_end_can_be_repeated() {
    for what in ["logout", "revoke", "revoke user", "everywhere", "others", "revoke all"] {
        block_on(fails_whole(
            (2, what == "revoke all"),
            async |scene| end(scene, what).await,
            async |scene, done, fault| {
                let ended = if what == "others" { &scene.second } else { &scene.token };
                let lives = opened(&scene.auth, ended).is_some();
                if let Some(count) = done {
                    assert!(!lives && *count >= 1, "{what}, {fault:?}");
                } else {
                    let again = end(scene, what).await.or_else(|error| match error.kind() {
                        ErrorKind::Gone => Ok(0),
                        _ => Err(error),
                    });
                    assert_eq!(again.expect("end") > 0, lives, "{what}, {fault:?}");
                }
                assert!(opened(&scene.auth, ended).is_none());
                assert_eq!(audit(&scene.world.db).await, Vec::<String>::new());
            },
        ));
    }
}

async fn end(scene: &Scene, what: &str) -> Result<u64> {
    match what {
        "logout" => scene.session.logout().await.map(u64::from),
        "revoke" => scene.auth.revoke(scene.token.id()).await.map(u64::from),
        "revoke user" => scene.auth.revoke_user("ada").await,
        "everywhere" => scene.session.logout_everywhere().await,
        "others" => scene.session.logout_others().await,
        _ => scene.auth.revoke_all().await,
    }
}

#[test]
fn s35_changes_of_a_session_fail_whole() {
    for what in ["set", "update", "touch", "extend"] {
        block_on(fails_whole(
            (2, false),
            async |scene| match what {
                "set" => scene.session.set("n", &1_u32).await,
                "update" => scene.session.update("n", |n: Option<u32>| Some(n.unwrap_or(0) + 1)).await,
                "touch" => scene.session.touch().await,
                _ => scene.session.extend(60 * MINUTE).await.map(drop),
            },
            async |scene, done, fault| {
                let info = scene.session.info().await.expect("info");
                let was_active = info.last_active == scene.world.db.clock().now();
                if done.is_some() {
                    assert!(was_active, "{what}, {fault:?}");
                } else {
                    assert!(!was_active || fault == Fault::LostAnswer, "{what}, {fault:?}");
                }
            },
        ));
    }
}

/// A store that fails is an error, never "no session", "no permission" or "nothing there".
#[test]
fn s35_questions_surface_what_the_store_reports() {
    block_on(async {
        let Scene { world, auth, token, session, .. } = scene();
        let mut asked = 0;
        for fault in Fault::ALL {
            for question in 0..12 {
                asked += every_call(&world.faulty, fault, async |nth| {
                    let answer = ask(question, &auth, &token, &session).await;
                    if nth == 1 {
                        assert_eq!(answer.expect_err("a store that is away").kind(), ErrorKind::Unavailable);
                    }
                })
                .await;
            }
        }
        assert!(asked >= 36, "{asked} calls failed");
    });
}

async fn ask(question: u32, auth: &Auth, token: &SessionToken, session: &Signed) -> Result<()> {
    match question {
        0 => auth.open(token).await.map(drop),
        1 => session.is_authenticated().await.map(drop),
        2 => session.user().await.map(drop),
        3 => session.has_permission("page:write").await.map(drop),
        4 => session.has_all_roles(&["editor"]).await.map(drop),
        5 => session.require_fresh(60 * MINUTE).await.map(drop),
        6 => session.get::<u32>("n").await.map(drop),
        7 => session.list().await.map(drop),
        8 => session.info().await.map(drop),
        9 => session.siblings().await.map(drop),
        10 => auth.list("ada").await.map(drop),
        _ => auth.info(token.id()).await.map(drop),
    }
}
