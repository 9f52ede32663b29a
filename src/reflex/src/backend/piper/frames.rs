//! What an AgileX Piper says and hears on its bus, protocol V2: pure, exact, both ways.
