//! The real-time side of reflexd: doing on time what was decided.
//!
//! On the loop's thread nothing allocates, frees, locks, logs or waits without a bound. Orders, chunks and stops come in
//! through [`ports`], a [`Backend`] reads and writes the robot, [`Loop`] does both once in every period.

pub mod backend;
pub mod clock;
pub mod conformance;
pub mod delivery;
pub mod draw;
pub mod ports;
pub mod realtime;
pub mod replay;
pub mod tape;
pub mod thread;
pub mod trouble;

pub use backend::Backend;
pub use clock::Clock;
pub use delivery::Delivery;
pub use ports::{
    Commander, Corrector, Listener, Ports, Pulse, Report, StopSwitch, Thinker, Timing, ports,
};
pub use thread::{Loop, Summary};
