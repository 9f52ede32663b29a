//! Motions that are known before they begin: worked out, and checked, before anything moves.

mod planner;
mod reach;
mod route;
pub mod trajectory;
pub mod ways;

pub use planner::Planner;
