//! A bar on the terminal for what takes long; nothing where nobody looks.

use std::{
    io::{IsTerminal, Write},
    time::Instant,
};

/// Characters of the bar.
const WIDTH: u64 = 24;

/// Work that is being done, piece by piece.
pub(super) struct Progress<'a> {
    what: &'a str,
    all: u64,
    done: u64,
    /// Done before it began: it says nothing about how long the rest takes.
    before: u64,
    began: Instant,
    shown: bool,
}

impl<'a> Progress<'a> {
    /// `all` pieces, of which `done` were done before.
    pub(super) fn new(what: &'a str, all: u64, done: u64) -> Self {
        let shown = std::io::stderr().is_terminal();
        Self { what, all, done, before: done, began: Instant::now(), shown }
    }

    /// One more is done; `words` stand behind the bar.
    pub(super) fn step(&mut self, words: &str) {
        self.done += 1;
        if !self.shown {
            return;
        }
        let new = (self.done - self.before).max(1);
        let rest_s = self.began.elapsed().as_secs() * self.all.saturating_sub(self.done) / new;
        let line = line(self.what, self.done, self.all, rest_s, words);
        let _ = write!(std::io::stderr(), "\r\x1b[2K{line}");
    }

    /// Leaves the terminal as it was.
    pub(super) fn end(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}

fn line(what: &str, done: u64, all: u64, rest_s: u64, words: &str) -> String {
    let full = (WIDTH * done.min(all) / all.max(1)) as usize;
    let bar = format!("{}{}", "=".repeat(full), " ".repeat(WIDTH as usize - full));
    let (minutes, seconds) = (rest_s / 60, rest_s % 60);
    format!("{what} [{bar}] {done} of {all}, {words}, {minutes}:{seconds:02} left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_with_what_is_done() {
        assert_eq!(
            line("clean", 5, 20, 75, "5 succeeded"),
            "clean [======                  ] 5 of 20, 5 succeeded, 1:15 left"
        );
        assert!(line("x", 20, 20, 0, "").contains(&"=".repeat(24)));
        assert!(line("x", 0, 0, 0, "").contains(&" ".repeat(24)));
    }
}
