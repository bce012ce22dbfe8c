//! The running service, what it answers, and its streams of events, as a client over plain sockets sees them.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Shell, end};

/// Longer than anything here takes; a socket that is silent for so long is a failure.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// A running service.
pub(super) struct Service {
    pub(super) child: Child,
    pub(super) address: String,
    /// Those that it printed.
    pub(super) passwords: BTreeMap<String, String>,
    pub(super) _stdout: BufReader<ChildStdout>,
}

impl Service {
    /// On the shell's store, on a free port. What it logs is added to the file `log`.
    pub(super) fn start(shell: &Shell) -> Self {
        Self::start_with(shell, &[])
    }

    pub(super) fn start_with(shell: &Shell, words: &[&str]) -> Self {
        Self::start_by(shell, shell.command(), words)
    }

    pub(super) fn start_by(shell: &Shell, mut command: Command, words: &[&str]) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(shell.at("log")).expect("a log");
        command.args(["--json", "serve", "--listen", "127.0.0.1:0"]).args(words);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("spawn");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = || {
            let mut line = String::new();
            stdout.read_line(&mut line).expect("a line");
            serde_json::from_str::<Value>(&line).unwrap_or_else(|_| panic!("{line:?}; {}", shell.log()))
        };
        let told = line();
        let address =
            told["listening"].as_str().expect("an address").trim_start_matches("http://").to_owned();
        let mut passwords = BTreeMap::new();
        for _ in 0..told["fresh_users"].as_u64().expect("a number") {
            let user = line();
            let text = |word: &str| user[word].as_str().expect("a text").to_owned();
            passwords.insert(text("user"), text("password"));
        }
        Self { child, address, passwords, _stdout: stdout }
    }

    /// Asks it to end, and gives its exit code.
    pub(super) fn terminate(mut self) -> Option<i32> {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().expect("kill");
        assert!(sent.success());
        self.child.wait().expect("wait").code()
    }

    /// kill -9.
    pub(super) fn kill(mut self) {
        end(&mut self.child);
    }

    pub(super) fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(bytes).expect("send");
        stream
    }

    /// One request on a connection of its own, as text, and the answer to it.
    pub(super) fn raw(&self, bytes: &[u8]) -> Answer {
        let mut text = Vec::new();
        // A server that refuses a request may close before all of it was read.
        let _ = self.send(bytes).read_to_end(&mut text);
        Answer::of(&String::from_utf8(text).expect("text"))
    }

    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        self.raw(&self.request(method, path, headers, body))
    }

    pub(super) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Vec<u8> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        // As a browser does from the service's own page.
        if !headers.iter().any(|(name, _)| ["Sec-Fetch-Site", "Origin"].contains(name)) {
            text.push_str("Sec-Fetch-Site: same-origin\r\n");
        }
        text.extend(headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            text.extend([
                "Content-Type: application/json\r\nContent-Length: ",
                &body.len().to_string(),
                "\r\n",
            ]);
        }
        format!("{text}\r\n{body}").into_bytes()
    }

    /// Signs in as a browser, and gives the answer.
    pub(super) fn login(&self, user: &str, cookies: &str) -> Answer {
        let body = json!({ "user": user, "password": self.passwords[user] });
        let answer = self.ask("POST", "/api/login", &[("Cookie", cookies)], Some(&body));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// Signs in as a program, and gives its header.
    pub(super) fn token(&self, user: &str) -> String {
        let body = json!({ "user": user, "password": self.passwords[user], "token": true });
        let answer = self.ask("POST", "/api/login", &[], Some(&body));
        assert_eq!(answer.status, 200, "{answer:?}");
        format!("Bearer {}", answer.body["access_token"].as_str().expect("a token"))
    }

    pub(super) fn get(&self, path: &str, cookies: &str) -> Answer {
        self.ask("GET", path, &[("Cookie", cookies)], None)
    }
}

impl Shell {
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.at("log")).expect("a log")
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        let body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
        Self { status, head: head.to_owned(), body }
    }

    pub(super) fn headers(&self, name: &str) -> Vec<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    /// What a browser sends back: the cookies that were set and not ended.
    pub(super) fn cookies(&self) -> String {
        let set = self.headers("set-cookie");
        let pairs = set.iter().filter_map(|cookie| cookie.split(';').next());
        pairs.filter(|pair| !pair.ends_with('=')).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn is(&self, status: u16, error: &str) {
        assert_eq!((self.status, &self.body["error"]), (status, &error.into()), "{self:?}");
        assert!(self.body["message"].as_str().is_some_and(|message| !message.is_empty()), "{self:?}");
    }
}

/// A stream of events, read line by line.
pub(super) struct Events(pub(super) BufReader<TcpStream>);

impl Events {
    pub(super) fn open(service: &Service, cookies: &str) -> Self {
        let request = service.request("GET", "/api/events", &[("Cookie", cookies)], None);
        let mut events = Self(BufReader::new(service.send(&request)));
        assert!(events.line().starts_with("HTTP/1.1 200"), "a stream");
        events
    }

    pub(super) fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        line
    }

    /// What the next event is about.
    pub(super) fn what(&mut self) -> String {
        loop {
            let line = self.line();
            if let Some(data) = line.strip_prefix("data: ") {
                let data: Value = serde_json::from_str(data).expect("JSON");
                return data["what"].as_str().expect("a word").to_owned();
            }
            assert!(!line.is_empty(), "the stream has ended");
        }
    }

    /// The next event of this name; nothing if the stream ends before.
    pub(super) fn wait(&mut self, name: &str) -> Option<()> {
        loop {
            let line = self.line();
            if line.is_empty() {
                return None;
            }
            if line.trim() == format!("event: {name}") {
                return Some(());
            }
        }
    }
}
