//! The report: figures with their bounds, histograms, and what went wrong.

use std::io::{self, Write};

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde_json::{Value, json};

use super::{
    machine::{Cyclic, Figures},
    people::Tally,
};
use crate::wire::BUCKETS;

/// Lateness may be so much of what `cyclictest` finds on the same machine at the same time.
const LATENESS_RATIO_MAX: f64 = 1.1;
/// An e-stop may take so much longer than zenoh itself, us.
const ESTOP_OVER_MAX_US: f64 = 1_000.0;
/// From the last heartbeat to a robot that holds, ms.
const LOST_MAX_MS: f64 = 500.0;
/// Growth after warming up.
const GROWTH_MAX_KIB_PER_HOUR: f64 = 1024.0;
/// Signs in the longest bar of a histogram.
const BAR: usize = 40;

/// One figure and what it ought to be.
struct Line {
    what: &'static str,
    found: String,
    bound: String,
    /// Nothing if it cannot be told.
    holds: Option<bool>,
}

/// All of it.
pub(super) struct Report {
    timing: Value,
    tally: Tally,
    lines: Vec<Line>,
    figures: Value,
}

impl Report {
    pub(super) fn of(
        timing: Value,
        stops_us: Vec<f64>,
        tally: Tally,
        watched: Figures,
        cyclic: Option<Cyclic>,
    ) -> Self {
        let late_p99 = timing["lateness"]["p99_us"].as_f64().unwrap_or(f64::NAN);
        let skipped = timing["skipped"].as_u64().unwrap_or(u64::MAX);
        let ratio = cyclic.map(|found| late_p99 / found.p99_us.max(1.0));
        let (stop_p99, ping_p99) = (quantile(&stops_us, 0.99), quantile(&watched.pings_us, 0.99));
        let over = stop_p99.zip(ping_p99).map(|(stop, ping)| stop - ping);
        let lost = tally.lost_ms.iter().copied().reduce(f64::max);
        let lines = vec![
            Line {
                what: "periods skipped",
                found: format!("{skipped} of {}", timing["ticks"]),
                bound: format!("0, but for what was stolen ({} ms)", watched.stolen_ms),
                holds: Some(skipped * 50 <= watched.stolen_ms || skipped == 0),
            },
            Line {
                what: "lateness p99 / cyclictest's",
                found: ratio.map_or("no cyclictest".into(), |it| {
                    format!(
                        "{it:.2} ({late_p99:.0} / {:.0} us)",
                        cyclic.map_or(0.0, |it| it.p99_us)
                    )
                }),
                bound: format!("{LATENESS_RATIO_MAX}"),
                holds: ratio.map(|it| it <= LATENESS_RATIO_MAX),
            },
            Line {
                what: "e-stop p99 over zenoh's own p99",
                found: over.map_or("not measured".into(), |it| {
                    format!(
                        "{it:+.0} us ({:.0} - {:.0}, {} stops)",
                        stop_p99.unwrap_or_default(),
                        ping_p99.unwrap_or_default(),
                        stops_us.len()
                    )
                }),
                bound: format!("{ESTOP_OVER_MAX_US:.0} us"),
                holds: over.map(|it| it <= ESTOP_OVER_MAX_US),
            },
            Line {
                what: "last heartbeat to hold, longest",
                found: lost.map_or("nobody fell silent".into(), |it| {
                    format!("{it:.0} ms (of {})", tally.lost_ms.len())
                }),
                bound: format!("{LOST_MAX_MS:.0} ms"),
                holds: lost.map(|it| it <= LOST_MAX_MS),
            },
            Line {
                what: "resident memory, growth",
                found: format!(
                    "{:.1} MiB, {:+.0} KiB/h",
                    watched.rss_kib as f64 / 1024.0,
                    watched.rss_kib_per_hour
                ),
                bound: format!("{GROWTH_MAX_KIB_PER_HOUR:.0} KiB/h"),
                holds: Some(watched.rss_kib_per_hour <= GROWTH_MAX_KIB_PER_HOUR),
            },
        ];
        let figures = json!({
            "lateness_p99_us": late_p99,
            "cyclictest": cyclic.map(|it| json!({ "p99_us": it.p99_us, "max_us": it.max_us, "wakeups": it.wakeups })),
            "lateness_ratio": ratio,
            "estop_p50_us": quantile(&stops_us, 0.5),
            "estop_p99_us": stop_p99,
            "estops_measured": stops_us.len(),
            "zenoh_p50_us": quantile(&watched.pings_us, 0.5),
            "zenoh_p99_us": ping_p99,
            "lost_to_hold_max_ms": lost,
            "rss_kib": watched.rss_kib,
            "rss_kib_per_hour": watched.rss_kib_per_hour,
            "stolen_ms": watched.stolen_ms,
            "stolen_worst_ms_in_a_second": watched.stolen_worst_ms,
            "files_bytes": watched.files_bytes,
        });
        Self { timing, tally, lines, figures }
    }

    /// Whether nothing happened that must not.
    pub(super) fn went_well(&self) -> bool {
        self.tally.wrong.is_empty() && self.tally.accepted > 0
    }

    /// Whether every figure that could be told is within its bound.
    pub(super) fn is_within_bounds(&self) -> bool {
        self.lines.iter().all(|line| line.holds != Some(false))
    }

    pub(super) fn json(&self) -> Value {
        let Tally {
            decisions,
            accepted,
            nonsense,
            leases,
            takeovers,
            estops,
            faults,
            lost_ms,
            pictures,
            wrong,
        } = &self.tally;
        let bounds = self.lines.iter().map(|line| {
            json!({ "what": line.what, "found": line.found, "bound": line.bound, "holds": line.holds })
        });
        json!({
            "timing": self.timing,
            "figures": self.figures,
            "bounds": Value::from_iter(bounds),
            "people": {
                "decisions": decisions, "begun": accepted, "nonsense": nonsense, "leases": leases,
                "takeovers": takeovers, "estops": estops, "faults": faults, "pictures": pictures,
                "lost_to_hold_ms": lost_ms,
            },
            "wrong": wrong,
        })
    }

    pub(super) fn tell(&self, out: &mut impl Write) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(["figure", "found", "bound", ""]);
        for line in &self.lines {
            let verdict = match line.holds {
                Some(true) => "holds",
                Some(false) => "BEYOND",
                None => "-",
            };
            table.add_row([line.what, line.found.as_str(), line.bound.as_str(), verdict]);
        }
        writeln!(out, "{table}")?;
        for (title, name) in [("lateness", "lateness"), ("execution", "execution")] {
            histogram(title, &self.timing[name], out)?;
        }
        let Tally {
            decisions,
            accepted,
            nonsense,
            leases,
            takeovers,
            estops,
            faults,
            pictures,
            ..
        } = &self.tally;
        writeln!(
            out,
            "people: {accepted} of {decisions} decisions begun, {nonsense} nonsense, {leases} leases ({takeovers} taken \
             over), {estops} e-stops, {faults} faults, {pictures} pictures; files: {:.1} MiB",
            self.figures["files_bytes"].as_f64().unwrap_or_default() / f64::from(1 << 20)
        )?;
        for wrong in &self.tally.wrong {
            writeln!(out, "WRONG: {wrong}")?;
        }
        Ok(())
    }
}

/// Bars on a scale of powers of two; each bar is as long as its share of all, on a scale of powers of ten.
fn histogram(title: &str, quantiles: &Value, out: &mut impl Write) -> io::Result<()> {
    let of = |figure: &str| quantiles[figure].as_f64().unwrap_or(f64::NAN);
    writeln!(
        out,
        "{title}: p50 {:.0}, p99 {:.0}, p99.9 {:.0}, max {:.0} us",
        of("p50_us"),
        of("p99_us"),
        of("p99_9_us"),
        of("max_us")
    )?;
    let counts = quantiles["counts_below_2_4_8_us"].as_array();
    let counts: Vec<u64> = counts.into_iter().flatten().filter_map(Value::as_u64).collect();
    let most = counts.iter().copied().max().unwrap_or(1).max(1) as f64;
    for (bucket, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let length = (1.0 + (*count as f64).ln()) / (1.0 + most.ln());
        let bar = "#".repeat((length * BAR as f64).ceil() as usize);
        let below =
            if bucket + 1 == BUCKETS { "more".into() } else { format!("< {} us", 2_u64 << bucket) };
        writeln!(out, "  {below:>12} {count:>8} {bar}")?;
    }
    Ok(())
}

fn quantile(values: &[f64], quantile: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (quantile * sorted.len() as f64).ceil() as usize;
    sorted.get(at.saturating_sub(1)).copied()
}
