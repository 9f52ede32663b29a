//! Every way to a pose, and the verdict on each: for people, as a table, and for programs.

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;
use serde_json::Value;

/// How an arm could reach a pose.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ways {
    /// 1.
    pub v: u32,
    /// The arm.
    pub arm: String,
    /// The class of its inverse.
    pub class: String,
    /// The pose that was asked for, in the arm's base frame, m.
    pub position_m: [f64; 3],
    /// Its orientation.
    pub quaternion_xyzw: [f64; 4],
    /// Whether one was chosen.
    pub reached: bool,
    /// In words.
    pub answer: String,
    /// Names of the arm's joints.
    pub names: Vec<String>,
    /// The solutions: inside the limits first, nearest first.
    pub solutions: Vec<Way>,
    /// Where nothing reaches the pose: the nearest that was found.
    pub nearest: Option<Nearest>,
}

/// One solution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Way {
    /// In the order of `names`.
    pub joints_rad_or_m: Vec<f64>,
    /// Bit 0 shoulder, bit 1 elbow, bit 2 wrist.
    pub branch: u8,
    /// What is left, m.
    pub position_error_m: f64,
    /// What is left, rad.
    pub angle_error_rad: f64,
    /// The joint that moves furthest moves so far, rad or m.
    pub away_rad_or_m: f64,
    /// `chosen`, `further`, or why it is refused.
    pub verdict: String,
}

/// The nearest that an arm comes to a pose out of its reach.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Nearest {
    /// In the order of `names`.
    pub joints_rad_or_m: Vec<f64>,
    /// How far away, m.
    pub position_error_m: f64,
    /// And how far turned, rad.
    pub angle_error_rad: f64,
}

/// [`Ways`] as JSON, as a table.
#[must_use]
pub fn table(ways: &Value) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    let names = ways["names"].as_array().into_iter().flatten();
    let names = names.map(|name| name.as_str().unwrap_or("?").to_owned());
    let head = std::iter::once("branch".to_owned()).chain(names);
    table.set_header(head.chain(["away".into(), "left over".into(), "verdict".into()]));
    let row = |branch: String, joints: &Value, rest: [String; 3]| {
        let joints = joints.as_array().into_iter().flatten();
        let joints = joints.map(|joint| format!("{:+.4}", joint.as_f64().unwrap_or(f64::NAN)));
        std::iter::once(branch).chain(joints).chain(rest).collect::<Vec<_>>()
    };
    let figure = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    for way in ways["solutions"].as_array().into_iter().flatten() {
        let branch = way["branch"].as_u64().unwrap_or_default();
        let rest = [
            format!("{:.3}", figure(&way["away_rad_or_m"])),
            left_over(figure(&way["position_error_m"]), figure(&way["angle_error_rad"])),
            way["verdict"].as_str().unwrap_or("?").to_owned(),
        ];
        table.add_row(row(words(branch), &way["joints_rad_or_m"], rest));
    }
    let nearest = &ways["nearest"];
    if !nearest.is_null() {
        let (metres, radians) =
            (figure(&nearest["position_error_m"]), figure(&nearest["angle_error_rad"]));
        let rest = [String::new(), left_over(metres, radians), "nearest, not there".into()];
        table.add_row(row(String::new(), &nearest["joints_rad_or_m"], rest));
    }
    table
}

/// A branch as three signs: shoulder, elbow, wrist.
fn words(branch: u64) -> String {
    let sign = |bit: u64| if branch >> bit & 1 == 1 { '-' } else { '+' };
    format!("s{} e{} w{}", sign(0), sign(1), sign(2))
}

fn left_over(metres: f64, radians: f64) -> String {
    if metres < 1e-6 && radians < 1e-6 {
        return "nothing".into();
    }
    format!("{:.3} mm {:.3} deg", metres * 1e3, radians.to_degrees())
}
