use std::f64::consts::PI;

use super::FieldError;

/// Leaves a setting of the controller as it is.
pub const LEAVE: u16 = 0x7FFF;

/// An angle as the wire has it, rounded to the nearest thousandth of a degree.
///
/// # Errors
/// An angle that is no number, or beyond 32 bits.
pub fn mdeg_of_rad(rad: f64) -> Result<i32, FieldError> {
    whole("angle (rad)", rad, rad * 180_000.0 / PI)
}

/// An angle in radians.
#[must_use]
pub fn rad_of_mdeg(mdeg: i32) -> f64 {
    f64::from(mdeg) * PI / 180_000.0
}

/// A length as the wire has it, rounded to the nearest thousandth of a millimetre.
///
/// # Errors
/// A length that is no number, or beyond 32 bits.
pub fn um_of_m(m: f64) -> Result<i32, FieldError> {
    whole("length (m)", m, m * 1e6)
}

/// A length in metres.
#[must_use]
pub fn m_of_um(um: i32) -> f64 {
    f64::from(um) * 1e-6
}

/// The nearest integer, if it has a place in 32 bits. NaN is in no range.
fn whole(field: &'static str, value: f64, scaled: f64) -> Result<i32, FieldError> {
    let rounded = scaled.round();
    if (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&rounded) {
        Ok(rounded as i32)
    } else {
        Err(FieldError::Quantity { field, value })
    }
}
