//! Visits: recorded, ended by idleness, delivered through a server that fails first, and counted once.

use std::sync::Arc;

use strata::native::TokioTimer;
use strata::session::analytics::{
    AnalyticsTransport, Consent, Delivery, Ingest, Insights, Period, Properties, Report, SendFailure,
    VisitStart,
};
use strata::{BoxFuture, Span};
use tokio::sync::Mutex;

use super::ground::Ground;
use super::{Told, held};
use crate::failure::Failure;

/// A server that takes the first batch without an answer: whoever sent it has to send it again.
#[derive(Debug)]
struct Forgetful {
    ingest: Ingest,
    sendings: Mutex<u32>,
}

impl AnalyticsTransport for Forgetful {
    fn send<'a>(&'a self, batch: &'a [Report]) -> BoxFuture<'a, Result<(), SendFailure>> {
        Box::pin(async move {
            let mut sendings = self.sendings.lock().await;
            *sendings += 1;
            self.ingest.send(batch).await?;
            if *sendings == 1 { SendFailure::of_status(500, None) } else { Ok(()) }
        })
    }
}

/// Twenty visits of three visitors' tabs; one never returns; the first answer of the server is lost.
pub(super) async fn visits(ground: &Ground) -> Told {
    let (db, clock) = ground.with_clock("analytics").await?;
    let recorder = db.analytics()?;
    for visitor in 0..20_u32 {
        let start = VisitStart::new("/home").width(400 + visitor * 50);
        let visit = recorder.visit(&visitor.to_string(), Consent::Given, start).await?;
        let visit = visit.ok_or_else(|| Failure::Bad("not so: a visit begins with consent".to_owned()))?;
        clock.advance(1.minutes());
        let _ = visit.page_view("/tea").await?;
        let _ = visit.event("buy", Properties::new().text("what", "tea")).await?;
        if visitor > 0 {
            held(visit.end().await?, "a visit ends")?;
        }
    }
    let refused = recorder.visit("x", Consent::Refused, VisitStart::new("/home")).await?;
    held(refused.is_none(), "without consent nothing is recorded")?;
    clock.advance(31.minutes());
    held(recorder.close_due().await? == 1, "the one that never returned is ended by idleness")?;

    let server = Forgetful { ingest: Ingest::new(&db)?, sendings: Mutex::default() };
    let delivery = Delivery::new(&recorder, Arc::new(server), Arc::new(TokioTimer));
    let first = delivery.deliver().await?;
    held(first.reports == 0 && recorder.queue().await?.waiting == 20, "an answer of 500 is no delivery")?;
    clock.advance(first.wait.unwrap_or_default());
    held(delivery.deliver().await?.reports == 20, "what failed is sent again")?;
    let insight = Insights::new(&db)?.over(Period::last(1.days(), &*clock)?).await?;
    held((insight.visits, insight.views, insight.events) == (20, 40, 20), "what came twice counts once")?;
    db.close().await?;
    Ok("20 visits, 60 events: first answer lost, sent twice, counted once; one ended by idleness".to_owned())
}
