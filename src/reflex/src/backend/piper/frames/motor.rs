/// A joint of the arm, by its number from 1 to 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Joint(u8);

impl Joint {
    /// From the base to the hand.
    pub const ALL: [Self; 6] = [Self(1), Self(2), Self(3), Self(4), Self(5), Self(6)];

    /// The joint of a number from 1 to 6.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        match number {
            1..=6 => Some(Self(number)),
            _ => None,
        }
    }

    /// From 1 to 6.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// From 0 to 5.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize - 1
    }
}

/// A motor, by its number from 1 to 7. Seven is the gripper's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Motor(u8);

impl Motor {
    /// The gripper's.
    pub const GRIPPER: Self = Self(7);

    /// The motor of a number from 1 to 7.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        match number {
            1..=7 => Some(Self(number)),
            _ => None,
        }
    }

    /// From 1 to 7.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The joint it moves, unless it is the gripper's.
    #[must_use]
    pub const fn joint(self) -> Option<Joint> {
        Joint::new(self.0)
    }
}

impl From<Joint> for Motor {
    fn from(joint: Joint) -> Self {
        Self(joint.0)
    }
}

/// Which motors are switched on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motors {
    /// One joint's.
    One(Joint),
    /// Code 7. The written protocol and the vendor's own programs use it for all joints; one class of the vendor's SDK
    /// calls it the gripper.
    Seven,
    /// Code 0xFF: all of them, the gripper's included.
    All,
}

/// Two neighbouring joints that share a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pair {
    /// Joints 1 and 2.
    OneTwo,
    /// Joints 3 and 4.
    ThreeFour,
    /// Joints 5 and 6.
    FiveSix,
}

impl Pair {
    /// From the base to the hand.
    pub const ALL: [Self; 3] = [Self::OneTwo, Self::ThreeFour, Self::FiveSix];

    /// Where its first joint stands among the six: 0, 2 or 4.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize * 2
    }
}
