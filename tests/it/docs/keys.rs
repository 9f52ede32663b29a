//! `docs/manifest_keys.md`, made from the types that a manifest is read into: their fields, what these are made of, and
//! what is written above them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use super::read;

const PAGE: &str = "docs/manifest_keys.md";
/// Where the types are.
const SOURCES: [&str; 18] = [
    "src/head/manifest.rs",
    "src/head/manifest/encoder.rs",
    "src/head/manifest/engine.rs",
    "src/head/manifest/feature.rs",
    "src/head/manifest/record.rs",
    "src/head/manifest/schedule.rs",
    "src/engine/src/dense/weights.rs",
    "src/engine/src/placement.rs",
    "src/action/columns.rs",
    "src/action/normalisation.rs",
    "src/action/rotation.rs",
    "src/action/tokens.rs",
    "src/observation/belief.rs",
    "src/observation/belief/stage.rs",
    "src/observation/feature.rs",
    "src/observation/place.rs",
    "src/observation/prefix.rs",
    "src/observation/tool.rs",
];
const HEAD: &str = "# Every key of a head's manifest

<!-- Made from the types in src/head/manifest.rs and what they name. After a change:
REFLEX_WRITE_DOCS=1 cargo test --features mujoco --test it docs -->

What each table is for, and the formulas, are in [manifest.md](manifest.md). Unknown keys are refused, as are a key that
is missing and has no default, one of another type, and a number that is not finite. Every refusal names the file, the
key, the value and what to write instead. Units are rad, m and s unless a key ends in its own.
";

/// One field of a struct, or one word of an enum.
#[derive(Debug)]
struct Field {
    name: String,
    /// The Rust type; of a word its table, if it has one.
    kind: String,
    has_default: bool,
    what: String,
}

/// A type.
#[derive(Debug, Default)]
struct Type {
    what: String,
    is_enum: bool,
    /// The key that says which of an enum's tables it is.
    tag: Option<String>,
    fields: Vec<Field>,
    /// Its words are written without the `_` between their parts.
    is_lowercase: bool,
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

/// What stands between two quotes after `key = "`.
fn attribute(attributes: &str, key: &str) -> Option<String> {
    let rest = attributes.split_once(&format!("{key} = \""))?.1;
    rest.split('"').next().map(str::to_owned)
}

/// The types of a source file that are read from files.
fn types(source: &str, found: &mut BTreeMap<String, Type>) {
    let (mut what, mut attributes) = (String::new(), String::new());
    let mut current: Option<(String, Type)> = None;
    for line in source.lines() {
        let bare = line.trim();
        if let Some(doc) = bare.strip_prefix("///") {
            if !what.is_empty() {
                what.push(' ');
            }
            what += doc.trim();
            continue;
        }
        if bare.starts_with("#[") || (!attributes.is_empty() && bare.ends_with(")]")) {
            attributes += bare;
            continue;
        }
        let name = |line: &str| {
            line.split([' ', '<', '(', ':', ',', '{']).next().unwrap_or_default().to_owned()
        };
        match &mut current {
            None => {
                let (is_enum, rest) =
                    match (line.strip_prefix("pub struct "), line.strip_prefix("pub enum ")) {
                        (Some(rest), _) => (false, rest),
                        (_, Some(rest)) => (true, rest),
                        _ => {
                            (what, attributes) = Default::default();
                            continue;
                        }
                    };
                if attributes.contains("Deserialize") && line.ends_with('{') {
                    let tag = attribute(&attributes, "tag");
                    let rename = attribute(&attributes, "rename_all");
                    let is_lowercase = rename.as_deref() == Some("lowercase");
                    let of =
                        Type { what: what.clone(), is_enum, tag, fields: Vec::new(), is_lowercase };
                    current = Some((name(rest), of));
                }
            }
            Some(_) if line == "}" => {
                let (name, of) = current.take().expect("it is there");
                found.insert(name, of);
            }
            Some((_, of)) => {
                let field = bare.strip_prefix("pub ").unwrap_or(bare);
                let shown = !attributes.contains("serde(skip")
                    && line.starts_with("    ")
                    && !line.starts_with("     ");
                let is_field = field.starts_with(|c: char| c.is_ascii_alphabetic());
                let public = of.is_enum || bare.starts_with("pub ");
                if shown && is_field && public {
                    let plain = name(field);
                    let kind = match of.is_enum {
                        true => field
                            .split_once('(')
                            .map_or("", |(_, kind)| kind.trim_end_matches("),")),
                        false => field
                            .split_once(": ")
                            .map_or("", |(_, kind)| kind.trim_end_matches(',')),
                    };
                    let renamed = attribute(&attributes, "rename");
                    let written = match (of.is_enum, of.is_lowercase) {
                        (true, true) => plain.to_lowercase(),
                        (true, false) => snake(&plain),
                        _ => plain,
                    };
                    of.fields.push(Field {
                        name: renamed.unwrap_or(written),
                        kind: kind.to_owned(),
                        has_default: attributes.contains("default"),
                        what: what.clone(),
                    });
                }
            }
        }
        (what, attributes) = Default::default();
    }
}

/// A Rust type in a reader's words, and the table that it names.
fn words<'a>(kind: &'a str, types: &BTreeMap<String, Type>) -> (String, Option<&'a str>) {
    for (wrapper, said) in [("Option<", ""), ("Box<", ""), ("Vec<", "list of ")] {
        if let Some(inner) = kind.strip_prefix(wrapper).and_then(|kind| kind.strip_suffix('>')) {
            let (words, table) = words(inner, types);
            return (format!("{said}{words}"), table);
        }
    }
    match kind {
        "f64" => ("number".to_owned(), None),
        "u32" | "u64" | "usize" | "i64" => ("whole number".to_owned(), None),
        "String" => ("text".to_owned(), None),
        "PathBuf" => ("path".to_owned(), None),
        "bool" => ("true or false".to_owned(), None),
        name => match types.get(name) {
            Some(of) if of.is_enum && of.tag.is_none() => {
                let each: Vec<_> =
                    of.fields.iter().map(|word| format!("`{}`", word.name)).collect();
                (each.join(" or "), Some(name))
            }
            Some(_) => (format!("[table](#{})", snake(name)), Some(name)),
            None => (name.to_owned(), None),
        },
    }
}

/// Code that documentation links to is not there for a reader of files.
fn plain(what: &str) -> String {
    let what = what.replace("[`", "`").replace("`]", "`").replace('|', "or");
    let what = what.replace("`SCHEMA`", "`reflex.head.v1`");
    what.replace("Self::", "")
        .replace("Columns::", "")
        .replace("Normalisation::", "")
        .replace("motion::", "")
}

fn table(page: &mut String, name: &str, of: &Type, types: &BTreeMap<String, Type>) -> Vec<String> {
    let mut named = Vec::new();
    let _ = write!(page, "\n## {}\n\n{}\n\n", snake(name), plain(&of.what));
    let first = match (&of.tag, of.is_enum) {
        (Some(tag), _) => format!("`{tag}`"),
        (None, true) => "word".to_owned(),
        (None, false) => "key".to_owned(),
    };
    let _ = writeln!(page, "| {first} | is | what |\n|---|---|---|");
    for field in &of.fields {
        let (words, table) = words(&field.kind, types);
        named.extend(table.map(str::to_owned));
        let optional = field.kind.starts_with("Option<") || field.has_default;
        let optional = if optional && !words.is_empty() { ", optional" } else { "" };
        let _ = writeln!(page, "| `{}` | {words}{optional} | {} |", field.name, plain(&field.what));
    }
    named
}

/// The page.
fn page() -> String {
    let mut types_of = BTreeMap::new();
    for source in SOURCES {
        types(&read(source), &mut types_of);
    }
    let mut page = HEAD.to_owned();
    let (mut queue, mut seen) = (VecDeque::from(["Manifest".to_owned()]), BTreeSet::new());
    while let Some(name) = queue.pop_front() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let of = types_of.get(&name).unwrap_or_else(|| panic!("{name} has gone"));
        queue.extend(table(&mut page, &name, of, &types_of));
    }
    page
}

#[test]
fn every_key_of_a_manifest_is_told_of_as_its_type_is() {
    let page = page();
    if std::env::var_os("REFLEX_WRITE_DOCS").is_some() {
        std::fs::write(crate::rig::here(PAGE), &page).expect("the page is ours");
    }
    assert_eq!(
        read(PAGE),
        page,
        "{PAGE} is stale: REFLEX_WRITE_DOCS=1 cargo test --features mujoco --test it docs"
    );
    for heading in
        ["## manifest", "## feature_rule", "## columns", "## evaluation", "## seam_method"]
    {
        assert!(page.contains(&format!("\n{heading}\n")), "{heading} is missing");
    }
    for row in [
        "| `period_ms` | number |",
        "| `clip` | number, optional |",
        "| `params` | list of text, optional |",
    ] {
        assert!(page.contains(row), "{row} is missing");
    }
}
