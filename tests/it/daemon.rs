//! The real daemon as a process of its own, with a configuration written for it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use reflexd::{
    config::Settings,
    wire::{Client, Watch},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{rig::here, wire::house::free_endpoint};

/// Nothing that a test waits for takes this long, however busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked again.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the robot is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    Loopback,
    #[cfg(feature = "mujoco")]
    Mujoco,
}

impl Body {
    fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            #[cfg(feature = "mujoco")]
            Self::Mujoco => "mujoco",
        }
    }
}

/// The shipped robot and head, on a body of the test's choice. Without cameras: nobody looks.
fn config(body: Body) -> String {
    format!(
        r#"
robot = "{robot}"
backend = "{body}"
registry = "{registry}"

[loop]
period_ms = 50
lock_memory = false
"#,
        robot = here("config/robots/piper.toml").display(),
        body = body.name(),
        registry = here("models/policy_registry.json").display(),
    )
}

/// The program, to be started where a user would start it.
pub(crate) fn reflexd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reflexd"));
    command.current_dir(here("")).stdin(Stdio::null()).env_remove("RUST_LOG");
    command
}

/// Runs the program to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    reflexd().args(args).output().expect("reflexd was built")
}

/// Waits for an end that has to come by itself; a process that does not end is killed, and the test fails.
pub(crate) fn wait(child: &mut Child, what: &str) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("our own child") {
            return status;
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{what}: did not end by itself");
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A running daemon and a connection to it; ends with its test.
pub(crate) struct Daemon {
    child: Child,
    folder: TempDir,
    pub(crate) endpoint: String,
    pub(crate) client: Client,
}

impl Daemon {
    /// Starts one, and returns when it answers.
    pub(crate) fn start(body: Body) -> Self {
        let (folder, file) = written_config_of(body);
        Self::start_with(&file, folder)
    }

    /// The same, of a configuration that stands in `folder`.
    pub(crate) fn start_with(config: &Path, folder: TempDir) -> Self {
        Self::start_in(config, folder, &[])
    }

    /// The same, with more in its environment.
    pub(crate) fn start_in(config: &Path, folder: TempDir, environment: &[(&str, &str)]) -> Self {
        let mut endpoint = free_endpoint();
        let mut child = spawn(config, &endpoint, folder.path(), environment);
        let begun = Instant::now();
        let robot =
            Settings::load(config).map_or_else(|_| "piper".into(), |it| it.robot_settings.name);
        let client = loop {
            if let Some(status) = child.try_wait().expect("our own child") {
                let told = log(folder.path());
                // The port was free a moment ago; somebody else was faster.
                assert!(told.contains("in use"), "the daemon ended with {status}:\n{told}");
                endpoint = free_endpoint();
                child = spawn(config, &endpoint, folder.path(), environment);
            }
            let answers = |client: &Client| client.read("state/mode").is_ok();
            let endpoints = [endpoint.clone()];
            match Client::connect(&robot, &endpoints, Duration::from_secs(10)) {
                Ok(client) if answers(&client) => break client,
                _ if begun.elapsed() > PATIENCE => {
                    let _ = child.kill();
                    let _ = child.wait();
                    panic!("the daemon does not answer:\n{}", log(folder.path()));
                }
                _ => std::thread::sleep(LOOK_EVERY),
            }
        };
        Self { child, folder, endpoint, client }
    }

    /// The answer to a command.
    pub(crate) fn ask(&self, name: &str, payload: &Value) -> Value {
        self.client.ask(name, payload).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A command that has to be accepted; the tick whose state already shows its effect.
    pub(crate) fn must(&self, name: &str, payload: &Value) -> u64 {
        let answer = self.ask(name, payload);
        let yes = answer["accepted"] == true || answer["verdict"] == "accepted";
        assert!(yes, "{name} {payload}: {answer}");
        answer["state_seq"].as_u64().expect("a tick")
    }

    /// A command that has to be refused; the reason.
    pub(crate) fn refused(&self, name: &str, payload: &Value) -> String {
        let answer = self.ask(name, payload);
        let no = answer["accepted"] == false || answer["verdict"] == "refused";
        assert!(no, "{name} {payload}: {answer}");
        answer["reason"].as_str().expect("a reason").to_owned()
    }

    /// What a key says now.
    pub(crate) fn says(&self, name: &str) -> Value {
        let said = self.client.read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        said.into_values().next().unwrap_or_else(|| panic!("{name}: says nothing"))
    }

    /// What a key says of a tick, or a later one.
    pub(crate) fn says_at(&self, name: &str, seq: u64) -> Value {
        self.wait_for(name, |said| said["seq"].as_u64() >= Some(seq))
    }

    /// What a key says as soon as it is as it should be.
    pub(crate) fn wait_for(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            // What is told once a second has not been told yet, right after the start.
            let told = self.client.read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            let said = told.into_values().next();
            if let Some(said) = said.as_ref().filter(|said| is_so(said)) {
                return said.clone();
            }
            let late = begun.elapsed() > PATIENCE;
            assert!(!late, "{name}: still {said:?}; {}", self.says("state/mode"));
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until the robot is in a mode.
    pub(crate) fn wait_for_mode(&self, mode: &str) -> Value {
        self.wait_for("state/mode", |said| said["mode"] == mode)
    }

    /// Listens to a key.
    pub(crate) fn watch(&self, name: &str) -> Watch {
        self.client.watch(name).expect("a good key")
    }

    /// Arms the robot and waits until it stands.
    pub(crate) fn arm(&self) {
        let seq = self.must("cmd/arm", &json!({ "operator": "ada" }));
        assert_eq!(self.says_at("state/mode", seq)["mode"], "holding");
    }

    fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(kill.is_ok_and(|status| status.success()), "there is a daemon to end");
    }

    /// The same end; how long it took, the exit code, and what it has logged.
    pub(crate) fn terminate_timed(mut self) -> (Duration, Option<i32>, String) {
        let begun = Instant::now();
        self.signal("-TERM");
        let status = wait(&mut self.child, "SIGTERM");
        (begun.elapsed(), status.code(), self.log())
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) {
        self.signal("-KILL");
        assert_eq!(wait(&mut self.child, "SIGKILL").code(), None);
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        log(self.folder.path())
    }

    /// Asks for the end as systemd does; returns the exit code and what was printed.
    pub(crate) fn terminate(mut self) -> (Option<i32>, String) {
        self.signal("-TERM");
        let status = wait(&mut self.child, "SIGTERM");
        let printed = fs::read_to_string(self.folder.path().join("printed")).expect("its output");
        (status.code(), printed)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", log(self.folder.path()));
        }
    }
}

fn spawn(config: &Path, endpoint: &str, folder: &Path, environment: &[(&str, &str)]) -> Child {
    let file = |name: &str| File::create(folder.join(name)).expect("a temporary file");
    let mut command = reflexd();
    command.args(["run", "--listen", endpoint, "--config"]).arg(config);
    command.envs(environment.iter().copied());
    command.stdout(file("printed")).stderr(file("log"));
    command.spawn().expect("reflexd was built")
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// A start that has to fail by itself: the exit code, and what was told.
pub(crate) fn fail_to_start(
    config: &Path,
    endpoint: &str,
    environment: &[(&str, &str)],
) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let told: PathBuf = folder.path().join("told");
    let mut command = reflexd();
    command.args(["run", "--listen", endpoint, "--config"]).arg(config);
    command.envs(environment.iter().copied());
    command.stdout(Stdio::null()).stderr(File::create(&told).expect("a temporary file"));
    let mut child = command.spawn().expect("reflexd was built");
    let status = wait(&mut child, "a broken start");
    (status.code(), fs::read_to_string(told).expect("what it told"))
}

/// A configuration of the shipped robot, on loopback, in a folder of its own.
pub(crate) fn written_config() -> (TempDir, PathBuf) {
    written_config_of(Body::Loopback)
}

/// The same, on another body.
pub(crate) fn written_config_of(body: Body) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("daemon.toml");
    fs::write(&file, config(body)).expect("a temporary file");
    (folder, file)
}
