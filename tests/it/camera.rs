//! Camera pictures need nothing but MuJoCo, show what is there, and are the same each time.

use reflex::{
    Backend,
    backend::mujoco::{Image, Mujoco, Renderer},
};
use reflexd::config::Settings;

fn look(berry_m: [f64; 3]) -> Image {
    let settings = Settings::load(&crate::rig::here("config/daemon.toml")).expect("shipped");
    let scene = reflexd::daemon::scene(&settings.robot_settings).expect("shipped scene");
    let (mut world, mut spectator) = Mujoco::new(&scene);
    world.place("berry", berry_m, 0.0).expect("a berry");
    let robot = settings.robot_settings.build(0.05).expect("shipped limits");
    let mut law = motion::Controller::new(robot);
    let mut state = motion::State::blank(robot.joints());
    let now = motion::Nanos(0);
    world.read(now, &mut state);
    let inputs = motion::Inputs {
        now,
        state: &state,
        stop: None,
        early: false,
        outside: motion::failsafe::Conditions::NONE,
        orders: &[],
        replies: &[],
        correction: None,
    };
    world.write(now, &law.tick(&inputs).0);
    assert!(spectator.look(), "the world was seen");
    let camera = spectator.camera("top", (160, 120), Renderer::Rays).expect("shipped camera");
    spectator.picture(&camera).expect("rays cannot fail")
}

/// Where the red pixels are: their count and their mean column and row.
fn red(image: &Image) -> (usize, f64, f64) {
    let pixels = image.rgb.chunks_exact(3).enumerate();
    let red = pixels.filter(|(_, rgb)| rgb[0] > 90 && rgb[1] < 70 && rgb[2] < 70);
    let (mut count, mut column, mut row) = (0, 0.0, 0.0);
    for (k, _) in red {
        count += 1;
        column += (k % image.width) as f64;
        row += (k / image.width) as f64;
    }
    (count, column / count as f64, row / count as f64)
}

#[test]
fn the_same_world_gives_the_same_pixels() {
    let berry = [0.40, 0.10, 0.018];
    assert_eq!(look(berry), look(berry));
}

#[test]
fn a_camera_sees_where_the_berry_lies() {
    // Seen from above with x upwards and y to the left.
    let (left, far) = (look([0.30, 0.15, 0.018]), look([0.45, -0.15, 0.018]));
    let ((left_count, left_column, left_row), (far_count, far_column, far_row)) =
        (red(&left), red(&far));
    assert!(left_count > 5 && far_count > 5, "{left_count} and {far_count} red pixels");
    assert!(
        left_column < 70.0 && far_column > 90.0,
        "columns {left_column} and {far_column} of 160"
    );
    assert!(far_row < left_row, "rows {far_row} and {left_row}");
}

#[test]
fn an_unknown_camera_or_renderer_is_an_error() {
    let settings = Settings::load(&crate::rig::here("config/daemon.toml")).expect("shipped");
    let scene = reflexd::daemon::scene(&settings.robot_settings).expect("shipped scene");
    let (_world, spectator) = Mujoco::new(&scene);
    assert!(spectator.camera("nowhere", (16, 12), Renderer::Rays).is_err());
    assert_eq!(spectator.camera("top", (16, 12), Renderer::Egl).is_ok(), cfg!(feature = "egl"));
}
