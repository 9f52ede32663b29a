//! The virtual arm, alone.
