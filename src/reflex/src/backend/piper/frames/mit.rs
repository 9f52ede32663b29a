use super::{FieldError, Firmware, Joint, MitLayout};

/// A MIT frame, 0x15A to 0x15F, as it stands on the wire: what is in it depends on the arm's firmware, which the frame
/// does not say. [`MitFields`] packs and unpacks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mit {
    /// Which joint.
    pub joint: Joint,
    /// All eight bytes.
    pub wire: [u8; 8],
}

/// What a motor is told in MIT mode: torque = kp (position - is) + kd (speed - is) + torque.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MitTarget {
    /// Within 12.5 rad.
    pub position_rad: f64,
    /// Within 45 rad/s.
    pub speed_rad_s: f64,
    /// From 0 to 500 N m/rad.
    pub kp: f64,
    /// From -5 to 5 N m s/rad.
    pub kd: f64,
    /// Within what the layout can say: 8 or 16 N m.
    pub torque_nm: f64,
}

/// The integers of a MIT frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MitFields {
    /// 16 bits.
    pub position: u16,
    /// 12 bits.
    pub speed: u16,
    /// 12 bits.
    pub kp: u16,
    /// 12 bits.
    pub kd: u16,
    /// 8 or 12 bits.
    pub torque: u16,
}

impl Mit {
    /// The frame that makes a joint do this, on a given firmware: signs turned before 1.7-3, torque of joints 1 to 3 divided
    /// by four up to 1.8-2.
    ///
    /// The coefficient of 0.813 that the vendor's newest SDK has for joints 4 to 6 is not applied: torque is that of the
    /// wire there.
    ///
    /// # Errors
    /// What the frame cannot say.
    pub fn new(joint: Joint, target: &MitTarget, firmware: Firmware) -> Result<Self, FieldError> {
        let layout = firmware.mit_layout();
        let fields = MitFields::new(&target.on_the_wire(joint, firmware), layout)?;
        Ok(Self { joint, wire: fields.pack(layout)? })
    }

    /// What a frame makes a joint do, on a given firmware.
    ///
    /// # Errors
    /// A checksum that does not fit.
    pub fn target(&self, firmware: Firmware) -> Result<MitTarget, FieldError> {
        let layout = firmware.mit_layout();
        let told = MitFields::unpack(&self.wire, layout)?.target(layout);
        Ok(told.from_the_wire(self.joint, firmware))
    }
}

impl MitTarget {
    fn on_the_wire(self, joint: Joint, firmware: Firmware) -> Self {
        let _ = (joint, firmware);
        self
    }

    fn from_the_wire(self, joint: Joint, firmware: Firmware) -> Self {
        let _ = (joint, firmware);
        self
    }
}

impl MitFields {
    /// The integers of quantities.
    ///
    /// # Errors
    /// A quantity beyond its range.
    pub fn new(target: &MitTarget, layout: MitLayout) -> Result<Self, FieldError> {
        let _ = (target, layout);
        Err(FieldError::Range { field: "not written yet", value: 0 })
    }

    /// The quantities of integers.
    #[must_use]
    pub fn target(&self, layout: MitLayout) -> MitTarget {
        let _ = layout;
        MitTarget { position_rad: 0.0, speed_rad_s: 0.0, kp: 0.0, kd: 0.0, torque_nm: 0.0 }
    }

    /// Their eight bytes.
    ///
    /// # Errors
    /// An integer with more bits than its field.
    pub fn pack(&self, layout: MitLayout) -> Result<[u8; 8], FieldError> {
        let _ = layout;
        Err(FieldError::Range { field: "not written yet", value: 0 })
    }

    /// What eight bytes say.
    ///
    /// # Errors
    /// A checksum that does not fit.
    pub fn unpack(wire: &[u8; 8], layout: MitLayout) -> Result<Self, FieldError> {
        let _ = (wire, layout);
        Err(FieldError::Range { field: "not written yet", value: 0 })
    }
}
