use super::Command;
use crate::backend::piper::frames::{FieldError, Frame};

pub(super) fn command(_frame: &Frame) -> Result<Option<Command>, FieldError> {
    Ok(None)
}
