//! Pictures of a policy at work, that a registry points at: are they there, whole, and of the network that is pinned?

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{RegistryFile, Word};
use crate::{
    head::digest_of,
    picture::{Kind, look},
};

/// Largest page that is read, in bytes.
const PAGE_BYTES_MAX: u64 = 4 << 20;

/// Pictures of a policy at work.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProofEntry {
    /// Moments of one episode, a PNG, relative to the registry.
    pub contact_sheet: PathBuf,
    /// Its SHA-256.
    pub contact_sheet_sha256: String,
    /// The episode as it went, a GIF, relative to the registry.
    pub animation: PathBuf,
    /// Its SHA-256.
    pub animation_sha256: String,
    /// The page that shows both, relative to the registry.
    pub gallery: PathBuf,
    /// The command that makes them.
    pub command: String,
    /// SHA-256 of the network that is seen; absent of a policy without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onnx_sha256: Option<String>,
}

/// One check of a proof: its key below the policy, and what is missing or wrong.
pub(super) type Check = (&'static str, Result<(), (Word, String)>);

impl ProofEntry {
    /// Looks at everything that it says. `pinned`: the network that the policy runs.
    pub(super) fn check(&self, file: &RegistryFile, pinned: Option<&str>) -> Vec<Check> {
        let again = "`make gallery` makes it again";
        let shown = match (&self.onnx_sha256, pinned) {
            (Some(shown), Some(pinned)) if !shown.eq_ignore_ascii_case(pinned) => {
                Err((Word::Wrong, format!("another network is seen, {shown}: {again}")))
            }
            (None, Some(_)) => {
                Err((Word::Wrong, "say which network is seen: `make gallery`".into()))
            }
            _ => Ok(()),
        };
        let said = match self.command.trim().is_empty() {
            true => Err((Word::Wrong, "say the command that makes them".into())),
            false => Ok(()),
        };
        let sheet = picture(file, &self.contact_sheet, &self.contact_sheet_sha256, Kind::Png);
        let film = picture(file, &self.animation, &self.animation_sha256, Kind::Gif);
        vec![
            (".proof.contact_sheet", sheet),
            (".proof.animation", film),
            (".proof.gallery", self.page(file)),
            (".proof.command", said),
            (".proof.onnx_sha256", shown),
        ]
    }

    /// The page is there and links to both pictures.
    fn page(&self, file: &RegistryFile) -> Result<(), (Word, String)> {
        let page = file.resolve(&self.gallery);
        let told = |words: &str| format!("{}: {words}", page.display());
        let missing = |words: &str| (Word::Missing, told(words));
        let size = fs::metadata(&page).map_err(|error| missing(&error.to_string()))?.len();
        if size > PAGE_BYTES_MAX {
            return Err((Word::Wrong, told("is larger than 4 MiB")));
        }
        let text = fs::read_to_string(&page).map_err(|error| missing(&error.to_string()))?;
        for picture in [&self.contact_sheet, &self.animation] {
            let name = picture.file_name().unwrap_or_default().to_string_lossy();
            if !text.contains(&*name) {
                return Err((Word::Wrong, told(&format!("does not show {name}: `make gallery`"))));
            }
        }
        Ok(())
    }
}

/// A picture is there, has its digest, can be decoded, and is of its kind.
fn picture(
    file: &RegistryFile,
    path: &Path,
    sha256: &str,
    kind: Kind,
) -> Result<(), (Word, String)> {
    let path = file.resolve(path);
    let wrong = |words: String| (Word::Wrong, format!("{}: {words}", path.display()));
    if !path.is_file() {
        let words = format!("{}: there is no such file: `make gallery`", path.display());
        return Err((Word::Missing, words));
    }
    let seen = look(&path).map_err(|error| (Word::Wrong, error.to_string()))?;
    if seen.kind != kind {
        return Err(wrong(format!("is a {:?}, not a {kind:?}: `make gallery`", seen.kind)));
    }
    if kind == Kind::Gif && seen.frames < 2 {
        return Err(wrong("does not move: it has one frame".into()));
    }
    let found = digest_of(&fs::read(&path).map_err(|error| wrong(error.to_string()))?);
    if !found.eq_ignore_ascii_case(sha256) {
        let words =
            format!("{sha256} is pinned, the file has {found}: restore it, or `make gallery`");
        return Err(wrong(words));
    }
    Ok(())
}
