//! The service under load: the release binary in a fresh folder, on a port of its own, ended by its process id.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::{Account, Client};

/// How long the service may take to start, and to end after it was told to.
const PATIENCE: Duration = Duration::from_secs(30);

/// The lines that a service printed.
type Said = Arc<Mutex<Vec<String>>>;

/// A running service. It is killed when this is dropped.
#[derive(Debug)]
pub struct Service {
    binary: PathBuf,
    folder: PathBuf,
    /// Its origin, once it listens.
    origin: String,
    child: Child,
    said: Said,
}

impl Service {
    /// Starts the binary with its data in the folder and waits until it is healthy.
    pub async fn start(binary: &Path, folder: &Path) -> Result<Self, String> {
        let (child, said) = spawn(binary, folder, "127.0.0.1:0")?;
        let (binary, folder) = (binary.to_owned(), folder.to_owned());
        let mut service = Self { binary, folder, origin: String::new(), child, said };
        service.is_healthy().await?;
        Ok(service)
    }

    /// Where it listens, as an origin.
    pub fn origin(&self) -> String {
        self.origin.clone()
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
        let (child, said) = spawn(&self.binary, &self.folder, self.origin.trim_start_matches("http://"))?;
        self.child = child;
        self.said = said;
        self.is_healthy().await
    }

    async fn is_healthy(&mut self) -> Result<(), String> {
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the service ended with {status}; it said:\n{}", self.last_words()));
            }
            if let Some(origin) = self.listens_at() {
                self.origin = origin;
                if Client::new(self.origin()).is_healthy().await {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(format!("the service was not healthy after {PATIENCE:?}; it said:\n{}", self.last_words()))
    }

    fn listens_at(&self) -> Option<String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().find_map(|line| listening(line))
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

fn spawn(binary: &Path, folder: &Path, listen: &str) -> Result<(Child, Said), String> {
    let mut command = Command::new(binary);
    command.args(["--json", "serve", "--listen", listen, "--data"]).arg(folder.join("data"));
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

fn listen_to(output: impl std::io::Read + Send + 'static, said: &Said) {
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

/// A line that names a demo user and the password.
fn account(line: &str) -> Option<Account> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| line[name].as_str().map(str::to_owned);
    Some(Account { user: text("user")?, password: text("password")? })
}

/// The line that says where the service listens.
fn listening(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    line["listening"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_prints_is_understood() {
        let ada = account(r#"{"user":"ada","password":"secret","role":null}"#).expect("an account");
        assert_eq!((ada.user.as_str(), ada.password.as_str()), ("ada", "secret"));
        let line = r#"{"listening":"http://127.0.0.1:7878","store":"sled:x"}"#;
        assert_eq!(listening(line).as_deref(), Some("http://127.0.0.1:7878"));
        assert_eq!((account(line), account("ready"), listening("ready")), (None, None, None));
    }
}
