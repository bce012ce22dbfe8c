//! Where tokens are not, and what is not believed of them.

use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use strata_core::ErrorKind;
use strata_core::conformance::{Fault, block_on};
use strata_session::tokens::{RefreshFailure, TokenAnswer, Tokens};

use super::{DAY, SECOND, Scene, builder, scene};
use crate::{MINUTE, kind_of, traced};

#[test]
fn s05_no_token_is_printed_or_traced() {
    let (printed, traced) = traced::during(|| {
        let scene = scene();
        let mut printed = String::new();
        scene.server.state().subject = Some("u1".to_owned());
        say(&mut printed, &scene.server.sign_in());
        scene.sign_in("ada");
        let token = block_on(scene.tokens.access_token("ada")).expect("a token");
        say(&mut printed, &token);
        say(&mut printed, &block_on(scene.tokens.id_token("ada")).expect("id token"));
        say(&mut printed, &block_on(scene.tokens.renew("ada")).expect("renew"));
        say(&mut printed, &block_on(scene.tokens.info("ada")).expect("info"));
        say(&mut printed, &(&scene.tokens, builder(&scene.world, &scene.server)));
        errors(&scene, &mut printed);
        printed
    });
    assert!(traced.contains("token family started") && traced.contains("other user"), "{traced}");
    for text in [printed, traced] {
        assert!(!text.contains("secret"), "{text}");
        for part in ["access-", "refresh-", "id-", "serial"] {
            assert!(!text.contains(part), "{part} in {text}");
        }
    }
}

fn say(printed: &mut String, value: &dyn fmt::Debug) {
    write!(printed, "{value:?} {value:#?} ").expect("a string takes it");
}

/// Every kind of failure that has a token at hand.
fn errors(scene: &Scene, printed: &mut String) {
    let mut fails = |answer| {
        scene.server.next_is(answer);
        let error = block_on(scene.tokens.renew("ada")).expect_err("refused");
        write!(printed, "{error} {error:?} ").expect("a string takes it");
    };
    fails(Err(RefreshFailure::Protocol("nonsense")));
    fails(Ok(TokenAnswer::new("")));
    fails(Ok(TokenAnswer::new("secret token")));
    fails(Ok(TokenAnswer::new("s").refresh("secret\n")));
    fails(Ok(TokenAnswer::new("secret").subject("u2")));
    fails(Ok(TokenAnswer::new("secret").refresh("secret".repeat(4000))));
    let error = block_on(scene.tokens.store("ada", TokenAnswer::new("secret secret"))).expect_err("refused");
    write!(printed, "{error} {error:?} ").expect("a string takes it");
    let error = TokenAnswer::from_json(br#"{"access_token":["secret"]}"#).expect_err("refused");
    write!(printed, "{error:?} ").expect("a string takes it");
    scene.world.faulty.arm(3, Fault::Unavailable);
    let error = block_on(scene.tokens.renew("ada")).expect_err("the store is away");
    write!(printed, "{error} {error:?} ").expect("a string takes it");
    scene.world.faulty.disarm();
}

fn jwt(alg: &str, claims: &str) -> String {
    let header = format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// Until how many seconds from now the answer's access token is handed out, without the skew.
fn life(answer: impl FnOnce(u64) -> TokenAnswer) -> Result<u64, ErrorKind> {
    let scene = scene();
    let now = scene.now();
    let answer = answer(now.as_millis() / 1000);
    block_on(scene.tokens.store("ada", answer)).map_err(|error| error.kind())?;
    let until = block_on(scene.tokens.info("ada")).expect("info").expect("signed in").access_until;
    Ok(until.since(now).as_secs())
}

#[test]
fn s25_the_times_of_a_token_are_a_hint_within_bounds() {
    let with = |alg: &'static str, exp: i64| {
        life(move |now| {
            let exp = now.checked_add_signed(exp).expect("in range");
            TokenAnswer::new(jwt(alg, &format!(r#"{{"exp":{exp},"admin":true,"sub":"root"}}"#)))
        })
    };
    assert_eq!(with("RS256", 3600), Ok(3570), "its own end, less the skew");
    assert_eq!(with("RS256", 300), Ok(270));
    assert_eq!(with("RS256", 40), Ok(30), "a quarter of a short life is skew at most");
    assert_eq!(with("RS256", 365 * 86400), Ok(86370), "no longer than the longest");
    assert_eq!(with("RS256", 0), Err(ErrorKind::Invalid), "dead on arrival");
    assert_eq!(with("RS256", -10), Err(ErrorKind::Invalid));
    for alg in ["none", "None", "nOnE", "XX"] {
        assert_eq!(with(alg, 3600), Ok(870), "{alg}: not read, the usual life");
    }
    let stated = |exp: u64, stated: u64| {
        life(move |now| {
            TokenAnswer::new(jwt("ES256", &format!(r#"{{"exp":{}}}"#, now + exp)))
                .expires_in(std::time::Duration::from_secs(stated))
        })
    };
    assert_eq!(stated(3600, 300), Ok(270), "a hint does not prolong what the answer says");
    assert_eq!(stated(300, 3600), Ok(270), "it can only shorten it");
    let begins =
        |nbf: u64| life(move |now| TokenAnswer::new(jwt("ES256", &format!(r#"{{"nbf":{}}}"#, now + nbf))));
    assert_eq!(begins(30), Ok(870), "within the skew");
    assert_eq!(begins(31), Err(ErrorKind::Invalid), "not valid yet");
}

#[test]
fn s25_nothing_else_of_a_token_is_believed() {
    let scene = scene();
    let token = jwt("RS256", r#"{"sub":"root","exp":99999999999}"#);
    block_on(scene.tokens.store("ada", TokenAnswer::new(&token).id(&token).refresh("r"))).expect("store");
    let info = block_on(scene.tokens.info("ada")).expect("info").expect("signed in");
    assert_eq!(info.subject, None, "the subject is the transport's word, not the token's");
    assert_eq!(
        info.id_until,
        Some(scene.now().saturating_add(DAY)),
        "and no token lives longer than the policy says"
    );
    let json = format!(r#"{{"access_token":"{token}","id_token":"{token}","sub":"root","subject":"root"}}"#);
    let answer = TokenAnswer::from_json(json.as_bytes()).expect("an answer");
    block_on(scene.tokens.store("ada", answer)).expect("store");
    assert_eq!(block_on(scene.tokens.info("ada")).expect("info").expect("signed in").subject, None);
}

/// The refresh point is drawn once, within its bounds, and differs from generation to generation.
#[test]
fn the_refresh_point_is_jittered_and_fixed() {
    let scene = scene();
    let policy = super::policy().early(MINUTE, 2 * MINUTE);
    let tokens: Tokens = builder(&scene.world, &scene.server).policy(policy).build().expect("a manager");
    let mut points = Vec::new();
    for _ in 0..20 {
        block_on(tokens.store("ada", scene.server.sign_in())).expect("store");
        let asked = scene.server.refreshes();
        for second in 0..=(15 * 60) {
            block_on(tokens.access_token("ada")).expect("a token");
            if scene.server.refreshes() > asked {
                points.push(second);
                break;
            }
            scene.advance(SECOND);
        }
    }
    assert_eq!(points.len(), 20);
    assert!(points.iter().all(|point| (12 * 60..=14 * 60).contains(point)), "{points:?}");
    let spread = points.iter().max().expect("some") - points.iter().min().expect("some");
    assert!(spread > 30, "{points:?}");
    assert_eq!(kind_of(block_on(tokens.access_token("bob"))), ErrorKind::Gone);
}
