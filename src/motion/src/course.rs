//! The set-points around an ask: those that were sent, and those that will still be sent before its answer takes over.

use crate::{
    joints::{Joints, MAX_JOINTS},
    words::{Reading, Sheet, Words},
};

/// How many sent set-points are remembered.
pub const MAX_BACK: usize = 8;
/// How far ahead a chunk may be asked for, in ticks: 1.6 s at 20 Hz.
pub const MAX_AHEAD: usize = 32;

/// One set-point for each of some consecutive ticks, all after the safety filter.
///
/// Offset 0 is the tick of the ask, -1 the last command, and the last offset that is known the tick before the take-over.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    joints: usize,
    ahead: usize,
    rows: [[f64; MAX_JOINTS]; MAX_BACK + MAX_AHEAD],
}

impl Course {
    /// The course of a robot that has stood at `pose` for long.
    #[must_use]
    pub fn standing(pose: &Joints) -> Self {
        let mut course =
            Self { joints: pose.len(), ahead: 0, rows: [[0.0; MAX_JOINTS]; MAX_BACK + MAX_AHEAD] };
        for row in &mut course.rows[..MAX_BACK] {
            row[..pose.len()].copy_from_slice(pose);
        }
        course
    }

    /// The course of a robot to which these were sent, the oldest first, and the first of them for long before.
    #[must_use]
    pub fn going(sent: &[Joints]) -> Self {
        let mut course = Self::standing(sent.first().unwrap_or(&Joints::zeros(0)));
        sent.iter().for_each(|point| course.send(point));
        course
    }

    /// Forgets what lies ahead, and takes in what has been sent.
    pub(crate) fn send(&mut self, sent: &Joints) {
        self.ahead = 0;
        self.rows.copy_within(1..MAX_BACK, 0);
        self.write(MAX_BACK - 1, sent);
    }

    /// Appends a set-point that will be sent; nothing beyond [`MAX_AHEAD`].
    pub fn push(&mut self, point: &Joints) {
        if self.ahead < MAX_AHEAD {
            self.write(MAX_BACK + self.ahead, point);
            self.ahead += 1;
        }
    }

    /// How many joints there are.
    pub(crate) const fn joints(&self) -> usize {
        self.joints
    }

    fn write(&mut self, row: usize, point: &Joints) {
        for (value, point) in self.rows[row][..self.joints].iter_mut().zip(point.iter()) {
            *value = *point;
        }
    }

    /// Goes on to the take-over: what lay ahead has been sent.
    pub(crate) fn advance(&mut self) {
        self.rows.copy_within(self.ahead..self.ahead + MAX_BACK, 0);
        self.ahead = 0;
    }

    /// How many set-points lie ahead.
    #[must_use]
    pub const fn ahead(&self) -> usize {
        self.ahead
    }

    /// The set-point of one joint in the tick `offset` ticks after the ask, rad or m. Beyond either end it is the
    /// outermost that is known; `None` if there is no such joint.
    #[must_use]
    pub fn at(&self, offset: i64, joint: usize) -> Option<f64> {
        let row =
            offset.saturating_add(MAX_BACK as i64).clamp(0, (MAX_BACK + self.ahead) as i64 - 1);
        let row = self.rows.get(usize::try_from(row).ok()?)?;
        row[..self.joints].get(joint).copied()
    }
}

impl Words for Course {
    fn put(&self, to: &mut Sheet<'_>) {
        (self.joints, self.ahead).put(to);
        for row in &self.rows[..MAX_BACK + self.ahead] {
            row[..self.joints].iter().for_each(|value| value.put(to));
        }
    }

    fn get(from: &mut Reading<'_>) -> Option<Self> {
        let (joints, ahead): (usize, usize) = Words::get(from)?;
        if joints > MAX_JOINTS || ahead > MAX_AHEAD {
            return None;
        }
        let mut course = Self { ahead, ..Self::standing(&Joints::zeros(joints)) };
        for row in &mut course.rows[..MAX_BACK + ahead] {
            for value in &mut row[..joints] {
                *value = Words::get(from)?;
            }
        }
        Some(course)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pose(value: f64) -> Joints {
        let mut pose = Joints::zeros(2);
        pose[0] = value;
        pose
    }

    #[test]
    fn ticks_are_counted_from_the_ask_and_the_ends_go_on() {
        let mut course = Course::standing(&pose(0.0));
        for k in 1..=3 {
            course.send(&pose(f64::from(k)));
        }
        course.push(&pose(4.0));
        course.push(&pose(5.0));
        let told = [-99, -4, -3, -1, 0, 1, 2, 99].map(|offset| course.at(offset, 0));
        assert_eq!(told, [0.0, 0.0, 1.0, 3.0, 4.0, 5.0, 5.0, 5.0].map(Some));
        assert_eq!((course.at(0, 1), course.at(0, 2)), (Some(0.0), None));
        let mut later = course;
        later.advance();
        assert_eq!([-2, -1, 0].map(|offset| later.at(offset, 0)), [4.0, 5.0, 5.0].map(Some));
        course.send(&pose(6.0));
        assert_eq!((course.ahead(), course.at(0, 0)), (0, Some(6.0)));
    }

    #[test]
    fn it_never_grows() {
        let mut course = Course::standing(&pose(0.0));
        for k in 0..100 {
            course.push(&pose(f64::from(k)));
        }
        assert_eq!((course.ahead(), course.at(99, 0)), (MAX_AHEAD, Some(31.0)));
    }
}
