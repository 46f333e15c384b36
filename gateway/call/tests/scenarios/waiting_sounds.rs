//! What a waiting caller hears, also across phones that are rung in vain.

use record::Lane;

use crate::floor::{Floor, ms};

#[test]
fn once_waiting_then_ring_back_with_a_word_now_and_then() {
    let mut floor = Floor::agents(["a"]);
    floor.talking(Lane::Standard);
    let call = floor.greeted(Lane::Standard);
    assert_eq!(floor.done(call), ["answer", "start recording", "play notice", "play waiting"]);
    floor.pass(ms(2_000));
    floor.prompt_ends(call);
    assert_eq!(floor.done(call), ["tone RingBack"]);
    floor.pass(ms(19_999));
    assert_eq!(floor.done(call), [] as [&str; 0]);
    floor.pass(ms(1));
    assert_eq!(floor.done(call), ["play still_waiting"]);
    floor.pass(ms(4_000));
    floor.prompt_ends(call);
    assert_eq!(floor.done(call), ["tone RingBack"]);
    assert_eq!(floor.elapsed_ms(), 26_001);
}

#[test]
fn a_phone_rung_in_vain_does_not_start_it_over() {
    let mut floor = Floor::agents(["a"]);
    let call = floor.greeted(Lane::Standard);
    floor.prompt_ends(call);
    floor.take(call);
    floor.agent_fails(call, 486);
    assert_eq!(floor.done(call), [] as [&str; 0]);
    floor.pass(ms(20_000));
    assert_eq!(floor.done(call), ["play still_waiting"]);
}
