//! `docs/security.md`: its table is the code's, and its Python signs what the daemon verifies.

use std::process::{Command, Stdio};

use reflexd::{security::bytes_to_sign, wire::security_tables};

use super::{blocks, read};
use crate::rig::here;

const PAGE: &str = "docs/security.md";
const BEGIN: &str = "REFLEX_WRITE_DOCS=1 cargo test --test it docs -->\n";
const END: &str = "<!-- end of roles -->";

#[test]
fn security_md_has_every_key_with_who_may_send_to_it() {
    let page = read(PAGE);
    let (before, rest) = page.split_once(BEGIN).expect("the table's beginning");
    let (_, after) = rest.split_once(END).expect("the table's end");
    let whole = format!("{before}{BEGIN}{}{END}{after}", security_tables());
    if std::env::var_os("REFLEX_WRITE_DOCS").is_some() {
        std::fs::write(here(PAGE), &whole).expect("docs/security.md can be written");
        return;
    }
    assert!(page == whole, "{PAGE} is out of date: REFLEX_WRITE_DOCS=1 cargo test --test it docs");
}

#[test]
fn the_python_of_security_md_signs_the_very_bytes() {
    let page = read(PAGE);
    let [example] = blocks(&page, "python")[..] else { panic!("one Python block is wanted") };
    let (payload, said) = ("{\"operator\":\"operator-ada\"}", "{\"v\":1}");
    let script = format!(
        "{example}\nprint(bytes_to_sign('piper', 'reflex/piper/cmd/arm', 'operator-ada', {payload:?}.encode(), {said:?}, \
         bytes(range(16)), 1800000000000, 1800000005000).hex())"
    );
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let made = Command::new(python)
        .args(["-c", &script])
        .stdin(Stdio::null())
        .output()
        .expect("Python 3 is there: `make test` asks for it");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let nonce: [u8; 16] = std::array::from_fn(|k| u8::try_from(k).expect("below 16"));
    let bytes = bytes_to_sign(
        ("piper", "reflex/piper/cmd/arm"),
        "operator-ada",
        (payload.as_bytes(), said),
        &nonce,
        (1_800_000_000_000, 1_800_000_005_000),
    );
    let want: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(String::from_utf8_lossy(&made.stdout).trim(), want);
}
