//! Small changes of inputs, out of a seed.

/// What is hard to read: ends of ranges, parts of other formats, characters that are none.
const WORDS: [&[u8]; 40] = [
    b"0",
    b"-0",
    b"-1",
    b"1e308",
    b"-1e308",
    b"1e999",
    b"1e-320",
    b"0.1",
    b"nan",
    b"NaN",
    b"inf",
    b"-inf",
    b"null",
    b"true",
    b"false",
    b"255",
    b"65536",
    b"4294967295",
    b"4294967296",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551615",
    b"18446744073709551616",
    b"\"\"",
    b"{}",
    b"[]",
    b"[[[[[[[[",
    b"}",
    b"]",
    b",",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\xff",
    "\u{202e}".as_bytes(),
    "ß".as_bytes(),
    b"/dev/null",
    b"../../x",
    b"\n",
];

/// One of the corpus, changed a few times.
pub(super) fn changed(corpus: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut draw = fastrand::Rng::with_seed(seed);
    let pick = |draw: &mut fastrand::Rng| &corpus[draw.usize(..corpus.len())];
    let mut input = pick(&mut draw).clone();
    for _ in 0..1 + draw.u32(..4) {
        let at = draw.usize(..=input.len());
        let end = input.len().min(at + draw.usize(..64));
        match draw.u32(..10) {
            0 | 1 if at < input.len() => input[at] ^= 1 << draw.u32(..8),
            2 if at < input.len() => input[at] = draw.u8(..),
            3 => input.truncate(at),
            4 => drop(input.drain(at..end)),
            // The same once more.
            5 => {
                let part = input[at..end].to_vec();
                input.splice(at..at, part);
            }
            // A part of another.
            6 => {
                let other = pick(&mut draw);
                let from = draw.usize(..=other.len());
                let to = other.len().min(from + draw.usize(..256));
                input.splice(at..end, other[from..to].iter().copied());
            }
            7 => drop(input.splice(at..at, WORDS[draw.usize(..WORDS.len())].iter().copied())),
            _ => instead_of_a_number(&mut input, at, &mut draw),
        }
    }
    input
}

/// The next number of a text becomes another one.
fn instead_of_a_number(input: &mut Vec<u8>, at: usize, draw: &mut fastrand::Rng) {
    let digit = |byte: &u8| byte.is_ascii_digit();
    let Some(from) = input[at..].iter().position(digit).map(|from| at + from) else { return };
    let part = |byte: &u8| byte.is_ascii_digit() || b".eE+-".contains(byte);
    let to = input[from..].iter().position(|byte| !part(byte)).map_or(input.len(), |to| from + to);
    let number = match draw.u32(..4) {
        0 => WORDS[draw.usize(..23)].to_vec(),
        1 => f64::from_bits(draw.u64(..)).to_string().into_bytes(),
        2 => (draw.f64() * 10_f64.powi(draw.i32(-12..12))).to_string().into_bytes(),
        _ => draw.u64(..).to_string().into_bytes(),
    };
    input.splice(from..to, number);
}
