//! What can be wrong with an arm, or with its bus, because somebody asked for it.

use reflex::backend::piper::frames::Joint;
use serde_json::Value;

/// One trouble at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The cable is out: no frame either way.
    Cable,
    /// The bus is off: an error frame where the transport can say one, then nothing.
    BusOff,
    /// This joint's motor says nothing more, and its angle stays what it was. `told`: the controller says so, too.
    Silent(Joint, bool),
    /// Feedback keeps coming, with the values of one moment.
    Frozen,
    /// So many frames a second of random ids and bytes, which the host hears and the arm does not.
    Garbage(u32),
    /// Somebody else commands the arm, too: modes and joint targets, fifty times a second.
    SecondMaster,
    /// Its own emergency button is pressed.
    OwnStop,
    /// This joint is too hot.
    Hot(Joint),
    /// This joint has run into something: the arm stops and obeys nobody.
    Collision(Joint),
    /// What it says of its limits is 0x7FFF.
    Limits7fff,
    /// This joint's motor has lost its power, and takes none.
    MotorOff(Joint),
    /// It has fallen back to leading: its feedback comes at 0x3A1 to 0x3A8, and it obeys nobody.
    Leader,
    /// It says that all joints and its tool are at zero.
    ZeroPose,
    /// This joint cannot turn.
    Stall(Joint),
}

impl Fault {
    /// The names of all of them, as they are asked for.
    pub const NAMES: [&str; 15] = [
        "none",
        "cable",
        "bus_off",
        "silent",
        "frozen",
        "garbage",
        "second_master",
        "own_stop",
        "hot",
        "collision",
        "limits_7fff",
        "motor_off",
        "leader",
        "zero_pose",
        "stall",
    ];

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Cable => "cable",
            Self::BusOff => "bus_off",
            Self::Silent(..) => "silent",
            Self::Frozen => "frozen",
            Self::Garbage(_) => "garbage",
            Self::SecondMaster => "second_master",
            Self::OwnStop => "own_stop",
            Self::Hot(_) => "hot",
            Self::Collision(_) => "collision",
            Self::Limits7fff => "limits_7fff",
            Self::MotorOff(_) => "motor_off",
            Self::Leader => "leader",
            Self::ZeroPose => "zero_pose",
            Self::Stall(_) => "stall",
        }
    }

    /// What a request asks for; `None` ends the trouble.
    ///
    /// # Errors
    /// What is wrong with the request, in words.
    pub fn read(request: &Value) -> Result<Option<Self>, String> {
        let name = request["fault"].as_str().ok_or("fault takes the name of one")?;
        let joint = || {
            let number = request["joint"].as_u64().and_then(|number| u8::try_from(number).ok());
            number.and_then(Joint::new).ok_or_else(|| format!("{name} takes a joint from 1 to 6"))
        };
        Ok(Some(match name {
            "none" => return Ok(None),
            "cable" => Self::Cable,
            "bus_off" => Self::BusOff,
            "silent" => Self::Silent(joint()?, request["told"].as_bool().unwrap_or(false)),
            "frozen" => Self::Frozen,
            "garbage" => {
                let rate = request["frames_per_s"].as_u64().unwrap_or(8_000);
                Self::Garbage(u32::try_from(rate.min(100_000)).unwrap_or_default())
            }
            "second_master" => Self::SecondMaster,
            "own_stop" => Self::OwnStop,
            "hot" => Self::Hot(joint()?),
            "collision" => Self::Collision(joint()?),
            "limits_7fff" => Self::Limits7fff,
            "motor_off" => Self::MotorOff(joint()?),
            "leader" => Self::Leader,
            "zero_pose" => Self::ZeroPose,
            "stall" => Self::Stall(joint()?),
            other => {
                return Err(format!("no fault {other:?}; there are {}", Self::NAMES.join(", ")));
            }
        }))
    }
}
