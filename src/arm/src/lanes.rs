//! Four numbers at once, and the two trigonometric functions that the hot path needs, without a branch.
//!
//! Plain arrays: where the caller is compiled for wide registers the compiler puts each operation into one instruction.

use core::ops::{Add, Div, Mul, Neg, Sub};

use crate::math::Math;

/// Four numbers, side by side.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(32))]
pub(crate) struct Lanes(pub(crate) [f64; 4]);

/// Not a loop over a closure: that is inlined by chance, and here must always be.
macro_rules! each {
    ($i:ident => $value:expr) => {
        Lanes([
            {
                let $i = 0;
                $value
            },
            {
                let $i = 1;
                $value
            },
            {
                let $i = 2;
                $value
            },
            {
                let $i = 3;
                $value
            },
        ])
    };
}

macro_rules! operator {
    ($name:ident, $method:ident, $symbol:tt) => {
        impl $name for Lanes {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                each!(i => self.0[i] $symbol other.0[i])
            }
        }
    };
}

operator!(Add, add, +);
operator!(Sub, sub, -);
operator!(Mul, mul, *);
operator!(Div, div, /);

impl Neg for Lanes {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        each!(i => -self.0[i])
    }
}

/// Adding and taking this away rounds to a whole number, and leaves that number in the lowest bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

impl Lanes {
    #[inline(always)]
    pub(crate) const fn all(value: f64) -> Self {
        Self([value; 4])
    }

    /// `self * b + c`.
    #[inline(always)]
    pub(crate) fn fma<M: Math>(self, b: Self, c: Self) -> Self {
        each!(i => M::fma(self.0[i], b.0[i], c.0[i]))
    }

    #[inline(always)]
    pub(crate) fn sqrt(self) -> Self {
        each!(i => self.0[i].sqrt())
    }

    #[inline(always)]
    pub(crate) fn abs(self) -> Self {
        each!(i => self.0[i].abs())
    }

    /// The larger; `other` where `self` is NaN.
    #[inline(always)]
    pub(crate) fn max(self, other: Self) -> Self {
        each!(i => if self.0[i] > other.0[i] { self.0[i] } else { other.0[i] })
    }

    /// The smaller; `other` where `self` is NaN.
    #[inline(always)]
    pub(crate) fn min(self, other: Self) -> Self {
        each!(i => if self.0[i] < other.0[i] { self.0[i] } else { other.0[i] })
    }

    /// `yes` where `self < other`, else `no`.
    #[inline(always)]
    pub(crate) fn less(self, other: Self, yes: Self, no: Self) -> Self {
        each!(i => if self.0[i] < other.0[i] { yes.0[i] } else { no.0[i] })
    }

    /// The size of `self` with the sign of `sign`.
    #[inline(always)]
    pub(crate) fn copysign(self, sign: Self) -> Self {
        each!(i => self.0[i].copysign(sign.0[i]))
    }

    /// The nearest whole number, for sizes below 2^51; beyond, and for NaN, some number or NaN.
    #[inline(always)]
    pub(crate) fn round(self) -> Self {
        each!(i => (self.0[i] + ROUND) - ROUND)
    }

    /// The angle of `(x, y)`, rad, -pi to pi, to about 3e-16; finite for the origin.
    ///
    /// One division, one polynomial: fdlibm's minimax coefficients for atan on +-7/16 (Sun Microsystems, 1993), the
    /// argument brought there by the octant and by atan(t) = pi/4 + atan((t - 1) / (t + 1)).
    #[inline(always)]
    pub(crate) fn atan2<M: Math>(y: Self, x: Self) -> Self {
        const ATAN: [f64; 11] = [
            3.333_333_333_333_293e-1,
            -1.999_999_999_987_648_3e-1,
            1.428_571_427_250_346_6e-1,
            -1.111_111_040_546_235_6e-1,
            9.090_887_133_436_507e-2,
            -7.691_876_205_044_83e-2,
            6.661_073_137_387_531e-2,
            -5.833_570_133_790_573_5e-2,
            4.976_877_994_615_932_4e-2,
            -3.653_157_274_421_691_6e-2,
            1.628_582_011_536_578_2e-2,
        ];
        let (ax, ay) = (x.abs(), y.abs());
        let (low, high) = (ax.min(ay), ax.max(ay));
        let zero = Self::all(0.0);
        // tan(pi / 8) = 0.4142...
        let bound = high * Self::all(0.414_213_562_373_095_1);
        let numerator = low.less(bound, low, low - high);
        let denominator = low.less(bound, high, low + high) + Self::all(f64::MIN_POSITIVE);
        let t = numerator / denominator;
        let t2 = t * t;
        let mut sum = Self::all(ATAN[10]);
        for k in [9, 8, 7, 6, 5, 4, 3, 2, 1, 0] {
            sum = sum.fma::<M>(t2, Self::all(ATAN[k]));
        }
        let mut angle = low.less(bound, zero, Self::all(core::f64::consts::FRAC_PI_4))
            + (-(t * t2)).fma::<M>(sum, t);
        angle = ax.less(ay, Self::all(core::f64::consts::FRAC_PI_2) - angle, angle);
        angle = x.less(zero, Self::all(core::f64::consts::PI) - angle, angle);
        angle.copysign(y)
    }

    /// Sine and cosine, to about 2e-16 for sizes up to [`Self::SIN_COS_MAX`].
    ///
    /// Cody and Waite's reduction by pi/2 in three parts, fdlibm's kernels (Sun Microsystems, 1993).
    #[inline(always)]
    pub(crate) fn sin_cos<M: Math>(self) -> (Self, Self) {
        const SIN: [f64; 6] = [
            -1.666_666_666_666_663_2e-1,
            8.333_333_333_322_49e-3,
            -1.984_126_982_985_795e-4,
            2.755_731_370_707_007e-6,
            -2.505_076_025_340_686_3e-8,
            1.589_690_995_211_55e-10,
        ];
        const COS: [f64; 6] = [
            4.166_666_666_666_66e-2,
            -1.388_888_888_887_411e-3,
            2.480_158_728_947_673e-5,
            -2.755_731_435_139_066_3e-7,
            2.087_572_321_298_175e-9,
            -1.135_964_755_778_819_5e-11,
        ];
        // The first two parts have trailing zeros, so that their products with a small whole number are exact.
        const PARTS: [f64; 3] =
            [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];
        let turned = self * Self::all(core::f64::consts::FRAC_2_PI) + Self::all(ROUND);
        let n = -(turned - Self::all(ROUND));
        let mut x = self;
        for part in PARTS {
            x = n.fma::<M>(Self::all(part), x);
        }
        let x2 = x * x;
        let (mut s, mut c) = (Self::all(SIN[5]), Self::all(COS[5]));
        for k in [4, 3, 2, 1, 0] {
            s = s.fma::<M>(x2, Self::all(SIN[k]));
            c = c.fma::<M>(x2, Self::all(COS[k]));
        }
        let s = (s * x2).fma::<M>(x, x);
        let c = (c * x2).fma::<M>(x2, x2.fma::<M>(Self::all(-0.5), Self::all(1.0)));
        let bits = |i: usize| turned.0[i].to_bits();
        let sign = |value: f64, flip: u64| f64::from_bits(value.to_bits() ^ (flip << 63));
        let swap = |i: usize| bits(i) & 1 == 1;
        (
            each!(i => sign(if swap(i) { c.0[i] } else { s.0[i] }, bits(i) >> 1 & 1)),
            each!(i => sign(if swap(i) { s.0[i] } else { c.0[i] }, (bits(i) >> 1 ^ bits(i)) & 1)),
        )
    }

    /// How large an angle may be for [`Self::sin_cos`], rad.
    pub(crate) const SIN_COS_MAX: f64 = 1e5;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::{Fused, Plain};

    #[test]
    fn angles_and_their_sines_are_those_of_the_library() {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 11) as f64 / (1_u64 << 53) as f64 * 2.0 - 1.0
        };
        for _ in 0..100_000 {
            let (x, y) = (next(), next() * 10_f64.powf(next() * 6.0));
            for angle in [
                Lanes::atan2::<Plain>(Lanes::all(y), Lanes::all(x)).0[0],
                Lanes::atan2::<Fused>(Lanes::all(y), Lanes::all(x)).0[3],
            ] {
                assert!((angle - y.atan2(x)).abs() < 1e-15, "atan2({y}, {x}) is {angle}");
            }
            let a = next() * 40.0;
            for (s, c) in [Lanes::all(a).sin_cos::<Plain>(), Lanes::all(a).sin_cos::<Fused>()] {
                assert!((s.0[1] - a.sin()).abs() < 1e-15, "sin {a} is {}", s.0[1]);
                assert!((c.0[2] - a.cos()).abs() < 1e-15, "cos {a} is {}", c.0[2]);
            }
        }
        assert!(Lanes::atan2::<Plain>(Lanes::all(0.0), Lanes::all(0.0)).0[0].is_finite());
        let half_turn = Lanes::atan2::<Plain>(Lanes::all(0.0), Lanes::all(-2.0)).0[0];
        assert!((half_turn - core::f64::consts::PI).abs() < 1e-15);
    }
}
