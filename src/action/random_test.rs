//! Random numbers and ids: what is encoded is decoded, and nothing that a network can answer panics or becomes a set-point
//! that is not finite. A case that fails is printed, and told with the seed that repeats it.

use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_assert, prop_assert_eq},
    test_runner::{Config, TestCaseError, TestRunner},
};

use super::*;

/// Runs a property on 512 random cases; the seed is the same in each run.
fn on<S: Strategy>(strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases: 512, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let failed = runner.run(strategy, test);
    failed.unwrap_or_else(|error| panic!("of proptest's deterministic seed: {error}"));
}

/// One normalisation of each kind, of one column, from two numbers in order.
fn normalisations(low: f64, high: f64) -> Vec<Normalisation> {
    let (a, b) = (vec![low], vec![high]);
    let ends = MinMax { min: a.clone(), max: b.clone() };
    let moments = MeanStd { mean: a.clone(), std: vec![high - low] };
    let quantiles = Quantiles { q01: a.clone(), q99: b.clone() };
    vec![
        Normalisation::Range(ends.clone()),
        Normalisation::LerobotMeanStd(moments.clone()),
        Normalisation::LerobotMinMax(ends),
        Normalisation::LerobotQuantiles(quantiles.clone()),
        Normalisation::LerobotQuantile10(Deciles { q10: a.clone(), q90: b.clone() }),
        Normalisation::OpenpiZScore(moments),
        Normalisation::OpenpiQuantile(quantiles),
        Normalisation::OpenvlaBoundsQ99(MaskedQuantiles { q01: a.clone(), q99: b, mask: None }),
        Normalisation::CentreHalf(CentreHalf { centre: a, half: vec![high - low] }),
    ]
}

#[test]
fn a_value_comes_back_from_every_normalisation() {
    let within = (-10.0..10.0, 0.001..10.0, 0.0..1.0);
    on(&within, |(low, width, place)| {
        let value = low + place * width;
        for normalisation in normalisations(low, low + width) {
            let scale = normalisation.scales(1).expect("of one")[0];
            let got = scale.decode(scale.encode(value));
            // The epsilons that a trainer adds on one way only are 1e-8 of a width or deviation; the others cancel.
            let tolerance = match normalisation {
                Normalisation::LerobotMeanStd(_) | Normalisation::OpenvlaBoundsQ99(_) => 2e-8,
                _ => 1e-9,
            };
            prop_assert!((got - value).abs() <= tolerance, "{normalisation:?}: {value} to {got}");
        }
        Ok(())
    });
}

/// Codecs that have a number for each id, of one number, and half their widest bin.
fn tables() -> Vec<(Codec, f64)> {
    let map: Vec<String> = (0..256).map(|bin| format!("\"{bin}\": {}", 6399 - 7 * bin)).collect();
    let map = format!("{{{}}}", map.join(", "));
    let bins = |vocabulary, bins| Tokens::OpenvlaBins(OpenvlaBins { vocabulary, bins });
    let file = || TokenMap { file: "map.json".into(), sha256: String::new() };
    let sizes = Sizes { tokens: 1, steps: 1, columns: 1 };
    let codec = |tokens, file: Option<&[u8]>| Codec::compile(&tokens, file, sizes).expect("sound");
    vec![
        (codec(bins(32_000, 256), None), 1.0 / 255.0),
        (codec(bins(17, 17), None), 1.0 / 16.0),
        (codec(Tokens::TokenMap(file()), Some(map.as_bytes())), 1.0 / 255.0),
        // Its last step is short of +1.
        (codec(Tokens::MintUniform(MintUniform {}), None), 1.0 / 256.0),
    ]
}

#[test]
fn a_number_comes_back_from_its_bin_within_half_of_it() {
    on(&(-1.0..1.0), |number: f64| {
        for (mut codec, half) in tables() {
            let ids = codec.encode(&[number]).expect("finite");
            let mut got = Vec::new();
            codec.decode(&ids, &mut got).expect("its own ids");
            prop_assert!((got[0] - number).abs() <= half + 1e-12, "{codec:?}: {number} to {got:?}");
            // And a bin's own number has the same id.
            prop_assert_eq!(codec.encode(&got).expect("finite"), ids);
        }
        Ok(())
    });
}

#[test]
fn the_upper_end_reads_as_the_last_bin() {
    for (mut codec, half) in tables() {
        let mut got = Vec::new();
        let ids = codec.encode(&[1.0]).expect("finite");
        codec.decode(&ids, &mut got).expect("its own ids");
        assert!((got[0] - 1.0).abs() <= half + 1e-12, "{got:?}");
    }
}

#[test]
fn any_id_is_a_finite_number_or_refused() {
    on(&(any::<i64>(), -10_i64..33_000), |(any, near)| {
        for (mut codec, _) in tables() {
            for id in [any, near] {
                let mut got = Vec::new();
                match codec.decode(&[id], &mut got) {
                    Ok(()) => prop_assert!(got.len() == 1 && got[0].abs() <= 1.0),
                    Err(error) => {
                        let is_unknown = matches!(error, TokenRefusal::Unknown { .. });
                        prop_assert!(is_unknown);
                    }
                }
            }
        }
        Ok(())
    });
}

/// A tokenizer whose alphabet is the bytes themselves: id 0 is the byte 0.
pub(crate) fn byte_tokenizer() -> String {
    let printed = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let (mut next, mut vocabulary) = (0x100_u32, serde_json::Map::new());
    for byte in 0..=255_u8 {
        let symbol = if printed(&byte) {
            char::from(byte)
        } else {
            next += 1;
            char::from_u32(next - 1).expect("a letter")
        };
        vocabulary.insert(symbol.to_string(), byte.into());
    }
    let level = serde_json::json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true
    });
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": level, "post_processor": null, "decoder": level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "vocab": vocabulary, "merges": []
        }
    })
    .to_string()
}

fn fast(language_ids: Option<LanguageIds>) -> Codec {
    let fast = Tokens::Fast(Fast {
        file: "tokenizer.json".into(),
        sha256: String::new(),
        scale: 10.0,
        min_token: -60,
        steps: None,
        pad_token: Some(-1),
        language_ids,
    });
    // Two bytes for each of eight coefficients at most.
    let sizes = Sizes { tokens: 16, steps: 4, columns: 2 };
    Codec::compile(&fast, Some(byte_tokenizer().as_bytes()), sizes).expect("a tokenizer")
}

#[test]
fn a_chunk_comes_back_from_fast_within_its_rounding() {
    for language_ids in [None, Some(LanguageIds { vocabulary: 257_152, skip: 128 })] {
        on(&vec(-2.0..2.0, 8), |numbers| {
            let mut codec = fast(language_ids);
            let ids = codec.encode(&numbers).expect("in the alphabet");
            prop_assert_eq!(ids.len(), 16);
            let mut got = Vec::new();
            codec.decode(&ids, &mut got).expect("its own ids");
            // Half a step of each of four coefficients, orthonormal: 0.05 sqrt(4).
            for (got, wanted) in got.iter().zip(&numbers) {
                prop_assert!((got - wanted).abs() <= 0.1 + 1e-12, "{numbers:?} to {got}");
            }
            // What comes back is a chunk that FAST can tell without loss.
            prop_assert_eq!(codec.encode(&got).expect("in the alphabet"), ids);
            Ok(())
        });
    }
}

#[test]
fn any_ids_of_fast_are_a_whole_finite_chunk_or_refused() {
    on(
        &vec(proptest::prop_oneof![0_i64..256, 0_i64..128, -2_i64..300, any::<i64>()], 0..20),
        |ids| {
            let mut codec = fast(None);
            let mut got = Vec::new();
            match codec.decode(&ids, &mut got) {
                Ok(()) => {
                    prop_assert!(got.len() == 8 && got.iter().all(|number| number.is_finite()))
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
            Ok(())
        },
    );
}

/// Every way for a column to drive a joint, of four joints.
fn every_representation() -> Vec<Columns> {
    #[derive(serde::Deserialize)]
    struct Groups {
        columns: Vec<Columns>,
    }
    let groups: Groups = toml::from_str(
        r#"
        [[columns]]
        representation = "joint_absolute"
        joints = ["a"]
        smoothing = 0.3
        clip = { min = [-1.0], max = [1.0] }
        normalised = { method = "centre_half", centre = [0.1], half = [0.5] }

        [[columns]]
        representation = "joint_delta"
        joints = ["b", "c"]
        relative_to = "measured"
        steps = "cumulative"
        mask = [true, false]
        normalised = { method = "lerobot_mean_std", mean = [0.1, 0.2], std = [1e30, 0.0] }

        [[columns]]
        representation = "gripper"
        joint = "d"
        closed = 0.0
        open = 0.07
        closed_at = 1.0
        open_at = -1.0
        normalised = { method = "openpi_quantile", q01 = [-1e300], q99 = [1e300] }

        [[columns]]
        representation = "unused"
        columns = 1
        "#,
    )
    .unwrap_or_else(|error| panic!("{error}"));
    groups.columns
}

#[test]
fn any_bits_of_a_tensor_are_finite_set_points_or_refused() {
    let joints = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    let body = Body { name: "toy".to_owned(), joints, limits: Vec::new(), arms: Vec::new() };
    let groups = every_representation();
    let bits = proptest::prop_oneof![any::<u32>().prop_map(f32::from_bits), -2.0_f32..2.0];
    let place = proptest::prop_oneof![any::<u64>().prop_map(f64::from_bits), -2.0..2.0];
    on(&(vec(bits, 0..24), vec(place, 8)), |(tensor, places)| {
        let mut lowering = Lowering::compile(&groups, &body, 0.05).expect("it fits");
        let at = |from: usize| Joints::from_slice(&places[from..from + 4]).expect("four joints");
        let start = Start { measured: at(0), commanded: at(4), velocity: Joints::zeros(4) };
        let mut chunk = target_test::chunk(4);
        match lowering.lower(Values::F32(&tensor), &start, &mut chunk) {
            Ok(()) => {
                prop_assert!(chunk.is_finite());
                prop_assert_eq!(chunk.len(), tensor.len() / 5);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        Ok(())
    });
}

#[test]
fn a_tensor_of_the_other_kind_is_refused() {
    let joints = vec!["a".to_owned()];
    let body = Body { name: "toy".to_owned(), joints, limits: Vec::new(), arms: Vec::new() };
    let group = JointAbsolute { joints: body.joints.clone(), ..JointAbsolute::default() };
    let groups = [Columns::JointAbsolute(group)];
    let mut numbers = Lowering::compile(&groups, &body, 0.05).expect("it fits");
    assert_eq!(numbers.decode(Values::I64(&[1])), Err(LowerError::Shape));
    let sizes = Sizes { tokens: 1, steps: 1, columns: 1 };
    let codec = Codec::compile(&Tokens::MintUniform(MintUniform {}), None, sizes).expect("sound");
    let mut tokens = numbers.reading(codec);
    assert_eq!(tokens.decode(Values::F32(&[1.0])), Err(LowerError::Shape));
    assert_eq!(tokens.decode(Values::I64(&[256])), Ok(&[0.0][..]));
    let refused = LowerError::Tokens(TokenRefusal::Count { found: 2, wanted: 1 });
    assert_eq!(tokens.decode(Values::I64(&[0, 0])), Err(refused));
}
