//! Analytics: visits recorded with consent, scrubbed, ended by idleness, delivered through an outage, counted once, and told.
//!
//! Run it with `cargo run -p strata --example session_analytics`. It keeps its data in a fresh folder and removes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use strata::native::{TokioSpawn, TokioTimer};
use strata::prelude::*;
use strata::session::analytics::{
    AnalyticsTransport, Consent, Delivery, Event, Ingest, Insights, Period, Properties, Recorder, Report,
    Scrub, SendFailure, VisitStart,
};
use strata::{BoxFuture, Clock, ManualClock};

/// Stands for the HTTP client of yours: down at first, then it loses an answer, then it works.
#[derive(Debug)]
struct Wire {
    server: Ingest,
    sendings: AtomicU32,
}

impl AnalyticsTransport for Wire {
    fn send<'a>(&'a self, batch: &'a [Report]) -> BoxFuture<'a, Result<(), SendFailure>> {
        Box::pin(async move {
            match self.sendings.fetch_add(1, Ordering::SeqCst) {
                0 => SendFailure::of_status(503, None),
                1 => {
                    self.server.send(batch).await?;
                    SendFailure::of_status(504, None)
                }
                _ => self.server.send(batch).await,
            }
        })
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    // A clock that is moved, so that half an hour of idleness takes no time here.
    let clock = Arc::new(ManualClock::default());
    let db = strata::builder()
        .sled(folder.path().join("data"))
        .keys(Keys::file(folder.path().join("key")))
        .clock(Arc::clone(&clock) as Arc<dyn Clock>)
        .without_sweeper()
        .open()
        .await?;

    // `db.analytics()` has the defaults; this one keeps no addresses.
    let recorder = Recorder::builder(&db).scrub(without_addresses).build()?;
    visits(&recorder, &clock).await?;
    deliver(&db, &recorder, &clock).await?;

    let insight = Insights::new(&db)?.over(Period::last(1.days(), &*clock)?).await?;
    println!(
        "{} visits of {} users, {} page views, {} events; {:.0} % bounced; 95 % of them took no longer than {} s",
        insight.visits,
        insight.users.count,
        insight.views,
        insight.events,
        insight.bounce_rate * 100.0,
        insight.duration.p95 / 1000,
    );
    for page in &insight.pages.top {
        println!("  {:<8} {} views, looked at for {} s", page.name, page.count, page.millis / 1000);
    }
    assert_eq!((insight.visits, insight.views, insight.events), (2, 4, 1));

    drop(recorder);
    db.close().await?;
    Ok(())
}

/// What must not be kept is taken out before anything is stored.
fn without_addresses(event: &mut Event) -> Scrub {
    if let Event::Custom { properties, .. } = event {
        properties.remove("email");
    }
    Scrub::Keep
}

async fn visits(recorder: &Recorder, clock: &ManualClock) -> strata::Result<()> {
    let start = VisitStart::new("/home?utm=x").referrer("https://search.example/?q=tea").width(390);
    let Some(visit) = recorder.visit("ada's cookie", Consent::Given, start).await? else { return Ok(()) };
    println!("visit {} begins", visit.id());
    clock.advance(40.seconds());
    let _ = visit.page_view("/tea").await?;
    // A second tab, perhaps of another process, joins the same visit.
    let tab = recorder.visit("ada's cookie", Consent::Given, VisitStart::new("/cart")).await?;
    assert_eq!(tab.map(|tab| tab.id()), Some(visit.id()));
    let properties =
        Properties::new().text("what", "tea").number("price", 4.5).text("email", "ada@example.org");
    let _ = visit.event("buy", properties).await?;
    clock.advance(20.seconds());
    assert!(visit.end().await?);

    // Somebody who looks and goes, and somebody who does not want to be counted.
    recorder.visit("eve's cookie", Consent::Given, VisitStart::new("/home")).await?;
    let refused = recorder.visit("bob's cookie", Consent::Refused, VisitStart::new("/home")).await?;
    assert!(refused.is_none());
    clock.advance(31.minutes());
    let late = visit.page_view("/late").await.expect_err("it has ended");
    assert_eq!(late.kind(), ErrorKind::Gone);
    println!("ended by idleness: {}", recorder.close_due().await?);
    Ok(())
}

async fn deliver(db: &Strata, recorder: &Recorder, clock: &ManualClock) -> strata::Result<()> {
    let wire = Arc::new(Wire { server: Ingest::new(db)?, sendings: AtomicU32::new(0) });
    let delivery = Delivery::new(recorder, wire, Arc::new(TokioTimer));
    for _ in 0..2 {
        let delivered = delivery.deliver().await?;
        let wait = delivered.wait.unwrap_or_default();
        println!(
            "not delivered ({:?}), {} wait for {wait:?}",
            delivered.failure,
            recorder.queue().await?.waiting
        );
        clock.advance(wait);
    }
    // A program leaves this to a task, whose guard stops it; a shutdown delivers what waits.
    let spawn = TokioSpawn::current().expect("a runtime");
    delivery.start(&spawn).shutdown().await?;
    let queue = recorder.queue().await?;
    println!("delivered: {} wait, {} lost", queue.waiting, queue.lost.rejected + queue.lost.full);
    assert_eq!(queue.waiting, 0);
    Ok(())
}
