use super::*;

fn bounds() -> Bounds {
    let all = [-1.0, 1.0];
    Bounds {
        target_x_m: all,
        target_y_m: all,
        target_z_m: all,
        radius_m: [0.0, 0.1],
        speed_hint: [0.2, 1.0],
    }
}

#[test]
fn parameters_are_bounded_and_nan_is_inside_of_nothing() {
    let good = Params { speed_hint: 1.0, ..Params::default() };
    assert_eq!(bounds().check("s", &good), Ok(()));
    for (bad, says) in [
        (Params { target_x: 1.1, ..good }, "target_x = 1.1 m is out of reach of \"s\": -1 to 1 m"),
        (Params { target_z: f64::NAN, ..good }, "target_z = NaN m"),
        (Params { radius: 0.2, ..good }, "radius = 0.2 m is out of bounds"),
        (
            Params { speed_hint: 0.1, ..good },
            "speed_hint = 0.1 is out of bounds of \"s\": 0.2 to 1",
        ),
    ] {
        let told = bounds().check("s", &bad).expect_err("out of bounds");
        assert!(told.contains(says), "{told}");
    }
    let stands = Bounds { speed_hint: [0.0, 1.0], ..bounds() };
    let told = stands.check("s", &Params { speed_hint: 0.0, ..good }).expect_err("no speed");
    assert!(told.contains("(0, 1]"), "{told}");
}
