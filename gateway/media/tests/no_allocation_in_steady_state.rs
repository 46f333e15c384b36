//! A recorded call allocates nothing from tick to tick, be it two who talk or three and a supervisor: on a busy
//! node the allocator would be the first thing all calls wait for. A test binary of its own, because it counts
//! every allocation.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

use std::{
    alloc::System,
    net::SocketAddr,
    time::{Duration, Instant},
};

use gateway_media::{
    CallMedia, Codec, FRAME_DURATION, Leg, MediaConfig, Prompt, Role, SrtpKey, SrtpKeys, SrtpSuite, Stream,
    StreamConfig, tone,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
#[allow(clippy::disallowed_methods, reason = "an Instant can be had no other way")]
fn a_minute_of_talk() {
    let start = Instant::now();
    let two = [(Role::Caller, Codec::Pcma), (Role::Agent, Codec::Pcmu)];
    talk(start, &two);
    talk(start, &[two[0], two[1], (Role::Specialist, Codec::Pcma), (Role::Whisperer, Codec::Pcma)]);
    for codec in [Codec::Pcma, Codec::G722, Codec::Opus] {
        encrypted(start, codec);
    }
    // The counter counts: this is what one allocation looks like.
    let region = Region::new(ALLOCATOR);
    let boxed = std::hint::black_box(Box::new([1_000; 160]));
    assert_eq!(region.change().allocations, 1);
    drop(boxed);
}

/// A leg with keys sends to another, which decodes one packet and passes the next on.
fn encrypted(start: Instant, codec: Codec) {
    let media = MediaConfig { rtcp_interval: Duration::from_secs(3_600), ..MediaConfig::default() };
    let address = SocketAddr::from(([192, 0, 2, 1], 4_000));
    for suite in [SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AeadAes128Gcm] {
        let (key, salt) = suite.lengths();
        let key = SrtpKey::new(suite, &[7; 32][..key], &[9; 14][..salt], 0).unwrap();
        let keys = SrtpKeys { suite, send: key, receive: key };
        let stream = || {
            let config = StreamConfig { srtp: Some(keys), ..StreamConfig::new(&media, codec, address) };
            Stream::new(config, start)
        };
        let (mut phone, mut ours, mut onward) = (stream(), stream(), stream());
        let (mut packet, mut passed) = (Vec::with_capacity(1_024), Vec::with_capacity(1_024));
        let mut heard = 0;
        let mut run = |range: std::ops::Range<u32>| {
            for tick in range {
                let now = start + FRAME_DURATION * tick;
                phone.send_frame(now, &[1_000; 160], &mut packet);
                if tick % 50 != 7 {
                    ours.receive(now, address, &packet).unwrap();
                }
                if tick % 100 < 50 {
                    let kind = ours.poll_payload(now);
                    onward.forward(now, kind, ours.payload(), &mut passed);
                } else {
                    let frame = ours.poll_frame(now);
                    onward.send_frame(now, &frame.samples, &mut passed);
                }
                heard += usize::from(!passed.is_empty());
            }
        };
        run(0..600);
        let region = Region::new(ALLOCATOR);
        run(600..3_600);
        let change = region.change();
        assert_eq!((change.allocations, change.reallocations), (0, 0), "{codec:?} {suite:?} {change:?}");
        assert!(heard > 3_400, "{codec:?}: {heard}");
    }
}

fn talk(start: Instant, legs: &[(Role, Codec)]) {
    // No report falls into the minute: those are few and may allocate.
    let media = MediaConfig { rtcp_interval: Duration::from_secs(3_600), ..MediaConfig::default() };
    let mut call = CallMedia::new(media.clone(), start);
    let mut phones = Vec::new();
    for (number, &(role, codec)) in (0u8..).zip(legs) {
        let address = SocketAddr::from(([192, 0, 2, 1 + number], 4_000));
        let stream = || Stream::new(StreamConfig::new(&media, codec, address), start);
        call.set_leg(Leg(number), role, stream()).unwrap();
        phones.push((Leg(number), address, stream()));
    }
    call.bridge(true);
    call.set_hold_music(Some(tone::hold()));
    call.start_recording().unwrap();
    let ring_back = tone::ring_back();
    let sound = [1_000; 160];
    let mut packet = Vec::with_capacity(200);
    let (mut sent, mut recorded) = (0, 0);
    let mut minute = |range: std::ops::Range<u32>, prompt: &Prompt| {
        for tick in range {
            let now = start + FRAME_DURATION * tick;
            for (leg, address, phone) in &mut phones {
                phone.send_frame(now, &sound, &mut packet);
                // One in fifty is lost, so that concealment runs too.
                if tick % 50 != 7 {
                    call.receive(now, *leg, *address, &packet).unwrap();
                }
            }
            match tick % 500 {
                0 => call.play(Leg::CALLER, prompt.clone(), u64::from(tick), false).unwrap(),
                10 => call.play_over(Leg::AGENT, prompt.clone()).unwrap(),
                300 => call.hold(Leg::CALLER, true),
                350 => call.hold(Leg::CALLER, false),
                _ => {}
            }
            call.handle_timeout(now);
            while let Some(transmit) = call.poll_transmit() {
                sent += transmit.bytes.len();
            }
            while let Some(block) = call.poll_recording() {
                recorded += block.pcm.len();
            }
            while call.poll_event().is_some() {}
        }
    };
    minute(0..600, &ring_back);
    let region = Region::new(ALLOCATOR);
    minute(600..3_600, &ring_back);
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0), "{change:?}");
    assert_eq!(sent, 3_600 * legs.len() * 172);
    assert!(recorded > 71 * 32_000);
}
