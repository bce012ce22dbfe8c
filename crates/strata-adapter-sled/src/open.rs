//! How a store is opened: the directory claimed, sled started under guard, the header judged, commits under way settled,
//! the barrier tried. Nothing here grows with the number of records, unless a repair is asked for.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;
use std::time::Duration;

use strata_core::{Error, ErrorKind, Payload, Result};

use crate::barrier::Barrier;
use crate::closes::Closes;
use crate::config::SledConfig;
use crate::core::Core;
use crate::count::Count;
use crate::engine::Engine;
use crate::error::{damaged, from_sled, newer};
use crate::format::{FORMAT, frame, meta_name, unframe};
use crate::group::Group;
use crate::home::{Home, State, StoreId};
use crate::intent::Slots;
use crate::recover::settle_all;
use crate::repair::{Repair, repair};
use crate::stripes::Stripes;
use crate::version::Versions;

/// How often sled's own lock is tried: after a close in this process its threads let go of the file a moment later.
const LOCK_TRIES: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_millis(5);

/// Opens everything but the barrier thread.
pub(crate) fn open(config: &SledConfig) -> Result<(Core, Option<Repair>)> {
    let mut home = Home::claim(&config.path, config.create)?;
    let engine = Engine::new(start(config)?);
    let id = identify(&engine, home.state(), config.repair)?;
    let closes = Closes::load(&engine, home.path(), config.repair)?;
    let repaired = if config.repair { Some(repair(&engine)?) } else { None };
    settle_all(&engine)?;
    let versions = Versions::load(&engine, repaired.as_ref().map(|repaired| repaired.next_version))?;
    let records = match &repaired {
        Some(repaired) => Count::after_repair(&engine, repaired.records)?,
        None => Count::load(&engine)?,
    };
    let (barrier, limit) = Barrier::open(home.path(), &engine, || versions.extend(&engine))?;
    versions.grant(limit);
    home.sync_names()?;
    home.complete(id)?;
    let core = Core {
        engine,
        barrier,
        home,
        group: Group::default(),
        stripes: Stripes::new(),
        slots: Slots::default(),
        versions,
        records,
        closes,
        id,
        flush_every: config.flush_every,
        max_payload: config.max_payload,
        nothing: Payload::from(&[][..]),
    };
    Ok((core, repaired))
}

fn start(config: &SledConfig) -> Result<sled::Db> {
    let mut tries = 1;
    loop {
        match start_once(&config.path, config) {
            Err(error) if error.kind() == ErrorKind::Locked && tries < LOCK_TRIES => {
                thread::sleep(LOCK_PAUSE);
            }
            started => return started,
        }
        tries += 1;
    }
}

fn start_once(path: &Path, config: &SledConfig) -> Result<sled::Db> {
    let millis = u64::try_from(config.flush_every.as_millis()).unwrap_or(u64::MAX);
    let sled = sled::Config::new().path(path).cache_capacity(config.cache_bytes).flush_every_ms(Some(millis));
    // sled panics on some damaged logs. Nothing of it is used after that.
    match catch_unwind(AssertUnwindSafe(|| sled.open())) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(error)) => Err(from_sled("open", error)),
        Err(_) => Err(Error::new(
            ErrorKind::Corrupt,
            "open",
            format!("the log in `{}` is damaged and sled cannot read it; restore a backup", path.display()),
        )),
    }
}

/// Reads the header, or writes it if the store is just being made.
fn identify(engine: &Engine, state: State, repairing: bool) -> Result<StoreId> {
    let name = meta_name("header");
    let found = engine.get(&name)?.map(|framed| read_header(&name, &framed)).transpose();
    match (found, state) {
        (Ok(Some(id)), State::Complete(marked)) if id != marked => Err(Error::new(
            ErrorKind::Corrupt,
            "open",
            "the marker file and the database belong to different stores; put back the files of one backup",
        )),
        (Ok(Some(id)), _) => Ok(id),
        (Ok(None), State::Begun) => create(engine, &name),
        // The marker says which store this is; a repair writes the header anew.
        (Ok(None) | Err(_), State::Complete(id)) if repairing => {
            write_header(engine, &name, id)?;
            Ok(id)
        }
        (Ok(None), State::Complete(_)) => Err(damaged("the database has lost its header, it")),
        (Err(error), _) => Err(error),
    }
}

fn create(engine: &Engine, name: &[u8]) -> Result<StoreId> {
    if engine.all().next().transpose()?.is_some() {
        return Err(Error::new(
            ErrorKind::Foreign,
            "open",
            "the database holds entries and no header of ours; choose another directory",
        ));
    }
    let id = draw_id();
    write_header(engine, name, id)?;
    Ok(id)
}

fn write_header(engine: &Engine, name: &[u8], id: StoreId) -> Result<()> {
    engine.insert(name, frame(name, &[&[FORMAT], &id[..]].concat()))
}

fn read_header(name: &[u8], framed: &[u8]) -> Result<StoreId> {
    match *framed {
        [format, ..] if format > FORMAT => return Err(newer("open", u64::from(format))),
        _ => {}
    }
    let bytes = unframe(name, framed, "the header of the store")?;
    let id = bytes.strip_prefix(&[FORMAT]).and_then(|id| id.try_into().ok());
    id.ok_or_else(|| damaged("the header of the store"))
}

/// A name that no other store has. Not a secret: the system's randomness as the standard library gives it will do.
fn draw_id() -> StoreId {
    let half = || RandomState::new().hash_one(std::process::id());
    let mut id = [0; 16];
    id[..8].copy_from_slice(&half().to_be_bytes());
    id[8..].copy_from_slice(&RandomState::new().hash_one(half()).to_be_bytes());
    id
}
