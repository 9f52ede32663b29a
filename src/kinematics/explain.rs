//! Which inverse an arm has, and why: for people, and as JSON.

use std::fmt;

use arm::{Class, Reason};
use serde::Serialize;

use super::RobotArm;

/// What was found out about an arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// The arm.
    pub arm: String,
    /// From this link to that.
    pub links: [String; 2],
    /// Its joints.
    pub joints: Vec<String>,
    /// `ortho_parallel`, `three_parallel` or `numeric`.
    pub class: &'static str,
    /// Why.
    pub reason: String,
    /// How each axis lies to the next: angle between the lines, rad, and their least distance, m.
    pub pairs: Vec<[f64; 2]>,
    /// How far the last three axes miss one point, m.
    pub wrist_miss_m: f64,
    /// Lengths of the nearest ideal arm, m, by name.
    pub ideal_m: Vec<(&'static str, f64)>,
    /// Largest difference of the ideal from the exact arm.
    pub mismatch_m: f64,
    /// And of its orientation.
    pub mismatch_rad: f64,
    /// What passed as parallel or square, rad.
    pub tolerance_rad: f64,
    /// What passed as meeting, m.
    pub tolerance_m: f64,
}

impl RobotArm {
    /// What kind of inverse it has, and why.
    #[must_use]
    pub fn explain(&self) -> Explained {
        let found = self.arm.explain();
        let ideal_m = found.ideal.map_or_else(Vec::new, |ideal| {
            vec![
                ("shoulder offset", ideal.shoulder_offset_m),
                ("side offset", ideal.side_offset_m),
                ("upper arm", ideal.upper_arm_m),
                ("forearm", ideal.forearm_m),
                ("wrist offset", ideal.wrist_offset_m),
                ("wrist to tool", ideal.tool_m),
            ]
        });
        Explained {
            arm: self.name.clone(),
            links: [self.base_link.clone(), self.tool_link.clone()],
            joints: self.joint_names.clone(),
            class: word(found.class),
            reason: self.reason(&found.reason),
            pairs: found.pairs().iter().map(|pair| [pair.angle_rad, pair.distance_m]).collect(),
            wrist_miss_m: found.wrist_miss_m,
            ideal_m,
            mismatch_m: found.mismatch.position_m,
            mismatch_rad: found.mismatch.angle_rad,
            tolerance_rad: found.tolerance_rad,
            tolerance_m: found.tolerance_m,
        }
    }

    /// The class of its inverse, in words.
    #[must_use]
    pub fn class(&self) -> String {
        match self.arm.explain().class {
            Class::OrthoParallel => "closed form, ortho-parallel with a spherical wrist".into(),
            Class::ThreeParallel => "closed form, three parallel axes".into(),
            Class::Numeric => "numeric".into(),
        }
    }

    fn reason(&self, reason: &Reason) -> String {
        let name = |joint: usize| self.joint_names.get(joint).map_or("?", String::as_str);
        match reason {
            Reason::Fits => "every test of the class was passed".into(),
            Reason::Joints(count) => {
                format!("it has {count} joints; closed forms are known of six")
            }
            Reason::Slides(joint) => format!("{} slides", name(*joint)),
            Reason::Follows(joint) => format!("its joint number {} follows another", joint + 1),
            Reason::Angle { joint, off_rad } => format!(
                "{} and {} are {off_rad:.4} rad off what the nearest class wants",
                name(*joint),
                name(joint + 1)
            ),
            Reason::Wrist { miss_m } => {
                format!("the axes of its wrist miss each other by {:.2} mm", miss_m * 1e3)
            }
            Reason::Short { length_m } => {
                format!("its upper arm or forearm is only {:.2} mm long", length_m * 1e3)
            }
        }
    }
}

const fn word(class: Class) -> &'static str {
    match class {
        Class::OrthoParallel => "ortho_parallel",
        Class::ThreeParallel => "three_parallel",
        Class::Numeric => "numeric",
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [base, tool] = &self.links;
        writeln!(f, "arm        {}: {} joints from {base} to {tool}", self.arm, self.joints.len())?;
        writeln!(f, "class      {}", self.class)?;
        writeln!(f, "why        {}", self.reason)?;
        for (k, [angle, distance]) in self.pairs.iter().enumerate() {
            let (from, to) = (&self.joints[k], self.joints.get(k + 1).map_or("?", String::as_str));
            writeln!(
                f,
                "           {from} to {to}: {:.4} deg, {:.4} mm",
                angle.to_degrees(),
                distance * 1e3
            )?;
        }
        writeln!(f, "wrist      its axes miss one point by {:.4} mm", self.wrist_miss_m * 1e3)?;
        for (name, length) in &self.ideal_m {
            writeln!(f, "ideal      {name} {:.3} mm", length * 1e3)?;
        }
        if !self.ideal_m.is_empty() {
            writeln!(
                f,
                "mismatch   the exact arm is {:.4} mm and {:.4} mrad from the ideal at most: every answer is\n           \
                 brought onto the exact one",
                self.mismatch_m * 1e3,
                self.mismatch_rad * 1e3
            )?;
        }
        write!(
            f,
            "tolerance  {:.1} mrad, {:.2} mm",
            self.tolerance_rad * 1e3,
            self.tolerance_m * 1e3
        )
    }
}
