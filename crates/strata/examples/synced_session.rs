//! Sessions in step. Two programs over one store: each answers reads from a replica of its own, hears the other over a sealed bus, and is empty
//! after a logout. Then two programs with a store each, whose records travel: one was away, and a logout is not undone by its return.
//!
//! Run it with `cargo run -p strata --example synced_session`. Everything is in memory and in this process; other links join processes.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strata::native::{TokioSpawn, TokioTimer, system_clock};
use strata::prelude::*;
use strata::sync::replica::{Changes, Look, ReplicaEvent};
use strata::sync::{
    Group, GroupKey, InProcess, Recorder, Replica, Replication, ReplicationConfig, Scope, SharedBus,
};
use strata::{Clock, MemoryStore, Store, SystemRandom};

/// What a session shows. Whether it is valid is asked of the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shown {
    name: String,
    unread: u32,
}

fn shown(name: &str, unread: u32) -> Shown {
    Shown { name: name.to_owned(), unread }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let limit = Duration::from_mins(1);
    tokio::time::timeout(limit, one_store()).await??;
    tokio::time::timeout(limit, a_store_each()).await??;
    Ok(())
}

fn group(link: &InProcess, key: &GroupKey) -> Result<(Group, Arc<dyn Clock>)> {
    let clock: Arc<dyn Clock> = Arc::new(system_clock().open());
    let random = Arc::new(SystemRandom::new());
    let group = Group::builder(link.join(), key, random, Arc::clone(&clock), Arc::new(TokioTimer)).build()?;
    Ok((group, clock))
}

fn spawn() -> TokioSpawn {
    TokioSpawn::current().expect("this runs on a runtime")
}

/// Servers over one database, tabs over one browser's storage: messages say what changed, the value is read again.
async fn one_store() -> Result<()> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (link, key) = (InProcess::new(), GroupKey::generate(&SystemRandom::new())?);
    let program = || async {
        let (group, clock) = group(&link, &key)?;
        let bus = SharedBus::new(group);
        let db = strata::builder().store(Arc::clone(&store)).plaintext().clock(clock);
        let db = db.bus(Arc::new(bus.clone())).without_sweeper().open().await?;
        let running = bus.start(db.handle(), &spawn());
        Ok::<_, Error>((db, bus, running))
    };
    let (first, _, _first_runs) = program().await?;
    let sessions = first.collection::<Shown>("session")?;
    sessions.set("ada", &shown("Ada", 1)).await?;

    // A late joiner has everything.
    let (second, bus, _second_runs) = program().await?;
    let builder = Replica::builder(&second.collection::<Shown>("session")?).feed(Arc::new(bus));
    let replica = second.replica_as(builder).await?;
    let mut changes = replica.changes();
    println!("joined late, and shows {:?}", replica.get("ada"));

    sessions.modify("ada", |ada| ada.unread = 7).await?;
    let origin = heard(&mut changes, || replica.get("ada").is_some_and(|ada| ada.unread == 7)).await;
    println!("changed in the other program: {:?}, {origin:?}", replica.get("ada"));

    sessions.clear().await?;
    until(&mut changes, || replica.look("ada") == Look::Absent).await;
    println!("logged out there: {:?} here, as of {:?} ago", replica.look("ada"), replica.staleness());
    assert_eq!(replica.report().held, 0);
    Ok(())
}

/// Waits until it is so.
async fn until(changes: &mut Changes, so: impl Fn() -> bool) {
    while !so() && changes.next().await.is_some() {}
}

/// Waits until a change has made it so, and tells whose that was, where it was told one by one.
async fn heard(changes: &mut Changes, so: impl Fn() -> bool) -> Option<Origin> {
    while let Some(event) = changes.next().await {
        if so() {
            return if let ReplicaEvent::Changed(change) = event { Some(change.origin) } else { None };
        }
    }
    None
}

/// Windows and processes with data of their own: records travel, sealed for the group, and each program seals them again as it does.
async fn a_store_each() -> Result<()> {
    let (link, key) = (InProcess::new(), GroupKey::generate(&SystemRandom::new())?);
    let program = || async {
        let (group, clock) = group(&link, &key)?;
        let recorder = Recorder::new(Arc::clone(&clock), Scope::only(["session:*"])?);
        let db = strata::builder().memory().plaintext().clock(clock).without_sweeper();
        let db = db.journal(Arc::clone(&recorder) as _).bus(Arc::clone(&recorder) as _).open().await?;
        let config = ReplicationConfig::default().interval(Duration::from_millis(200));
        let timer = Arc::new(TokioTimer);
        let replication = Replication::open(db.handle().clone(), recorder, group, timer, config).await?;
        Ok::<_, Error>((db, replication))
    };
    let (desk, desk_syncs) = program().await?;
    let (phone, phone_syncs) = program().await?;
    let of = |db: &Strata| db.collection::<Shown>("session");

    // Both write while nobody hears.
    of(&desk)?.set("ada", &shown("Ada", 1)).await?;
    of(&phone)?.set("bob", &shown("Bob", 2)).await?;
    let (_desk_runs, phone_runs) = (desk_syncs.start(&spawn()), phone_syncs.start(&spawn()));
    let (on_desk, on_phone) = (desk.replica(&of(&desk)?).await?, phone.replica(&of(&phone)?).await?);
    until(&mut on_desk.changes(), || on_desk.report().held == 2).await;
    until(&mut on_phone.changes(), || on_phone.report().held == 2).await;
    println!("two stores: both have Ada's and Bob's");

    // The phone goes out of reach and goes on working; at the desk Ada logs out later.
    drop(phone_runs);
    of(&phone)?.modify("ada", |ada| ada.unread = 9).await?;
    tokio::time::sleep(Duration::from_millis(5)).await;
    of(&desk)?.remove("ada").await?;
    let _phone_runs = phone_syncs.start(&spawn());
    until(&mut on_phone.changes(), || on_phone.look("ada") == Look::Absent).await;
    until(&mut on_desk.changes(), || on_desk.look("ada") == Look::Absent).await;
    println!("the phone is back: Ada is logged out on both, Bob is not");
    assert!(on_desk.get("bob").is_some() && on_phone.get("bob").is_some());
    Ok(())
}
