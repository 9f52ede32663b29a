//! The gallery's page is what the registry says, and shows every skill or none.

use std::fs;

use reflexd::{
    gallery,
    skill::registry::{RegistryFile, Status},
};

use crate::rig::here;

fn shipped() -> RegistryFile {
    RegistryFile::load(&here("models/policy_registry.json")).expect("the shipped registry")
}

#[test]
fn gallery_md_is_what_the_registry_says() {
    let page = fs::read_to_string(here("docs/gallery.md")).expect("the page is there");
    let made = gallery::page(&shipped()).expect("the shipped heads");
    assert!(
        page == made,
        "docs/gallery.md is out of date: `make gallery`, or `reflexd gallery --page-only`"
    );
}

#[test]
fn every_picture_is_shown_and_every_head_has_pictures_or_none_has() {
    let file = shipped();
    let heads = || {
        file.policies()
            .filter(|(.., policy)| policy.status == Status::Active && policy.head.is_some())
    };
    let shown = heads().filter(|(.., policy)| policy.proof.is_some()).count();
    assert!(shown == 0 || shown == heads().count(), "{shown} of {} are shown", heads().count());
    let known: Vec<String> = heads()
        .filter_map(|(.., policy)| policy.proof.as_ref())
        .flat_map(|proof| [&proof.contact_sheet, &proof.animation])
        .filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned()))
        .collect();
    for entry in fs::read_dir(here("docs/images/gallery")).into_iter().flatten() {
        let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
        assert!(known.contains(&name), "docs/images/gallery/{name} is shown nowhere: remove it");
    }
}
