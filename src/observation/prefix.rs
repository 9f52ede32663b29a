//! The set-points before a take-over, as rows of a tensor: for heads that were trained to go on from them.

use serde::Deserialize;

/// The rows of a [`super::FeatureName::Prefix`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// How many; anything else than a prefix has one.
    pub steps: usize,
    /// Which tick they begin or end with.
    pub align: Align,
}

impl Rows {
    /// One row.
    pub const ONE: Self = Self { steps: 1, align: Align::End };

    /// The tick of a row, counted from the ask, if so many set-points lie ahead of it.
    pub(super) fn offset(self, row: usize, ahead: usize) -> i64 {
        match self.align {
            Align::Start => row as i64,
            Align::End => ahead as i64 - self.steps as i64 + row as i64,
        }
    }
}

/// Which tick the rows of a prefix begin or end with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// The first row is the observed tick's; past the take-over the last one before it is repeated.
    Start,
    /// The last row is that of the tick before the take-over, and they reach back into what was sent: without delay, it
    /// is the previous action.
    #[default]
    End,
}

#[cfg(test)]
mod tests {
    use motion::{Ask, Course, Joints, Nanos, RunId, State, TickIndex};

    use super::*;
    use crate::observation::{Extra, Feature, FeatureName, Packer, Params};

    const ROBOT: [&str; 3] = ["base", "shoulder", "gripper"];

    fn joints(values: &[f64]) -> Joints {
        Joints::from_slice(values).expect("few joints")
    }

    /// An ask whose last commands were 0.1 to 0.4 and whose next will be 0.5 and 0.6, each joint ten times the one before.
    fn on_its_way() -> Ask {
        let row = |value: f64| joints(&[value, 10.0 * value, 100.0 * value]);
        let mut ask = Ask::standing(RunId(1), TickIndex(9), Nanos(1), State::blank(3), row(0.4));
        ask.course = Course::going(&[row(0.1), row(0.2), row(0.3), row(0.4)]);
        ask.course.push(&row(0.5));
        ask.course.push(&row(0.6));
        (ask.delay, ask.step) = (2, 7);
        ask
    }

    fn rows_of(ask: &Ask, steps: usize, align: Align) -> Vec<f32> {
        let items = ["shoulder".to_owned(), "base".to_owned()];
        let feature = Feature {
            name: FeatureName::Prefix,
            items: &items,
            tool: None,
            rows: Rows { steps, align },
            extra: Extra::None,
            mean: &[1.0, 0.0],
            std: &[1.0, 0.1],
            clip: 99.0,
        };
        let packer = Packer::compile([feature], &ROBOT, &[]).expect("the names exist");
        assert_eq!(packer.len(), 2 * steps);
        let mut tensor = vec![f32::NAN; packer.len()];
        packer.pack(ask, &Params::default(), &mut tensor).expect("it packs");
        tensor
    }

    #[test]
    fn a_prefix_is_a_row_for_each_tick_that_ends_before_the_take_over() {
        let (ask, mut now) = (on_its_way(), on_its_way());
        assert_eq!(rows_of(&ask, 2, Align::End), [4.0, 5.0, 5.0, 6.0]);
        assert_eq!(rows_of(&ask, 3, Align::End), [3.0, 4.0, 4.0, 5.0, 5.0, 6.0]);
        assert_eq!(rows_of(&ask, 3, Align::Start), [4.0, 5.0, 5.0, 6.0, 5.0, 6.0]);
        // Without delay its last row is the previous action.
        now.course = Course::going(&[joints(&[0.3, 3.0, 30.0]), joints(&[0.4, 4.0, 40.0])]);
        assert_eq!(rows_of(&now, 2, Align::End), [2.0, 3.0, 3.0, 4.0]);
        assert_eq!(rows_of(&now, 2, Align::Start), [3.0, 4.0, 3.0, 4.0]);
    }
}
