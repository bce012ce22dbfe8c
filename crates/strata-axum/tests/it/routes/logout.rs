//! `POST /api/session/logout`, by cookie and by bearer token.

use strata_session::auth::User;

use super::Scene;
use crate::browser::Answer;

/// A cookie of a session that was begun without refresh tokens, as a browser's is.
async fn cookie(scene: &Scene) -> (String, String) {
    let (token, _) = scene.world.users.login(&User::new("ada")).await.expect("signed in");
    let text = token.expose().to_string();
    (format!("__Host-auth={text}"), text)
}

async fn logs_out(scene: &Scene, headers: &[(&str, &str)]) -> Answer {
    scene.post("/api/session/logout", "application/json", "", headers).await
}

#[tokio::test]
async fn s22_a_browser_is_logged_out_once_and_for_all() {
    let scene = Scene::new();
    let (cookie, token) = cookie(&scene).await;
    let own = [("cookie", cookie.as_str()), ("sec-fetch-site", "same-origin")];
    let answer = logs_out(&scene, &own).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "{}"));
    let unset = answer.cookie().expect("the cookie is taken away");
    assert!(unset.starts_with("__Host-auth=;") && unset.contains("Max-Age=0"), "{unset}");
    assert!(!scene.lets_in(&token).await);
    assert_eq!(logs_out(&scene, &own).await.status, 200, "again");
    assert_eq!(logs_out(&scene, &[]).await.status, 200, "nobody at all");
}

#[tokio::test]
async fn s21_another_site_logs_nobody_out() {
    let scene = Scene::new();
    let (cookie, token) = cookie(&scene).await;
    for origin in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let answer = logs_out(&scene, &[("cookie", &cookie), origin]).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "cross_site"));
    }
    assert!(scene.lets_in(&token).await);
}

#[tokio::test]
async fn a_program_is_logged_out_with_its_refresh_tokens() {
    let scene = Scene::new();
    let (token, access) = scene.signs_in("ada").await;
    let (_, other) = scene.signs_in("ada").await;
    let answer = scene.json("/api/session/logout", Some(&access), "{}").await;
    assert_eq!((answer.status.as_u16(), answer.cookie()), (200, None));
    assert!(!scene.lets_in(&access).await && scene.lets_in(&other).await);
    assert_eq!(scene.refresh(&token).await.code(), "invalid_grant");
    assert_eq!(scene.families("ada").await, 1);

    // One whose access token is over names its refresh token.
    let (token, access) = scene.signs_in("bob").await;
    scene.world.clock.advance(std::time::Duration::from_hours(2));
    let body = format!(r#"{{"refresh_token":"{}"}}"#, *token.expose());
    assert_eq!(scene.json("/api/session/logout", Some(&access), body).await.status, 200);
    assert_eq!(scene.families("bob").await, 0);
}

#[tokio::test]
async fn bad_bodies_log_nobody_out() {
    let scene = Scene::new();
    let (_, access) = scene.signs_in("ada").await;
    for (sort, body, status) in [
        ("application/x-www-form-urlencoded", "a=b".to_owned(), 415),
        ("application/json", "{".to_owned(), 400),
        ("application/json", " ".repeat(5000), 413),
    ] {
        let bearer = format!("Bearer {access}");
        let answer = scene.post("/api/session/logout", sort, body, &[("authorization", &bearer)]).await;
        assert_eq!(answer.status, status);
    }
    assert!(scene.lets_in(&access).await);
}
