use std::{error::Error, fmt};

/// Why something has no place in a frame, or a frame no meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldError {
    /// Fewer bytes than the fields take.
    Short {
        /// Of the frame.
        id: u16,
        /// As many as there are.
        len: u8,
        /// As many as it takes.
        needs: u8,
    },
    /// A number that its field does not allow.
    Range {
        /// Which field.
        field: &'static str,
        /// What was in it.
        value: i64,
    },
    /// A quantity beyond what its field can say, or no number at all.
    Quantity {
        /// Which field, with its unit.
        field: &'static str,
        /// What was asked for.
        value: f64,
    },
    /// A checksum that does not fit its bytes.
    Checksum {
        /// What was in the frame.
        found: u8,
        /// What its bytes give.
        expected: u8,
    },
}

impl fmt::Display for FieldError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { id, len, needs } => {
                write!(out, "frame {id:#05x} has {len} bytes and needs {needs}")
            }
            Self::Range { field, value } => write!(out, "{field} cannot be {value}"),
            Self::Quantity { field, value } => write!(out, "{field} cannot be {value}"),
            Self::Checksum { found, expected } => {
                write!(out, "the checksum is {found:#x} where {expected:#x} was due")
            }
        }
    }
}

impl Error for FieldError {}
