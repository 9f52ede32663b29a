//! A small quadratic programme with bounds: what a step inside joint limits is.
//!
//! Primal active set (Nocedal and Wright, Numerical Optimization, 2nd ed., section 16.5), which is exact and needs a
//! handful of factorisations for one arm. Clamping the unconstrained answer instead is not a minimum: the joints that
//! are left free must make up for those that are stopped.

use crate::math::Math;

/// Minimise `1/2 d'Hd - g'd` with `low <= d <= high`, over the first `n` of `N` variables.
///
/// Where `n` is known to be `N` the loops unroll; `N` of 16 serves every other arm.
#[derive(Clone, Copy)]
pub(crate) struct BoxQp<const N: usize> {
    /// Lower triangle, row-major.
    pub(crate) h: [[f64; N]; N],
    pub(crate) g: [f64; N],
    pub(crate) low: [f64; N],
    pub(crate) high: [f64; N],
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Free,
    Low,
    High,
}

impl<const N: usize> BoxQp<N> {
    pub(crate) const EMPTY: Self =
        Self { h: [[0.0; N]; N], g: [0.0; N], low: [0.0; N], high: [0.0; N] };

    /// The minimum, or `None` if `H` is not positive definite where the bounds leave it free.
    ///
    /// With bounds that cross, or numbers that are not finite, the answer means nothing, but it comes.
    #[inline(always)]
    pub(crate) fn solve<M: Math>(&self, n: usize) -> Option<[f64; N]> {
        let mut side = [Side::Free; N];
        let mut d = [0.0; N];
        if let Some(free) = self.with_fixed::<M>(n, &d, &side) {
            if (0..n).all(|i| free[i] >= self.low[i] && free[i] <= self.high[i]) {
                return Some(free);
            }
            d = free;
        }
        for i in 0..n {
            // Without a minimum in the open (d is 0) the bounds that the slope leans on are the first guess.
            let lean = if d[i] == 0.0 { self.g[i] } else { 0.0 };
            if d[i] < self.low[i] || (lean < 0.0 && self.low[i] >= 0.0) {
                (d[i], side[i]) = (self.low[i], Side::Low);
            } else if d[i] > self.high[i] || (lean > 0.0 && self.high[i] <= 0.0) {
                (d[i], side[i]) = (self.high[i], Side::High);
            }
        }
        // Each round ends with one bound more or one less; the cap is for ties, where the answer is as good as a minimum.
        for _ in 0..6 * n {
            let wish = self.with_fixed::<M>(n, &d, &side)?;
            let (mut part, mut stop) = (1.0, None);
            for i in 0..n {
                let (bound, at) = if wish[i] < self.low[i] {
                    (self.low[i], Side::Low)
                } else if wish[i] > self.high[i] {
                    (self.high[i], Side::High)
                } else {
                    continue;
                };
                let reach = (bound - d[i]) / (wish[i] - d[i]);
                if side[i] == Side::Free && reach < part {
                    (part, stop) = (reach, Some((i, bound, at)));
                }
            }
            for i in 0..n {
                if side[i] == Side::Free {
                    d[i] = M::fma(part, wish[i] - d[i], d[i]).max(self.low[i]).min(self.high[i]);
                }
            }
            if let Some((i, bound, at)) = stop {
                (d[i], side[i]) = (bound, at);
                continue;
            }
            match self.pulled::<M>(n, &d, &side) {
                Some(i) => side[i] = Side::Free,
                None => break,
            }
        }
        Some(d)
    }

    /// `g'd - 1/2 d'Hd`: by how much the step lowers the model.
    #[inline(always)]
    pub(crate) fn gain<M: Math>(&self, n: usize, d: &[f64; N]) -> f64 {
        let mut gain = 0.0;
        for i in 0..n {
            let mut row = -0.5 * self.h[i][i] * d[i];
            for j in 0..i {
                row = M::fma(-self.h[i][j], d[j], row);
            }
            gain = M::fma(d[i], self.g[i] + row, gain);
        }
        gain
    }

    /// The minimum with the variables that are not free held where they are.
    #[inline(always)]
    fn with_fixed<M: Math>(&self, n: usize, d: &[f64; N], side: &[Side; N]) -> Option<[f64; N]> {
        let mut a = self.h;
        let mut b = self.g;
        for i in 0..n {
            if side[i] == Side::Free {
                continue;
            }
            for j in 0..n {
                let (row, column) = if i >= j { (i, j) } else { (j, i) };
                if side[j] == Side::Free {
                    b[j] = M::fma(-self.h[row][column], d[i], b[j]);
                }
                a[row][column] = 0.0;
            }
            (a[i][i], b[i]) = (1.0, d[i]);
        }
        ldl_solve::<M, N>(n, &mut a, &mut b).then_some(b)
    }

    /// The bound that the slope pulls away from most.
    #[inline(always)]
    fn pulled<M: Math>(&self, n: usize, d: &[f64; N], side: &[Side; N]) -> Option<usize> {
        let scale = (0..n).fold(0.0, |most: f64, i| most.max(self.g[i].abs()));
        let (mut most, mut which) = (1e-13 * scale, None);
        for i in 0..n {
            if side[i] == Side::Free || self.low[i] >= self.high[i] {
                continue;
            }
            let mut slope = -self.g[i];
            for j in 0..n {
                let h = if i >= j { self.h[i][j] } else { self.h[j][i] };
                slope = M::fma(h, d[j], slope);
            }
            let pull = if side[i] == Side::Low { -slope } else { slope };
            if pull > most {
                (most, which) = (pull, Some(i));
            }
        }
        which
    }
}

/// Solves `Ax = b` for a symmetric positive definite `A` (lower triangle); false if it is not that, or not finite.
#[inline(always)]
fn ldl_solve<M: Math, const N: usize>(n: usize, a: &mut [[f64; N]; N], b: &mut [f64; N]) -> bool {
    let mut inverse = [0.0; N];
    for j in 0..n {
        let whole = a[j][j];
        let mut scaled = [0.0; N];
        for k in 0..j {
            scaled[k] = a[j][k];
            a[j][k] *= inverse[k];
            a[j][j] = M::fma(-a[j][k], scaled[k], a[j][j]);
        }
        // What is left of a pivot below this part of it is rounding.
        if !(a[j][j] > 1e-15 * whole) {
            return false;
        }
        inverse[j] = 1.0 / a[j][j];
        for i in j + 1..n {
            for k in 0..j {
                a[i][j] = M::fma(-a[i][k], a[j][k], a[i][j]);
            }
        }
    }
    for i in 0..n {
        for k in 0..i {
            b[i] = M::fma(-a[i][k], b[k], b[i]);
        }
    }
    for i in (0..n).rev() {
        b[i] *= inverse[i];
        for k in i + 1..n {
            b[i] = M::fma(-a[k][i], b[k], b[i]);
        }
    }
    true
}
