use super::Feedback;
use crate::backend::piper::frames::{FieldError, Frame};

pub(super) fn feedback(_frame: &Frame) -> Result<Option<Feedback>, FieldError> {
    Ok(None)
}
