//! Rate limits at the routes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use strata_axum::Routes;
use strata_axum::limit::{ClientAddress, PerClient, Rate};
use strata_core::{Clock, ManualClock};

use super::{FORM, Scene};
use crate::browser::{Answer, ask};

const MINUTE: Duration = Duration::from_mins(1);

fn limited(clock: &Arc<ManualClock>, address: ClientAddress) -> Scene {
    let rate = |burst| Rate::new(burst, MINUTE).expect("a rate");
    let limit = PerClient::new(Arc::clone(clock) as Arc<dyn Clock>, rate(4)).accounts(rate(2));
    Scene::with(|routes| routes.rate_limit(Arc::new(limit)).client_address(address))
}

#[tokio::test]
async fn every_route_can_be_limited_before_it_does_anything() {
    for path in Routes::PATHS {
        let scene = limited(&Arc::default(), ClientAddress::Peer);
        for _ in 0..4 {
            assert_ne!(scene.post(path, FORM, "", &[]).await.status, 429);
        }
        let (_, access) = scene.signs_in("ada").await;
        let bearer = format!("Bearer {access}");
        let before = scene.world.faulty.calls();
        let answer = scene.post(path, FORM, "", &[("authorization", &bearer)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "15"), "{path}");
        assert_eq!(scene.world.faulty.calls(), before, "{path}: no store is asked");
    }
}

#[tokio::test]
async fn clients_are_told_apart_by_their_address_and_wait_no_longer_than_they_must() {
    let clock = Arc::new(ManualClock::default());
    let scene = limited(&clock, ClientAddress::Peer);
    let from = async |last: u8| -> Answer {
        let request = Request::post("/api/auth/revoke").header("content-type", FORM);
        let peer = ConnectInfo(SocketAddr::from(([192, 0, 2, last], 1024)));
        ask(&scene.app, request.extension(peer).body(Body::from("token=x")).expect("a request")).await
    };
    for _ in 0..4 {
        assert_eq!(from(1).await.status, 200);
    }
    assert_eq!((from(1).await.status.as_u16(), from(2).await.status.as_u16()), (429, 200));
    clock.advance(Duration::from_secs(15));
    assert_eq!((from(1).await.status.as_u16(), from(1).await.status.as_u16()), (200, 429));
}

#[tokio::test]
async fn a_family_is_counted_from_wherever_its_tokens_come() {
    let scene = limited(&Arc::default(), ClientAddress::Forwarded(1));
    let (token, _) = scene.signs_in("ada").await;
    let body = format!("grant_type=refresh_token&refresh_token={}", *token.expose());
    let mut statuses = Vec::new();
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        let answer =
            scene.post("/api/auth/refresh", FORM, body.clone(), &[("x-forwarded-for", address)]).await;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
}

#[tokio::test]
async fn many_clients_do_not_use_up_each_others_attempts() {
    let scene = limited(&Arc::default(), ClientAddress::Forwarded(1));
    for last in 0..6 {
        let (token, _) = scene.signs_in("ada").await;
        let body = format!("grant_type=refresh_token&refresh_token={}", *token.expose());
        let address = format!("192.0.2.{last}");
        let answer = scene.post("/api/auth/refresh", FORM, body, &[("x-forwarded-for", &address)]).await;
        assert_eq!(answer.status, 200, "{address}");
    }
}
