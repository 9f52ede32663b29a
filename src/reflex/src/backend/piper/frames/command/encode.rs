use super::Command;
use crate::backend::piper::frames::{FieldError, Frame};

pub(super) fn frame(_command: &Command) -> Result<Frame, FieldError> {
    Err(FieldError::Range { field: "not written yet", value: 0 })
}
