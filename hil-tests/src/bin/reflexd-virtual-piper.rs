//! A Piper that is a program: on a CAN bus, with a simulated body and a world that can be asked.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use hil_tests::virtual_piper::{Arm, Doors, Setup, at_rest, serve};
use reflex::backend::piper::frames::Firmware;
use serde_json::json;

/// The shipped world.
const SCENE: &str = "models/scenes/piper_berry.xml";

/// A door could not be opened, or the scene is none.
const FAILED: u8 = 1;

const EXAMPLES: &str = "\
Examples:
  reflexd-virtual-piper
      a Piper at socketcand://127.0.0.1:29536/can0
  reflexd-virtual-piper --socketcand 127.0.0.1:0 --world 127.0.0.1:0
      anywhere; the first line on stdout says where:
      {\"socketcand\":\"127.0.0.1:41234\",\"world\":\"127.0.0.1:41235\"}
  reflexd-virtual-piper --interface vcan0 --no-socketcand --rate-scale 0.125
      on a SocketCAN interface, an eighth as talkative
  reflexd-virtual-piper --firmware S-V1.5-2 --gripper-range 0
      an old arm whose gripper was never ranged
  printf '{\"do\":\"fault\",\"fault\":\"silent\",\"joint\":3}\\n' | nc -q1 127.0.0.1 41235
      trouble; {\"do\":\"fault\",\"fault\":\"none\"} ends it

World, one JSON object a line, answered by one with \"ok\":
  {\"do\":\"state\"}
  {\"do\":\"reset\",\"seed\":7}
  {\"do\":\"place\",\"body\":\"berry\",\"position_m\":[0.35,0,0.018],\"yaw_rad\":0}
  {\"do\":\"pose\",\"joints_rad\":[0,0.75,-0.7,0,0.75,0],\"gripper_m\":0.07}
  {\"do\":\"fault\",\"fault\":\"garbage\",\"frames_per_s\":8000}
  {\"do\":\"quit\"}
Faults: cable, bus_off, silent JOINT (\"told\":true: the status says so), frozen, garbage FRAMES_PER_S, second_master,
own_stop, hot JOINT, collision JOINT, limits_7fff, motor_off JOINT, leader, zero_pose, stall JOINT, none.

Exit codes: 0 after quit; 1 the scene or a door is not there; 2 the command line is wrong.";

/// A virtual AgileX Piper: to whoever is on its bus, it is one.
#[derive(Debug, Parser)]
#[command(name = "reflexd-virtual-piper", version, after_help = EXAMPLES)]
struct Arguments {
    /// Serve as a socketcand server here; port 0 is any
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:29536")]
    socketcand: String,
    /// No socketcand server
    #[arg(long, requires = "interface")]
    no_socketcand: bool,
    /// The name of the channel that socketcand clients open
    #[arg(long, default_value = "can0")]
    channel: String,
    /// Be on this SocketCAN interface, too
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// Answer requests about the world here; port 0 is any
    #[arg(long, value_name = "HOST:PORT")]
    world: Option<String>,
    /// Firmware: S-V1.5-2 (old zero), S-V1.6-5, S-V1.8-2, S-V1.8-8 (12-bit MIT), or another
    #[arg(long, default_value = "S-V1.8-2")]
    firmware: Firmware,
    /// How it lies when its power comes on: six joints (rad) as it tells them, and the opening (m)
    #[arg(long, value_name = "J1,..,J6,M", value_parser = pose, allow_hyphen_values = true)]
    pose: Option<[f64; 7]>,
    /// What the gripper was ranged to, mm; 0: never, and it does nothing until it is
    #[arg(long, value_name = "MM", default_value_t = 70, value_parser = range)]
    gripper_range: u8,
    /// How much it says, of a Piper's 3,040 frames a second
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    rate_scale: f64,
    /// The world: a MuJoCo scene with the names of the shipped one
    #[arg(long, value_name = "FILE")]
    scene: Option<PathBuf>,
    /// What chance there is, comes from here
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn pose(text: &str) -> Result<[f64; 7], String> {
    let numbers = text.split(',').map(|word| word.trim().parse::<f64>());
    let numbers = numbers.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    let finite = numbers.iter().all(|number| number.is_finite());
    <[f64; 7]>::try_from(numbers)
        .ok()
        .filter(|_| finite)
        .ok_or_else(|| "takes seven numbers".into())
}

fn range(text: &str) -> Result<u8, String> {
    match text {
        "0" => Ok(0),
        "70" => Ok(70),
        "100" => Ok(100),
        _ => Err("is 0, 70 or 100".into()),
    }
}

fn scale(text: &str) -> Result<f64, String> {
    let scale = text.parse::<f64>().map_err(|error| error.to_string())?;
    if (0.001..=10.0).contains(&scale) { Ok(scale) } else { Err("is from 0.001 to 10".into()) }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(FAILED)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let setup = Setup {
        scene: arguments.scene.clone().unwrap_or_else(scene),
        firmware: arguments.firmware,
        pose: arguments.pose.unwrap_or_else(|| at_rest(arguments.firmware)),
        gripper_range_mm: arguments.gripper_range,
        rate_scale: arguments.rate_scale,
        seed: arguments.seed,
    };
    say(&format!("firmware {}, {}", setup.firmware, setup.scene.display()));
    let arm = Arm::new(setup)?;
    let doors = Doors {
        socketcand: (!arguments.no_socketcand).then(|| arguments.socketcand.clone()),
        channel: arguments.channel.clone(),
        world: arguments.world.clone(),
        interface: arguments.interface.clone(),
    };
    serve(
        arm,
        &doors,
        |addresses| {
            let socketcand = addresses.socketcand.map(|at| at.to_string());
            let world = addresses.world.map(|at| at.to_string());
            let line =
                json!({ "socketcand": socketcand, "world": world, "interface": doors.interface });
            // Nobody has to read it.
            let _ = writeln!(std::io::stdout(), "{line}");
            let _ = std::io::stdout().flush();
        },
        &mut |line| say(line),
    )?;
    Ok(())
}

/// From the checkout's root, or wherever the checkout was when this was built.
fn scene() -> PathBuf {
    let here = PathBuf::from(SCENE);
    if here.exists() { here } else { Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(SCENE) }
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "reflexd-virtual-piper: {line}");
}
