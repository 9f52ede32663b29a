//! For those who are the robot themselves, and not its user: a virtual arm on a bus has its motors in its own hands.
//!
//! A [`motion::Command`] comes out of the law's filter and nowhere else, and a physical arm knows no law: what it does with
//! a target, or without power, is its own firmware's affair.

use std::sync::Arc;

use motion::Joints;
use mujoco_rs::prelude::MjModel;

use super::{Mujoco, SceneError};

/// Groups of actuators that MuJoCo can switch off: 0 to 30, of which 0 is everybody's.
const GROUPS_MAX: usize = 30;

/// MuJoCo's friction creeps, by default a few milliradians a second; this is what makes it hold.
const STICTION: [f64; 5] = [0.9999, 0.9999, 0.001, 0.5, 2.0];

impl Mujoco {
    /// Where each motor that has power is to be, rad or m. A target is held until the next one.
    pub fn drive(&mut self, position: &Joints) {
        for (map, value) in self.scene.joints.iter().zip(position.iter()) {
            self.data.ctrl_mut()[map.actuator] = value / map.scale;
        }
    }

    /// Gives each motor power or takes it away; without it a joint neither holds nor brakes, and gravity has it, but for the
    /// friction of its gears (N m or N).
    ///
    /// Which actuators count is part of a model, and models are shared: this makes another one, on the heap.
    ///
    /// # Errors
    /// More motors than can be told apart, or a scene whose rule of attaching has models of its own.
    pub fn power(&mut self, on: &[bool], friction: &[f64]) -> Result<(), SceneError> {
        let joints = self.scene.joints.iter().zip(on.iter().zip(friction));
        let mut model = MjModel::clone(&self.scene.model);
        let mut off = 0;
        for (group, (map, (on, friction))) in (1..=GROUPS_MAX).zip(joints) {
            model.actuator_group_mut()[map.actuator] = group as i32;
            if !on {
                off |= 1 << group;
                model.dof_frictionloss_mut()[map.dof] = friction * map.scale;
                model.dof_solimp_mut()[map.dof] = STICTION;
            }
        }
        if self.scene.rule.is_some() || self.scene.joints.len() > GROUPS_MAX {
            let name = "attach".into();
            return Err(SceneError::Rule { name, words: "leaves no motor to be switched off" });
        }
        model.opt_mut().disableactuator = off;
        let swapped = self.data.try_swap_model(Arc::new(model));
        swapped.map(drop).map_err(|error| SceneError::Load(error.to_string()))
    }

    /// Forces and torques at the joints, beside those of the motors, N or N m, until the next call.
    pub fn push_joints(&mut self, efforts: &Joints) {
        for (map, value) in self.scene.joints.iter().zip(efforts.iter()) {
            self.data.qfrc_applied_mut()[map.dof] = value * map.scale;
        }
    }

    /// What motors and pushes do at the joints now, N or N m.
    #[must_use]
    pub fn efforts(&self) -> Joints {
        let mut efforts = Joints::zeros(self.scene.joints.len());
        for (map, value) in self.scene.joints.iter().zip(efforts.iter_mut()) {
            let (motor, push) =
                (self.data.qfrc_actuator()[map.dof], self.data.qfrc_applied()[map.dof]);
            *value = (motor + push) / map.scale;
        }
        efforts
    }
}
