//! The loop: sleep, read, ask, tick, write, report.

use std::time::Duration;

use motion::{
    Ask, Controller, Correction, Inputs, Nanos, Order, Reply, RunId, State, TickIndex,
    failsafe::Overruns,
};
use ringbuf::traits::Consumer;

use crate::{
    backend::Backend,
    clock::Clock,
    delivery::{Delivery, Post},
    ports::{Ports, Raised, Report, Timing},
    tape::Tape,
    trouble::{Trouble, Troubles},
};

/// Orders that one tick takes; more wait for the next.
const ORDERS_A_TICK: usize = 8;
/// Replies that one tick takes.
const REPLIES_A_TICK: usize = 4;
/// In lockstep an answer is waited for, however slow the machine; longer than this nobody is thinking any more.
const LOCKSTEP_PATIENCE: Duration = Duration::from_secs(20);

/// One robot's loop: a backend under the law, on the tick grid of a clock.
pub struct Loop {
    clock: Clock,
    period_ns: u64,
    deadline: Nanos,
    backend: Box<dyn Backend>,
    law: Controller,
    ports: Ports,
    state: State,
    orders: Vec<Order>,
    replies: Vec<Reply>,
    post: Option<Post>,
    tape: Option<Tape>,
    troubles: Option<Troubles>,
    stop_seen: Option<Raised>,
    overruns: Overruns,
    timing: Timing,
}

/// What a loop has to say at its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Its last totals.
    pub timing: Timing,
}

impl Loop {
    /// A loop whose first tick is due at once. All memory that it will ever need is taken here.
    #[must_use]
    pub fn new(clock: Clock, backend: Box<dyn Backend>, law: Controller, ports: Ports) -> Self {
        let state = State::blank(law.robot().joints());
        Self {
            period_ns: (law.robot().period_s() * 1e9).round() as u64,
            deadline: clock.now(),
            clock,
            backend,
            law,
            ports,
            state,
            orders: Vec::with_capacity(ORDERS_A_TICK),
            replies: Vec::with_capacity(REPLIES_A_TICK),
            post: None,
            tape: None,
            troubles: None,
            stop_seen: None,
            overruns: Overruns::default(),
            timing: Timing::default(),
        }
    }

    /// The same, with answers that reach the law late: for lockstep, where no head takes any time. At the real pace
    /// answers take what they take, and this changes nothing.
    #[must_use]
    pub fn delivering(mut self, delivery: Delivery) -> Self {
        self.post = self.clock.is_virtual().then(|| Post::new(delivery));
        self
    }

    /// The same, written down.
    #[must_use]
    pub fn recorded(mut self, tape: Tape) -> Self {
        self.tape = Some(tape);
        self
    }

    /// The same, with faults on purpose: ticks that take too long, and in virtual time answers of heads that come late.
    #[must_use]
    pub fn troubled(mut self, troubles: Troubles) -> Self {
        if self.clock.is_virtual() && self.post.is_none() {
            self.post = Some(Post::new(Delivery::default()));
        }
        self.troubles = Some(troubles);
        self
    }

    /// Turns until it is told to quit.
    pub fn run(mut self) -> Summary {
        while !self.ports.quits() {
            self.turn();
        }
        Summary { timing: self.timing }
    }

    /// One tick, from sleep to report.
    pub fn turn(&mut self) {
        self.sleep();
        let start = self.clock.now();
        self.backend.read(start, &mut self.state);
        self.orders.clear();
        self.replies.clear();
        let mut correction = None;
        if !self.timing.early {
            self.take_orders();
            self.take_replies(start);
            self.deliver();
            correction = self.take_correction(start);
        }
        let stop = self.ports.stop();
        self.stop_seen = stop.map(|(seen, _)| seen);
        let inputs = Inputs {
            now: start,
            state: &self.state,
            stop: stop.map(|(_, by)| by),
            early: self.timing.early,
            outside: self.ports.conditions().and(self.overruns.now()),
            orders: &self.orders,
            replies: &self.replies,
            correction: correction.as_ref(),
        };
        let (command, tick) = self.law.tick(&inputs);
        if let Some(seen) = self.stop_seen {
            self.ports.latch(seen);
        }
        self.backend.write(start, &command);
        if let Some(troubles) = &self.troubles
            && let Some(stall_ms) = troubles.on(Trouble::Overrun, start)
        {
            self.clock.stall(stall_ms * 1_000_000);
        }
        self.timing.execution_ns = self.clock.now().since(start);
        if let Some(tape) = &mut self.tape {
            tape.write(&inputs, (&command, &tick), &self.timing, &self.law);
        }
        let report = Report { tick, timing: self.timing };
        if !self.ports.report(report) {
            self.timing.reports_dropped += 1;
        }
        self.next_deadline();
    }

    /// Until the deadline, unless an e-stop comes while none is raised.
    fn sleep(&mut self) {
        self.timing.early = false;
        loop {
            let seen = self.ports.bell().rung();
            // One that comes on top of another is no news: who floods the e-stop must not make the loop race.
            if self.ports.stop().is_some() && self.stop_seen.is_none() {
                self.timing.early = self.clock.now() < self.deadline;
                break;
            }
            if self.ports.quits() || (self.clock.now() >= self.deadline) {
                break;
            }
            self.clock.sleep_until(self.deadline, self.ports.bell(), seen);
        }
        self.timing.lateness_ns = self.clock.now().since(self.deadline);
    }

    /// The next deadline on the grid. What a tick ran over is skipped in whole periods and counted: never caught up
    /// with in a burst, never moved off the grid.
    fn next_deadline(&mut self) {
        if self.timing.early {
            return;
        }
        self.deadline = self.deadline.after(self.period_ns);
        let over = self.clock.now().since(self.deadline);
        let skipped = over.div_ceil(self.period_ns);
        self.timing.skipped += skipped;
        self.overruns.tick(skipped);
        self.deadline = self.deadline.after(skipped * self.period_ns);
    }

    fn take_orders(&mut self) {
        while self.orders.len() < ORDERS_A_TICK
            && let Some(order) = self.ports.orders.try_pop()
        {
            self.orders.push(order);
        }
    }

    /// Asks if a chunk is wanted, and waits for it as long as its plan allows.
    fn take_replies(&mut self, start: Nanos) {
        let patience_ns = self.law.patience_ns();
        let Some(ask) = self.law.ask(start, &self.state) else {
            self.pop_replies();
            return;
        };
        if !self.ports.ask(ask) {
            self.timing.asks_dropped += 1;
        }
        if !self.clock.is_virtual() && patience_ns == 0 {
            self.pop_replies();
            return;
        }
        let until = self.until(patience_ns);
        loop {
            let seen = self.ports.bell().rung();
            self.pop_replies();
            if self.is_answered(&ask) || self.must_go() {
                return;
            }
            if crate::clock::monotonic_now() >= until {
                self.timing.late_chunks += 1;
                return;
            }
            self.ports.bell().wait_until(seen, until);
        }
    }

    /// Asks for the tick's correction, if its run wants one, and waits for it as long as its plan allows.
    fn take_correction(&mut self, start: Nanos) -> Option<Correction> {
        let Some((ask, deadline_ns)) = self.law.ask_correction(start, &self.state, &self.replies)
        else {
            // Nobody waits for what may still come; it must not stand in the way of what will be asked for.
            self.ports.corrections.clear();
            return None;
        };
        self.ports.ask_correction(ask);
        let until = self.until(deadline_ns);
        loop {
            let seen = self.ports.bell().rung();
            // What came for an earlier tick was late, and is good for nothing.
            if let Some(correction) =
                self.ports.corrections.pop_iter().find(|correction| correction.tick == ask.tick)
            {
                return Some(correction);
            }
            if self.must_go() {
                return None;
            }
            if crate::clock::monotonic_now() >= until {
                self.timing.late_corrections += 1;
                return None;
            }
            self.ports.bell().wait_until(seen, until);
        }
    }

    /// The end of a wait, by CLOCK_MONOTONIC: virtual time waits for everybody.
    fn until(&self, patience_ns: u64) -> Nanos {
        let lockstep = LOCKSTEP_PATIENCE.as_nanos() as u64;
        let patience_ns = if self.clock.is_virtual() { lockstep } else { patience_ns };
        crate::clock::monotonic_now().after(patience_ns)
    }

    fn pop_replies(&mut self) {
        while self.replies.len() < REPLIES_A_TICK
            && let Some(reply) = self.ports.replies.try_pop()
        {
            self.replies.push(reply);
        }
    }

    /// Sends what has come off on its way, and takes what arrives in this tick instead.
    fn deliver(&mut self) {
        let Some(post) = &mut self.post else { return };
        let stall_ns = self.troubles.as_ref().map_or(0, |it| it.stall_ns(self.clock.now()));
        let later = stall_ns.div_ceil(self.period_ns);
        let now = self.law.now();
        for reply in self.replies.drain(..) {
            // What says that it is an answer to a later tick comes now all the same, and is refused.
            post.send(answers(&reply).1.min(now), reply, later);
        }
        while self.replies.len() < REPLIES_A_TICK
            && let Some(reply) = post.due(self.law.now())
        {
            self.replies.push(reply);
        }
    }

    fn is_answered(&self, ask: &Ask) -> bool {
        self.replies.len() == REPLIES_A_TICK
            || self.replies.iter().any(|reply| answers(reply) == (ask.run, ask.tick))
    }

    /// An e-stop or the end does not wait for a chunk.
    fn must_go(&self) -> bool {
        let stop = self.ports.stop().map(|(raised, _)| raised);
        self.ports.quits() || (stop.is_some() && stop != self.stop_seen)
    }
}

const fn answers(reply: &Reply) -> (RunId, TickIndex) {
    match reply {
        Reply::Chunk(chunk) => (chunk.run, chunk.observed),
        Reply::Nothing { run, observed } => (*run, *observed),
    }
}
