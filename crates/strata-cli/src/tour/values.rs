//! Values: typed, overwritten, changed by many at once, guarded, listed.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strata::{ErrorKind, Span, Strata, Ttl};
use tokio::task::JoinSet;

use super::{Told, held, refused};
use crate::failure::Failure;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cart {
    owner: String,
    items: Vec<(String, u32)>,
}

fn cart(owner: &str) -> Cart {
    Cart { owner: owner.to_owned(), items: vec![("tea".to_owned(), 2)] }
}

/// A value comes back as its type, and only as that.
pub(super) async fn typed(db: &Strata) -> Told {
    let carts = db.collection::<Cart>("cart")?;
    carts.set("ada", &cart("ada")).await?;
    held(carts.get("ada").await? == Some(cart("ada")), "the cart comes back as it was")?;
    let other = db.get::<(u64, u64)>("cart:ada").await;
    refused(other, ErrorKind::Mismatch, "reading a cart as two numbers")?;
    Ok("a cart stored and read; read as another type it is refused".to_owned())
}

/// What an overwrite does not mention stays.
pub(super) async fn overwrite(db: &Strata) -> Told {
    db.set("kept", &1_u32).ttl(1.hours()).tag("mark").await?;
    db.set("kept", &2_u32).await?;
    let left = db.ttl("kept").await?;
    let some_left = matches!(left, Ttl::Left(left) if left > Duration::ZERO && left <= 1.hours());
    held(some_left, "the expiry stays")?;
    held(db.select().tag("mark").count().await? == 1, "the tag stays")?;
    db.persist("kept").await?;
    held(db.ttl("kept").await? == Ttl::Never, "dropping the expiry is a word of its own")?;
    Ok("ttl and tag survive a plain set; `persist` drops the ttl".to_owned())
}

/// No change is lost when many happen at once.
pub(super) async fn modify(db: &Strata) -> Told {
    db.set("count", &0_u32).await?;
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let db = db.handle().clone();
        tasks.spawn(async move { db.modify::<u32, _>("count", |count| *count += 1).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| Failure::Bad(error.to_string()))??;
    }
    let count = db.get::<u32>("count").await?;
    held(count == Some(100), "100 increments make 100")?;
    Ok("100 tasks incremented one value: 100".to_owned())
}

/// A write that expects something else is refused.
pub(super) async fn guards(db: &Strata) -> Told {
    let first = db.set("guarded", &1_u32).if_absent().await?;
    refused(db.set("guarded", &2_u32).if_absent().await, ErrorKind::Conflict, "creating what exists")?;
    db.set("guarded", &2_u32).if_version(first).await?;
    refused(
        db.set("guarded", &3_u32).if_version(first).await,
        ErrorKind::Conflict,
        "writing over a newer version",
    )?;
    db.remove("guarded").await?;
    let changed = db.modify::<u32, _>("guarded", |value| *value += 1).await;
    refused(changed, ErrorKind::Gone, "changing what was removed")?;
    held(!db.contains("guarded").await?, "nothing came back to life")?;
    Ok("exists: conflict; stale version: conflict; removed: gone, and stays so".to_owned())
}

/// Lists by prefix and tag; clears by tag.
pub(super) async fn listing(db: &Strata) -> Told {
    for number in 0..40_u32 {
        let tag = if number % 4 == 0 { "fourth" } else { "other" };
        db.set(&format!("list:{number:02}"), &number).tag(tag).await?;
    }
    let keys = db.keys("list:1?").collect().await?;
    held(keys.len() == 10 && keys.is_sorted(), "a glob finds its ten keys in order")?;
    held(db.select().tag("fourth").count().await? == 10, "a tag finds its ten records")?;
    let removed = db.select().prefix("list:").tag("fourth").clear().await?;
    held(
        removed == 10 && db.select().prefix("list:").count().await? == 30,
        "clearing takes those and no others",
    )?;
    Ok("40 stored; glob finds 10 in order, tag finds 10, clear by tag leaves 30".to_owned())
}
