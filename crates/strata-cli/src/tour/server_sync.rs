//! A document in step with a server: edited on two devices without a network, merged, and logged out offline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use serde_json::json;
use strata::Span as _;
use strata::native::TokioTimer;
use strata::session::document::{
    Documents, Policies, Policy, ServerSynced, SyncAnswer, SyncFailure, SyncProblem, SyncRequest,
    SyncTransport, Synced,
};

use super::ground::Ground;
use super::{Told, held};

/// A short way to the server half, which can be cut, and loses the first answer.
#[derive(Debug)]
struct Wire {
    server: Documents,
    is_down: AtomicBool,
    calls: AtomicU32,
}

#[async_trait]
impl SyncTransport for Wire {
    async fn sync(&self, request: &SyncRequest, _: Option<&str>) -> Result<SyncAnswer, SyncFailure> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(SyncFailure::OFFLINE);
        }
        let answer = self.server.sync("ada", request).await;
        let answer = answer.map_err(|error| SyncFailure::of_status(SyncProblem::of(&error).0, None))?;
        if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(SyncFailure::Unanswered);
        }
        Ok(answer)
    }

    async fn logout(&self, _: Option<&str>) -> Result<(), SyncFailure> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(SyncFailure::OFFLINE);
        }
        self.server.end("ada").await.map(drop).map_err(|_| SyncFailure::Unanswered)
    }
}

/// Two devices count offline; both counts are there, once each, though an answer got lost.
pub(super) async fn document(ground: &Ground) -> Told {
    let (db, clock) = ground.with_clock("documents").await?;
    let server = db.documents()?;
    let wire =
        Arc::new(Wire { server: server.clone(), is_down: AtomicBool::new(true), calls: AtomicU32::new(0) });
    let policies = Policies::default().at("cart.tea", Policy::Sum)?;
    let device = |name: &str| {
        let transport = Arc::clone(&wire) as Arc<dyn SyncTransport>;
        let builder = ServerSynced::builder(&db, transport, Arc::new(TokioTimer));
        builder.name(name).policies(policies.clone()).build()
    };
    let (phone, laptop) = (device("phone")?, device("laptop")?);
    for (device, tea, theme) in [(&phone, 2, "dark"), (&laptop, 3, "light")] {
        device.begin(None).await?;
        device.set("cart.tea", &tea).await?;
        device.set("ui.theme", theme).await?;
        device.set("user.role", "admin").await?;
        held(device.sync().await? == Synced::Waiting(SyncFailure::OFFLINE), "offline keeps the session")?;
    }

    wire.is_down.store(false, Ordering::SeqCst);
    held(phone.sync().await? == Synced::Waiting(SyncFailure::Unanswered), "an answer got lost")?;
    for device in [&phone, &laptop, &phone] {
        held(device.sync().await? == Synced::InStep, "in step")?;
    }
    let at_server = server.read("ada").await?.map(serde_json::Value::from);
    let end = json!({"cart": {"tea": 5}, "ui": {"theme": "light"}});
    held(at_server == Some(end.clone()), "both counts, once each, and no role that a client gave itself")?;
    held(phone.document().await?.map(serde_json::Value::from) == Some(end), "the same here")?;

    wire.is_down.store(true, Ordering::SeqCst);
    held(phone.logout().await?, "logging out takes no network")?;
    held(phone.document().await?.is_none(), "nothing is left here")?;
    held(phone.tell_logouts().await?.left == 1, "the server is yet to be told")?;
    wire.is_down.store(false, Ordering::SeqCst);
    clock.advance(1.minutes());
    held(phone.tell_logouts().await?.told == 1, "it is told when it can be")?;
    held(laptop.sync().await? == Synced::Ended, "and the other device hears of it")?;
    let calls = wire.calls.load(Ordering::SeqCst);
    drop((phone, laptop, wire, server));
    db.close().await?;
    Ok(format!(
        "2 devices offline, an answer lost, 5 teas after {calls} requests; logged out offline, told later"
    ))
}
