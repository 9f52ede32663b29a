//! Arithmetic that is written once for one number and for four at a time.

use core::ops::{Add, Mul, Neg, Sub};

use crate::{lanes::Lanes, math::Math};

/// One number, or four side by side.
pub(crate) trait Num:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Neg<Output = Self>
{
    /// The same in every lane.
    fn all(value: f64) -> Self;
    /// `self * b + c`.
    fn fma<M: Math>(self, b: Self, c: Self) -> Self;
    fn sqrt(self) -> Self;
    fn recip(self) -> Self;
    /// Sines and cosines of six angles up to [`Lanes::SIN_COS_MAX`].
    fn sin_cos<M: Math>(angles: &[Self; 6]) -> ([Self; 6], [Self; 6]);
}

impl Num for f64 {
    #[inline(always)]
    fn all(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn fma<M: Math>(self, b: Self, c: Self) -> Self {
        M::fma(self, b, c)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.sqrt()
    }

    #[inline(always)]
    fn recip(self) -> Self {
        1.0 / self
    }

    #[inline(always)]
    fn sin_cos<M: Math>(q: &[Self; 6]) -> ([Self; 6], [Self; 6]) {
        let (s, c) = Lanes([q[0], q[1], q[2], q[3]]).sin_cos::<M>();
        let (t, d) = Lanes([q[4], q[5], 0.0, 0.0]).sin_cos::<M>();
        (
            [s.0[0], s.0[1], s.0[2], s.0[3], t.0[0], t.0[1]],
            [c.0[0], c.0[1], c.0[2], c.0[3], d.0[0], d.0[1]],
        )
    }
}

impl Num for Lanes {
    #[inline(always)]
    fn all(value: f64) -> Self {
        Self::all(value)
    }

    #[inline(always)]
    fn fma<M: Math>(self, b: Self, c: Self) -> Self {
        Self::fma::<M>(self, b, c)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self::sqrt(self)
    }

    #[inline(always)]
    fn recip(self) -> Self {
        Self::all(1.0) / self
    }

    #[inline(always)]
    fn sin_cos<M: Math>(q: &[Self; 6]) -> ([Self; 6], [Self; 6]) {
        let (mut sin, mut cos) = (*q, *q);
        for k in 0..6 {
            (sin[k], cos[k]) = q[k].sin_cos::<M>();
        }
        (sin, cos)
    }
}

/// Three of them.
pub(crate) type V3<T> = [T; 3];

#[inline(always)]
pub(crate) fn vector<T: Num>(v: &[f64; 3]) -> V3<T> {
    [T::all(v[0]), T::all(v[1]), T::all(v[2])]
}

#[inline(always)]
pub(crate) fn add<T: Num>(a: &V3<T>, b: &V3<T>) -> V3<T> {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

#[inline(always)]
pub(crate) fn sub<T: Num>(a: &V3<T>, b: &V3<T>) -> V3<T> {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

#[inline(always)]
pub(crate) fn scaled<T: Num>(v: &V3<T>, by: T) -> V3<T> {
    [v[0] * by, v[1] * by, v[2] * by]
}

#[inline(always)]
pub(crate) fn dot<T: Num, M: Math>(a: &V3<T>, b: &V3<T>) -> T {
    a[0].fma::<M>(b[0], a[1].fma::<M>(b[1], a[2] * b[2]))
}

#[inline(always)]
pub(crate) fn cross<T: Num, M: Math>(a: &V3<T>, b: &V3<T>) -> V3<T> {
    [
        a[1].fma::<M>(b[2], -(a[2] * b[1])),
        a[2].fma::<M>(b[0], -(a[0] * b[2])),
        a[0].fma::<M>(b[1], -(a[1] * b[0])),
    ]
}

/// The sum of vectors, each as many times as `times` says.
#[inline(always)]
pub(crate) fn combine<T: Num, M: Math>(vectors: &[V3<T>; 3], times: &V3<T>) -> V3<T> {
    let mut sum = *times;
    for k in 0..3 {
        sum[k] = vectors[0][k]
            .fma::<M>(times[0], vectors[1][k].fma::<M>(times[1], vectors[2][k] * times[2]));
    }
    sum
}
