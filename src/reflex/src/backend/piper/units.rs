//! Between the wire's angles and the robot's.

use super::frames::{FieldError, Firmware, Zero, mdeg_of_rad, rad_of_mdeg};

/// J2 and J3 of firmware before 1.6-3 count from zeros that lie two degrees elsewhere: the robot's description has the
/// new ones (the vendor's DH tables, offsets of joints 2 and 3).
const OLD_ZERO_MDEG: [i32; 6] = [0, -2_000, 2_000, 0, 0, 0];

/// How the arm's firmware counts its angles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Units {
    /// What is added to the wire's angle.
    offset_mdeg: [i32; 6],
}

impl Units {
    pub(super) fn of(firmware: Firmware) -> Self {
        match firmware.zero() {
            Zero::New => Self { offset_mdeg: [0; 6] },
            Zero::Old => Self { offset_mdeg: OLD_ZERO_MDEG },
        }
    }

    /// The robot's angle, rad, of what joint `index` (from 0) says.
    pub(super) fn joint_rad(self, index: usize, mdeg: i32) -> f64 {
        let offset = self.offset_mdeg.get(index).copied().unwrap_or(0);
        rad_of_mdeg(mdeg.saturating_add(offset))
    }

    /// What joint `index` (from 0) is told for the robot's angle.
    ///
    /// # Errors
    /// An angle that has no place on the wire.
    pub(super) fn joint_mdeg(self, index: usize, rad: f64) -> Result<i32, FieldError> {
        let offset = self.offset_mdeg.get(index).copied().unwrap_or(0);
        Ok(mdeg_of_rad(rad)?.saturating_sub(offset))
    }

    /// The same without rounding, rad.
    pub(super) fn wire_rad(self, index: usize, rad: f64) -> f64 {
        rad - self.shifted_rad(index, 0.0)
    }

    /// The robot's angle of the arm's own angle in radians, as limits are told.
    pub(super) fn shifted_rad(self, index: usize, rad: f64) -> f64 {
        rad + rad_of_mdeg(self.offset_mdeg.get(index).copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_zero_lies_two_degrees_elsewhere() {
        let old = Units::of("S-V1.5-2".parse().expect("a firmware"));
        let new = Units::of("S-V1.8-2".parse().expect("a firmware"));
        // One arm in one posture: the DH offsets of joint 2 are -174.22 (old) and -172.22 (new) degrees.
        assert_eq!(old.joint_rad(1, 92_000), new.joint_rad(1, 90_000));
        assert_eq!(old.joint_rad(2, -92_000), new.joint_rad(2, -90_000));
        for units in [old, new] {
            for joint in 0..6 {
                let there = units.joint_rad(joint, 12_345);
                assert_eq!(units.joint_mdeg(joint, there), Ok(12_345));
            }
        }
    }
}
