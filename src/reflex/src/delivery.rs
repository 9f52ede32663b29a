//! Delay on purpose: in lockstep an answer reaches the law so many ticks after its ask, as a slow head's would.
//!
//! Virtual time stands still while the thinker works, so every head looks infinitely fast there. What a head that takes
//! four ticks does to a task is found out by handing its answers over four ticks late: same bits on every machine.

use motion::{Reply, TickIndex};

use crate::draw::Draw;

/// Answers that may be on their way at once. One ask is out at a time; a lost one is repeated long after.
const ON_THE_WAY: usize = 8;
/// Odds are drawn from so many parts.
const PARTS: u64 = 1 << 32;

/// By how much answers are late, and how many never come.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Delivery {
    /// Ticks from the ask to the tick that gets the answer; zero is the tick that asked.
    pub ticks: u32,
    /// Up to so many ticks more, drawn evenly for each ask.
    pub jitter_ticks: u32,
    /// The share of answers that get lost, 0 to 1.
    pub lost: f64,
    /// What the draws depend on, together with their order.
    pub seed: u64,
}

impl Delivery {
    /// Every answer so many ticks late, none lost.
    #[must_use]
    pub const fn late(ticks: u32) -> Self {
        Self { ticks, jitter_ticks: 0, lost: 0.0, seed: 0 }
    }
}

/// Answers on their way to the law.
pub(crate) struct Post {
    delivery: Delivery,
    draw: Draw,
    bag: Vec<(TickIndex, Reply)>,
}

impl Post {
    /// All memory that it will ever need is taken here.
    pub(crate) fn new(delivery: Delivery) -> Self {
        Self { draw: Draw::new(delivery.seed), delivery, bag: Vec::with_capacity(ON_THE_WAY) }
    }

    /// Takes an answer to the ask of `asked`, so many ticks later than usual; one that is lost, or finds no room, is gone.
    pub(crate) fn send(&mut self, asked: TickIndex, reply: Reply, later: u64) {
        let (late, luck) = (self.draw.bits(), self.draw.bits());
        let lost = (luck % PARTS) as f64 / (PARTS as f64) < self.delivery.lost;
        if lost || self.bag.len() == self.bag.capacity() {
            return;
        }
        let jitter = late % (u64::from(self.delivery.jitter_ticks) + 1);
        self.bag
            .push((TickIndex(asked.0 + u64::from(self.delivery.ticks) + jitter + later), reply));
    }

    /// The next answer that is due by tick `now`, in the order in which they were sent.
    pub(crate) fn due(&mut self, now: TickIndex) -> Option<Reply> {
        let at = self.bag.iter().position(|(due, _)| *due <= now)?;
        Some(self.bag.remove(at).1)
    }
}

#[cfg(test)]
mod tests {
    use motion::RunId;

    use super::*;

    fn answer(tick: u64) -> Reply {
        Reply::Nothing { run: RunId(1), observed: TickIndex(tick) }
    }

    /// The delay of each of a hundred answers, `None` for those that never came.
    fn delays(delivery: Delivery) -> Vec<Option<u64>> {
        let mut post = Post::new(delivery);
        let mut delay = |asked: u64| {
            post.send(TickIndex(asked), answer(asked), 0);
            (0..20).find(|late| post.due(TickIndex(asked + late)).is_some())
        };
        (0..100).map(|ask| delay(ask * 100)).collect()
    }

    #[test]
    fn an_answer_comes_exactly_so_many_ticks_after_its_ask() {
        assert_eq!(delays(Delivery::default()), vec![Some(0); 100]);
        assert_eq!(delays(Delivery::late(4)), vec![Some(4); 100]);
    }

    #[test]
    fn jitter_and_loss_are_drawn_from_the_seed_and_from_nothing_else() {
        let wild = Delivery { ticks: 1, jitter_ticks: 3, lost: 0.3, seed: 7 };
        let drawn = delays(wild);
        assert_eq!(drawn, delays(wild));
        assert_ne!(drawn, delays(Delivery { seed: 8, ..wild }));
        for delay in 1..=4 {
            assert!(drawn.contains(&Some(delay)), "{drawn:?}");
        }
        let lost = drawn.iter().filter(|delay| delay.is_none()).count();
        assert!((15..45).contains(&lost), "{lost} of 100 were lost");
        assert!(drawn.iter().flatten().all(|delay| (1..=4).contains(delay)), "{drawn:?}");
        assert_eq!(delays(Delivery { lost: 1.0, ..wild }), vec![None; 100]);
    }

    #[test]
    fn a_full_bag_loses_the_newest_and_never_grows() {
        let mut post = Post::new(Delivery::late(50));
        let room = post.bag.capacity();
        for ask in 0..30 {
            post.send(TickIndex(ask), answer(ask), 0);
        }
        assert_eq!((post.bag.len(), post.bag.capacity()), (room, room));
    }
}
