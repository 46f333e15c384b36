//! A silent caller may be a victim: no word was said, and the message is handed in all the same.

use gateway_call::Event;
use record::{Lane, Outcome};

use crate::floor::{Floor, ms};

#[test]
fn it_runs_to_the_end_and_says_so() {
    let mut floor = Floor::agents([]);
    let call = floor.greeted(Lane::Standard);
    floor.pass(ms(5_000));
    floor.prompt_ends(call);
    floor.prompt_ends(call);
    floor.event(call, Event::SilentFor(ms(60_000)));
    floor.take(call);
    floor.pass(ms(119_999));
    assert_eq!(floor.done(call), [] as [&str; 0], "silence alone does not cut it short");
    floor.pass(ms(1));
    floor.prompt_ends(call);
    let summary = floor.summary(call);
    let message = summary.voice_message.unwrap();
    assert_eq!((message.from_ms, message.to_ms, message.speech), (5_000, 125_000, false));
    assert_eq!(summary.outcome, Outcome::Overflow);
    assert_eq!(summary.signals().iter().map(|signal| signal.code.as_str()).collect::<Vec<_>>(), ["silence"]);
}
