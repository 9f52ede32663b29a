//! reflexd: a real-time robot policy runtime. The modules stand in the order in which a decision becomes motion.

pub mod config;

pub mod wire;

pub mod decision;
pub mod operator;
pub mod skill;

pub mod head;
pub mod observation;
pub mod inference;
pub mod action;

pub mod kinematics;

pub mod telemetry;
pub mod picture;
pub mod doctor;

pub mod daemon;
#[cfg(feature = "mujoco")]
pub mod evaluation;

pub mod cli;
pub mod ctl;
