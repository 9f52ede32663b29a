//! The page that shows every shipped skill at work, beside what it was measured to do: a function of the registry and of
//! its heads' manifests. Nothing of it is written by hand.

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
};

use crate::{
    head::{Evaluation, HeadError, Manifest},
    skill::registry::{PolicyEntry, ProofEntry, RegistryFile, Status},
};

/// The page of a registry.
///
/// # Errors
/// A manifest that cannot be read.
pub fn page(file: &RegistryFile) -> Result<String, HeadError> {
    let mut robots: BTreeMap<&str, Vec<(&str, &PolicyEntry)>> = BTreeMap::new();
    for (skill, robot, _, policy) in file.policies() {
        robots.entry(robot).or_default().push((skill, policy));
    }
    let mut page = String::from(
        "# Gallery\n\n\
         Every skill that ships, at work, beside what it was measured to do. `make gallery` plays the episodes, takes the\n\
         pictures and writes this page out of the policy registry; what is written here by hand is lost. What counts as a\n\
         success, and what the conditions are: [evaluation.md](evaluation.md).\n",
    );
    // Writing to a String cannot fail.
    for (robot, policies) in &robots {
        let shown = || policies.iter().filter(|(_, policy)| policy.proof.is_some());
        if shown().next().is_some() {
            let _ = writeln!(page, "\n## {robot}");
        }
        for (skill, policy) in shown() {
            if let Some(proof) = &policy.proof {
                show(&mut page, file, skill, policy, proof)?;
            }
        }
    }
    table(&mut page, &robots);
    Ok(page)
}

fn show(
    page: &mut String,
    file: &RegistryFile,
    skill: &str,
    policy: &PolicyEntry,
    proof: &ProofEntry,
) -> Result<(), HeadError> {
    let what = file.skills.get(skill).map_or("", |entry| entry.what.as_str());
    let _ = write!(page, "\n### {skill}\n\n{what} Carried out by `{}`.\n\n", policy.name);
    let [sheet, film] =
        [&proof.contact_sheet, &proof.animation].map(|picture| link(picture, &proof.gallery));
    let _ = writeln!(page, "![{skill}: moments of one episode]({sheet})\n");
    let _ = writeln!(page, "![{skill}: the same episode, moving]({film})");
    if let Some(head) = &policy.head {
        let manifest = Manifest::load(&file.resolve(head))?;
        if let Some(evaluation) = &manifest.evaluation {
            conditions(page, evaluation);
        }
    }
    if let Some(record) = &policy.evaluation {
        let (successes, episodes) = (record.successes, record.episodes);
        let _ = writeln!(
            page,
            "\n{successes} of {episodes} episodes succeeded: {}.",
            record.conditions
        );
        let _ = writeln!(page, "\n```sh\n{}\n{}\n```", record.command, proof.command);
    }
    Ok(())
}

/// One column for each condition.
fn conditions(page: &mut String, evaluation: &Evaluation) {
    if evaluation.strata.is_empty() {
        return;
    }
    let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let strata = || evaluation.strata.iter();
    let names = strata().map(|stratum| format!("`{}`", stratum.name)).collect();
    let lines = strata().map(|_| "---".to_owned()).collect();
    let counts =
        strata().map(|stratum| format!("{} of {}", stratum.successes, stratum.episodes)).collect();
    for cells in [names, lines, counts] {
        // The first table line stands after an empty one.
        let _ = write!(page, "\n{}", row(cells));
    }
    let _ = writeln!(page);
}

/// All policies, those without pictures too.
fn table(page: &mut String, robots: &BTreeMap<&str, Vec<(&str, &PolicyEntry)>>) {
    let _ = write!(
        page,
        "\n## Every policy\n\n\
         | robot | skill | policy | lane | status | succeeded | pictures |\n|---|---|---|---|---|---|---|\n"
    );
    for (robot, policies) in robots {
        for (skill, policy) in policies {
            let record = policy.evaluation.as_ref();
            let counts = record.map_or_else(
                || "not evaluated".into(),
                |record| format!("{} of {}", record.successes, record.episodes),
            );
            let pictures = match (&policy.proof, policy.status) {
                (Some(_), _) => "above",
                (None, Status::Active) if policy.scripted.is_some() => "none: it is worked out",
                (None, _) => "none",
            };
            let (name, lane, status) = (&policy.name, &policy.lane, policy.status.as_str());
            let _ = writeln!(
                page,
                "| {robot} | `{skill}` | `{name}` | {lane} | {status} | {counts} | {pictures} |"
            );
        }
    }
}

/// A picture as the page links to it; both paths are relative to the registry.
fn link(picture: &Path, page: &Path) -> String {
    let folder = page.parent().unwrap_or(Path::new(""));
    let below: PathBuf = picture.strip_prefix(folder).unwrap_or(picture).to_owned();
    below.to_string_lossy().into_owned()
}
