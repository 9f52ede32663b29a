//! Numbers drawn from a seed, for trouble on purpose: the same on every machine, in two lines, without a crate.

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Copy, Debug)]
pub struct Draw(u64);

impl Draw {
    /// What follows depends on the seed and on nothing else.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from 0 up to, but not, 1.
    #[must_use]
    pub const fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly from `low` to `high`.
    #[must_use]
    pub const fn within(&mut self, [low, high]: [f64; 2]) -> f64 {
        low + self.unit() * (high - low)
    }

    /// Of a normal distribution with a deviation of 1, by the method of Box and Muller.
    #[must_use]
    pub fn normal(&mut self) -> f64 {
        let (radius, turn) = (1.0 - self.unit(), std::f64::consts::TAU * self.unit());
        (-2.0 * radius.ln()).sqrt() * turn.cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_as_they_should_be_distributed_and_repeat() {
        let mut draw = Draw::new(20_261_121);
        let normal: Vec<f64> = (0..100_000).map(|_| draw.normal()).collect();
        let mean = normal.iter().sum::<f64>() / 1e5;
        let variance = normal.iter().map(|value| value * value).sum::<f64>() / 1e5;
        let beyond = normal.iter().filter(|value| value.abs() > 1.959_964).count();
        assert!(mean.abs() < 0.012 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
        assert!((4_700..5_300).contains(&beyond), "{beyond} of 100000 beyond 1.96");
        assert!(normal.iter().all(|value| value.is_finite()));
        let within: Vec<f64> = (0..10_000).map(|_| draw.within([-2.0, 6.0])).collect();
        assert!(within.iter().all(|value| (-2.0..6.0).contains(value)));
        assert!((within.iter().sum::<f64>() / 1e4 - 2.0).abs() < 0.1);
        let mut again = Draw::new(20_261_121);
        assert!(normal.iter().all(|value| *value == again.normal()));
        assert_eq!(Draw::new(0).bits(), 0xe220_a839_7b1d_cdaf, "the published first number");
    }
}
