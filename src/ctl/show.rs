//! What the daemon said, for people and for scripts.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use reflex::trouble::{Amount, KNOWN};
use serde_json::{Value, json};

use super::Exit;

/// A command's or decision's answer; the exit code is its verdict, even if nobody can be told of it.
pub(super) fn answer(answer: &Value, json: bool, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let accepted = answer["accepted"].as_bool().unwrap_or(answer["verdict"] == "accepted");
    let reason = answer["reason"].as_str();
    let _ = match (json, accepted) {
        (true, _) => writeln!(out, "{answer}"),
        (false, true) => writeln!(out, "{}", acceptance(answer, reason)),
        (false, false) => writeln!(err, "refused: {}", reason.unwrap_or("no reason given")),
    };
    if accepted { Exit::Accepted } else { Exit::Refused }
}

/// What became of an instruction.
pub(super) fn instruction(told: &Value) -> String {
    let mut line = text(&told["outcome"]);
    if let Some(run) = told["run"].as_u64() {
        line += &format!(", run {run}");
    }
    let decided = &told["decided"];
    if let Some(skill) = decided["skill"].as_str() {
        line += &format!(": {skill}");
    }
    if let Some(confidence) = decided["confidence"].as_f64() {
        line += &format!(" (network: {} {confidence:.2})", text(&decided["neural_skill"]));
    }
    if let Some(reason) = told["reason"].as_str() {
        line += &format!(": {reason}");
    }
    line
}

/// Every fault that can be injected.
pub(super) fn faults(json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        let all: Vec<Value> = KNOWN
            .iter()
            .map(|known| {
                let amount = known.amount.map(|amount| {
                    let Amount { name, what, min, max, default } = amount;
                    json!({ "name": name, "what": what, "min": min, "max": max, "default": default })
                });
                json!({ "fault": known.name, "what": known.what, "amount": amount })
            })
            .collect();
        return writeln!(out, "{}", json!(all));
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["fault", "what goes wrong", "amount"]);
    for known in &KNOWN {
        let amount = known.amount.map(|of| {
            format!("{}, {} to {} ({}): {}", of.name, of.min, of.max, of.default, of.what)
        });
        table.add_row([known.name, known.what, amount.as_deref().unwrap_or("-")]);
    }
    writeln!(out, "{table}")
}

fn acceptance(answer: &Value, reason: Option<&str>) -> String {
    let mut told = String::from("accepted");
    if let Some(run) = answer["run"].as_u64() {
        told += &format!(", run {run}");
    }
    if let Some(run) = answer["superseded_run"].as_u64() {
        told += &format!(" (took over from run {run})");
    }
    if let Some(id) = answer["instruction_id"].as_str() {
        let next = answer["next"].as_str().unwrap_or_default();
        let what = if next == "held" { "holds" } else { "thinks" };
        told += &format!(", {id}: the robot {what}");
    }
    if let Some(reason) = reason {
        told += &format!(": {reason}");
    }
    for change in answer["changed"].as_array().into_iter().flatten() {
        told += &format!("\n  {}", text(change));
    }
    told
}

/// What each skill runs, and what has been seen of its shadow.
pub(super) fn registry(registry: &Value, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return writeln!(out, "{registry}");
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["skill", "aliases", "runs", "trial", "policies"]);
    for (name, skill) in registry["skills"].as_object().into_iter().flatten() {
        let aliases = skill["aliases"].as_array().into_iter().flatten().map(text);
        let policies = skill["policies"].as_array().into_iter().flatten();
        let policies =
            policies.map(|one| format!("{} ({})", text(&one["name"]), text(&one["status"])));
        let trial = &skill["trial"];
        let trial = match trial["runs_left"].as_u64() {
            Some(runs) => {
                format!("{runs} runs left, then no way back to {}", text(&trial["before"]))
            }
            None => String::new(),
        };
        table.add_row([
            name.clone(),
            aliases.collect::<Vec<_>>().join(" "),
            text(&skill["runs"]),
            trial,
            policies.collect::<Vec<_>>().join("\n"),
        ]);
    }
    writeln!(out, "{}\n{table}", text(&registry["file"]))?;
    for shadow in registry["shadows"].as_array().into_iter().flatten() {
        let of = |key: &str| text(&shadow[key]);
        writeln!(
            out,
            "{}: {} beside {}: {} chunks of {} runs, {} skipped, {} refused",
            of("skill"),
            of("shadow"),
            of("active"),
            of("chunks"),
            of("runs"),
            of("skipped"),
            of("refused")
        )?;
        for one in shadow["criteria"].as_array().into_iter().flatten() {
            let holds = if one["holds"] == true { "holds" } else { "FAILS" };
            let (name, needed, found) =
                (text(&one["name"]), text(&one["needed"]), text(&one["found"]));
            writeln!(out, "  {holds}  {name}: {found}, {needed}")?;
        }
    }
    Ok(())
}

/// What the daemon says of itself.
pub(super) fn value(value: &Value, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json { writeln!(out, "{value}") } else { writeln!(out, "{value:#}") }
}

/// Every way to a pose; the exit code says whether there is one.
pub(super) fn ways(answer: &Value, json: bool, out: &mut dyn Write) -> io::Result<Exit> {
    let chosen = answer["reached"] == true;
    if json {
        writeln!(out, "{answer}")?;
    } else {
        writeln!(out, "arm     {}: {}", text(&answer["arm"]), text(&answer["class"]))?;
        writeln!(out, "answer  {}", text(&answer["answer"]))?;
        writeln!(out, "{}", crate::planning::ways::table(answer))?;
    }
    Ok(if chosen { Exit::Accepted } else { Exit::Refused })
}

/// Who commands.
pub(super) fn lease(told: &Value, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return writeln!(out, "{told}");
    }
    writeln!(out, "lease   {}", holder(told))
}

fn holder(told: &Value) -> String {
    match (told["holder"].as_str(), told["required"].as_bool()) {
        (Some(holder), _) => format!("{holder} commands (grant {})", text(&told["lease_id"])),
        (None, Some(true)) => "nobody holds it, and nobody commands without it".into(),
        (None, _) => "nobody holds it: everybody commands".into(),
    }
}

/// Every state in one table; as JSON, one object of them by name.
pub(super) fn status(
    state: &BTreeMap<String, Value>,
    json: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if json {
        return writeln!(out, "{}", serde_json::json!(state));
    }
    let of = |name: &str| state.get(name).unwrap_or(&Value::Null);
    let (mode, skill, chunk) = (of("state/mode"), of("state/skill"), of("state/chunk"));
    writeln!(out, "mode    {}, tick {}", text(&mode["mode"]), text(&mode["seq"]))?;
    if let Some(why) = mode["why"].as_str() {
        writeln!(out, "why     {why}")?;
    }
    let conditions = mode["conditions"].as_array().into_iter().flatten().map(text);
    let conditions = conditions.collect::<Vec<_>>().join(", ");
    if !conditions.is_empty() {
        writeln!(out, "so      {conditions}: {}", text(&mode["action"]))?;
    }
    writeln!(out, "lease   {}", holder(of("state/lease")))?;
    if of("state/joints")["engaged"] == false {
        writeln!(out, "motors  off: they follow no command")?;
    }
    writeln!(out, "run     {}", run(&skill["running"], &chunk["source"]))?;
    if !skill["last"].is_null() {
        writeln!(out, "before  {}", run(&skill["last"], &skill["last"]["ending"]))?;
    }
    if let Some(at) = of("state/tool")["position_m"].as_array() {
        writeln!(out, "tool    {} m", at.iter().map(figure).collect::<Vec<_>>().join(", "))?;
    }
    writeln!(out, "{}", joints(of("state/joints"), of("state/limits")))?;
    timing(of("diag/timing"), out)
}

fn run(run: &Value, how: &Value) -> String {
    if run.is_null() {
        return "none".into();
    }
    let (number, skill, source) = (text(&run["run"]), text(&run["skill"]), text(&run["source"]));
    format!("{number}: {skill}, asked for by {source}, {}", text(how))
}

fn joints(joints: &Value, limits: &Value) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["joint (rad|m)", "measured", "commanded", "least", "most", "limited by"]);
    for (k, name) in joints["names"].as_array().into_iter().flatten().enumerate() {
        let limited = joints["limited_by"][k].as_array().into_iter().flatten().map(text);
        table.add_row([
            text(name),
            figure(&joints["position_rad_or_m"][k]),
            figure(&joints["commanded_rad_or_m"][k]),
            figure(&limits["position_min_rad_or_m"][k]),
            figure(&limits["position_max_rad_or_m"][k]),
            limited.collect::<Vec<_>>().join(" "),
        ]);
    }
    table
}

fn timing(timing: &Value, out: &mut dyn Write) -> io::Result<()> {
    if timing.is_null() {
        return Ok(());
    }
    for (title, name) in [("late", "lateness"), ("busy", "execution")] {
        let of = |figure: &str| timing[name][figure].as_f64().unwrap_or(f64::NAN);
        writeln!(
            out,
            "{title}    p50 {:.0}, p99 {:.0}, p99.9 {:.0}, max {:.0} us",
            of("p50_us"),
            of("p99_us"),
            of("p99_9_us"),
            of("max_us")
        )?;
    }
    let count = |name: &str| text(&timing[name]);
    writeln!(
        out,
        "counts  {} ticks, {} skipped, {} late chunks, {} reports dropped, {} messages refused",
        count("ticks"),
        count("skipped"),
        count("late_chunks"),
        count("reports_dropped"),
        count("refused_messages")
    )?;
    writeln!(
        out,
        "chunks  {} used, {} ticks old (at most {}), {} behind their lead, {} refused; corrections {} of {} missed",
        count("chunks"),
        count("delay_ticks"),
        count("delay_max_ticks"),
        count("chunks_behind"),
        count("chunks_refused"),
        count("corrections_missed"),
        count("corrections_wanted")
    )
}

/// A line of the audit trail.
pub(super) fn event(name: &str, event: &Value) -> String {
    let seconds = event["at_ns"].as_f64().unwrap_or_default() / 1e9;
    let kind = name.strip_prefix("event/").unwrap_or(name);
    let (who, what, outcome) = (text(&event["who"]), text(&event["what"]), text(&event["outcome"]));
    let reason = event["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{seconds:.3} s  {kind}  {who}  {what}  {outcome}{reason}")
}

/// A tick in a line.
pub(super) fn tick(joints: &Value) -> String {
    let at = joints["position_rad_or_m"].as_array().into_iter().flatten().map(figure);
    let limited = joints["limited_by"].as_array().into_iter().flatten().enumerate();
    let limited = limited.filter(|(_, by)| by.as_array().is_some_and(|by| !by.is_empty()));
    let limited = limited.map(|(k, _)| text(&joints["names"][k])).collect::<Vec<_>>();
    let by = if limited.is_empty() {
        String::new()
    } else {
        format!("  limited: {}", limited.join(" "))
    };
    format!(
        "{:>8}  {:9}  {}{by}",
        text(&joints["seq"]),
        text(&joints["mode"]),
        at.collect::<Vec<_>>().join(" ")
    )
}

fn figure(value: &Value) -> String {
    value.as_f64().map_or_else(|| "?".into(), |value| format!("{value:+.4}"))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "?".into(),
        other => other.to_string(),
    }
}
