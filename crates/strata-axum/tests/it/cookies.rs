//! Cookies (s19, s20): what is written, and what is read.

use std::time::Duration;

use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};
use strata_axum::SessionLayer;
use strata_axum::cookie::{LONGEST_LIFE, MOST_BYTES, SameSite, SessionCookie};
use strata_core::ErrorKind;
use strata_session::auth::AuthSessions;
use strata_ttl::Policy;

use crate::browser::Browser;
use crate::requests::routes;
use crate::world::World;

const DAY: Duration = Duration::from_hours(24);

fn text(header: &HeaderValue) -> &str {
    header.to_str().expect("text")
}

#[tokio::test]
async fn s19_cookies_of_sessions_stay_with_their_host() {
    let world = World::new();
    let mut browser = Browser::new(&world.app());
    for (path, name) in [("/n", "__Host-session"), ("/login/ada", "__Host-auth")] {
        let answer = browser.post(path).await;
        let cookie = answer.cookie().expect("a cookie");
        assert!(answer.headers[SET_COOKIE].is_sensitive(), "neither printed nor kept in HTTP/2's tables");
        let (pair, attributes) = cookie.split_once("; ").expect("attributes");
        assert!(pair.starts_with(&format!("{name}=")), "{pair}");
        let mut attributes: Vec<&str> = attributes.split("; ").collect();
        attributes.sort_unstable();
        assert_eq!(attributes, ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"], "no Domain, no other");
    }
}

#[tokio::test]
async fn s19_a_remembered_user_has_a_cookie_as_long_as_the_session() {
    let world = World::new();
    let answer = Browser::new(&world.app()).post("/remember/ada").await;
    let cookie = answer.cookie().expect("a cookie");
    let seconds = (30 * DAY).as_secs();
    assert!(cookie.contains(&format!("Max-Age={seconds}")), "{cookie}");
}

/// A browser is not asked for more than it would do, and the session lives on as its policy says.
#[tokio::test]
async fn s19_a_session_longer_than_a_cookie_may_be_has_one_of_400_days() {
    let world = World::new();
    let policy =
        Policy::aal1().loosened("a kiosk that nobody signs in to", None, 500 * DAY).expect("a policy");
    let users =
        AuthSessions::<()>::builder(&world.db).namespace("long").remembered(policy).build().expect("users");
    let layer = SessionLayer::with_users(&world.sessions, &users).expect("a layer");
    let answer = Browser::new(&routes().layer(layer)).post("/remember/ada").await;
    assert_eq!(answer.status, StatusCode::OK);
    let cookie = answer.cookie().expect("a cookie");
    assert!(cookie.contains(&format!("Max-Age={}", LONGEST_LIFE.as_secs())), "{cookie}");
}

#[test]
fn s19_no_cookie_is_written_that_is_none() {
    for name in ["", "a b", "a;b", "a=b", "a,b", "é", "__Host-a", "__host-a", "__Secure-a", "a\n", "\"a\""] {
        assert_eq!(SessionCookie::named(name).expect_err("refused").kind(), ErrorKind::Invalid, "{name:?}");
    }
    let cookie = SessionCookie::named("session").expect("a cookie");
    for byte in 0..=255_u8 {
        let value = char::from(byte).to_string();
        let written = cookie.set(&value, None);
        // `cookie-octet` of RFC 6265: no space, quote, comma, semicolon, backslash, control or byte beyond ASCII.
        let is_octet = byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
        assert_eq!(written.is_ok(), is_octet, "{byte:#x}");
    }
}

#[test]
fn s19_4097_bytes_are_an_error() {
    let cookie = SessionCookie::named("session").expect("a cookie");
    let longest = "x".repeat(MOST_BYTES - cookie.name().len());
    assert_eq!(MOST_BYTES, 4096);
    assert!(cookie.set(&longest, None).is_ok());
    let error = cookie.set(&format!("{longest}x"), None).expect_err("4097 bytes");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(!error.to_string().contains("xxx"), "nothing of the value is printed");
}

#[test]
fn s19_no_cookie_lives_over_400_days() {
    let cookie = SessionCookie::named("session").expect("a cookie");
    assert_eq!(LONGEST_LIFE, 400 * DAY);
    assert!(text(&cookie.set("v", Some(LONGEST_LIFE)).expect("400 days")).contains("Max-Age=34560000"));
    let over = LONGEST_LIFE + Duration::from_secs(1);
    assert_eq!(cookie.set("v", Some(over)).expect_err("longer").kind(), ErrorKind::Invalid);
    let world = World::new();
    let built = SessionLayer::builder().guests(&world.sessions).keep_guests(over).build();
    assert_eq!(built.expect_err("longer").kind(), ErrorKind::Invalid);
    let under = Duration::from_millis(999);
    let built = SessionLayer::builder().guests(&world.sessions).keep_guests(under).build();
    assert_eq!(built.expect_err("taken away at once").kind(), ErrorKind::Invalid);
}

#[test]
fn s19_a_name_leaves_room_for_a_token() {
    let world = World::new();
    let build = |length| {
        let name = "x".repeat(length);
        SessionLayer::builder().guests(&world.sessions).cookie_names(&name, "auth").build()
    };
    let longest = MOST_BYTES - "__Host-".len() - strata_session::SessionToken::TEXT_LEN;
    assert!(build(longest).is_ok());
    assert_eq!(build(longest + 1).expect_err("found out now").kind(), ErrorKind::TooLarge);
}

#[test]
fn s19_prefix_and_secure_go_together() {
    let safe = SessionCookie::named("session").expect("a cookie");
    let plain = safe.clone().insecure_for_development();
    assert_eq!((safe.name(), plain.name()), ("__Host-session", "session"));
    assert!(text(&safe.unset().expect("a header")).contains("Secure"));
    assert!(!text(&plain.unset().expect("a header")).contains("Secure"));
}

#[test]
fn s20_same_site_is_chosen_on_purpose() {
    let cookie = SessionCookie::named("session").expect("a cookie");
    for (chosen, written) in [
        (SameSite::Lax, "SameSite=Lax"),
        (SameSite::Strict, "SameSite=Strict"),
        (SameSite::None, "SameSite=None"),
    ] {
        let header = cookie.clone().same_site(chosen).set("v", None).expect("a header");
        assert!(text(&header).contains(written) && text(&header).contains("HttpOnly"), "{header:?}");
    }
    let refused = cookie.same_site(SameSite::None).insecure_for_development().set("v", None);
    assert_eq!(refused.expect_err("browsers refuse it").kind(), ErrorKind::Invalid);
}

#[test]
fn layers_that_make_no_sense_are_not_built() {
    let world = World::new();
    let builder = || SessionLayer::builder().guests(&world.sessions);
    for built in [
        SessionLayer::builder().build(),
        builder().cookie_names("a", "a").build(),
        builder().cookie_names("a b", "c").build(),
        builder().allow_origin("shop.example").build(),
        builder().allow_origin("https://shop.example/path").build(),
        builder().same_site(SameSite::None).insecure_for_development().build(),
    ] {
        assert_eq!(built.expect_err("refused").kind(), ErrorKind::Invalid);
    }
    assert!(builder().cookie_names("a", "b").allow_origin("https://shop.example").build().is_ok());
}

/// Each of these opens nothing, and no store is asked about it.
#[tokio::test]
async fn s20_what_is_not_our_cookie_is_nobodys() {
    let world = World::new();
    let mut browser = Browser::new(&world.app());
    browser.post("/login/ada").await;
    let token = browser.jar.remove("__Host-auth").expect("a token");
    let calls = world.faulty.calls();
    for (what, cookies) in [
        ("wrong case", format!("__host-auth={token}")),
        ("shouted", format!("__HOST-AUTH={token}")),
        ("no prefix", format!("auth={token}")),
        ("another prefix", format!("__Secure-auth={token}")),
        ("nameless", format!("=__Host-auth={token}")),
        ("nameless, spaced", format!("= __Host-auth={token}")),
        ("no value", "__Host-auth".to_owned()),
        ("empty", "__Host-auth=".to_owned()),
        ("quoted", format!("__Host-auth=\"{token}\"")),
        ("twice", format!("__Host-auth={token}; __Host-auth={token}")),
        ("planted", format!("__Host-auth=x; __Host-auth={token}")),
        ("behind ours", format!("__Host-auth={token}; __Host-auth=x")),
        ("the other's", format!("__Host-session={token}x")),
        ("malformed", format!("__Host-auth={}", &token[1..])),
    ] {
        let answer = browser.with("cookie", cookies).get("/me").await;
        assert_eq!((answer.status, answer.cookie()), (StatusCode::UNAUTHORIZED, None), "{what}");
    }
    assert_eq!(world.faulty.calls(), calls, "no store call");
    let good = browser.with("cookie", format!("a=b; =x; __Host-auth={token}; c")).get("/me").await;
    assert_eq!(good.body, "ada");
}

#[tokio::test]
async fn s38_more_cookies_than_are_read_are_refused() {
    let world = World::new();
    let browser = Browser::new(&world.app());
    let large = format!("a={}", "x".repeat(16 * 1024));
    let answer = browser.with("cookie", large.clone()).get("/n").await;
    assert_eq!(answer.status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(answer.code(), "too_many_cookies");
    assert_eq!(
        browser.with("cookie", large).get("/plain").await.status,
        StatusCode::OK,
        "nobody asked for them"
    );
    assert_eq!(world.faulty.calls(), 0);
}

#[tokio::test]
async fn plain_http_has_another_cookie() {
    let world = World::new();
    let layer =
        SessionLayer::builder().guests(&world.sessions).insecure_for_development().build().expect("a layer");
    let mut browser = Browser::new(&routes().layer(layer));
    browser.post("/n").await;
    assert_eq!(browser.jar.keys().collect::<Vec<_>>(), ["session"]);
    assert_eq!(browser.post("/n").await.body, "2");
}
