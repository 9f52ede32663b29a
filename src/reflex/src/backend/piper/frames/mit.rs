use super::{FieldError, Firmware, Joint, MitLayout, bytes::check};

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
        Ok(told.off_the_wire(self.joint, firmware))
    }
}

impl MitTarget {
    /// What has to stand on the wire so that a joint does this.
    fn on_the_wire(self, joint: Joint, firmware: Firmware) -> Self {
        let turned = self.turned(joint, firmware);
        Self { torque_nm: turned.torque_nm / torque_gain(joint, firmware), ..turned }
    }

    /// What a joint does with this on the wire.
    fn off_the_wire(self, joint: Joint, firmware: Firmware) -> Self {
        let turned = self.turned(joint, firmware);
        Self { torque_nm: turned.torque_nm * torque_gain(joint, firmware), ..turned }
    }

    /// The other way round, where the firmware turns it.
    fn turned(self, joint: Joint, firmware: Firmware) -> Self {
        if !(firmware.mit_is_negated() && matches!(joint.number(), 1 | 2 | 4 | 6)) {
            return self;
        }
        let Self { position_rad, speed_rad_s, torque_nm, .. } = self;
        Self {
            position_rad: -position_rad,
            speed_rad_s: -speed_rad_s,
            torque_nm: -torque_nm,
            ..self
        }
    }
}

/// How many times the torque on the wire a joint does.
fn torque_gain(joint: Joint, firmware: Firmware) -> f64 {
    let MitLayout::EightBit { scaled_by_four: true } = firmware.mit_layout() else { return 1.0 };
    if joint.index() < 3 { 4.0 } else { 1.0 }
}

/// A quantity's range, and how many bits it is given.
struct Scale {
    field: &'static str,
    min: f64,
    max: f64,
    bits: u8,
}

impl Scale {
    const POSITION: Self = Self::within("MIT position (rad)", 12.5, 16);
    const SPEED: Self = Self::within("MIT speed (rad/s)", 45.0, 12);
    const KP: Self = Self { field: "MIT kp", min: 0.0, max: 500.0, bits: 12 };
    const KD: Self = Self::within("MIT kd", 5.0, 12);

    const fn within(field: &'static str, max: f64, bits: u8) -> Self {
        Self { field, min: -max, max, bits }
    }

    const fn torque(layout: MitLayout) -> Self {
        match layout {
            MitLayout::EightBit { .. } => Self::within("MIT torque (N m)", 8.0, 8),
            MitLayout::TwelveBit => Self::within("MIT torque (N m)", 16.0, 12),
        }
    }

    fn steps(&self) -> f64 {
        f64::from((1_u32 << self.bits) - 1)
    }

    /// Truncated in double precision, in this order, as the vendor's SDK does: in single precision, or otherwise ordered,
    /// one in a hundred comes out a step off. The SDK lets what is out of range wrap to the other end.
    fn integer(&self, value: f64) -> Result<u16, FieldError> {
        if !(self.min..=self.max).contains(&value) {
            return Err(FieldError::Quantity { field: self.field, value });
        }
        Ok(((value - self.min) * self.steps() / (self.max - self.min)) as u16)
    }

    fn quantity(&self, integer: u16) -> f64 {
        f64::from(integer) * (self.max - self.min) / self.steps() + self.min
    }

    fn check(&self, integer: u16) -> Result<(), FieldError> {
        check(u32::from(integer) >> self.bits == 0, self.field, integer)
    }
}

impl MitFields {
    /// The integers of quantities, as they stand on the wire.
    ///
    /// # Errors
    /// A quantity beyond its range.
    pub fn new(target: &MitTarget, layout: MitLayout) -> Result<Self, FieldError> {
        Ok(Self {
            position: Scale::POSITION.integer(target.position_rad)?,
            speed: Scale::SPEED.integer(target.speed_rad_s)?,
            kp: Scale::KP.integer(target.kp)?,
            kd: Scale::KD.integer(target.kd)?,
            torque: Scale::torque(layout).integer(target.torque_nm)?,
        })
    }

    /// The quantities of integers, as they stand on the wire.
    #[must_use]
    pub fn target(&self, layout: MitLayout) -> MitTarget {
        MitTarget {
            position_rad: Scale::POSITION.quantity(self.position),
            speed_rad_s: Scale::SPEED.quantity(self.speed),
            kp: Scale::KP.quantity(self.kp),
            kd: Scale::KD.quantity(self.kd),
            torque_nm: Scale::torque(layout).quantity(self.torque),
        }
    }

    /// Their eight bytes.
    ///
    /// # Errors
    /// An integer with more bits than its field.
    pub fn pack(&self, layout: MitLayout) -> Result<[u8; 8], FieldError> {
        let Self { position, speed, kp, kd, torque } = *self;
        Scale::SPEED.check(speed)?;
        Scale::KP.check(kp)?;
        Scale::KD.check(kd)?;
        Scale::torque(layout).check(torque)?;
        let [high, low] = position.to_be_bytes();
        let (speed_high, kd_high) = ((speed >> 4) as u8, (kd >> 4) as u8);
        let speed_low_kp = ((speed & 0xF) << 4 | kp >> 8) as u8;
        let kd_low = ((kd & 0xF) << 4) as u8;
        let [torque_high, torque_low] = torque.to_be_bytes();
        let mut wire = [high, low, speed_high, speed_low_kp, kp as u8, kd_high, kd_low, 0];
        match layout {
            MitLayout::EightBit { .. } => {
                wire[6] |= torque_low >> 4;
                wire[7] = torque_low << 4 | checksum(&wire);
            }
            MitLayout::TwelveBit => {
                wire[6] |= torque_high;
                wire[7] = torque_low;
            }
        }
        Ok(wire)
    }

    /// What eight bytes say.
    ///
    /// # Errors
    /// A checksum that does not fit.
    pub fn unpack(wire: &[u8; 8], layout: MitLayout) -> Result<Self, FieldError> {
        let [high, low, a, b, c, d, e, f] = wire.map(u16::from);
        let torque = match layout {
            MitLayout::EightBit { .. } => {
                let (found, expected) = (wire[7] & 0xF, checksum(wire));
                if found != expected {
                    return Err(FieldError::Checksum { found, expected });
                }
                (e & 0xF) << 4 | f >> 4
            }
            MitLayout::TwelveBit => (e & 0xF) << 8 | f,
        };
        Ok(Self {
            position: high << 8 | low,
            speed: a << 4 | b >> 4,
            kp: (b & 0xF) << 8 | c,
            kd: d << 4 | e >> 4,
            torque,
        })
    }
}

/// The low four bits of the first seven bytes, all combined by exclusive or.
fn checksum(wire: &[u8; 8]) -> u8 {
    wire[..7].iter().fold(0, |sum, byte| sum ^ byte) & 0xF
}
