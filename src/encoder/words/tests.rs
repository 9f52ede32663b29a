//! The numbers are the same everywhere, and what means the same is near.

use super::*;
use crate::encoder::Encoder;

fn embed(text: &str) -> Embedding {
    Words.embed(&Look { instruction: text, image: None }).expect("understood")
}

fn acts(text: &str) -> String {
    let sign = |act: Act| if act.negated { format!("-{}", act.name) } else { act.name.to_owned() };
    Words::read(text).acts().map(sign).collect::<Vec<_>>().join(" ")
}

fn cosine(a: &str, b: &str) -> f64 {
    embed(a).iter().zip(embed(b).iter()).map(|(a, b)| f64::from(a * b)).sum()
}

#[test]
fn the_numbers_are_these_bits_everywhere() {
    let texts =
        ["go find the berry and eat it", "don't eat it, just pikc it up", "Jog round & round!"];
    let bytes: Vec<u8> =
        texts.iter().flat_map(|text| embed(text).map(f32::to_le_bytes)).flatten().collect();
    let wanted = "0145506c4e884d610375c834ff7e483c5a7f1dc1098c5c830c049ff37f25d4d3";
    assert_eq!(digest_of(&bytes), wanted, "other numbers: count VERSION up and train heads again");
}

#[test]
fn the_dictionary_fits_its_coordinates() {
    let classes = lexicon::classes();
    assert!(classes.len() <= NEGATED - MEANT, "{} classes", classes.len());
    for act in ACTS {
        assert!(classes.iter().any(|class| class.name == act), "{act} is no class");
    }
    let known = |concept: &str| Words::read(concept).acts().next().is_some();
    assert!(known("eat") && known("walk") && !known("the"));
}

#[test]
fn an_embedding_has_length_one() {
    for text in ["run", "eat", "go over there, and then come back to me", "zorb the berry"] {
        let square: f64 = embed(text).iter().map(|x| f64::from(x * x)).sum();
        assert!((square - 1.0).abs() < 1e-6, "{text}: {square}");
    }
}

#[test]
fn what_means_the_same_is_nearer_than_what_looks_the_same() {
    for (a, same, other) in [
        ("pick up the berry", "snatch the strawberry", "eat up the berry"),
        ("walk to the marker", "stroll over to the spot", "walk around the marker"),
        (
            "go find the berry and eat it",
            "go and seek out the fruit, then gobble it up",
            "go find the marker",
        ),
        ("run around", "sprint in circles", "run to the chair"),
    ] {
        let (near, far) = (cosine(a, same), cosine(a, other));
        assert!(near > far, "{a:?}: {near} to {same:?}, {far} to {other:?}");
    }
}

#[test]
fn slips_of_the_keyboard_are_seen_through() {
    assert_eq!(acts("plase pikc up teh bery"), "grasp");
    assert_eq!(acts("fnid teh strawbery and eat itt"), "find eat");
    assert_eq!(acts("wlak to teh markre"), "go");
    assert_eq!(acts("rnu arond"), "run circle");
    assert_eq!(acts("pickupthe berry"), "grasp");
    assert_eq!(acts("gooooo to the marker"), "go");
}

#[test]
fn negation_reaches_to_the_next_pause() {
    assert_eq!(acts("don't eat the berry, just pick it up"), "-eat grasp");
    assert_eq!(acts("do not eat but lift it"), "-eat grasp");
    assert_eq!(acts("Why don't you pick up the berry?"), "grasp", "a question, no negation");
    assert_eq!(acts("run around and don't stop"), "run circle");
}

#[test]
fn second_thoughts_count() {
    for (text, wanted) in [
        ("eat the berry, no, walk to the marker", "-eat go"),
        ("Walk to the marker? No, run around it", "-go run circle"),
        ("walk to the marker, no eat the berry", "-go eat"),
        ("run around - wait, no - eat the berry", "-run -circle eat"),
        ("go to the marker... scratch that, pick up the berry", "-go grasp"),
        ("pick up the berry, no eating", "grasp -eat"),
        ("pick up the berry. Never mind", "grasp stop"),
        ("actually, go to the cone", "go"),
    ] {
        assert_eq!(acts(text), wanted, "{text}");
    }
    // Only the thing is put right: what is to be done stays.
    assert_eq!(acts("grab the berry, no, the ball"), "grasp");
    let meant = |text| Words::read(text).concepts.iter().filter(|it| !it.negated).count();
    assert_eq!(meant("grab the berry, no, the ball"), meant("grab the ball"));
}

#[test]
fn words_that_nobody_knows_are_no_embedding() {
    for text in ["", "   ", "asdf qwerty zxcv", "the of and", "?!", "\u{1f353}", "бери ягоду"]
    {
        let error = Words.embed(&Look { instruction: text, image: None });
        assert!(matches!(error, Err(EncodeError::NotUnderstood { .. })), "{text:?}");
    }
}

#[test]
fn a_text_of_any_length_is_read() {
    let long = "walk ".repeat(100_000);
    assert!(Words::read(&long).acts().count() <= 200);
    let odd = "x".repeat(100_000);
    assert!(Words::read(&odd).acts().next().is_none());
}
