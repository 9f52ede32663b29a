//! reflexd: a real-time robot policy runtime. The modules stand in the order in which a decision becomes motion.

pub mod config;
pub mod security;

pub mod wire;

pub mod decision;
pub mod operator;
pub mod skill;

pub mod action;
pub mod head;
pub mod importing;
pub mod inference;
pub mod observation;

pub mod encoder;
pub mod router;

pub mod kinematics;
pub mod planning;

pub mod doctor;
pub mod gallery;
pub mod picture;
pub mod telemetry;

pub mod recorder;

pub mod daemon;
#[cfg(feature = "mujoco")]
pub mod evaluation;
#[cfg(feature = "mujoco")]
pub mod rollouts;

pub mod cli;
pub mod ctl;
pub mod routing;
