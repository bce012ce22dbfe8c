//! The soak: thousands of sessions against the running service, and what it acknowledged compared with what is there in the end.
//!
//! `oracle` knows what may be answered, `book` shares it between the clients of `traffic`, which speak through `client` to the
//! program that `service` runs.

pub mod book;
pub mod client;
pub mod dice;
pub mod oracle;
pub mod report;
pub mod service;
pub mod traffic;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use book::{Book, Kind};
use client::Client;
use oracle::UserIndex;
use report::Report;
use service::Service;
use traffic::{Phase, Shared};

/// What to do to the service.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program.
    pub binary: PathBuf,
    /// How long.
    pub time: Duration,
    /// Sessions open at once, at most. Users have so many as their limits allow, visitors the others.
    pub sessions: usize,
    /// Clients that use sessions.
    pub clients: usize,
    /// Whether it is killed in the middle.
    pub kill: bool,
    /// Of the choices.
    pub seed: u64,
}

/// Clients that sign in and out. Passwords are slow on purpose: more would only queue.
const COMERS: usize = 4;

/// Between two lines that say how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// Soaks the service in that folder.
///
/// # Errors
/// A sentence, where the service does not start, end or print its users.
pub async fn run(plan: &Plan, folder: &Path) -> Result<Report, String> {
    let mut service = Service::start(&plan.binary, folder).await?;
    let accounts = service.accounts();
    if accounts.is_empty() {
        return Err("the service printed no demo user with a password".to_owned());
    }
    println!("{} users, at {}", accounts.len(), service.origin());
    // Visitors are nobody, one user more.
    let book = Arc::new(Mutex::new(Book::new(accounts.len() + 1, plan.seed)));
    let (phases, phase) = watch::channel(Phase { up: true, kills: 0, over: false });
    let shared = Shared {
        accounts: accounts.into(),
        sessions: plan.sessions,
        book: Arc::clone(&book),
        client: Client::new(service.origin()),
        phase,
    };
    let mut clients = start(&shared, plan.clients);
    let begin = Instant::now();
    if plan.kill {
        wait(plan.time / 2, begin, plan.time, &book).await;
        kill(&mut service, &phases, &book).await?;
    }
    wait(plan.time, begin, plan.time, &book).await;
    phases.send_modify(|phase| phase.over = true);
    while let Some(ended) = clients.join_next().await {
        ended.map_err(|error| format!("a client broke: {error}"))?;
    }
    let elapsed = begin.elapsed();
    check_all(&shared, plan.clients).await;
    let status = service.stop()?;
    service.start_again().await?;
    book.lock().oracle.restarted();
    check_all(&shared, plan.clients).await;
    let book = book.lock();
    Ok(Report::new(&book, elapsed, phases.borrow().kills, status.success()))
}

fn start(shared: &Shared, clients: usize) -> JoinSet<()> {
    let mut set = JoinSet::new();
    for _ in 0..COMERS {
        set.spawn(shared.clone().come_and_go());
    }
    for _ in 0..clients {
        set.spawn(shared.clone().use_sessions());
    }
    set.spawn(shared.clone().sweep());
    set
}

async fn kill(
    service: &mut Service,
    phases: &watch::Sender<Phase>,
    book: &Mutex<Book>,
) -> Result<(), String> {
    phases.send_modify(|phase| phase.up = false);
    service.kill()?;
    service.start_again().await?;
    book.lock().oracle.restarted();
    phases.send_modify(|phase| {
        phase.up = true;
        phase.kills += 1;
    });
    println!("killed and started again");
    Ok(())
}

/// Reads the value of every session there ever was, living or ended, and every user's list.
async fn check_all(shared: &Shared, clients: usize) {
    let sessions: Arc<Mutex<Vec<_>>> = Arc::new(Mutex::new(shared.book.lock().oracle.sessions().collect()));
    let mut set = JoinSet::new();
    for _ in 0..clients {
        let (sessions, shared) = (Arc::clone(&sessions), shared.clone());
        set.spawn(async move {
            loop {
                let next = sessions.lock().pop();
                let Some(session) = next else { break };
                shared.read_as(session, Kind::Check).await;
            }
        });
    }
    set.join_all().await;
    for user in 0..shared.accounts.len() {
        shared.check_list(UserIndex(user)).await;
    }
}

/// Waits until so much time has passed since the beginning, and says how far it is.
async fn wait(until: Duration, begin: Instant, of: Duration, book: &Mutex<Book>) {
    let terminal = std::io::stdout().is_terminal();
    let step = if terminal { Duration::from_millis(500) } else { TOLD_EVERY };
    while begin.elapsed() < until {
        tokio::time::sleep(step.min(until.saturating_sub(begin.elapsed()))).await;
        let line = progress(&book.lock(), begin.elapsed().min(of), of);
        if terminal {
            print!("\r{line}");
            let _ = std::io::Write::flush(&mut std::io::stdout()); // only decoration
        } else {
            println!("{line}");
        }
    }
    if terminal {
        println!();
    }
}

fn progress(book: &Book, done: Duration, of: Duration) -> String {
    format!(
        "{:3} % ({} of {} s)  {} sessions opened, {} of users and {} of visitors open, {} answers, {} faults",
        done.as_millis() * 100 / of.as_millis().max(1),
        done.as_secs(),
        of.as_secs(),
        book.opened(),
        book.open(),
        book.visitors(),
        book.tally.total(),
        book.oracle.faults().len(),
    )
}
