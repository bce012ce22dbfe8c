//! `serve`: the session service and its console. How it starts and ends is here; `service` has what requests share, `router` the
//! routes, `server` the connections, and each subject of the API has a file.

mod account;
mod answer;
mod attempts;
mod cart;
mod console;
mod device;
mod events;
mod files;
mod health;
mod identity;
mod json_body;
mod login;
mod logout;
mod logs;
mod me;
mod metrics;
mod operator;
mod password;
mod router;
mod server;
mod service;
mod sessions;
mod unread;
mod url;
mod values;
mod visits;

use std::io;
use std::net::SocketAddr;

use serde_json::json;
use strata::Strata;
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::account::{Accounts, Fresh};
use self::service::Service;
use crate::args::{Command, Global, Serve};
use crate::failure::Failure;
use crate::opening;
use crate::output::Out;

/// Serves until it is interrupted or told to terminate.
pub(crate) async fn run(global: &Global, command: &Command, out: &mut Out) -> Result<(), Failure> {
    let Command::Serve(asked) = command else { return Ok(()) };
    logs::start(global.json)?;
    // Before the store: an address that is taken makes none.
    let (listener, address) = listen(asked.listen).await?;
    let mut interrupts = server::Interrupts::new()?;
    let db = opening::open(global, command).await?;
    let served = serve(&db, asked, listener, address, &mut interrupts, out).await;
    let closed = db.close().await.map_err(Failure::from);
    served.and(closed)?;
    tracing::info!("everything is on disk");
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let bound = match TcpListener::bind(address).await {
        Ok(listener) => listener.local_addr().map(|bound| (listener, bound)),
        Err(error) => Err(error),
    };
    bound.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Failure::Conflict(format!(
            "{address} is in use by another program; end that, or listen elsewhere: `--listen 127.0.0.1:0` takes a free port"
        )),
        io::ErrorKind::AddrNotAvailable => Failure::Usage(format!(
            "{address} is no address of this machine; `--listen` takes one of them, such as 127.0.0.1:7878"
        )),
        io::ErrorKind::PermissionDenied => Failure::Usage(format!(
            "{address} may not be listened on by this user; take a port above 1023"
        )),
        _ => Failure::Io("can't listen", error),
    })
}

/// Everything between opening the store and closing it. Nothing of the service is left when it returns.
async fn serve(
    db: &Strata,
    asked: &Serve,
    listener: TcpListener,
    address: SocketAddr,
    interrupts: &mut server::Interrupts,
    out: &mut Out,
) -> Result<(), Failure> {
    let mut accounts = Accounts::new(db)?;
    let fresh = accounts.prepare(asked.new_passwords).await?;
    let (close, closing) = watch::channel(false);
    let service = Service::new(db, accounts, closing)?;
    if asked.new_passwords {
        service.end_sessions_of(fresh.iter().map(|fresh| fresh.name)).await?;
    }
    let visits = service.visits.start();
    tell(db, address, &fresh, out)?;
    drop(fresh);
    server::serve(listener, &service, interrupts, close).await;
    drop(service);
    if let Err(error) = visits.shutdown().await {
        tracing::warn!("{error}");
    }
    Ok(())
}

/// Prints where it listens and keeps its data, and the passwords that were drawn just now.
fn tell(db: &Strata, address: SocketAddr, fresh: &[Fresh], out: &mut Out) -> Result<(), Failure> {
    let url = format!("http://{address}");
    let store = db.report().store;
    out.either(
        &json!({ "listening": url, "store": store, "fresh_users": fresh.len() }),
        format!("listening on {url}\ndata in {store}"),
    )?;
    if !out.json {
        out.line(if fresh.is_empty() {
            "demo users as before; `--new-passwords` draws new passwords for them"
        } else {
            "demo users, with passwords that are shown this once:"
        })?;
    }
    for Fresh { name, password, role } in fresh {
        out.either(
            &json!({ "user": name, "password": **password, "role": role }),
            format!(
                "  {name:<10}{}{}",
                **password,
                role.map(|role| format!("   ({role})")).unwrap_or_default()
            ),
        )?;
    }
    if !address.ip().is_loopback() && !out.json {
        out.line(
            "note: this address is reached from other machines; browsers there keep the cookies only behind a proxy with TLS",
        )?;
    }
    out.flush()
}
