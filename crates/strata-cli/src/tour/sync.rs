//! Sessions in step: two programs over one store, each with a replica; two stores whose records travel, one of them out of reach for a while.

use std::sync::Arc;
use std::time::Duration;

use strata::native::{TokioSpawn, TokioTimer, system_clock};
use strata::sync::replica::{Changes, Look, ReplicaEvent};
use strata::sync::{
    Group, GroupKey, InProcess, Recorder, Replica, Replication, ReplicationConfig, Scope, SharedBus,
};
use strata::{Clock, MemoryStore, Origin, Store, Strata, SystemRandom};

use super::{Told, held};
use crate::failure::Failure;

/// How long anything here may take. It takes a hundredth of that.
const LIMIT: Duration = Duration::from_secs(20);

/// The bus, the key of the group, and the clock of the members.
struct Meeting {
    link: InProcess,
    key: GroupKey,
    clock: Arc<dyn Clock>,
}

impl Meeting {
    fn new() -> Result<Self, Failure> {
        let key = GroupKey::generate(&SystemRandom::new())?;
        Ok(Self { link: InProcess::new(), key, clock: Arc::new(system_clock().open()) })
    }

    fn join(&self) -> Result<Group, Failure> {
        let (random, clock) = (Arc::new(SystemRandom::new()), Arc::clone(&self.clock));
        Ok(Group::builder(self.link.join(), &self.key, random, clock, Arc::new(TokioTimer)).build()?)
    }
}

fn tasks() -> Result<TokioSpawn, Failure> {
    TokioSpawn::current().ok_or_else(|| Failure::Bad("not so: the tour runs on a runtime".to_owned()))
}

/// A change, a logout of everybody, and a late joiner.
pub(super) async fn one_store() -> Told {
    let meeting = Meeting::new()?;
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let program = || async {
        let bus = SharedBus::new(meeting.join()?);
        let builder = strata::builder().store(Arc::clone(&store)).plaintext().without_sweeper();
        let builder = builder.clock(Arc::clone(&meeting.clock)).bus(Arc::new(bus.clone()));
        let db = builder.open().await?;
        let running = bus.start(db.handle(), &tasks()?);
        Ok::<_, Failure>((db, bus, running))
    };
    let (first, _, _first_runs) = program().await?;
    let sessions = first.collection::<u32>("session")?;
    for number in 0..100_u32 {
        sessions.set(&number.to_string(), &number).await?;
    }
    let (second, bus, _second_runs) = program().await?;
    let builder = Replica::builder(&second.collection::<u32>("session")?).feed(Arc::new(bus));
    let replica = second.replica_as(builder).await?;
    held(replica.report().held == 100, "a late joiner has everything")?;

    let mut changes = replica.changes();
    sessions.set("7", &700).await?;
    let origin = heard(&mut changes, || replica.get("7").is_some_and(|seven| *seven == 700)).await?;
    held(origin != Some(Origin::Local), "a change of the other program is not called ours")?;
    sessions.clear().await?;
    until(&mut changes, || replica.look("7") == Look::Absent && replica.report().held == 0).await?;
    Ok("a late joiner had 100 sessions, saw a change of the other program, and a logout emptied both"
        .to_owned())
}

/// Both write apart; one is away while a logout happens.
pub(super) async fn a_store_each() -> Told {
    let meeting = Meeting::new()?;
    let program = || async {
        let recorder = Recorder::new(Arc::clone(&meeting.clock), Scope::only(["session:*"])?);
        let builder = strata::builder().memory().plaintext().without_sweeper();
        let builder = builder.clock(Arc::clone(&meeting.clock)).journal(Arc::clone(&recorder) as _);
        let db = builder.bus(Arc::clone(&recorder) as _).open().await?;
        let config = ReplicationConfig::default().interval(Duration::from_millis(100));
        let (handle, timer) = (db.handle().clone(), Arc::new(TokioTimer));
        let replication = Replication::open(handle, recorder, meeting.join()?, timer, config).await?;
        Ok::<_, Failure>((db, replication))
    };
    let (desk, desk_syncs) = program().await?;
    let (phone, phone_syncs) = program().await?;
    set(&desk, "ada", 1).await?;
    set(&phone, "bob", 2).await?;
    let _desk_runs = desk_syncs.start(&tasks()?);
    let phone_runs = phone_syncs.start(&tasks()?);
    let on_desk = desk.replica(&desk.collection::<u32>("session")?).await?;
    let on_phone = phone.replica(&phone.collection::<u32>("session")?).await?;
    let (mut desk_hears, mut phone_hears) = (on_desk.changes(), on_phone.changes());
    until(&mut desk_hears, || on_desk.report().held == 2).await?;
    until(&mut phone_hears, || on_phone.report().held == 2).await?;
    drop(phone_runs);
    set(&phone, "ada", 9).await?;
    // The logout is the later write: by one tick of the clock at least.
    let written = meeting.clock.now();
    while meeting.clock.now() == written {
        tokio::task::yield_now().await;
    }
    desk.collection::<u32>("session")?.remove("ada").await?;
    let _phone_runs = phone_syncs.start(&tasks()?);
    until(&mut phone_hears, || on_phone.look("ada") == Look::Absent).await?;
    until(&mut desk_hears, || on_desk.look("ada") == Look::Absent).await?;
    held(on_desk.get("bob").is_some() && on_phone.get("bob").is_some(), "whoever did not log out is there")?;
    Ok("two stores met and had both sessions; one was away and wrote, the logout it had missed stood"
        .to_owned())
}

async fn set(db: &Strata, name: &str, value: u32) -> Result<(), Failure> {
    db.collection::<u32>("session")?.set(name, &value).await?;
    Ok(())
}

/// Waits until it is so.
async fn until(changes: &mut Changes, so: impl Fn() -> bool) -> Result<(), Failure> {
    in_time(async { while !so() && changes.next().await.is_some() {} }).await
}

/// Waits for a change that makes it so, and tells whose it was, where it was told one by one.
async fn heard(changes: &mut Changes, so: impl Fn() -> bool) -> Result<Option<Origin>, Failure> {
    in_time(async {
        while let Some(event) = changes.next().await {
            if so() {
                return if let ReplicaEvent::Changed(change) = event { Some(change.origin) } else { None };
            }
        }
        None
    })
    .await
}

async fn in_time<R>(waited: impl Future<Output = R>) -> Result<R, Failure> {
    let waited = tokio::time::timeout(LIMIT, waited).await;
    waited.map_err(|_| Failure::Bad("not so: peers are in step in time".to_owned()))
}
