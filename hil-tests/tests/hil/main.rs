//! Hardware in the loop, without hardware: the daemon as a process against a virtual Piper on a real CAN stack.

mod attended;
mod conformance;
mod faults;
mod rig;
mod story;
mod swap;
