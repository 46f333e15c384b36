//! A link that loses, doubles, delays and reorders: once it is good again both ends agree about the call, each
//! heard of its end once, and nobody repeats himself without end.

use std::time::Duration;

use gateway_sip::{CallHandle, Cause, Event};
use proptest::{collection::vec, prelude::*};

use crate::{
    pair::{Fate, Pair, Side},
    rig::SDP,
};

#[derive(Clone, Copy, Debug)]
enum Deed {
    Ring,
    Answer,
    Refuse,
    Offer { gateway: bool },
    AnswerOffers,
    HangUp { gateway: bool },
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => Just(Deed::Ring),
        4 => Just(Deed::Answer),
        1 => Just(Deed::Refuse),
        2 => any::<bool>().prop_map(|gateway| Deed::Offer { gateway }),
        2 => Just(Deed::AnswerOffers),
        2 => any::<bool>().prop_map(|gateway| Deed::HangUp { gateway }),
    ]
}

/// Half of all datagrams suffer; a loss is followed by at least one that comes through, for a request that is lost
/// eleven times is lost for good, and the ends then have nothing to agree by.
fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let one = prop_oneof![
        4 => Just(vec![Fate::Pass]),
        3 => Just(vec![Fate::Lose, Fate::Lose, Fate::Pass]),
        2 => Just(vec![Fate::Twice]),
        2 => (0..4_000_u64).prop_map(|late| vec![Fate::After(late)]),
        1 => Just(vec![Fate::Lose, Fate::Twice]),
    ];
    vec(one, 0..40).prop_map(|all| all.concat())
}

fn act(pair: &mut Pair, call: CallHandle, deed: Deed) {
    let (now, rung) = (pair.now, pair.rung());
    let (gateway, phone) = (&mut pair.gateway.endpoint, &mut pair.phone.endpoint);
    match (deed, rung) {
        (Deed::HangUp { gateway: true }, _) => gateway.hang_up(now, call, None),
        (Deed::Offer { gateway: true }, _) => drop(gateway.offer(now, call, SDP)),
        (Deed::AnswerOffers, _) => {
            gateway.answer_offer(now, call, SDP);
            if let Some(rung) = rung {
                phone.answer_offer(now, rung, SDP);
            }
        }
        (_, None) => {}
        (Deed::Ring, Some(rung)) => phone.ring(now, rung, 180, None),
        (Deed::Answer, Some(rung)) => drop(phone.answer(now, rung, SDP)),
        (Deed::Refuse, Some(rung)) => phone.refuse(now, rung, 486, None),
        (Deed::HangUp { gateway: false }, Some(rung)) => phone.hang_up(now, rung, None),
        (Deed::Offer { gateway: false }, Some(rung)) => drop(phone.offer(now, rung, SDP)),
    }
}

/// Whether this side is in a talk: it has begun and not ended.
fn talks(side: &Side) -> bool {
    let begun = |event: &Event| matches!(event, Event::Answered { .. } | Event::Confirmed { .. });
    let over =
        |event: &Event| matches!(event, Event::Cancelled { .. } | Event::Failed { .. } | Event::Ended { .. });
    side.events.iter().any(begun) && !side.events.iter().any(over)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn both_ends_agree_once_the_link_is_good_again(
        fates in fates(),
        deeds in vec((deed(), prop_oneof![Just(0_u64), 1..60_u64, 1..3_000_u64]), 1..12),
    ) {
        let mut pair = Pair::new();
        pair.fates = fates;
        let call = pair.invite();
        for (deed, wait) in &deeds {
            pair.millis(*wait);
            act(&mut pair, call, *deed);
        }
        pair.collect();
        pair.fates.clear();
        // What is in flight lands, what waits for an answer gets one or gives up (64*T1).
        pair.millis(80_000);
        prop_assert_eq!(talks(&pair.gateway), talks(&pair.phone), "{:?} {:?}", pair.gateway.events, pair.phone.events);
        // A call that both have is a call: an offer through it works.
        if talks(&pair.gateway) {
            pair.gateway.events.clear();
            if pair.gateway.endpoint.offer(pair.now, call, SDP).is_ok() {
                pair.millis(5_000);
                let rung = pair.rung().unwrap();
                pair.phone.endpoint.answer_offer(pair.now, rung, SDP);
                pair.millis(5_000);
                prop_assert!(
                    matches!(pair.gateway.events.last(), Some(Event::OfferAccepted { .. } | Event::OfferRefused { .. })),
                    "{:?}", pair.gateway.events
                );
            }
        }
        let (now, rung) = (pair.now, pair.rung());
        pair.gateway.endpoint.hang_up(now, call, None);
        pair.millis(80_000);
        if let Some(rung) = rung {
            pair.phone.endpoint.hang_up(pair.now, rung, None);
        }
        // INVITE 7 times, anything else 11 times, and once more for what the other side repeats.
        let most = 40 * (deeds.len() + 3);
        prop_assert!(pair.gateway.sent.len() <= most, "{} sent", pair.gateway.sent.len());
        prop_assert!(pair.phone.sent.len() <= most, "{} sent", pair.phone.sent.len());
        pair.assert_settled();
    }

    /// From one moment on nothing arrives any more, whatever is being done.
    #[test]
    fn a_dead_link_is_given_up(
        deeds in vec((deed(), 0..300_u64), 0..6),
        after in vec((deed(), 0..3_000_u64), 0..6),
    ) {
        let mut pair = Pair::new();
        let call = pair.invite();
        for (deed, wait) in &deeds {
            pair.millis(*wait);
            act(&mut pair, call, *deed);
        }
        pair.collect();
        let before = [pair.gateway.sent.len(), pair.phone.sent.len()];
        pair.fates = vec![Fate::Lose; 10_000];
        for (deed, wait) in &after {
            pair.millis(*wait);
            act(&mut pair, call, *deed);
        }
        // What was on its way when the link died has arrived.
        pair.millis(100);
        pair.gateway.endpoint.hang_up(pair.now, call, None);
        if let Some(rung) = pair.rung() {
            pair.phone.endpoint.hang_up(pair.now, rung, None);
        }
        pair.millis(70_000);
        let sent = [pair.gateway.sent.len(), pair.phone.sent.len()];
        pair.millis(600_000);
        prop_assert_eq!(sent, [pair.gateway.sent.len(), pair.phone.sent.len()], "silence after 64*T1");
        for (before, sent) in before.iter().zip(sent) {
            prop_assert!(sent - before <= 40 * (after.len() + 2), "{} sent into nothing", sent - before);
        }
        pair.assert_settled();
    }
}

#[test]
fn an_answer_nobody_acknowledges_is_repeated_eleven_times_and_then_taken_back() {
    let mut pair = Pair::new();
    let call = pair.invite();
    pair.millis(100);
    let rung = pair.rung().unwrap();
    pair.fates = vec![Fate::Lose; 1_000];
    pair.phone.endpoint.answer(pair.now, rung, SDP).unwrap();
    pair.advance(Duration::from_millis(31_900));
    assert_eq!(pair.phone.sent.iter().filter(|sent| *sent == "200").count(), 11);
    pair.advance(Duration::from_secs(1));
    assert!(matches!(pair.phone.events.last(), Some(Event::Ended { cause: Cause::NoAck, .. })));
    assert_eq!(pair.phone.sent.iter().filter(|sent| *sent == "200").count(), 11, "no more after 64*T1");
    pair.advance(Duration::from_secs(40));
    pair.gateway.endpoint.hang_up(pair.now, call, None);
    pair.assert_settled();
}
