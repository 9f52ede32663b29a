//! What can be proved without a model: the resize against Pillow's own bytes, sizes and places against transformers'.

use super::{
    description::{Description, Pictures},
    pattern,
    resize::resize,
    tile::Tile,
};
use crate::head::digest_of;

type Size<T> = (T, T);

/// SHA-256 of `Image.resize(to, BICUBIC).tobytes()` of the pattern, by Pillow 13.0.0.
const PILLOW: [(Size<u32>, Size<usize>, &str); 8] = [
    ((320, 320), (448, 448), "1c122a0e1cb394c017b94585eee4c71ab507bae6aad78d37261dd4e66b706b1e"),
    ((640, 480), (504, 392), "e6a0a72fce13b628cea8bfb9403cba175ff13b308e014f5fb7ef0f61d0a094a5"),
    ((1280, 720), (616, 336), "82f454ef6d6bed1d8bdad9bb59caddae201880821f34ceb9d091c93fab1e3843"),
    ((33, 97), (280, 784), "bdcc9a609fd397b783f2e9a88ca86d158b09c9c3e9c1b10b8fcba4c5b3f49a01"),
    ((448, 448), (448, 448), "bb4bd7dcaed6f7b51768154a4095e53341577e010f561b74de311190cefbfe36"),
    ((640, 392), (504, 392), "32766fc25411816421e1a466c06d942f8a05a017264cc39e32ede6e86cc4018e"),
    ((1, 1), (448, 448), "8d3a67a8dd42409d19341257c2225949f277fe6c5aab50324a6c1c2b2b960e79"),
    ((500, 7), (3584, 56), "1be395144cec03850433e8eac10b563d208422d8068a932eca364eaeed05828e"),
];

#[test]
fn resizes_as_pillow_does() {
    for ((from_width, from_height), (to_width, to_height), wanted) in PILLOW {
        let bytes = resize(&pattern(from_width, from_height), to_width, to_height);
        assert_eq!(bytes.len(), to_width * to_height * 3);
        assert_eq!(
            digest_of(&bytes),
            wanted,
            "{from_width}x{from_height} to {to_width}x{to_height}"
        );
    }
}

fn pictures(condensed: bool) -> Pictures {
    let text = format!(
        "patch_size = 14\nscale_resolution = 448\nrescale_factor = 0.00392156862745098\ncondensed = {condensed}\n\
         image_mean = [0.5, 0.5, 0.5]\nimage_std = [0.5, 0.5, 0.5]\nboundaries = [0.25, 0.5, 0.75]\n"
    );
    toml::from_str(&text).expect("what a description says of pictures")
}

#[test]
fn a_tile_has_as_many_patches_as_transformers_makes() {
    // What transformers 5.23.0 answered as `target_sizes`.
    for (width, height, rows, columns) in [
        (320, 320, 32, 32),
        (320, 240, 28, 36),
        (640, 480, 28, 36),
        (1280, 720, 24, 44),
        (100, 50, 24, 44),
    ] {
        let tile = Tile::of(&pattern(width, height), &pictures(true));
        assert_eq!((tile.rows, tile.columns), (rows, columns), "{width} x {height}");
        assert_eq!((tile.tokens(), tile.windows.len()), (rows * columns / 16, rows * columns));
        assert_eq!(tile.pixels.len(), 3 * 14 * 14 * rows * columns);
    }
    let fine = Tile::of(&pattern(320, 320), &pictures(false));
    assert_eq!(fine.tokens(), 256);
}

#[test]
fn each_patch_has_its_place() {
    let tile = Tile::of(&pattern(320, 320), &pictures(true));
    // A grid of 4 x 4 positions under 32 x 32 patches: eight patches to each, left-closed.
    let at = |row: usize, column: usize| tile.positions[row * 32 + column];
    assert_eq!([at(0, 0), at(7, 7), at(7, 8), at(8, 7), at(31, 31)], [0, 0, 1, 4, 15]);
    assert_eq!(tile.windows[..8], [0, 1, 32, 33, 2, 3, 34, 35]);
    assert_eq!(tile.merges[..8], [0, 1, 16, 17, 2, 3, 18, 19]);
    let mut all = tile.windows.clone();
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..1024), "every patch is in one window");
    // The patch's second line follows all patches' first: channel, line, patch, column.
    let how = pictures(true);
    let resized = resize(&pattern(320, 320), 448, 448);
    let pixel = |x: usize, y: usize, channel: usize| {
        how.normalised(resized[(y * 448 + x) * 3 + channel], channel)
    };
    assert_eq!(tile.pixels[14 * 1024 + 14 + 3].to_bits(), pixel(17, 1, 0).to_bits());
    assert_eq!((how.normalised(0, 0), how.normalised(255, 2)), (-1.0, 1.0));
}

#[test]
fn a_folder_that_is_not_whole_is_refused_with_the_file_and_the_key() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let said = |text: &str| {
        std::fs::write(folder.path().join("encoder.toml"), text).expect("a temporary file");
        Description::read(folder.path()).expect_err("not whole").to_string()
    };
    let files = ["text.onnx", "embedding.f32", "tokenizer.json", "goldens.f32"];
    let listed: String =
        files.iter().map(|name| format!("\"{name}\" = \"{}\"\n", digest_of(b"x"))).collect();
    let whole = format!(
        "schema = \"reflex.encoder.v1\"\nname = \"minicpm\"\nprompt = \"{{instruction}}\"\nmade_from = \"\"\n\
         made_with = \"\"\ninstruction_max = 9\n[files]\n{listed}[template]\nbefore = \"\"\nimage_token = -1\n\
         behind = \"\"\nafter = \"\"\nrefused = []\n[[golden]]\ninstruction = \"go\"\nimage = [8, 8]\n"
    );
    for (old, new, why) in [
        ("reflex.encoder.v1", "reflex.encoder.v2", "schema"),
        ("name = ", "nom = ", "unknown field `nom`"),
        ("image_token = -1", "image_token = 7", "template.image_token"),
        ("\"text.onnx\"", "\"../text.onnx\"", "../text.onnx"),
        ("\"goldens.f32\"", "\"golden.f32\"", "\"goldens.f32\" is missing"),
        ("", "", "embedding.f32"),
    ] {
        let told = said(&whole.replacen(old, new, 1));
        assert!(told.contains(why) && told.contains("Remedy"), "{old:?} to {new:?}: {told}");
    }
    for name in files {
        std::fs::write(folder.path().join(name), b"x").expect("a temporary file");
    }
    std::fs::write(folder.path().join("text.onnx"), b"y").expect("a temporary file");
    let told = said(&whole);
    assert!(told.contains("text.onnx") && told.contains("SHA-256"), "{told}");
    std::fs::write(folder.path().join("text.onnx"), b"x").expect("a temporary file");
    let first = Description::read(folder.path()).expect("whole").digest;
    std::fs::write(
        folder.path().join("encoder.toml"),
        whole.replace("after = \"\"", "after = \"!\""),
    )
    .expect("a temporary file");
    let second = Description::read(folder.path()).expect("whole").digest;
    assert_ne!(first, second, "another template is another encoder");
}
