//! What is written for people is true of this daemon: its files exist, its commands parse, its tables are whole.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
};

use reflexd::{
    action::{Normalisation, Rotation},
    config::Settings,
    head::Output,
    observation::belief::StageRule,
    wire::TABLE,
};
use serde_json::Value;

use crate::rig::here;

mod failsafe;
mod keys;
mod security;

const PAGES: [&str; 23] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/actions.md",
    "docs/configuration.md",
    "docs/data.md",
    "docs/encoders.md",
    "docs/engines.md",
    "docs/evaluation.md",
    "docs/failsafe.md",
    "docs/gallery.md",
    "docs/import.md",
    "docs/kinematics.md",
    "docs/manifest.md",
    "docs/manifest_keys.md",
    "docs/recording.md",
    "docs/registry.md",
    "docs/router.md",
    "docs/scheduling.md",
    "docs/security.md",
    "docs/service.md",
    "docs/soak.md",
    "docs/zenoh.md",
];

/// What is there only once something was built, fetched or shown.
const MADE: [&str; 3] = ["out/", "target/", "third_party/"];

fn read(path: &str) -> String {
    fs::read_to_string(here(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> String {
    let outside = text.split("```").step_by(2);
    outside.collect()
}

/// The fenced blocks of one language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let inside = text.split("```").skip(1).step_by(2);
    inside.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names that stand between two lines of a source file, each after `before` and up to one of `:,{ `.
fn names<'a>(source: &'a str, from: &str, to: &str, before: &str) -> Vec<&'a str> {
    let part = source.split_once(from).unwrap_or_else(|| panic!("{from:?} has gone")).1;
    let part = part.split_once(to).map_or(part, |(part, _)| part);
    let names = part.lines().filter_map(|line| line.strip_prefix(before));
    let names: Vec<_> = names
        .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter_map(|line| line.split([':', ',', '{', ' ']).next())
        .collect();
    assert!(!names.is_empty(), "no names after {from:?}");
    names
}

fn every_one_is_quoted<'a>(names: impl IntoIterator<Item = &'a str>, page: &str) {
    let text = read(page);
    let told: BTreeSet<&str> = text.lines().flat_map(quoted).collect();
    let missing: Vec<_> = names.into_iter().filter(|name| !told.contains(name)).collect();
    assert!(missing.is_empty(), "{page} does not tell of {missing:?}");
}

fn looks_like_a_path(quote: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let endings = [".rs", ".toml", ".md", ".py", ".xml", ".urdf", ".onnx", ".png", ".gif", ".txt"];
    let first = quote.split('/').next().unwrap_or_default();
    let in_the_house = quote.contains('/') && !first.is_empty() && here(first).exists();
    quote.chars().all(plain)
        && (in_the_house
            || endings.iter().any(|ending| quote.len() > ending.len() && quote.ends_with(ending)))
}

#[test]
fn every_file_that_is_named_exists() {
    for page in PAGES {
        let text = prose(&read(page));
        for path in text.lines().flat_map(quoted).filter(|quote| looks_like_a_path(quote)) {
            let made = MADE.iter().any(|folder| path.starts_with(folder));
            assert!(made || here(path).exists(), "{page} names {path}, which does not exist");
        }
        let folder = here(page).parent().expect("a page lies in a folder").to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let local = !link.starts_with("http") && !link.starts_with('#');
            let file = link.split('#').next().unwrap_or_default();
            assert!(!local || folder.join(file).exists(), "{page} links to {link}: not there");
        }
    }
}

#[test]
fn the_architecture_names_every_module_and_every_dependency() {
    let library = read("src/lib.rs");
    let modules: Vec<_> = names(&library, "//!", "\u{0}", "pub mod ")
        .iter()
        .map(|module| format!("src/{}.rs", module.trim_end_matches(';')))
        .collect();
    every_one_is_quoted(modules.iter().map(String::as_str), "ARCHITECTURE.md");
    for manifest in ["Cargo.toml", "src/motion/Cargo.toml", "src/reflex/Cargo.toml"] {
        let table: toml::Table = read(manifest).parse().expect("TOML");
        for section in ["dependencies", "dev-dependencies"] {
            let crates = table.get(section).and_then(toml::Value::as_table);
            let crates = crates.into_iter().flatten().map(|(name, _)| name.as_str());
            every_one_is_quoted(crates, "ARCHITECTURE.md");
        }
    }
}

/// Every key of a configuration, the last part of its path; names that are the user's own are none.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                found.insert(key.clone());
                match (key.as_str(), value) {
                    ("home", _) => {}
                    ("joints", Value::Object(named)) => {
                        named.values().for_each(|value| keys(value, found));
                    }
                    _ => keys(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[test]
fn configuration_md_has_every_key_and_no_other() {
    let mut found = BTreeSet::new();
    for file in ["config/daemon.toml", "config/secure.toml"] {
        let settings = Settings::load(&here(file)).expect("a shipped configuration");
        keys(&serde_json::to_value(&settings).expect("JSON"), &mut found);
    }
    // Not keys of a file: where it was read from, and the robot's as a whole.
    assert!(found.remove("file") && found.remove("robot_settings"));
    every_one_is_quoted(found.iter().map(String::as_str), "docs/configuration.md");
    let page = read("docs/configuration.md");
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let key = quoted(line).next().unwrap_or_default();
        assert!(found.contains(key), "docs/configuration.md tells of {key}, which is no key");
    }
}

/// What stands between two lines of a page that is made in part.
fn made<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = page.split_once(from).unwrap_or_else(|| panic!("{from:?} has gone"));
    let (_, rest) = rest.split_once('\n').expect("a line ends");
    rest.split_once(to).unwrap_or_else(|| panic!("{to:?} has gone")).0
}

#[test]
fn recording_md_has_every_topic_as_it_is_recorded() {
    let (path, from, to) = ("docs/recording.md", "<!-- topics: made", "<!-- topics end -->");
    let page = read(path);
    let told = made(&page, from, to);
    let is = format!("\n{}\n", reflexd::recorder::topics::docs());
    if std::env::var_os("REFLEX_WRITE_DOCS").is_some() {
        let at = told.as_ptr().addr() - page.as_ptr().addr();
        let page = format!("{}{is}{}", &page[..at], &page[at + told.len()..]);
        fs::write(here(path), page).expect("the documentation can be written");
        return;
    }
    assert!(told == is, "{path} is out of date: REFLEX_WRITE_DOCS=1 cargo test --test it docs");
}

#[test]
fn manifest_md_has_every_key() {
    let manifest = read("src/head/manifest.rs");
    let fields = names(&manifest, "pub struct Manifest", "impl Manifest", "    pub ");
    let fields = fields.into_iter().filter(|name| !["const", "fn"].contains(name));
    every_one_is_quoted(fields, "docs/manifest.md");
    let engine = read("src/head/manifest/engine.rs");
    every_one_is_quoted(
        names(&engine, "pub struct EngineRule", "\n}", "    pub "),
        "docs/manifest.md",
    );
    let record = read("src/head/manifest/record.rs");
    for table in ["Provenance", "Evaluation", "Stratum"] {
        let table = format!("pub struct {table}");
        every_one_is_quoted(names(&record, &table, "\n}", "    pub "), "docs/manifest.md");
    }
    let schedule = read("src/head/manifest/schedule.rs");
    for table in ["Timing", "SeamRule", "CorrectionTable"] {
        let table = format!("pub struct {table}");
        every_one_is_quoted(names(&schedule, &table, "\n}", "    pub "), "docs/manifest.md");
    }
}

#[test]
fn evaluation_md_has_every_key_and_every_kind() {
    let page = "docs/evaluation.md";
    let task = read("src/evaluation/task.rs");
    for table in ["Tasks", "Object", "Task", "Off", "Distractors", "Stratum", "Sigma", "Push"] {
        let table = format!("pub struct {table} ");
        let keys = names(&task, &table, "\n}", "    pub ").into_iter();
        // Where it was read from is no key.
        every_one_is_quoted(keys.filter(|key| *key != "file"), page);
    }
    every_one_is_quoted(names(&task, "pub enum Goal ", "\n}", "        "), page);
    let kinds = names(&task, "pub enum Goal ", "\n}", "    ");
    let kinds: Vec<String> = kinds.into_iter().map(str::to_lowercase).collect();
    assert_eq!(kinds.len(), 7, "{kinds:?}");
    every_one_is_quoted(kinds.iter().map(String::as_str), page);
}

#[test]
fn registry_md_has_every_key_and_no_other() {
    let source = read("src/skill/registry/file.rs");
    let mut keys: Vec<String> =
        ["RegistryFile", "SkillEntry", "RobotEntry", "Bounds", "CanaryRules"]
            .into_iter()
            .chain(["PolicyEntry", "EvaluationRecord", "ShadowRules"])
            .flat_map(|what| names(&source, &format!("pub struct {what} "), "\n}", "    pub "))
            .map(str::to_owned)
            .collect();
    let proof = read("src/skill/registry/proof.rs");
    let proof = names(&proof, "pub struct ProofEntry ", "\n}", "    pub ");
    keys.extend(proof.into_iter().map(str::to_owned));
    let routers = read("src/skill/registry/routers.rs");
    for what in ["pub struct RouterEntry ", "pub struct RouterRecord "] {
        keys.extend(names(&routers, what, "\n}", "    pub ").into_iter().map(str::to_owned));
    }
    for what in ["pub enum Status", "pub enum Scripted"] {
        keys.extend(names(&source, what, "\n}", "    ").into_iter().map(snake));
    }
    let settings = read("src/config.rs");
    let reach = names(&settings, "pub struct ReachSettings", "\n}", "    pub ");
    keys.extend(reach.into_iter().map(str::to_owned));
    let keys: BTreeSet<String> =
        keys.iter().filter_map(|key| Some(key.split('(').next()?.to_owned())).collect();
    every_one_is_quoted(keys.iter().map(String::as_str), "docs/registry.md");
    let page = read("docs/registry.md");
    let format = page.split_once("## The file").expect("its format").1;
    let format = format.split_once("\n## ").expect("more than its format").0;
    for line in format.lines().filter(|line| line.starts_with("| `")) {
        let key = quoted(line).next().unwrap_or_default();
        assert!(keys.contains(key), "docs/registry.md tells of {key}, which is no key");
    }
}

/// `RelativeTo` as it is written in a file: `relative_to`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[test]
fn manifest_md_has_every_representation_and_no_rotation_that_is_none() {
    let source = read("src/action/columns.rs");
    every_one_is_quoted(
        names(&source, "pub enum Columns", "impl Columns", "    pub "),
        "docs/manifest.md",
    );
    for what in
        ["Columns", "Frame", "RelativeTo", "Steps", "Yields"].map(|what| format!("pub enum {what}"))
    {
        let words: Vec<String> =
            names(&source, &what, "\n}", "    ").into_iter().map(snake).collect();
        let words = words.iter().map(|word| word.split('(').next().unwrap_or_default());
        every_one_is_quoted(words, "docs/manifest.md");
    }
    let rotations = read("src/action/rotation.rs");
    let rotations =
        rotations.lines().filter_map(|line| line.trim().strip_prefix("#[serde(rename = \""));
    let rotations: BTreeSet<_> = rotations.filter_map(|line| line.split('"').next()).collect();
    let page = read("docs/manifest.md");
    let table = page.split_once("| `rotation` | columns | what |").expect("the table").1;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let told: BTreeSet<_> = rows
        .map(|row| {
            let name = quoted(row).next().unwrap_or_default();
            let rotation: Rotation = serde_json::from_value(name.into()).expect("a rotation");
            let columns = row.split('|').nth(2).map(str::trim).unwrap_or_default();
            assert_eq!(columns, rotation.names().len().to_string(), "columns of {name}");
            name
        })
        .collect();
    assert_eq!(told, rotations);
}

#[test]
fn the_examples_of_manifest_md_are_what_they_say() {
    let page = read("docs/manifest.md");
    let [stages, example] = blocks(&page, "toml")[..] else { panic!("two examples are wanted") };
    #[derive(serde::Deserialize)]
    struct Stages {
        stages: Vec<StageRule>,
    }
    let stages: Stages = toml::from_str(stages).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(stages.stages.len(), 4);
    let output: Output = toml::from_str(example).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(output.width(), 7);
    assert_eq!((output.column_name(0), output.column_name(6)), ("arm.x".into(), "gripper".into()));
}

/// The rows of a page's table that begins with this head, cell by cell.
fn rows(page: &str, head: &str) -> Vec<Vec<String>> {
    let table = page.split_once(head).unwrap_or_else(|| panic!("no table {head:?}")).1;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

#[test]
fn actions_md_has_every_method_and_codec_and_what_they_compute() {
    let page = read("docs/actions.md");
    let methods = rows(&page, "| `method` | `a`, `b` |");
    for row in &methods {
        let method = quoted(&row[1]).next().unwrap_or_default();
        let keys: Vec<&str> = quoted(&row[2]).collect();
        let text = format!("method = \"{method}\"\n{} = [1.0]\n{} = [4.0]", keys[0], keys[1]);
        let normalisation: Normalisation =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{method}: {error}"));
        let scale = normalisation.scales(1).expect("of one column")[0];
        let told: f64 = row[5].parse().unwrap_or_else(|_| panic!("{method}: {}", row[5]));
        assert!((scale.decode(0.5) - told).abs() < 1e-12, "{method}: {}", scale.decode(0.5));
    }
    let source = read("src/action/normalisation.rs");
    let known = names(&source, "pub enum Normalisation", "\n}", "    ");
    assert_eq!(methods.len(), known.len(), "{known:?}");

    let codecs = rows(&page, "| `codec` | keys |");
    let source = read("src/action/tokens.rs");
    let known = names(&source, "pub enum Tokens", "\n}", "    ");
    let known: Vec<&str> = known.iter().filter_map(|name| name.split('(').next()).collect();
    assert_eq!(codecs.len(), known.len(), "{known:?}");
    for (row, codec) in codecs.iter().zip(known) {
        assert_eq!(quoted(&row[1]).next(), Some(snake(codec).as_str()));
        let what = format!("pub struct {codec} ");
        if source.contains(&format!("{what}{{}}")) {
            continue;
        }
        let keys: Vec<&str> = quoted(&row[2]).collect();
        assert_eq!(keys, names(&source, &what, "\n}", "    pub "), "{codec}");
    }
    every_one_is_quoted(
        names(&source, "pub struct LanguageIds", "\n}", "    pub "),
        "docs/actions.md",
    );

    let representations = rows(&page, "| `representation` | columns |");
    let source = read("src/action/columns.rs");
    let known = names(&source, "pub enum Columns", "\n}", "    ");
    let known: Vec<String> =
        known.iter().filter_map(|name| name.split('(').next()).map(snake).collect();
    let told: Vec<&str> = representations.iter().filter_map(|row| quoted(&row[1]).next()).collect();
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), known.len());
    assert!(known.iter().all(|known| told.contains(&known.as_str())), "{known:?}");
}

#[test]
fn the_outputs_of_actions_md_are_outputs() {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        output: Output,
    }
    let page = read("docs/actions.md");
    let widths: Vec<usize> = blocks(&page, "toml")
        .into_iter()
        .map(|example| {
            let part: Part = toml::from_str(example).unwrap_or_else(|error| panic!("{error}"));
            part.output.width()
        })
        .collect();
    assert_eq!(widths, [4, 32, 7, 7, 7]);
}

#[test]
fn failsafe_md_has_every_mode_and_every_fault() {
    let source = read("src/motion/src/mode.rs");
    for what in ["pub enum Mode", "pub enum Fault"] {
        let names = names(&source, what, "\n}", "    ").into_iter();
        let names = names.filter_map(|name| name.split('(').next());
        every_one_is_quoted(names, "docs/failsafe.md");
    }
    let words = read("src/operator/words.rs");
    let modes = words.lines().filter_map(|line| line.trim().strip_prefix("Mode::"));
    let modes = modes.filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\","));
    every_one_is_quoted(modes.filter(|mode| !mode.contains(' ')), "docs/failsafe.md");
    let endings = words.lines().filter_map(|line| line.trim().strip_prefix("Ending::"));
    let endings = endings.filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\","));
    every_one_is_quoted(endings, "docs/failsafe.md");
}

/// What a match of a source file makes of each variant: `Self::Frozen { .. } => "joint_frozen",`.
fn told_as(source: &str, variants: &str) -> BTreeSet<(String, String)> {
    let arms = source.lines().filter_map(|line| line.trim().strip_prefix(variants));
    arms.filter_map(|arm| {
        let (variant, told) = arm.split_once(" => ")?;
        let name = variant.split(' ').next()?;
        let told = told.strip_prefix('(').unwrap_or(told).strip_prefix('"')?;
        let told = told.split('"').next()?;
        let is_name = told.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        is_name.then(|| (name.to_owned(), told.to_owned()))
    })
    .collect()
}

#[test]
fn failsafe_md_says_what_each_fault_and_each_ailment_is_on_the_wire() {
    let page = read("docs/failsafe.md");
    let on_the_page = |head: &str| -> BTreeSet<(String, String)> {
        rows(&page, head)
            .iter()
            .filter_map(|row| {
                Some((quoted(&row[1]).next()?.to_owned(), quoted(&row[2]).next()?.to_owned()))
            })
            .collect()
    };
    let faults = told_as(&read("src/wire/state.rs"), "Fault::");
    assert_eq!(on_the_page("| fault | on the wire | when | look at |"), faults);
    let source = read("src/motion/src/ailment.rs");
    let ailments = told_as(&source, "Self::");
    assert_eq!(ailments.len(), names(&source, "pub enum Ailment", "\n}", "    ").len());
    assert_eq!(on_the_page("| ailment | on the wire | when | look at |"), ailments);
}

/// The command lines of the README's shell blocks, without their comments.
fn command_lines(readme: &str) -> Vec<Vec<&str>> {
    let lines = blocks(readme, "sh").into_iter().flat_map(str::lines);
    let bare = lines.map(|line| line.split(" #").next().unwrap_or_default());
    bare.map(in_words).filter(|words| !words.is_empty()).collect()
}

/// As a shell splits them, as far as the README needs it: what stands between quotation marks is one word.
fn in_words(line: &str) -> Vec<&str> {
    let parts = line.split('"').enumerate();
    parts
        .flat_map(|(k, part)| match k % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        })
        .collect()
}

#[test]
fn every_make_target_of_the_readme_exists() {
    let readme = read("README.md");
    let makefile = read("Makefile");
    let in_blocks = command_lines(&readme).into_iter();
    let prose = prose(&readme);
    let in_prose = prose.lines().flat_map(quoted).map(|quote| quote.split(' ').collect());
    let mut found = 0;
    for words in in_blocks.chain(in_prose).filter(|words| words[0] == "make") {
        for target in &words[1..] {
            let rule = format!("\n{target}:");
            assert!(makefile.contains(&rule), "README.md: make {target}: the Makefile has no such");
            found += 1;
        }
    }
    assert!(found > 4, "only {found} targets were seen");
}

#[test]
fn every_command_line_of_the_readme_is_understood() {
    let readme = read("README.md");
    let mut found = 0;
    for words in command_lines(&readme) {
        let program = match words[0] {
            "reflexd" => env!("CARGO_BIN_EXE_reflexd"),
            "reflexctl" => env!("CARGO_BIN_EXE_reflexctl"),
            _ => continue,
        };
        // Without the simulator these are not built in.
        if !cfg!(feature = "mujoco") && ["eval", "demo", "gallery", "rollouts"].contains(&words[1])
        {
            continue;
        }
        // At the end: everything before it is understood first.
        let told = Command::new(program).args(&words[1..]).arg("--help").output();
        let told = told.expect("the program was built");
        assert!(told.status.success(), "{words:?}: {}", String::from_utf8_lossy(&told.stderr));
        found += 1;
    }
    assert!(found > 12, "only {found} command lines were seen");
}

#[test]
fn the_python_client_of_the_readme_is_python_and_speaks_of_keys_that_exist() {
    let readme = read("README.md");
    let [client] = blocks(&readme, "python")[..] else { panic!("one Python block is wanted") };
    for key in ["cmd/arm", "decision"] {
        assert!(client.contains(&format!("\"{key}\"")) && TABLE.iter().any(|e| e.name == key));
    }
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let parsed = Command::new(python)
        .args(["-c", "import ast, sys; ast.parse(sys.argv[1])", client])
        .stdin(Stdio::null())
        .output()
        .expect("Python 3 is there: `make test` asks for it");
    assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stderr));
}
