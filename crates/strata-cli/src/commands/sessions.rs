//! `sessions`: listing, showing and ending sessions, of visitors (basic) and of users who have signed in (auth). Tokens, values and
//! the application's own claims are neither needed nor read.

use serde_json::{Value, json};
use strata::session::auth::{AuthSessions, SessionInfo};
use strata::session::{SessionId, Sessions as Basic};
use strata::{Info, Strata, Timestamp};

use crate::args::Sessions;
use crate::failure::Failure;
use crate::output::{Out, Table};
use crate::progress::Progress;
use crate::words;

/// How many rows are laid out at a time: enough to align, few enough to hold.
const ROWS: usize = 512;

/// Does what was asked.
pub(crate) async fn sessions(db: &Strata, asked: &Sessions, out: &mut Out) -> Result<(), Failure> {
    let (auth, basic) = (db.auth::<()>()?, db.sessions()?);
    match asked {
        Sessions::List { user: Some(user) } => list_of(db, &auth, user, out).await,
        Sessions::List { user: None } => list(db, &auth, &basic, out).await,
        // Read here and not with the other words: a token given by mistake would be repeated in the complaint.
        Sessions::Show { id } => show(&auth, &basic, SessionId::parse(id)?, out).await,
        Sessions::Revoke { id } => revoke(&auth, &basic, SessionId::parse(id)?, out).await,
        // Refresh tokens end first, or a client would be back with one; and no failure keeps the others alive.
        Sessions::RevokeUser { user } | Sessions::RevokeAll { user: Some(user) } => {
            let families = db.refresh_tokens()?.revoke_user(user).await;
            let ended = auth.revoke_user(user).await?;
            told(ended, families?, out)
        }
        Sessions::RevokeAll { user: None } => {
            let progress = Progress::waiting("ending");
            let families = db.refresh_tokens()?.revoke_all().await;
            let (users, visitors) = (auth.revoke_all().await, basic.revoke_all().await);
            drop(progress);
            told(users? + visitors?, families?, out)
        }
    }
}

fn told(ended: u64, families: u64, out: &mut Out) -> Result<(), Failure> {
    let and_families = match families {
        0 => String::new(),
        1 => ", and 1 family of refresh tokens".to_owned(),
        many => format!(", and {many} families of refresh tokens"),
    };
    out.either(&json!({ "ended": ended, "families": families }), format!("ended {ended}{and_families}"))
}

async fn list_of(db: &Strata, auth: &AuthSessions, user: &str, out: &mut Out) -> Result<(), Failure> {
    let mut rows = Rows::new(db.clock().now(), out);
    for session in auth.list(user).await? {
        rows.add_auth(&session, out)?;
    }
    rows.write(out)
}

/// Everybody's, as a stream: memory does not grow with the store. What cannot be read does not hide the others: the list goes on, and
/// ends with the first such failure.
async fn list(db: &Strata, auth: &AuthSessions, basic: &Basic, out: &mut Out) -> Result<(), Failure> {
    let mut rows = Rows::new(db.clock().now(), out);
    let mut whole = Ok(());
    let mut infos = auth.infos();
    while let Some(session) = infos.next().await {
        match session {
            Ok(session) => rows.add_auth(&session, out)?,
            Err(error) => whole = whole.and(Err(error)),
        }
    }
    let mut ids = basic.ids();
    while let Some(id) = ids.next().await {
        let found = match id {
            Ok(id) => basic.info(id).await.map(|info| info.map(|info| (id, info))),
            Err(error) => Err(error),
        };
        match found {
            Ok(Some((id, info))) => rows.add_basic(id, &info, out)?,
            // One that ends meanwhile is passed over.
            Ok(None) => {}
            Err(error) => whole = whole.and(Err(error)),
        }
    }
    rows.write(out)?;
    Ok(whole?)
}

async fn show(auth: &AuthSessions, basic: &Basic, id: SessionId, out: &mut Out) -> Result<(), Failure> {
    let object = match auth.info(id).await? {
        Some(session) => auth_object(&session),
        None => basic.info(id).await?.map(|info| basic_object(id, &info)).ok_or_else(|| missing(id))?,
    };
    if out.json {
        return out.object(&object);
    }
    for (name, value) in object.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::String(text) => out.line(format!("{name:<14}{text}"))?,
            Value::Array(words) => {
                let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
                out.line(format!("{name:<14}{}", words.join(" ")))?;
            }
            other => out.line(format!("{name:<14}{other}"))?,
        }
    }
    Ok(())
}

async fn revoke(auth: &AuthSessions, basic: &Basic, id: SessionId, out: &mut Out) -> Result<(), Failure> {
    if auth.revoke(id).await? || basic.revoke(id).await? {
        return out.either(&json!({ "id": id.to_string(), "ended": 1 }), format!("ended {id}"));
    }
    Err(missing(id))
}

fn missing(id: SessionId) -> Failure {
    Failure::NotFound(format!("there is no living session {id}"))
}

/// Rows on their way to the terminal, or objects to a program.
struct Rows {
    now: Timestamp,
    table: Table<8>,
    waiting: Vec<[String; 8]>,
}

impl Rows {
    fn new(now: Timestamp, out: &Out) -> Self {
        let title = ["ID", "KIND", "USER", "DEVICE", "ADDRESS", "CREATED", "ACTIVE", "ENDS IN"];
        let waiting = if out.json { Vec::new() } else { vec![title.map(str::to_owned)] };
        Self { now, table: Table::new([false, false, false, false, false, false, false, true]), waiting }
    }

    fn add_auth(&mut self, session: &SessionInfo, out: &mut Out) -> Result<(), Failure> {
        if out.json {
            return out.object(&auth_object(session));
        }
        let device = session.device.label.as_ref().or(session.device.agent.as_ref());
        let row = [
            session.id.to_string(),
            "auth".to_owned(),
            session.user.id.clone(),
            device.cloned().unwrap_or_default(),
            session.device.address.clone().unwrap_or_default(),
            words::print_instant(session.created),
            words::print_instant(session.last_active),
            words::print_duration(session.expires.since(self.now)),
        ];
        self.add(row, out)
    }

    fn add_basic(&mut self, id: SessionId, info: &Info, out: &mut Out) -> Result<(), Failure> {
        if out.json {
            return out.object(&basic_object(id, info));
        }
        let left = info.expiry.remaining(self.now);
        let row = [
            id.to_string(),
            "basic".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            words::print_instant(info.created),
            words::print_instant(active(info)),
            left.map_or_else(|| "never".to_owned(), words::print_duration),
        ];
        self.add(row, out)
    }

    fn add(&mut self, row: [String; 8], out: &mut Out) -> Result<(), Failure> {
        self.waiting.push(row);
        if self.waiting.len() == ROWS { self.write(out) } else { Ok(()) }
    }

    fn write(&mut self, out: &mut Out) -> Result<(), Failure> {
        for line in self.table.lay_out(&self.waiting) {
            out.line(line)?;
        }
        self.waiting.clear();
        Ok(())
    }
}

/// When a basic session was last active, up to the touch interval.
fn active(info: &Info) -> Timestamp {
    let slid = info.expiry.deadline().zip(info.expiry.idle_time());
    slid.map_or(info.updated, |(deadline, idle)| deadline.saturating_sub(idle).max(info.updated))
}

fn auth_object(session: &SessionInfo) -> Value {
    let SessionInfo { user, device, .. } = session;
    json!({
        "id": session.id.to_string(),
        "kind": "auth",
        "user": user.id,
        "name": user.name,
        "email": user.email,
        "roles": user.roles,
        "permissions": user.permissions,
        "device": device.label,
        "agent": device.agent,
        "address": device.address,
        "created": words::print_instant(session.created),
        "authenticated": words::print_instant(session.authenticated),
        "last_active": words::print_instant(session.last_active),
        "expires": words::print_instant(session.expires),
        "latest": words::print_instant(session.latest),
        "remembered": session.remembered,
    })
}

fn basic_object(id: SessionId, info: &Info) -> Value {
    json!({
        "id": id.to_string(),
        "kind": "basic",
        "created": words::print_instant(info.created),
        "last_active": words::print_instant(active(info)),
        "expires": info.expiry.deadline().map(words::print_instant),
        "latest": info.expiry.not_after().map(words::print_instant),
    })
}
