//! Big-endian fields of a frame.

use super::{Code, FieldError, Frame, Motor};

/// The bytes of a frame that has at least `needs` of them.
pub(super) fn body(frame: &Frame, needs: u8) -> Result<[u8; 8], FieldError> {
    if frame.len < needs {
        return Err(FieldError::Short { id: frame.id, len: frame.len, needs });
    }
    Ok(frame.data)
}

/// A frame of eight bytes.
pub(super) const fn eight(id: u16, data: [u8; 8]) -> Frame {
    Frame { id, len: 8, data }
}

/// A frame of eight bytes that begins with some and ends with zeros.
pub(super) fn padded<const N: usize>(id: u16, bytes: [u8; N]) -> Frame {
    let mut data = [0; 8];
    data[..N].copy_from_slice(&bytes);
    eight(id, data)
}

/// Two 32-bit numbers.
pub(super) fn two(id: u16, numbers: [i32; 2]) -> Frame {
    let [[a, b, c, d], [e, f, g, h]] = numbers.map(i32::to_be_bytes);
    eight(id, [a, b, c, d, e, f, g, h])
}

/// Four 16-bit numbers.
pub(super) fn four(id: u16, numbers: [u16; 4]) -> Frame {
    let [[a, b], [c, d], [e, f], [g, h]] = numbers.map(u16::to_be_bytes);
    eight(id, [a, b, c, d, e, f, g, h])
}

/// The two 32-bit numbers of a frame.
pub(super) fn read_two(frame: &Frame) -> Result<[i32; 2], FieldError> {
    let [a, b, c, d, e, f, g, h] = body(frame, 8)?;
    Ok([i32::from_be_bytes([a, b, c, d]), i32::from_be_bytes([e, f, g, h])])
}

/// The four 16-bit numbers of a frame.
pub(super) fn read_four(frame: &Frame) -> Result<[u16; 4], FieldError> {
    let [a, b, c, d, e, f, g, h] = body(frame, 8)?;
    Ok([[a, b], [c, d], [e, f], [g, h]].map(u16::from_be_bytes))
}

/// The value of a code, which has to be known.
pub(super) fn code<T: Code>(field: &'static str, code: u8) -> Result<T, FieldError> {
    T::of_code(code).ok_or_else(|| out_of(field, code))
}

/// A motor from 1 to 7.
pub(super) fn motor(number: u8) -> Result<Motor, FieldError> {
    Motor::new(number).ok_or_else(|| out_of("motor", number))
}

/// A byte that is either zero or the one that means yes.
pub(super) fn flag(field: &'static str, byte: u8, yes: u8) -> Result<bool, FieldError> {
    match byte {
        0 => Ok(false),
        byte if byte == yes => Ok(true),
        _ => Err(out_of(field, byte)),
    }
}

/// Refuses a number unless it is allowed.
pub(super) fn check(
    is_allowed: bool,
    field: &'static str,
    value: impl Into<i64>,
) -> Result<(), FieldError> {
    if is_allowed { Ok(()) } else { Err(out_of(field, value)) }
}

/// That a field does not allow a number.
pub(super) fn out_of(field: &'static str, value: impl Into<i64>) -> FieldError {
    FieldError::Range { field, value: value.into() }
}
