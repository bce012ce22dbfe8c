//! A private Secret Service for tests, in each state one can be in: a bus of its own, a daemon of its own, a home of its own.
//! Nothing of the user's session is touched or even reachable.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::run::{During as _, Failure, Result, cargo, output};
use crate::test::Watch;
use crate::workspace::Workspace;

/// The password of the private keyring.
const PASSWORD: &[u8] = b"strata-test";

/// How long the daemon may take until it is on the bus.
const PATIENCE: Duration = Duration::from_secs(20);

/// The packages with a test of this name, which needs the service, and the states it has tests for.
pub(crate) const PACKAGES: [(&str, &[State]); 2] = [
    ("strata-adapter-keyring", &STATES),
    ("strata", &[State::Open, State::Locked, State::Denied, State::NoBus]),
];
pub(crate) const TEST: &str = "secret_service";

/// The states, in this order: the locked one is locked over what the open one was left with.
const STATES: [State; 6] =
    [State::Open, State::Locked, State::Denied, State::NoBus, State::NoService, State::Killed];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Locked,
    /// Open, and the bus lets nobody speak to it.
    Denied,
    NoBus,
    NoService,
    /// Open, and the tests end it: they are told its number.
    Killed,
}

impl State {
    /// The module with its tests.
    fn module(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Locked => "locked",
            Self::Denied => "denied",
            Self::NoBus => "no_bus",
            Self::NoService => "no_service",
            Self::Killed => "killed",
        }
    }
}

/// Runs the tests of every package in every state.
pub(crate) fn run(workspace: &Workspace, watch: Watch<'_>) -> Result {
    // In memory where it can be: the daemon waits for the disk at each change.
    let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).during("making a home")?;
    let mut programs = Vec::new();
    for (package, states) in PACKAGES {
        let program = build(workspace, package)?;
        check_states(&listed(&program)?, states)
            .map_err(|lack| Failure::new(format!("{package}: {lack}")))?;
        programs.push((program, states));
    }
    for state in STATES {
        let session = Session::start(home.path(), state)?;
        for (program, _) in programs.iter().filter(|(_, states)| states.contains(&state)) {
            println!("\na Secret Service, {}:", state.module());
            let mut command = Command::new(program);
            command.arg(format!("{}::", state.module())).stdin(Stdio::null()).stdout(Stdio::piped());
            watch(session.tell(&mut command))?;
        }
    }
    Ok(())
}

/// Builds the test of one package; where it is.
fn build(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let mut command = cargo(&workspace.root);
    command.args([
        "test",
        "--no-run",
        "--message-format",
        "json",
        "-p",
        package,
        "--all-features",
        "--test",
        TEST,
    ]);
    let text = output(&mut command)?;
    executable(&String::from_utf8_lossy(&text))
        .ok_or_else(|| Failure::new(format!("cargo built no test `{TEST}` of {package}")))
}

/// What the program lists when asked for its tests.
fn listed(program: &Path) -> Result<String> {
    let text = output(Command::new(program).args(["--list", "--format", "terse"]).stdin(Stdio::null()))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Every test belongs to one of the states, and every state has a test: nothing is left out in silence.
fn check_states(list: &str, states: &[State]) -> std::result::Result<(), String> {
    let tests: Vec<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let belongs =
        |test: &str, state: State| test.split_once("::").is_some_and(|(module, _)| module == state.module());
    if let Some(test) = tests.iter().find(|test| !states.iter().any(|state| belongs(test, *state))) {
        return Err(format!(
            "no state runs the test `{test}`; name its module as a state, and add the state"
        ));
    }
    match states.iter().find(|state| !tests.iter().any(|test| belongs(test, **state))) {
        Some(state) => Err(format!("there is no test for the state `{}`", state.module())),
        None => Ok(()),
    }
}

/// The test in what `cargo test --message-format json` prints.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut tests = messages.filter(|message| message["target"]["name"] == TEST);
    tests.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// A bus and a daemon, as far as the state has them. They end with it.
struct Session {
    home: PathBuf,
    state: State,
    // Fields are dropped in this order: the daemon before its bus.
    daemon: Option<Running>,
    bus: Option<Running>,
    address: String,
}

impl Session {
    fn start(home: &Path, state: State) -> Result<Self> {
        let address = format!("unix:path={}", home.join("no-bus").display());
        let mut session = Self { home: home.to_owned(), state, daemon: None, bus: None, address };
        session.make_home()?;
        if state != State::NoBus {
            session.start_bus()?;
        }
        if !matches!(state, State::NoBus | State::NoService) {
            session.start_daemon()?;
        }
        Ok(session)
    }

    fn make_home(&self) -> Result {
        for folder in ["run", "data", "cache", "config"] {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(self.home.join(folder)).during("making a home")?;
        }
        Ok(())
    }

    /// The environment of the session and nothing of another, with what the tests ask for.
    fn tell<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let home = &self.home;
        for variable in ["DISPLAY", "WAYLAND_DISPLAY", "GNOME_KEYRING_CONTROL", "SSH_AUTH_SOCK"] {
            command.env_remove(variable);
        }
        command
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .env("STRATA_TEST_SECRET_SERVICE", self.state.module());
        if self.state == State::Killed {
            for (name, running) in [("STRATA_TEST_DAEMON", &self.daemon), ("STRATA_TEST_BUS", &self.bus)] {
                command.envs(running.as_ref().map(|running| (name, running.0.id().to_string())));
            }
        }
        command
    }

    /// A bus that starts no service by itself, for a killed daemon has to stay away.
    fn start_bus(&mut self) -> Result {
        let config = self.home.join("bus.conf");
        let socket = self.home.join("run").join("private-bus");
        std::fs::write(&config, bus_config(&socket, self.state))
            .during("writing the configuration of a bus")?;
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", config.display())).args([
            "--nofork",
            "--nopidfile",
            "--print-address",
        ]);
        self.tell(&mut command).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut bus = Running(command.spawn().during("starting a bus")?);
        let printed = bus.0.stdout.take().ok_or_else(|| Failure::new("the bus was not piped"))?;
        let mut address = String::new();
        BufReader::new(printed).read_line(&mut address).during("reading the address of the bus")?;
        address.trim().clone_into(&mut self.address);
        self.bus = Some(bus);
        if self.address.is_empty() { Err(Failure::new("the bus told no address")) } else { Ok(()) }
    }

    fn start_daemon(&mut self) -> Result {
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]);
        if self.state != State::Locked {
            command.arg("--unlock");
        }
        self.tell(&mut command).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut daemon = Running(command.spawn().during("starting gnome-keyring-daemon")?);
        if let Some(mut stdin) = daemon.0.stdin.take() {
            // A daemon that is not to unlock reads nothing.
            let _ = stdin.write_all(PASSWORD);
        }
        self.daemon = Some(daemon);
        self.wait_for_service()
    }

    fn wait_for_service(&self) -> Result {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let mut command = Command::new("dbus-send");
            command.args([
                "--session",
                "--print-reply",
                "--dest=org.freedesktop.DBus",
                "/org/freedesktop/DBus",
            ]);
            command.args(["org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"]);
            let answer = self.tell(&mut command).stdin(Stdio::null()).stderr(Stdio::null()).output();
            let answer = answer.during("asking the bus for its services")?;
            if String::from_utf8_lossy(&answer.stdout).contains("boolean true") {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(Failure::new("gnome-keyring-daemon did not come to the bus"))
    }
}

/// A process that was started here and ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have been ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bus_config(socket: &Path, state: State) -> String {
    let denied = if state == State::Denied {
        "    <deny send_destination=\"org.freedesktop.secrets\"/>\n"
    } else {
        ""
    };
    format!(
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
         \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
         <busconfig>\n  <type>session</type>\n  <listen>unix:path={}</listen>\n  <auth>EXTERNAL</auth>\n  \
         <policy context=\"default\">\n    <allow send_destination=\"*\" eavesdrop=\"true\"/>\n    \
         <allow eavesdrop=\"true\"/>\n    <allow own=\"*\"/>\n{denied}  </policy>\n</busconfig>\n",
        socket.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_test_is_found_among_other_messages() {
        let messages = "not json\n{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"it\"},\"executable\":\"/t/it\"}\n\
                        {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"secret_service\"},\"executable\":\"/t/s\"}\n";
        assert_eq!(executable(messages), Some(PathBuf::from("/t/s")));
        assert_eq!(executable("{}"), None);
    }

    #[test]
    fn a_test_that_no_state_runs_and_a_state_without_a_test_are_told() {
        let states = [State::Open, State::NoBus];
        check_states("open::a: test\nno_bus::b: test\n", &states).expect("each has its own");
        let lack = check_states("open::a: test\nopened::b: test\nno_bus::c: test\n", &states);
        assert!(lack.expect_err("nobody runs it").contains("opened::b"));
        let lack = check_states("open::a: test\n", &states).expect_err("nothing to run");
        assert!(lack.contains("no_bus"), "{lack}");
    }

    #[test]
    fn a_session_tells_nothing_of_the_users() {
        let home = Path::new("/private");
        let session = Session {
            home: home.to_owned(),
            state: State::NoBus,
            daemon: None,
            bus: None,
            address: "unix:path=/private/no-bus".to_owned(),
        };
        let mut command = Command::new("true");
        session.tell(&mut command);
        for (name, value) in command.get_envs() {
            let Some(value) = value else { continue };
            let inside = value.to_string_lossy().contains("/private") || value == "no_bus";
            assert!(inside, "{name:?} is {value:?}");
        }
    }
}
