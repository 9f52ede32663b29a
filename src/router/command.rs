//! What the words alone say, before any network is asked: that the robot is to stand still, or nothing that is known.

use crate::encoder::{Act, Words};

/// What a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// The robot is to come to rest.
    Hold,
    /// There is nothing in it that this robot could do.
    Unknown {
        /// Why, in words.
        reason: String,
    },
    /// Something for the network.
    Something,
}

/// Acts that a skill carries out.
const DOABLE: [&str; 7] = ["eat", "grasp", "go", "run", "circle", "find", "bring"];

/// Looks a text through by the dictionary.
///
/// Standing still is the safe side: a text that begins with it, or in which every act is one not to do, holds.
#[must_use]
pub fn read(text: &str) -> Word {
    let reading = Words::read(text);
    let acts: Vec<Act> = reading.acts().collect();
    let first = acts.iter().find(|act| !act.negated);
    if first.is_some_and(|act| act.name == "stop") {
        return Word::Hold;
    }
    let doable = |act: &&Act| DOABLE.contains(&act.name);
    if first.is_none() && acts.iter().filter(|act| act.name != "stop").any(|act| doable(&act)) {
        return Word::Hold;
    }
    if !reading.is_known() {
        let reason =
            "none of these words is known; say it in other words, such as \"pick up the berry\"";
        return Word::Unknown { reason: reason.into() };
    }
    let others = acts.iter().any(|act| !act.negated && act.name == "other_act");
    if others && !acts.iter().filter(|act| !act.negated).any(|act| doable(&act)) {
        let reason =
            "this robot walks, runs around, picks up and eats, and nothing of that was said";
        return Word::Unknown { reason: reason.into() };
    }
    Word::Something
}

/// Which of [`super::SKILLS`] a text names beyond doubt, by its acts; none where anything is negated or unsaid.
#[must_use]
pub fn explicit(text: &str) -> Option<usize> {
    let reading = Words::read(text);
    let mut says = [false; 4];
    for act in reading.acts() {
        match act {
            Act { negated: true, .. } => return None,
            Act { name: "eat", .. } => says[3] = true,
            Act { name: "grasp", .. } => says[2] = true,
            Act { name: "circle", .. } => says[1] = true,
            Act { name: "go", .. } => says[0] = true,
            _ => {}
        }
    }
    [3, 2, 1, 0].into_iter().find(|skill| says[*skill])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_still_needs_no_network() {
        for text in [
            "stop",
            "STOP!!!",
            "don't move",
            "wait",
            "hold still",
            "please stop running around",
            "freeze right there",
            "do not eat the berry",
            "halt",
            "stay where you are",
            "wiat",
        ] {
            assert_eq!(read(text), Word::Hold, "{text}");
        }
        for text in ["hold the berry", "run around and don't stop", "don't eat it, pick it up"] {
            assert_eq!(read(text), Word::Something, "{text}");
        }
    }

    #[test]
    fn words_that_nobody_knows_are_told_apart() {
        for text in ["asdf qwerty zxcv", "", "dance for me", "tell me a joke", "hello"] {
            assert!(matches!(read(text), Word::Unknown { .. }), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn a_command_is_explicit_where_nothing_is_negated() {
        assert_eq!(explicit("go find the berry and eat it"), Some(3));
        assert_eq!(explicit("walk over and grab it"), Some(2));
        assert_eq!(explicit("run around"), Some(1));
        assert_eq!(explicit("walk to the chair"), Some(0));
        assert_eq!(explicit("run to the chair"), None);
        assert_eq!(explicit("don't eat the berry, pick it up"), None);
        assert_eq!(explicit("the berry"), None);
    }
}
