//! A daemon as a process of its own, for whoever shows or tries it.

use std::{
    fs::File,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::CliError;
use crate::wire::Client;

/// A daemon that is not there after so long does not come.
const START_WITHIN: Duration = Duration::from_secs(60);

/// A port that nobody uses at the moment, so that nothing here disturbs a daemon at work.
pub(super) fn free_endpoint() -> Result<String, CliError> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("tcp/{}", listener.local_addr()?))
}

/// A daemon that ends with whoever started it.
pub(super) struct Daemon(Child);

impl Daemon {
    /// Starts one; what it logs goes into a file.
    pub(super) fn start(config: &Path, endpoint: &str, log: &Path) -> Result<Self, CliError> {
        let log = File::create(log)?;
        let child = Command::new(std::env::current_exe()?)
            .args(["run", "--listen", endpoint, "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self(child))
    }

    /// Waits until it answers.
    pub(super) fn connect(
        &mut self,
        robot: &str,
        endpoint: &str,
        log: &Path,
    ) -> Result<Client, CliError> {
        let began = Instant::now();
        let endpoints = [endpoint.to_owned()];
        loop {
            if let Some(status) = self.0.try_wait()? {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                return Err(CliError::Words(format!("the daemon ended with {status}:\n{said}")));
            }
            let client = Client::connect(robot, &endpoints, Duration::from_secs(2));
            match client.and_then(|client| client.read("state/mode").map(|_| client)) {
                Ok(client) => return Ok(client),
                Err(error) if began.elapsed() > START_WITHIN => {
                    return Err(CliError::Words(error.to_string()));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }
}

impl Daemon {
    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.0.try_wait().ok().flatten()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A polite end first: it brings the robot to rest and prints how punctual it was.
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(8) {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
