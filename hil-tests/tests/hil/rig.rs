//! The daemon as a process, on a virtual arm as another process, on a real CAN stack between them.
//!
//! Everywhere that is socketcand on the loopback interface; with `REFLEX_HIL_BUS=vcan0` it is SocketCAN.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use motion::Nanos;
use reflex::clock::monotonic_now;
use reflexd::wire::{Client, Watch};
use serde_json::{Value, json};

/// Nothing that a test waits for takes this long, however busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// The home pose of the shipped robot, and its gripper.
pub(crate) const HOME: [f64; 7] = [0.0, 0.75, -0.70, 0.0, 0.75, 0.0, 0.07];

/// The robot that ships.
pub(crate) const SHIPPED: &str = "config/robots/piper.toml";

/// One arm at a time: what is measured here are times.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A program of this checkout, which `make` builds beside this one.
fn program(name: &str) -> Command {
    let tests = std::env::current_exe().expect("this program is somewhere");
    let folder = tests.parent().and_then(Path::parent).expect("target/debug/deps");
    let file = folder.join(name);
    assert!(file.exists(), "{} is not built: `make build-hil` first", file.display());
    let mut command = Command::new(file);
    command.current_dir(here("")).stdin(Stdio::null()).env_remove("RUST_LOG");
    command
}

/// The interface that tests run on, if it is a real one.
fn interface() -> Option<String> {
    std::env::var("REFLEX_HIL_BUS").ok().filter(|name| !name.is_empty())
}

/// A virtual arm, and the door to its world.
pub(crate) struct VirtualArm {
    child: Child,
    world: BufReader<TcpStream>,
    port: u16,
    options: Vec<String>,
    pub(crate) bus: String,
}

impl VirtualArm {
    /// One that stands at home when its power comes on, with further options of its program.
    pub(crate) fn start(options: &[&str]) -> Self {
        let pose = HOME.map(|value| value.to_string()).join(",");
        let mut all = vec![format!("--pose={pose}")];
        all.extend(options.iter().map(|option| (*option).to_owned()));
        Self::start_at(0, all)
    }

    fn start_at(port: u16, options: Vec<String>) -> Self {
        let mut command = program("reflexd-virtual-piper");
        command.args(["--world", "127.0.0.1:0"]).args(&options);
        match interface() {
            Some(name) => command.args(["--no-socketcand", "--interface", &name]),
            None => command.args(["--socketcand", &format!("127.0.0.1:{port}")]),
        };
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the virtual arm starts");
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().expect("its output"));
        said.read_line(&mut line).expect("its first line");
        let told: Value = serde_json::from_str(&line).expect("the first line says where it is");
        let world = told["world"].as_str().expect("a world");
        let world = BufReader::new(TcpStream::connect(world).expect("the world's door is open"));
        let socketcand = told["socketcand"].as_str();
        let port = socketcand.and_then(|at| at.rsplit(':').next()?.parse().ok()).unwrap_or(0);
        let bus = interface().unwrap_or_else(|| format!("socketcand://127.0.0.1:{port}/can0"));
        Self { child, world, port, options, bus }
    }

    /// Kills it, as a power cut would, and starts it again in the same place.
    pub(crate) fn cut_power_and_start_again(&mut self, dark: Duration) {
        self.kill();
        std::thread::sleep(dark);
        *self = Self::start_at(self.port, std::mem::take(&mut self.options));
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks its world.
    pub(crate) fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.world.get_mut(), "{request}").expect("the world listens");
        let mut line = String::new();
        self.world.read_line(&mut line).expect("the world answers");
        let answer: Value = serde_json::from_str(&line).expect("in JSON");
        assert_eq!(answer["ok"], true, "{request}: {answer}");
        answer
    }

    /// Where its joints really are, and how fast.
    pub(crate) fn joints(&mut self) -> ([f64; 6], [f64; 6]) {
        let state = self.ask(&json!({ "do": "state" }));
        (six(&state["joints_rad"]), six(&state["speeds_rad_s"]))
    }

    /// Waits until it lies still: without power it lies down.
    pub(crate) fn lies(mut self) -> Self {
        let begun = Instant::now();
        let mut still = 0;
        while still < 10 {
            let quiet = self.joints().1.iter().all(|speed| speed.abs() < 0.01);
            still = if quiet { still + 1 } else { 0 };
            assert!(begun.elapsed() < PATIENCE, "it never lies still");
            std::thread::sleep(Duration::from_millis(20));
        }
        self
    }

    pub(crate) fn berry(&mut self) -> [f64; 3] {
        let state = self.ask(&json!({ "do": "state" }));
        let at = &state["things"]["berry"]["position_m"];
        [0, 1, 2].map(|axis| at[axis].as_f64().expect("a berry that is somewhere"))
    }
}

impl Drop for VirtualArm {
    fn drop(&mut self) {
        self.kill();
    }
}

fn six(values: &Value) -> [f64; 6] {
    [0, 1, 2, 3, 4, 5].map(|k| values[k].as_f64().expect("a number"))
}

/// The daemon.
pub(crate) struct Daemon {
    child: Child,
    folder: tempfile::TempDir,
    client: Option<Client>,
}

impl Daemon {
    /// Writes its configuration, with lines of its own in the `[piper]` table of a robot's file, and starts it.
    pub(crate) fn start_as(robot: &str, bus: &str, piper: &str) -> Self {
        let mut daemon = Self::spawn(robot, bus, piper);
        daemon.connect();
        daemon
    }

    /// One that moves under a lease only, as an arm does that nobody has said anything about.
    pub(crate) fn attended(bus: &str) -> Self {
        let mut daemon = Self::spawn(SHIPPED, bus, "");
        daemon.kill();
        let file = daemon.folder.path().join("daemon.toml");
        let config = fs::read_to_string(&file).expect("just written");
        let config = config.replace("lease = \"optional\"", "lease = \"physical\"");
        fs::write(&file, config).expect("a temporary file");
        daemon.start_again();
        daemon
    }

    /// `reflexctl` of an operator, as a program of its own.
    pub(crate) fn operator(&self, who: &str, act: &[&str]) -> Child {
        let endpoint = fs::read_to_string(self.folder.path().join("endpoint")).expect("written");
        let mut command = program("reflexctl");
        command.args(["--connect", &endpoint, "--operator", who]).args(act);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("reflexctl was built")
    }

    /// One that does not start: its exit code and what it said.
    pub(crate) fn refused(bus: &str, piper: &str) -> (Option<i32>, String) {
        let mut daemon = Self::spawn(SHIPPED, bus, piper);
        let begun = Instant::now();
        loop {
            if let Some(status) = daemon.child.try_wait().expect("our own child") {
                return (status.code(), daemon.log());
            }
            assert!(begun.elapsed() < PATIENCE, "it started after all:\n{}", daemon.log());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn spawn(robot: &str, bus: &str, piper: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let robot = robot_file(robot, bus, piper);
        fs::write(folder.path().join("piper.toml"), robot).expect("a temporary file");
        let endpoint = free_endpoint();
        let config = format!(
            "robot = \"piper.toml\"\nbackend = \"piper\"\nregistry = \"{}\"\n\n\
             [loop]\nperiod_ms = 50\nfifo_priority = 80\nlock_memory = false\n\n\
             [zenoh]\nlisten = [\"{endpoint}\"]\n\n[authority]\nlease = \"optional\"\n",
            here("models/policy_registry.json").display()
        );
        fs::write(folder.path().join("daemon.toml"), config).expect("a temporary file");
        fs::write(folder.path().join("endpoint"), endpoint).expect("a temporary file");
        let child = Self::run(folder.path());
        Self { child, folder, client: None }
    }

    fn run(folder: &Path) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log"));
        let mut command = program("reflexd");
        command.args(["run", "--config"]).arg(folder.join("daemon.toml"));
        command.stdout(Stdio::null()).stderr(log.expect("a temporary file"));
        command.spawn().expect("reflexd was built")
    }

    fn connect(&mut self) {
        let endpoint = fs::read_to_string(self.folder.path().join("endpoint")).expect("written");
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                panic!("the daemon ended with {status}:\n{}", self.log());
            }
            let client =
                Client::connect("piper", std::slice::from_ref(&endpoint), Duration::from_secs(10));
            if let Ok(client) = client
                && client.read("state/mode").is_ok()
            {
                self.client = Some(client);
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "no answer:\n{}", self.log());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// SIGKILL: it has no time to do anything.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.client = None;
    }

    pub(crate) fn start_again(&mut self) {
        self.child = Self::run(self.folder.path());
        self.connect();
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("it runs")
    }

    pub(crate) fn ask(&self, name: &str, payload: &Value) -> Value {
        self.client().ask(name, payload).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A command that has to be accepted.
    pub(crate) fn must(&self, name: &str, payload: &Value) -> u64 {
        let answer = self.ask(name, payload);
        let yes = answer["accepted"] == true || answer["verdict"] == "accepted";
        assert!(yes, "{name} {payload}: {answer}\n{}", self.log());
        answer["state_seq"].as_u64().expect("a tick")
    }

    /// A command that has to be refused; the reason.
    pub(crate) fn must_not(&self, name: &str, payload: &Value) -> String {
        let answer = self.ask(name, payload);
        assert_eq!(answer["accepted"], false, "{name} {payload}: {answer}");
        answer["reason"].as_str().expect("a reason").to_owned()
    }

    pub(crate) fn says(&self, name: &str) -> Value {
        let said = self.client().read(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        said.into_values().next().unwrap_or_else(|| panic!("{name}: says nothing"))
    }

    pub(crate) fn wait_for(&self, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let said = self.says(name);
            if is_so(&said) {
                return said;
            }
            assert!(begun.elapsed() < PATIENCE, "{name}: still {said}\n{}", self.log());
            std::thread::sleep(LOOK_EVERY);
        }
    }

    pub(crate) fn wait_for_mode(&self, mode: &str) -> Value {
        self.wait_for("state/mode", |said| said["mode"] == mode)
    }

    pub(crate) fn watch(&self, name: &str) -> Watch {
        self.client().watch(name).expect("a good key")
    }

    pub(crate) fn arm(&self) {
        self.wait_for_mode("disarmed");
        self.must("cmd/arm", &json!({ "operator": "hil" }));
        self.wait_for_mode("holding");
    }

    /// Goes somewhere and waits until it stands there.
    pub(crate) fn go(&self, joints: &Value, speed: f64) {
        let goal = json!({ "joints": joints, "speed": speed, "operator": "hil" });
        let seq = self.must("cmd/goto", &goal);
        self.wait_for("state/mode", |said| {
            said["seq"].as_u64() > Some(seq) && said["mode"] != "moving"
        });
        let last = self.says("state/skill")["last"].clone();
        assert_eq!(last["ending"], "done", "{last}\n{}", self.log());
        // The command has arrived; an arm, simulated or not, is behind it.
        std::thread::sleep(Duration::from_millis(600));
    }

    /// Measured positions.
    pub(crate) fn measured(&self) -> [f64; 6] {
        six(&self.says("state/joints")["position_rad_or_m"])
    }

    /// Forgets a fault and takes hold again.
    pub(crate) fn recover(&self) {
        let begun = Instant::now();
        loop {
            let answer = self.ask("cmd/clear_fault", &json!({ "operator": "hil" }));
            if answer["accepted"] == true {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{answer}\n{}", self.log());
            std::thread::sleep(LOOK_EVERY);
        }
        self.arm();
    }

    /// The end of what it logged.
    pub(crate) fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            // Only a failing test says more.
            let _ = writeln!(std::io::stderr(), "the daemon's log:\n{}", self.log());
        }
    }
}

/// The shipped robot on another bus; `piper` are keys that replace those of its table.
fn robot_file(robot: &str, bus: &str, piper: &str) -> String {
    let shipped = fs::read_to_string(here(robot)).expect("a shipped robot");
    let mut robot: toml::Table = shipped.parse().expect("TOML");
    let table = robot["piper"].as_table_mut().expect("[piper]");
    table.insert("bus".into(), bus.into());
    let own: toml::Table = piper.parse().expect("TOML");
    table.extend(own);
    robot.insert("urdf".into(), here("urdf/piper.urdf").display().to_string().into());
    // One name for all of them: who asks need not know which it is.
    robot.insert("name".into(), "piper".into());
    if let Some(mujoco) = robot.get_mut("mujoco").and_then(toml::Value::as_table_mut) {
        let scene = here("models/scenes/piper_berry.xml").display().to_string();
        mujoco.insert("scene".into(), scene.into());
    }
    robot.to_string()
}

fn free_endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("tcp/{}", listener.local_addr().expect("its address"))
}

/// Now, by the clock that the daemon's ticks are stamped with.
pub(crate) fn now() -> Nanos {
    monotonic_now()
}

/// The arm and the daemon that drives it, armed at home.
pub(crate) struct Rig {
    pub(crate) arm: VirtualArm,
    pub(crate) daemon: Daemon,
}

impl Rig {
    pub(crate) fn armed(piper: &str) -> Self {
        Self::armed_as(SHIPPED, &[], piper)
    }

    /// Another robot's file, and further options of the virtual arm.
    pub(crate) fn armed_as(robot: &str, options: &[&str], piper: &str) -> Self {
        let arm = VirtualArm::start(options);
        let daemon = Daemon::start_as(robot, &arm.bus, piper);
        daemon.arm();
        // Without power it had lain down, its hand on the table: the hand comes up first.
        daemon.go(&json!({ "joint5": 0.0 }), 0.6);
        let home = json!({ "joint1": 0.0, "joint2": 0.75, "joint3": -0.7, "joint4": 0.0,
            "joint5": 0.75, "joint6": 0.0, "gripper": 0.07 });
        daemon.go(&home, 0.6);
        Self { arm, daemon }
    }

    /// In the middle of a long, quick motion of J1, as the arm itself has it.
    pub(crate) fn in_motion(&mut self) {
        let goal = json!({ "joints": { "joint1": 1.6 }, "speed": 0.7, "operator": "hil" });
        self.daemon.must("cmd/goto", &goal);
        let begun = Instant::now();
        loop {
            let (at, speed) = self.arm.joints();
            if at[0] > 0.35 && speed[0] > 0.5 {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "never in motion: {at:?}\n{}", self.daemon.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// What `reflexd check` says of the arm on a bus.
pub(crate) fn check(bus: &str) -> (Option<i32>, String) {
    let robot = here("config/robots/piper.toml");
    let mut command = program("reflexd");
    command.arg("check").arg("--robot").arg(robot).args(["--bus", bus, "--json"]);
    let output = command.output().expect("reflexd was built");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), told + &String::from_utf8_lossy(&output.stderr))
}

/// A line for whoever watches a test that takes minutes.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
