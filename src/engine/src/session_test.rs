//! Networks in sessions: what is accepted, what is answered, and by whom.

#[path = "../tests/network/mod.rs"]
pub(crate) mod network;

use network::{F32, Graph, I64};

use super::*;

fn engine() -> &'static Engine {
    Engine::start(&tests::library()).expect("it starts")
}

const fn spec<'a>(name: &'a str, shape: &'a [usize]) -> TensorSpec<'a> {
    TensorSpec { name, shape, element: Element::F32 }
}

const HEAD: Signature<'_> = Signature {
    inputs: &[spec("state", &[1, 27]), spec("embedding", &[1, 1024])],
    output: spec("action_chunk", &[1, 10, 32]),
};

fn at(provider: Provider, precision: Precision) -> Placement {
    Placement { provider, precision, ..Placement::default() }
}

fn floats(values: Values<'_>) -> &[f32] {
    match values {
        Values::F32(values) => values,
        Values::I64(_) => panic!("tokens"),
    }
}

/// One run of a session whose inputs are filled from a formula.
fn answer(session: &mut Session, lens: &[usize]) -> Vec<f32> {
    for (at, len) in lens.iter().enumerate() {
        let input = session.input_mut(at);
        assert_eq!(input.len(), *len);
        for (k, value) in input.iter_mut().enumerate() {
            *value = ((k * 7 + at) as f32 * 0.37).sin();
        }
    }
    floats(session.run().expect("it runs")).to_vec()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn dense_layers_answer_as_onnx_runtime_does() {
    let model = network::head();
    let onnx = at(Provider::OnnxRuntime, Precision::Fp32);
    let mut onnx = Session::place(engine(), &model, &HEAD, &onnx).expect("it loads");
    assert_eq!(onnx.description(), "ONNX Runtime, CPU");
    let wanted = answer(&mut onnx, &[27, 1024]);
    assert!(wanted.iter().any(|value| value.abs() > 0.1), "an answer that is none");
    for (precision, tolerance) in [
        (Precision::Fp32, 2e-6),
        (Precision::Fp16, 1e-3),
        (Precision::Bf16, 1e-2),
        (Precision::Int8, 2e-2),
    ] {
        let placement = at(Provider::Cpu, precision);
        let mut dense = Session::place(engine(), &model, &HEAD, &placement).expect("it loads");
        assert!(dense.description().starts_with("dense layers"), "{}", dense.description());
        let error = furthest(&answer(&mut dense, &[27, 1024]), &wanted);
        assert!(error < tolerance, "{precision:?}: {error}");
        assert!(precision == Precision::Fp32 || error > 0.0, "{precision:?} is what it says");
    }
}

#[test]
fn every_known_operator_answers_as_onnx_runtime_does() {
    let mut graph = Graph::new(3);
    let (x, y) = (graph.input("x", &[0, 6]), graph.input("y", &[1, 4]));
    let half = graph.floats(&[], &[0.5]);
    let six = graph.floats(&[6], &[1.0, -2.0, 3.0, 0.5, 0.25, 4.0]);
    let weights = graph.random(24, 1.0);
    let weights = graph.floats(&[6, 4], &weights);
    let (zero, one, three) = (graph.integers(&[0]), graph.integers(&[1]), graph.integers(&[3]));
    let (minus, two) = (graph.integers(&[-2]), graph.integers(&[1, -1]));
    let mut a = graph.node("Sub", &[&x, &half], &[]);
    a = graph.node("Div", &[&a, &six], &[]);
    a = graph.node("Elu", &[&a], &[]);
    a = graph.node("MatMul", &[&a, &weights], &[]);
    a = graph.node("Add", &[&a, &y], &[]);
    a = graph.node("LeakyRelu", &[&a], &[]);
    a = graph.node("Tanh", &[&a], &[]);
    let left = graph.node("Slice", &[&a, &zero, &three, &one], &[]);
    let right = graph.node("Slice", &[&a, &minus, &three, &one, &one], &[]);
    let right = graph.node("Neg", &[&right], &[]);
    let right = graph.node("Exp", &[&right], &[]);
    a = graph.node("Concat", &[&left, &right, &y], &[("axis", -1)]);
    let (low, high) = (graph.floats(&[], &[-0.4]), graph.floats(&[], &[0.9]));
    a = graph.node("Clip", &[&a, &low, &high], &[]);
    a = graph.node("Relu", &[&a], &[]);
    a = graph.node("Flatten", &[&a], &[]);
    a = graph.node("Reshape", &[&a, &two], &[]);
    a = graph.node("Mul", &[&half, &a], &[]);
    a = graph.node("Sigmoid", &[&a], &[]);
    let model = graph.file(&a, "out", F32, &[1, 8]);
    let signature = Signature {
        inputs: &[spec("y", &[1, 4]), spec("x", &[1, 6])],
        output: spec("out", &[1, 8]),
    };
    let mut answers = Vec::new();
    for provider in [Provider::OnnxRuntime, Provider::Cpu] {
        let placement = at(provider, Precision::Fp32);
        let mut session = Session::place(engine(), &model, &signature, &placement).expect("loads");
        assert_eq!(session.description().starts_with("dense"), provider == Provider::Cpu);
        answers.push(answer(&mut session, &[4, 6]));
    }
    assert!(furthest(&answers[0], &answers[1]) < 1e-6, "{answers:?}");
    assert!(answers[0].iter().any(|value| *value != answers[0][0]), "{answers:?}");
}

/// Which of 5 numbers is largest: tokens, by an operator that is no dense layer.
fn tokens() -> Vec<u8> {
    let mut graph = Graph::new(1);
    let x = graph.input("x", &[1, 5]);
    let token = graph.node("ArgMax", &[&x], &[("axis", 1)]);
    graph.file(&token, "token", I64, &[1, 1])
}

#[test]
fn tokens_come_as_integers() {
    let signature = Signature {
        inputs: &[spec("x", &[1, 5])],
        output: TensorSpec { name: "token", shape: &[1, 1], element: Element::I64 },
    };
    let mut session = Session::load(engine(), &tokens(), &signature).expect("it loads");
    session.input_mut(0)[3] = 2.0;
    assert_eq!(session.run(), Ok(Values::I64(&[3])));
    session.input_mut(0)[1] = 4.0;
    assert_eq!(session.run(), Ok(Values::I64(&[1])));
    let placement = at(Provider::Cpu, Precision::Fp16);
    let refused = Session::place(engine(), &tokens(), &signature, &placement).expect_err("int");
    assert!(refused.to_string().contains("precision = \"fp16\""), "{refused}");
}

#[test]
fn a_network_with_another_signature_is_refused_by_slot() {
    let model = network::head();
    let state = spec("state", &[1, 27]);
    let embedding = spec("embedding", &[1, 1024]);
    let output = HEAD.output;
    let token = TensorSpec { element: Element::I64, ..output };
    let longer = spec("action_chunk", &[1, 11, 32]);
    for (inputs, output, slot, words) in [
        (&[state][..], output, Slot::Input(1), "`embedding` besides"),
        (&[state, spec("eye", &[1, 1024])], output, Slot::Input(1), "`eye`"),
        (&[spec("state", &[1, 28]), embedding], output, Slot::Input(0), "[1, 28]"),
        (&[state, embedding], spec("actions", &[1, 10, 32]), Slot::Output, "`actions`"),
        (&[state, embedding], token, Slot::Output, "i64"),
        (&[state, embedding], longer, Slot::Output, "[1, 11, 32]"),
    ] {
        let signature = Signature { inputs, output };
        let refused = Session::load(engine(), &model, &signature).expect_err(words);
        let (EngineError::Tensor { slot: found, .. } | EngineError::Shape { slot: found, .. }) =
            &refused
        else {
            panic!("{refused}");
        };
        assert_eq!(*found, slot, "{refused}");
        assert!(refused.to_string().contains(words), "{refused}");
    }
}

#[test]
fn denormal_numbers_count_as_zero_and_only_in_a_run() {
    let mut graph = Graph::new(1);
    let x = graph.input("x", &[1, 2]);
    let large = graph.floats(&[], &[1e30]);
    let made = graph.node("Mul", &[&x, &large], &[]);
    let model = graph.file(&made, "y", F32, &[1, 2]);
    let signature = Signature { inputs: &[spec("x", &[1, 2])], output: spec("y", &[1, 2]) };
    for provider in [Provider::Cpu, Provider::OnnxRuntime] {
        let placement = at(provider, Precision::Fp32);
        let mut session = Session::place(engine(), &model, &signature, &placement).expect("loads");
        session.input_mut(0).copy_from_slice(&[1e-41, 1e-20]);
        let answer = floats(session.run().expect("it runs"));
        assert_eq!(answer[0], 0.0, "{provider:?}");
        assert!((answer[1] - 1e10).abs() < 1e4, "{provider:?}");
        assert!(std::hint::black_box(1e-41_f32) * 1e30 > 0.0, "the thread is as it was");
    }
}

#[test]
fn an_answer_that_is_no_number_is_refused() {
    for provider in [Provider::Cpu, Provider::OnnxRuntime] {
        let placement = at(provider, Precision::Fp32);
        let model = network::head();
        let mut session = Session::place(engine(), &model, &HEAD, &placement).expect("it loads");
        session.input_mut(1)[1000] = f32::NAN;
        assert!(matches!(session.run(), Err(EngineError::NotFinite { .. })), "{provider:?}");
        session.input_mut(1)[1000] = 0.0;
        assert!(session.run().is_ok(), "{provider:?}: and the next run is well");
    }
}

#[test]
fn a_network_for_a_gpu_never_runs_silently_on_the_processor() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = network::head();
    for (provider, words) in [
        (Provider::Cuda, "cuda"),
        (Provider::Tensorrt, "tensorrt"),
        (Provider::Plugin, "inference.plugin"),
        (Provider::Compiled, "compiled"),
    ] {
        if engine().providers().len() > 1 {
            eprintln!("skipped: this ONNX Runtime has more than the processor");
            return;
        }
        let strict = Placement {
            provider,
            cache: Some(folder.path().to_owned()),
            digest: "0123456789abcdef".into(),
            ..Placement::default()
        };
        let refused = Session::place(engine(), &model, &HEAD, &strict).expect_err("no GPU");
        assert!(matches!(refused, EngineError::Provider { .. }), "{refused}");
        assert!(refused.to_string().contains(words), "{refused}");
        let loud = Placement { fallback: Fallback::Cpu, ..strict };
        let mut session = Session::place(engine(), &model, &HEAD, &loud).expect("it falls back");
        assert_eq!(session.fell_back(), Some(refused.to_string().as_str()));
        assert_eq!(session.description(), "dense layers, fp32, AVX2".replace("AVX2", twin()));
        assert!(session.run().is_ok());
    }
    let missing = Placement {
        provider: Provider::Plugin,
        library: Some("/nowhere/libplugin.so".into()),
        ..Placement::default()
    };
    let refused = Session::place(engine(), &model, &HEAD, &missing).expect_err("no plugin");
    assert!(refused.to_string().contains("/nowhere/libplugin.so"), "{refused}");
}

/// What this processor does best.
fn twin() -> &'static str {
    let model = network::head();
    let session = Session::load(engine(), &model, &HEAD).expect("it loads");
    if session.description().ends_with("AVX2") { "AVX2" } else { "plain" }
}

#[test]
fn an_engine_places_what_says_nothing_of_itself() {
    let placed = engine().placed(at(Provider::OnnxRuntime, Precision::Fp32));
    assert!(std::ptr::eq(placed, engine().placed(at(Provider::OnnxRuntime, Precision::Fp32))));
    let session = Session::load(placed, &network::head(), &HEAD).expect("it loads");
    assert_eq!((session.description(), session.fell_back()), ("ONNX Runtime, CPU", None));
}
