//! One binary for every machine: the twin of each hot entry that this processor can run.
//!
//! Everything below an entry is `inline(always)`, so that a twin is compiled as a whole for its instruction set. What is
//! seldom needed is an entry of its own, called from within others, so that the hot ones stay small.

use crate::{
    answer::Answer,
    chain::Chain,
    closed::{Candidates, Closed, Found, Task},
    inverse::{self, Arm, Options, Solutions},
    math::Frame,
    nearest, numeric,
    servo::{self, Bounds, Followed, Servo, Task as ServoTask},
    six::Joints6,
    sweep::{self, Sample, Sweep},
    vector::JointVector,
};

macro_rules! twins {
    ($($name:ident($($argument:ident: $kind:ty),*) $(-> $out:ty)? = $body:ident::$function:ident;)*) => {
        $(
            pub(crate) fn $name($($argument: $kind),*) $(-> $out)? {
                #[cfg(target_arch = "x86_64")]
                {
                    #[target_feature(enable = "avx2,fma")]
                    fn wide($($argument: $kind),*) $(-> $out)? {
                        $body::$function::<crate::math::Fused>($($argument),*)
                    }

                    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                        // SAFETY: the processor has the two features that the function is compiled for.
                        return unsafe { wide($($argument),*) };
                    }
                    $body::$function::<crate::math::Plain>($($argument),*)
                }
                // Fused multiply-add is part of the architecture.
                #[cfg(target_arch = "aarch64")]
                {
                    $body::$function::<crate::math::Fused>($($argument),*)
                }
                #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
                {
                    $body::$function::<crate::math::Plain>($($argument),*)
                }
            }
        )*
    };
}

twins! {
    solve(arm: &Arm, target: &Frame, start: &JointVector, options: &Options) -> Answer
        = inverse::solve;
    solve_all(
        arm: &Arm, target: &Frame, start: &JointVector, options: &Options, solutions: &mut Solutions
    ) = inverse::solve_all;
    beyond(
        chain: &Chain, arm: &Closed, task: &Task, candidates: &Candidates, own: Option<u8>,
        options: &Options, work: u32
    ) -> Answer = nearest::beyond;
    held(arm: &Closed, task: &Task, which: Sweep, at: f64, near: &Joints6) -> Joints6
        = sweep::held;
    probe(
        arm: &Closed, task: &Task, which: Sweep, at: f64, beside: Option<Joints6>, steps: u32,
        work: &mut u32
    ) -> Option<Sample> = sweep::probe;
    polish(arm: &Closed, task: &Task, from: &Joints6, work: &mut u32) -> Found = Closed::polish;
    search(
        chain: &Chain, target: &Frame, starts: &[JointVector], goal: &numeric::Goal, work: &mut u32
    ) -> numeric::Reach = numeric::search;
    refine(
        chain: &Chain, target: &Frame, start: &JointVector, goal: &numeric::Goal, work: &mut u32
    ) -> numeric::Reach = numeric::refine;
    follow(
        servo: &Servo, joints: &JointVector, velocity: &JointVector, bounds: &Bounds,
        task: &ServoTask
    ) -> Followed = servo::follow;
}

#[cfg(test)]
mod tests;
