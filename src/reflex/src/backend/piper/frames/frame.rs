/// A classic CAN frame with an 11-bit id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// At most 0x7FF.
    pub id: u16,
    /// At most 8.
    pub len: u8,
    /// Bytes beyond `len` are zero.
    pub data: [u8; 8],
}

impl Frame {
    /// A frame, unless the id has more than 11 bits or there are more than eight bytes.
    #[must_use]
    pub fn new(id: u16, bytes: &[u8]) -> Option<Self> {
        if id > 0x7FF || bytes.len() > 8 {
            return None;
        }
        let mut data = [0; 8];
        data[..bytes.len()].copy_from_slice(bytes);
        Some(Self { id, len: bytes.len() as u8, data })
    }

    /// What it carries.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.data[..usize::from(self.len.min(8))]
    }
}
