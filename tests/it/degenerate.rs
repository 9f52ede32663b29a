//! Descriptions that make no sense are refused by link or joint, before anything is made of them.

use std::{fmt::Write, fs, path::Path};

use reflexd::kinematics::{Description, RobotArm};

/// A link, and a joint that carries it.
fn part(name: &str, kind: &str, parent: &str, child: &str, inside: &str) -> String {
    format!(
        "<link name=\"{child}\"/><joint name=\"{name}\" type=\"{kind}\"><parent link=\"{parent}\"/>\
         <child link=\"{child}\"/>{inside}</joint>"
    )
}

const TURNS: &str =
    "<axis xyz=\"0 0 1\"/><limit lower=\"-1\" upper=\"1\" effort=\"1\" velocity=\"1\"/>";

/// A description with one good joint and something else.
fn with(more: &str) -> String {
    let good = part("shoulder", "revolute", "base", "upper", TURNS);
    format!("<robot name=\"r\"><link name=\"base\"/>{good}{more}</robot>")
}

fn elbow(inside: &str) -> String {
    with(&part("elbow", "revolute", "upper", "lower", inside))
}

/// What is said of a file; `lower` is where the tool would be.
fn refusal(folder: &Path, bytes: &[u8]) -> String {
    let file = folder.join("robot.urdf");
    fs::write(&file, bytes).expect("a temporary file");
    let read = Description::read(&file)
        .and_then(|description| RobotArm::of_description(&description, None, "lower"));
    match read {
        Ok(_) => panic!("{} was not refused", String::from_utf8_lossy(bytes)),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let limit = "<limit lower=\"-1\" upper=\"1\" effort=\"1\" velocity=\"1\"/>";
    let limits = |lower: &str, upper: &str| {
        format!(
            "<axis xyz=\"0 0 1\"/><limit lower=\"{lower}\" upper=\"{upper}\" effort=\"1\" velocity=\"1\"/>"
        )
    };
    let mimic = |of: &str, more: &str| format!("{TURNS}<mimic joint=\"{of}\"{more}/>");
    let mut long = String::from("<robot name=\"r\"><link name=\"link0\"/>");
    for k in 1..=40 {
        let child = if k == 40 { "lower".to_owned() } else { format!("link{k}") };
        let joint =
            part(&format!("joint{k}"), "revolute", &format!("link{}", k - 1), &child, TURNS);
        write!(long, "{joint}").expect("a string");
    }
    long.push_str("</robot>");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (text, says) in [
        (
            elbow(&format!("<axis xyz=\"0 0 0\"/>{limit}")),
            &["joint \"elbow\"", "axis", "0 0 1"][..],
        ),
        (elbow(&format!("<axis xyz=\"0 nan 1\"/>{limit}")), &["joint \"elbow\"", "axis"]),
        (elbow(&format!("<axis xyz=\"inf 0 0\"/>{limit}")), &["joint \"elbow\"", "axis"]),
        (elbow("<axis xyz=\"0 0 1\"/>"), &["joint \"elbow\"", "no limit", "continuous"]),
        (elbow(&limits("1", "-1")), &["joint \"elbow\"", "1 to -1", "lower must lie below"]),
        (elbow(&limits("0.5", "0.5")), &["joint \"elbow\"", "lower must lie below"]),
        (elbow(&limits("nan", "1")), &["joint \"elbow\"", "NaN", "lower must lie below"]),
        (elbow(&limits("-inf", "1")), &["joint \"elbow\"", "lower must lie below"]),
        (
            elbow(&format!("<origin xyz=\"0 0 inf\"/>{TURNS}")),
            &["joint \"elbow\"", "origin", "not finite"],
        ),
        (elbow(&format!("<origin rpy=\"NaN 0 0\"/>{TURNS}")), &["joint \"elbow\"", "origin"]),
        (
            elbow(&TURNS.replace("velocity=\"1\"", "velocity=\"-1\"")),
            &["joint \"elbow\"", "velocity"],
        ),
        (
            with(&part("elbow", "prismatic", "upper", "lower", "<axis xyz=\"1 0 0\"/>")),
            &["joint \"elbow\"", "no limit"],
        ),
        (
            with(&part("elbow", "revolute", "nowhere", "lower", TURNS)),
            &["joint \"elbow\"", "parent link \"nowhere\"", "not there"],
        ),
        (
            with(
                "<joint name=\"elbow\" type=\"fixed\"><parent link=\"upper\"/><child link=\"lower\"/></joint>",
            ),
            &["joint \"elbow\"", "child link \"lower\"", "not there"],
        ),
        (
            with(&format!(
                "{}<joint name=\"brace\" type=\"fixed\"><parent link=\"base\"/><child link=\"lower\"/></joint>",
                part("elbow", "revolute", "upper", "lower", TURNS)
            )),
            &["link \"lower\"", "\"elbow\"", "\"brace\"", "tree"],
        ),
        (
            format!(
                "<robot name=\"r\">{}{}</robot>",
                part("elbow", "revolute", "upper", "lower", TURNS),
                part("shoulder", "revolute", "lower", "upper", TURNS)
            ),
            &["joint \"", "loop"],
        ),
        (
            with(&format!(
                "{}{}",
                part("elbow", "revolute", "wrist", "lower", TURNS),
                part("wrist", "revolute", "lower", "wrist", TURNS)
            )),
            &["joint \"", "loop"],
        ),
        (with(&part("elbow", "revolute", "lower", "lower", TURNS)), &["joint \"elbow\"", "loop"]),
        (
            with("<link name=\"lower\"/>"),
            &["hangs on no joint", "\"base\"", "\"lower\"", "join the two"],
        ),
        (
            with(&part("shoulder", "revolute", "upper", "lower", TURNS)),
            &["joint \"shoulder\"", "twice"],
        ),
        (with(&part("elbow", "revolute", "upper", "upper", TURNS)), &["link \"upper\"", "twice"]),
        (elbow(&mimic("nobody", "")), &["joint \"elbow\"", "\"nobody\"", "not there"]),
        (elbow(&mimic("elbow", "")), &["joint \"elbow\"", "mimics itself"]),
        (elbow(&mimic("shoulder", " multiplier=\"inf\"")), &["joint \"elbow\"", "not finite"]),
        (
            with(&format!(
                "{}{}",
                part("elbow", "revolute", "upper", "lower", &mimic("wrist", "")),
                part("wrist", "revolute", "lower", "hand", &mimic("elbow", ""))
            )),
            &["joint \"", "mimics itself"],
        ),
        (
            with(&format!(
                "{}{}",
                part("elbow", "revolute", "upper", "lower", &mimic("weld", "")),
                part("weld", "fixed", "lower", "hand", "")
            )),
            &["joint \"elbow\"", "\"weld\"", "no value"],
        ),
        (with(&part("elbow", "floating", "upper", "lower", "")), &["joint \"elbow\"", "floating"]),
        (
            with(&part("elbow", "planar", "upper", "lower", "<axis xyz=\"0 0 1\"/>")),
            &["joint \"elbow\"", "planar"],
        ),
        (long, &["link \"lower\"", "40 joints", "at most 16"]),
        (with(""), &["no link \"lower\""]),
        (
            "<robot name=\"r\"><link name=\"lower\"/></robot>".into(),
            &["link \"lower\"", "no joint"],
        ),
        (elbow("<axis xyz=\"0 0\"/>"), &["no robot description"]),
        (
            with(&part("elbow", "hinged", "upper", "lower", TURNS)),
            &["no robot description", "hinged"],
        ),
        ("<robot name=\"r\"></robot>".into(), &["no robot description", "no link"]),
        (String::new(), &["no robot description"]),
        ("robot: piper".into(), &["no robot description"]),
        ("<robot".into(), &["no robot description"]),
        ("{\"robot\": 1}".into(), &["no robot description"]),
        (format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000)), &["nested"]),
    ] {
        let words = refusal(folder.path(), text.as_bytes());
        for part in ["robot.urdf"].iter().chain(says) {
            assert!(words.contains(part), "{part:?} is not in: {words}");
        }
    }
}

#[test]
fn what_is_no_text_or_too_much_of_it_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let words = refusal(folder.path(), b"<robot name=\"\xff\xfe\"/>");
    assert!(words.contains("not UTF-8 from byte 13"), "{words}");
    let mut large = b"<robot name=\"r\"><!--".to_vec();
    large.resize(50 << 20, b' ');
    let words = refusal(folder.path(), &large);
    assert!(words.contains("more than 8 MiB"), "{words}");
    let none = Description::read(&folder.path().join("nobody.urdf")).expect_err("nothing");
    assert!(none.to_string().contains("check the path"), "{none}");
    let endless = Description::read(Path::new("/dev/zero")).expect_err("zeros without end");
    assert!(endless.to_string().contains("more than 8 MiB"), "{endless}");
}
