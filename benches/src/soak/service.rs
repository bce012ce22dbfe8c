//! The service under load: the release binary in a fresh folder, on a port of its own, ended by its process id.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::client::{Account, Client};

/// How long the service may take to start, and to end after it was told to.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running service. It is killed when this is dropped.
#[derive(Debug)]
pub struct Service {
    binary: PathBuf,
    folder: PathBuf,
    listen: String,
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Starts the binary with its data in the folder and waits until it is healthy.
    pub async fn start(binary: &Path, folder: &Path) -> Result<Self, String> {
        let listen = free_address()?;
        let (child, said) = spawn(binary, folder, &listen)?;
        let mut service = Self { binary: binary.to_owned(), folder: folder.to_owned(), listen, child, said };
        service.is_healthy().await?;
        Ok(service)
    }

    /// Where it listens, as an origin.
    pub fn origin(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// The demo users that it printed.
    pub fn accounts(&self) -> Vec<Account> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().filter_map(|line| account(line)).collect()
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) -> Result<(), String> {
        self.child.kill().and_then(|()| self.child.wait()).map_err(|error| format!("killing it: {error}"))?;
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) -> Result<ExitStatus, String> {
        let id = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        told.map_err(|error| format!("telling it to end: {error}"))?;
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => return Err(format!("waiting for its end: {error}")),
            }
        }
        Err(format!("it was still running {PATIENCE:?} after it was told to end"))
    }

    /// Starts it again, on the same port and data.
    pub async fn start_again(&mut self) -> Result<(), String> {
        let (child, said) = spawn(&self.binary, &self.folder, &self.listen)?;
        self.child = child;
        self.said = said;
        self.is_healthy().await
    }

    async fn is_healthy(&mut self) -> Result<(), String> {
        let client = Client::new(self.origin());
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the service ended with {status}; it said:\n{}", self.last_words()));
            }
            if client.get("", "/health").await.status == 200 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(format!("the service was not healthy after {PATIENCE:?}; it said:\n{}", self.last_words()))
    }

    fn last_words(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let without_secrets = said.iter().filter(|line| account(line).is_none());
        let mut lines: Vec<&str> = without_secrets.rev().take(20).map(String::as_str).collect();
        lines.reverse();
        lines.join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.kill(); // it may have ended already
    }
}

fn spawn(binary: &Path, folder: &Path, listen: &str) -> Result<(Child, Arc<Mutex<Vec<String>>>), String> {
    let mut command = Command::new(binary);
    command.args(["serve", "--listen", listen, "--data"]).arg(folder.join("data"));
    command.arg("--key-file").arg(folder.join("key"));
    for name in ["STRATA_STORE", "STRATA_KEY", "STRATA_PASSPHRASE"] {
        command.env_remove(name); // what the caller uses otherwise has no place here
    }
    command.env("HOME", folder).env("DBUS_SESSION_BUS_ADDRESS", "disabled:");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("starting {}: {error}", binary.display()))?;
    let said = Arc::new(Mutex::new(Vec::new()));
    if let Some(output) = child.stdout.take() {
        listen_to(output, &said);
    }
    if let Some(output) = child.stderr.take() {
        listen_to(output, &said);
    }
    Ok((child, said))
}

/// How much of what the service prints is kept: its first lines have the passwords, its last ones the reasons.
const KEPT: usize = 2000;

fn listen_to(output: impl std::io::Read + Send + 'static, said: &Arc<Mutex<Vec<String>>>) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.len() >= KEPT {
                said.remove(KEPT / 2);
            }
            said.push(line);
        }
    });
}

fn free_address() -> Result<String, String> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    address.map(|address| address.to_string()).map_err(|error| format!("finding a free port: {error}"))
}

/// A line that names a demo user and the password.
fn account(line: &str) -> Option<Account> {
    let mut words = line.split_whitespace();
    let user = words.next()?.to_owned();
    let password = words.next()?.to_owned();
    Some(Account { user, password })
}
