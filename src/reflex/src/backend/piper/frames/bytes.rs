//! Reading and writing big-endian fields.
