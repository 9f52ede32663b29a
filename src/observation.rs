//! Stands in for the module of this name until it is merged.

/// What a skill acts on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// Metres in the robot's base frame.
    pub target_x: f64,
    /// Metres in the robot's base frame.
    pub target_y: f64,
    /// Metres in the robot's base frame.
    pub target_z: f64,
    /// Metres.
    pub radius: f64,
    /// Fraction of full speed, in (0, 1].
    pub speed_hint: f64,
    /// Whether the target is a berry.
    pub object_is_berry: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            target_x: 0.0,
            target_y: 0.0,
            target_z: 0.0,
            radius: 0.0,
            speed_hint: 1.0,
            object_is_berry: false,
        }
    }
}
