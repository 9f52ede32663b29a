//! Numbers of 16 bits, and the functions between layers: written so that a compiler can do eight at a time.

/// The largest 16-bit float.
pub(crate) const FP16_MAX: f32 = 65_504.0;

/// The nearest 16-bit float, ties to even. What is too small for one becomes a smaller, denormal one, or zero.
pub(crate) fn to_fp16(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = f32::from_bits(bits & 0x7fff_ffff);
    if magnitude >= 65_520.0 || magnitude.is_nan() {
        return sign | if magnitude.is_nan() { 0x7e00 } else { 0x7c00 };
    }
    let half = if magnitude < 6.103_515_6e-5 {
        // The sum's last bit is worth what a denormal's is: the addition rounds.
        (magnitude + 0.5).to_bits() - 0.5_f32.to_bits()
    } else {
        let odd = magnitude.to_bits() >> 13 & 1;
        (magnitude.to_bits() - (112 << 23) + 0xfff + odd) >> 13
    };
    sign | half as u16
}

/// What a 16-bit float is; infinities and NaNs are none.
pub(super) fn from_fp16(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let magnitude = u32::from(half & 0x7fff);
    let value = if magnitude < 0x400 {
        // A denormal counts in the last bits of a half: no step of this is a denormal of 32 bits, which may be flushed.
        f32::from_bits(0.5_f32.to_bits() + magnitude) - 0.5
    } else {
        f32::from_bits((magnitude << 13) + (112 << 23))
    };
    f32::from_bits(sign | value.to_bits())
}

/// The nearest bfloat16, ties to even.
pub(super) fn to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

/// What a bfloat16 is.
pub(super) fn from_bf16(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

/// e^x, to two units in the last place; of a NaN a NaN.
///
/// x = n ln 2 + r; e^r by the polynomial of the Cephes library (`expf`), 2^n by its bits.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Comparisons, not `clamp`: what is not a number stays none, and a compiler makes blends of them.
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    // Added to this, a number loses its fraction, and its integer stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let mut sum = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        sum = sum * r + coefficient;
    }
    let power = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    (sum * r * r + r + 1.0) * f32::from_bits(power)
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent, to 1e-7.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_16_bit_float_comes_back_as_itself() {
        for half in 0..=u16::MAX {
            let value = from_fp16(half);
            if half & 0x7c00 != 0x7c00 {
                assert_eq!(to_fp16(value), half, "{half:#x} is {value}");
            }
            if half & 0x7f80 != 0x7f80 {
                assert_eq!(to_bf16(from_bf16(half)), half, "{half:#x}");
            }
        }
    }

    #[test]
    fn the_nearest_is_taken_and_of_two_the_even_one() {
        for (value, half) in [
            (1.0, 0x3c00),
            (1.0 + 1.0 / 2048.0, 0x3c00),
            (1.0 + 3.0 / 2048.0, 0x3c02),
            (1.000_5, 0x3c01),
            (-2.0, 0xc000),
            (65_504.0, 0x7bff),
            (5.960_464_5e-8, 0x0001),
            (2.0e-8, 0x0000),
        ] {
            assert_eq!(to_fp16(value), half, "{value}");
        }
        assert_eq!(to_bf16(1.0 + 1.0 / 256.0), 0x3f80);
        assert_eq!(to_bf16(1.0 + 3.0 / 256.0), 0x3f82);
    }

    #[test]
    fn functions_are_those_of_mathematics() {
        for step in -2000..=2000 {
            let x = step as f32 * 0.043;
            let wanted = f64::from(x).exp();
            let error = (f64::from(exp(x)) - wanted).abs() / wanted;
            assert!(error < 3e-7, "exp({x}) is off by {error:e}");
            assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() < 2e-7, "tanh({x})");
            let wanted = 1.0 / (1.0 + (-f64::from(x)).exp());
            assert!((f64::from(sigmoid(x)) - wanted).abs() < 2e-7, "sigmoid({x})");
        }
        assert!(exp(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
        assert_eq!((tanh(f32::INFINITY), sigmoid(f32::NEG_INFINITY) < 1e-37), (1.0, true));
    }
}
