//! Whether an episode has succeeded: from where the object and the tool are, tick by tick.

use super::task::Goal;

/// What a judge looks at.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Since the skill began, s.
    pub time_s: f64,
    /// The object's centre, m.
    pub object_m: [f64; 3],
    /// The tool's point, m.
    pub tool_m: [f64; 3],
    /// The goal's site, if it has one, m: where it is, or where it is commanded to be if the goal is about that.
    pub site_m: [f64; 3],
}

/// What a judge says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not yet.
    Open,
    /// It has succeeded.
    Success,
    /// It cannot succeed any more, and why.
    Failure(&'static str),
}

/// What is judged: where things were, and where they are to be.
#[derive(Clone, Debug)]
pub struct Case {
    /// When it has succeeded.
    pub goal: Goal,
    /// Height of the object's centre at rest, m.
    pub rest_m: f64,
    /// The target as the skill was told it, m.
    pub target_m: [f64; 3],
    /// The radius as the skill was told it, m.
    pub radius_m: f64,
}

/// The judge of one episode.
#[derive(Clone, Debug)]
pub struct Judge {
    case: Case,
    /// Since when the goal is met.
    since_s: Option<f64>,
    first_m: Option<[f64; 3]>,
    before: Option<Seen>,
    figure_m: Option<f64>,
    highest_m: f64,
    round: Option<Round>,
}

/// The laps so far.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// Of the last look, rad.
    angle_rad: f64,
    /// All the way, counter-clockwise, rad.
    wound_rad: f64,
    squares_m2: f64,
    looks: u32,
}

impl Judge {
    /// A judge who has seen nothing yet.
    #[must_use]
    pub const fn new(case: Case) -> Self {
        let (first_m, before, figure_m) = (None, None, None);
        Self { case, since_s: None, first_m, before, figure_m, highest_m: 0.0, round: None }
    }

    /// The figure that decides, m: the greatest lift; the least distance from the site, from the target or from the point
    /// above it; the root mean square of the radius error; how far a site is from where it was. `None` before there is
    /// any.
    #[must_use]
    pub const fn figure_m(&self) -> Option<f64> {
        self.figure_m
    }

    /// Tells where the goal's site was before anything moved; what is not told is where it is seen first.
    pub const fn begin(&mut self, site_m: [f64; 3]) {
        self.first_m = Some(site_m);
    }

    /// Looks at the next moment.
    pub fn look(&mut self, seen: &Seen) -> Verdict {
        let first_m = *self.first_m.get_or_insert(seen.site_m);
        let verdict = match self.case.goal {
            Goal::Lift { lift_m, hold_s } => {
                let lift = seen.object_m[2] - self.case.rest_m;
                self.figure_m = Some(self.figure_m.map_or(lift, |most| most.max(lift)));
                self.held(lift >= lift_m, hold_s, seen.time_s)
            }
            Goal::Bring { within_m, hold_s, lifted_m, .. } => {
                let lift = seen.object_m[2] - self.case.rest_m;
                let off = distance(&seen.object_m, &seen.site_m);
                self.figure_m = Some(self.figure_m.map_or(off, |least| least.min(off)));
                self.highest_m = self.highest_m.max(lift);
                if self.highest_m >= lifted_m && lift < 0.5 * self.highest_m {
                    return Verdict::Failure("dropped");
                }
                self.held(off <= within_m, hold_s, seen.time_s)
            }
            Goal::Settle { above_m, within_m, slow_m_s, hold_s } => {
                let [x, y, z] = self.case.target_m;
                let off = distance(&seen.tool_m, &[x, y, z + above_m]);
                self.figure_m = Some(self.figure_m.map_or(off, |least| least.min(off)));
                let speed_m_s = self.before.map_or(f64::INFINITY, |before| {
                    distance(&seen.tool_m, &before.tool_m) / (seen.time_s - before.time_s)
                });
                self.held(off <= within_m && speed_m_s <= slow_m_s, hold_s, seen.time_s)
            }
            Goal::Circle { above_m, laps, rms_m, begin_m, height_m } => {
                self.circle(seen, above_m, laps, rms_m, begin_m, height_m)
            }
            Goal::Arrive { within_m, hold_s, .. } => {
                let off = apart(&seen.site_m, &self.case.target_m);
                self.figure_m = Some(self.figure_m.map_or(off, |least| least.min(off)));
                self.held(off <= within_m, hold_s, seen.time_s)
            }
            Goal::Laps { laps, within_m, .. } => self.laps(seen, laps, within_m),
            Goal::Displace { .. } => {
                self.figure_m = Some(apart(&seen.site_m, &first_m));
                Verdict::Open
            }
        };
        self.before = Some(*seen);
        verdict
    }

    /// When time is up: whether it has succeeded after all, because only the end counts.
    #[must_use]
    pub fn ends_well(&self) -> bool {
        match (&self.case.goal, self.figure_m) {
            (Goal::Displace { beyond_m, .. }, Some(figure_m)) => figure_m > *beyond_m,
            _ => false,
        }
    }

    fn held(&mut self, is_met: bool, hold_s: f64, now_s: f64) -> Verdict {
        self.since_s = is_met.then(|| self.since_s.unwrap_or(now_s));
        // A moment is as long as it lasts, but for what floating point loses.
        match self.since_s {
            Some(since_s) if now_s - since_s >= hold_s - 1e-9 => Verdict::Success,
            _ => Verdict::Open,
        }
    }

    fn circle(
        &mut self,
        seen: &Seen,
        above_m: f64,
        laps: u32,
        rms_m: f64,
        begin_m: f64,
        height_m: f64,
    ) -> Verdict {
        let [x, y, z] = self.case.target_m;
        let (dx, dy) = (seen.tool_m[0] - x, seen.tool_m[1] - y);
        let error_m = dx.hypot(dy) - self.case.radius_m;
        let is_level = (seen.tool_m[2] - z - above_m).abs() <= height_m;
        let angle_rad = dy.atan2(dx);
        let Some(round) = &mut self.round else {
            if error_m.abs() <= begin_m && is_level {
                self.round = Some(Round { angle_rad, wound_rad: 0.0, squares_m2: 0.0, looks: 0 });
            }
            return Verdict::Open;
        };
        round.wound_rad += shortest(angle_rad - round.angle_rad);
        round.angle_rad = angle_rad;
        round.squares_m2 += error_m * error_m;
        round.looks += 1;
        let found_m = (round.squares_m2 / f64::from(round.looks)).sqrt();
        self.figure_m = Some(found_m);
        if !is_level {
            return Verdict::Failure("left the height of the circle");
        }
        if round.wound_rad < f64::from(laps) * std::f64::consts::TAU {
            return Verdict::Open;
        }
        if found_m < rms_m { Verdict::Success } else { Verdict::Failure("strayed from the circle") }
    }

    fn laps(&mut self, seen: &Seen, laps: u32, within_m: f64) -> Verdict {
        let [x, y, _] = self.case.target_m;
        let (dx, dy) = (seen.site_m[0] - x, seen.site_m[1] - y);
        let error_m = dx.hypot(dy) - self.case.radius_m;
        let angle_rad = dy.atan2(dx);
        let round = self.round.get_or_insert(Round {
            angle_rad,
            wound_rad: 0.0,
            squares_m2: 0.0,
            looks: 0,
        });
        let turn_rad = shortest(angle_rad - round.angle_rad);
        round.angle_rad = angle_rad;
        if error_m.abs() > within_m {
            return Verdict::Open;
        }
        round.wound_rad += turn_rad;
        round.squares_m2 += error_m * error_m;
        round.looks += 1;
        self.figure_m = Some((round.squares_m2 / f64::from(round.looks)).sqrt());
        let is_done = round.wound_rad.abs() >= f64::from(laps) * std::f64::consts::TAU;
        if is_done { Verdict::Success } else { Verdict::Open }
    }
}

/// How far two points are from each other, seen from above.
fn apart(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// The same angle from -pi to pi.
fn shortest(angle_rad: f64) -> f64 {
    let turn = std::f64::consts::TAU;
    angle_rad - turn * (angle_rad / turn).round()
}

fn distance(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}
