//! What the controller and the motors keep when the power is off; here, for as long as the program runs.

use reflex::backend::piper::frames::{
    EndLimits, GripperSetup, IdOffset, LEAVE, LimitSetup, Linkage, Role,
};

/// What one joint keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct JointSettings {
    /// Greatest angle, tenths of a degree.
    pub(super) max_ddeg: i16,
    /// Least.
    pub(super) min_ddeg: i16,
    /// Greatest speed, hundredths of a radian per second.
    pub(super) speed_crad_s: u16,
    /// Greatest acceleration, hundredths of a radian per second squared.
    pub(super) acceleration_crad_s2: u16,
    /// What the maker's zero counts as since somebody set another, rad.
    pub(super) zero_rad: f64,
}

impl JointSettings {
    /// Least and greatest angle, rad.
    pub(super) fn limits_rad(&self) -> [f64; 2] {
        [self.min_ddeg, self.max_ddeg].map(|ddeg| (f64::from(ddeg) / 10.0).to_radians())
    }

    /// Greatest speed, rad/s.
    pub(super) fn speed_rad_s(&self) -> f64 {
        f64::from(self.speed_crad_s) / 100.0
    }

    /// Greatest acceleration, rad/s^2.
    pub(super) fn acceleration_rad_s2(&self) -> f64 {
        f64::from(self.acceleration_crad_s2) / 100.0
    }
}

/// Everything that is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Flash {
    pub(super) joints: [JointSettings; 6],
    pub(super) end: EndLimits,
    pub(super) collision: [u8; 6],
    pub(super) assist: [u8; 6],
    pub(super) gripper: GripperSetup,
    pub(super) role: Role,
}

/// The maker's angles, tenths of a degree: least and greatest.
const ANGLES_DDEG: [[i16; 2]; 6] =
    [[-1500, 1500], [0, 1800], [-1700, 0], [-1000, 1000], [-700, 700], [-1200, 1200]];

/// The maker's limits of the tool. No source names them: half a metre and half a turn in a second.
const END: EndLimits = EndLimits {
    speed_mm_s: 500,
    turn_mrad_s: 3000,
    acceleration_mm_s2: 1000,
    turn_acceleration_mrad_s2: 6000,
};

impl Flash {
    /// As the arm leaves the factory, its gripper ranged (mm) or not (0).
    pub(super) fn new(gripper_range_mm: u8) -> Self {
        let joints = ANGLES_DDEG.map(|[min_ddeg, max_ddeg]| JointSettings {
            max_ddeg,
            min_ddeg,
            speed_crad_s: 300,
            acceleration_crad_s2: 500,
            zero_rad: 0.0,
        });
        Self {
            joints,
            end: END,
            collision: [0; 6],
            assist: [0; 6],
            gripper: GripperSetup {
                teach_percent: 100,
                range_mm: gripper_range_mm,
                teach_friction: 1,
            },
            role: Role {
                linkage: Linkage::Follower,
                feedback: IdOffset::None,
                control: IdOffset::None,
                target: IdOffset::None,
            },
        }
    }

    /// Puts the joints' limits back to the maker's.
    pub(super) fn restore_joints(&mut self) {
        let maker = Self::new(0).joints;
        for (joint, maker) in self.joints.iter_mut().zip(maker) {
            *joint = JointSettings { zero_rad: joint.zero_rad, ..maker };
        }
    }

    /// Puts the tool's limits back to the maker's.
    pub(super) const fn restore_end(&mut self) {
        self.end = END;
    }

    /// 0x474.
    pub(super) fn set_limits(&mut self, setup: &LimitSetup) {
        let joint = &mut self.joints[setup.joint.index()];
        let leave = LEAVE as i16;
        if setup.max_ddeg != leave {
            joint.max_ddeg = setup.max_ddeg;
        }
        if setup.min_ddeg != leave {
            joint.min_ddeg = setup.min_ddeg;
        }
        if setup.speed_crad_s != LEAVE {
            joint.speed_crad_s = setup.speed_crad_s;
        }
    }

    /// 0x479.
    pub(super) const fn set_end(&mut self, told: &EndLimits) {
        const fn take(kept: &mut u16, told: u16) {
            if told != LEAVE {
                *kept = told;
            }
        }
        take(&mut self.end.speed_mm_s, told.speed_mm_s);
        take(&mut self.end.turn_mrad_s, told.turn_mrad_s);
        take(&mut self.end.acceleration_mm_s2, told.acceleration_mm_s2);
        take(&mut self.end.turn_acceleration_mrad_s2, told.turn_acceleration_mrad_s2);
    }
}
