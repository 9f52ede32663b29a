//! Commands a robot through its reflexd. Everything else is in `reflexd::ctl`.

use std::{
    io::{stderr, stdout},
    process::ExitCode,
};

fn main() -> ExitCode {
    reflexd::ctl::run(std::env::args_os(), &mut stdout(), &mut stderr()).into()
}
