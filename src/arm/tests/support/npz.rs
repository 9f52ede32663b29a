//! The shared cases.

#![allow(clippy::unwrap_used, reason = "only tests read cases")]

use std::{collections::BTreeMap, fs::File, path::PathBuf};

use ndarray::{ArrayD, IxDyn};
use ndarray_npy::{NpzReader, ReadNpzError};

/// The numbers of each entry, row-major.
pub(crate) type Arrays = BTreeMap<String, Vec<f64>>;

/// The Piper cases, `../shared/ik/cases/piper.npz` beside the repository; `None`, said aloud, where there are none.
pub(crate) fn piper_cases() -> Option<Arrays> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/ik/cases/piper.npz");
    let Ok(file) = File::open(PathBuf::from(path)) else {
        #[allow(clippy::print_stdout, reason = "a test that skips says so")]
        {
            println!("skipped: ../shared/ik/cases/piper.npz is not there");
        }
        return None;
    };
    let mut npz = NpzReader::new(file).unwrap();
    let mut arrays = Arrays::new();
    for name in npz.names().unwrap() {
        let floats: Result<ArrayD<f64>, ReadNpzError> = npz.by_name::<_, IxDyn>(&name);
        let numbers = match floats {
            Ok(array) => array.iter().copied().collect(),
            Err(_) => match npz.by_name::<ndarray::OwnedRepr<i64>, IxDyn>(&name) {
                Ok(array) => array.iter().map(|value| *value as f64).collect(),
                // Words and smaller numbers: nothing that is read here.
                Err(_) => continue,
            },
        };
        arrays.insert(name, numbers);
    }
    Some(arrays)
}
