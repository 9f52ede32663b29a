//! Trouble in a simulated world is the physics that it says it is, and nothing else changes.

use std::time::Duration;

use motion::Controller;
use reflex::{
    Clock, Loop,
    backend::mujoco::{Mujoco, Push, Scene},
    ports,
};
use reflexd::{config::Settings, daemon};

use crate::rig::here;

struct World {
    settings: Settings,
    scene: Scene,
}

impl World {
    fn shipped() -> Self {
        let settings = Settings::load(&here("config/daemon.toml")).expect("shipped");
        let scene = daemon::scene(&settings.robot_settings).expect("shipped scene");
        Self { settings, scene }
    }

    /// Where a body is after so many ticks of a robot that nobody commands; it begins at `from_m`.
    fn after(
        &self,
        scene: &Scene,
        body: &str,
        from_m: [f64; 3],
        push: Push,
        ticks: u32,
    ) -> [f64; 3] {
        let (robot, _) = daemon::guarded(&self.settings.robot_settings, 0.05).expect("shipped");
        let (mut world, mut spectator) = Mujoco::new(scene);
        world.place(body, from_m, 0.0).expect("a free body");
        world.push(body, &push).expect("a body");
        let (ports, _commander, _thinker, mut listener, _switch) = ports();
        let law = Controller::new(robot);
        let mut turns = Loop::new(Clock::lockstep(), Box::new(world), law, ports);
        for _ in 0..ticks {
            turns.turn();
            assert!(listener.next(Duration::ZERO).is_some());
            spectator.look();
        }
        spectator.object(body).expect("a free body")
    }
}

const NONE: Push = Push { force_n: [0.0; 3], from_s: 0.0, duration_s: 0.0 };

#[test]
fn a_push_is_force_times_time_over_mass_and_then_over() {
    let world = World::shipped();
    let push = Push { force_n: [0.0, 0.2, 0.0], from_s: 0.1, duration_s: 0.1 };
    // In free fall from 2 m, far from everything: 0.2 N for 0.1 s make 20 g fly at 1 m/s.
    let from_m = [0.3, 0.0, 2.0];
    let flown = |mass: f64, ticks: u32| {
        let scene = world.scene.changed(1.0, Some(("berry", mass))).expect("a berry");
        world.after(&scene, "berry", from_m, push, ticks)[1]
    };
    assert_eq!(flown(1.0, 2), 0.0, "not before its time");
    let (early, late) = (flown(1.0, 5), flown(1.0, 9));
    assert!(((late - early) / 0.2 - 1.0).abs() < 0.01, "{early} {late}");
    let (early, late) = (flown(2.0, 5), flown(2.0, 9));
    assert!(((late - early) / 0.2 - 0.5).abs() < 0.01, "twice the mass: {early} {late}");
}

#[test]
fn half_the_friction_holds_half_the_force() {
    let world = World::shipped();
    // The capsule of 20 g on a table with friction 1 holds 0.196 N; 0.15 N along its axis cannot roll it.
    let push = Push { force_n: [0.15, 0.0, 0.0], from_s: 0.5, duration_s: 0.3 };
    let slid = |friction: f64| {
        let scene =
            world.scene.changed(friction, Some(("distractor_3", 1.0))).expect("it is there");
        let from_m = [0.35, 0.25, 0.012];
        world.after(&scene, "distractor_3", from_m, push, 40)[0] - from_m[0]
    };
    let (held, slid) = (slid(1.0), slid(0.5));
    assert!(held.abs() < 2e-3, "{held}");
    // (0.15 N - 0.098 N) / 20 g for 0.3 s, then braked by 4.9 m/s2: 0.18 m.
    assert!((slid - 0.18).abs() < 0.04, "{slid}");
}

#[test]
fn a_changed_scene_leaves_the_other_as_it_was() {
    let world = World::shipped();
    let from_m = [0.3, 0.1, 0.5];
    let before = world.after(&world.scene, "berry", from_m, NONE, 30);
    let _heavy = world.scene.changed(0.5, Some(("berry", 2.0))).expect("a berry");
    let after = world.after(&world.scene, "berry", from_m, NONE, 30);
    assert_eq!(before.map(f64::to_bits), after.map(f64::to_bits));
    assert!(
        world
            .scene
            .changed(1.0, Some(("plum", 1.0)))
            .is_err_and(|e| e.to_string().contains("plum"))
    );
}
