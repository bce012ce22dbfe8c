//! `watch`: changes as they happen.

use std::time::Duration;

use serde_json::{Value, json};
use strata::{Change, ChangeKind, Event, Origin, Strata};

use crate::failure::Failure;
use crate::output::Out;

/// Prints matching changes until interrupted, or for `period`.
pub(crate) async fn watch(
    db: &Strata,
    glob: &str,
    period: Option<Duration>,
    out: &mut Out,
) -> Result<(), Failure> {
    let mut changes = db.subscribe(glob)?;
    let over = async {
        match period {
            Some(period) => tokio::time::sleep(period).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            event = changes.next() => match event {
                Some(event) => print(&event, out)?,
                None => return Ok(()),
            },
            () = &mut over => return Ok(()),
            interrupted = tokio::signal::ctrl_c() => {
                return interrupted.map_err(|error| Failure::Io("can't wait for an interrupt", error));
            }
        }
    }
}

fn print(event: &Event, out: &mut Out) -> Result<(), Failure> {
    match event {
        Event::Change(change) => {
            let kind = kind(change.kind);
            out.either(
                &object(change, kind),
                format!("{kind:<8} {} (version {})", change.key, change.version),
            )?;
        }
        Event::Lagged(lost) => {
            out.either(&json!({ "lagged": lost }), format!("lagged   {lost} changes were lost"))?;
        }
    }
    out.flush()
}

fn object(change: &Change, kind: &str) -> Value {
    let origin = match change.origin {
        Origin::Local => "local",
        Origin::Remote => "remote",
    };
    json!({ "key": change.key.as_str(), "change": kind, "version": change.version.get(), "origin": origin })
}

fn kind(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Created => "created",
        ChangeKind::Updated => "updated",
        ChangeKind::Retimed => "retimed",
        ChangeKind::Removed => "removed",
        ChangeKind::Expired => "expired",
        _ => "changed",
    }
}
