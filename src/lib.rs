//! reflexd: a real-time robot policy runtime. The modules stand in the order in which a decision becomes motion.

pub mod doctor;
pub mod picture;
