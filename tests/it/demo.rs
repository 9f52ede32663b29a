//! The first command of the README: a daemon of its own, a berry, a verdict, pictures.

use std::process::Command;

#[test]
fn the_demo_picks_up_the_berry_and_shows_it() {
    let folder = tempfile::tempdir().expect("a folder for the pictures");
    let output = Command::new(env!("CARGO_BIN_EXE_reflexd"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["demo", "--out"])
        .arg(folder.path())
        .output()
        .expect("reflexd runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(said.contains("verdict: SUCCESS"), "{said}");
    for file in ["contact_sheet.png", "episode.gif"] {
        let path = folder.path().join(file);
        assert!(said.contains(&path.display().to_string()), "the output names {file}: {said}");
        let picture = image::open(&path).expect("a picture").into_rgb8();
        let first = *picture.get_pixel(0, 0);
        assert!(
            picture.width() >= 400 && picture.pixels().any(|pixel| *pixel != first),
            "{file} shows something"
        );
    }
}
