//! Who it says it is, and what that changes.

use reflex::backend::piper::frames::{Command, Feedback, Identity};

use crate::rig::{RAISED, Rig, setup};

#[test]
fn each_generation_tells_its_name_in_eleven_frames() {
    for name in ["S-V1.5-2", "S-V1.6-5", "S-V1.8-2", "S-V1.8-8"] {
        let mut rig = Rig::of(setup(name));
        rig.say(Command::AskFirmware);
        rig.run(20);
        let mut identity = Identity::default();
        for (_, frame) in rig.said.iter().filter(|(_, frame)| frame.id == 0x4AF) {
            match Feedback::decode(frame) {
                Ok(Some(Feedback::FirmwarePart(part))) => identity.push(part),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert!(identity.is_whole());
        assert_eq!(identity.firmware().map(|found| found.to_string()).as_deref(), Some(name));
    }
}

#[test]
fn the_old_zero_tells_the_same_posture_in_other_numbers_and_the_same_tool() {
    let (mut new, mut old) = (Rig::of(setup("S-V1.6-3")), Rig::of(setup("S-V1.6-2")));
    let two = 2_f64.to_radians();
    let mut pose = RAISED;
    (pose[1], pose[2]) = (pose[1] + two, pose[2] - two);
    new.run(1);
    old.arm.pose(&pose);
    old.run(1);
    assert!((old.joints()[1] - new.joints()[1] - two).abs() < 1e-4);
    for (k, (old, new)) in old.tool().into_iter().zip(new.tool()).enumerate() {
        assert!((old - new).abs() <= 3, "{k}: {old} {new}");
    }
}
