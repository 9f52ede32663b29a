use super::Feedback;
use crate::backend::piper::frames::{FieldError, Frame};

pub(super) fn frame(_feedback: &Feedback) -> Result<Frame, FieldError> {
    Err(FieldError::Range { field: "not written yet", value: 0 })
}
