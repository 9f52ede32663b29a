use super::*;

extern crate std;

const POLICIES: [Policy; 3] =
    [Policy { estop: Action::Stop }, Policy { estop: Action::Damp }, Policy { estop: Action::Cut }];

#[test]
fn the_table_is_in_the_order_of_its_bits_and_names_are_unique() {
    for (bit, rule) in TABLE.iter().enumerate() {
        assert_eq!(rule.condition as usize, bit);
        assert_eq!(Condition::named(rule.name), Some(rule.condition));
        assert!(rule.when.ends_with('.') && rule.action > Action::None, "{}", rule.name);
    }
    assert_eq!(Condition::named("none"), None);
}

/// Every combination of conditions, under every policy: one condition more never makes the action milder, the action is
/// that of one of the conditions, and none is more severe.
#[test]
fn severity_is_monotone_over_all_combinations() {
    let all = Conditions::ALL.0;
    for policy in POLICIES {
        let mut severities = std::vec![0_u8; all as usize + 1];
        for set in 0..=all {
            let verdict = judge(Conditions(set), policy);
            severities[set as usize] = verdict.action as u8;
            match verdict.cause {
                None => assert!(set == 0 && verdict.action == Action::None),
                Some(cause) => {
                    let alone = judge(Conditions::NONE.with(cause), policy);
                    assert!(Conditions(set).has(cause) && alone.action == verdict.action);
                }
            }
        }
        for set in 0..=all {
            for bit in 0..TABLE.len() {
                let more = set | 1 << bit;
                assert!(severities[more as usize] >= severities[set as usize], "{set:#x} {bit}");
            }
        }
    }
}

#[test]
fn an_estop_that_ought_to_do_less_than_stop_stops() {
    for mild in [Action::None, Action::Warn, Action::Slow, Action::Hold] {
        let verdict = judge(Conditions::NONE.with(Condition::EStop), Policy { estop: mild });
        assert_eq!(verdict.action, Action::Stop);
    }
}

#[test]
fn one_late_tick_is_nothing_three_slow_ten_hold_and_time_mends_it() {
    let mut overruns = Overruns::default();
    assert_eq!(overruns.tick(1), Conditions::NONE);
    for _ in 0..200 {
        assert_eq!(overruns.tick(0), Conditions::NONE);
    }
    overruns.tick(1);
    overruns.tick(1);
    assert!(overruns.tick(1).has(Condition::Overrun));
    let clean = (0..1000).position(|_| !overruns.tick(0).has(Condition::Overrun));
    assert_eq!(clean, Some(59));
    // A stall of a minute is as bad as one of ten periods: what counts is how long it has been in time since.
    assert!(overruns.tick(1200).has(Condition::Overruns));
    let clean = (0..1000).position(|_| !overruns.tick(0).has(Condition::Overruns));
    assert_eq!(clean, Some(199));
    assert_eq!(overruns.tick(0), Conditions::NONE);
}
