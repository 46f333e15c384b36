//! What a bridged, recorded call costs each 20 ms: two legs received, recorded and sent.
//! Run with `cargo bench -p gateway-media`; the figure bounds how many calls one core carries.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    hint::black_box,
    io::Write,
    net::SocketAddr,
    time::{Duration, Instant},
};

use gateway_media::{CallMedia, Codec, FRAME_DURATION, Leg, MediaConfig, Role, Stream, StreamConfig, tone};

const TICKS: u32 = 50_000;

fn main() {
    let start = Instant::now();
    let media = MediaConfig::default();
    let caller = SocketAddr::from(([192, 0, 2, 1], 4_000));
    let agent = SocketAddr::from(([192, 0, 2, 2], 4_000));
    let mut call = CallMedia::new(media.clone(), start);
    let stream = |codec, remote| Stream::new(StreamConfig::new(&media, codec, remote), start);
    call.set_leg(Leg::CALLER, Role::Caller, stream(Codec::Pcma, caller)).expect("the room is empty");
    call.set_leg(Leg::AGENT, Role::Agent, stream(Codec::Pcmu, agent)).expect("the room is nearly empty");
    call.bridge(true);
    call.start_recording().expect("nothing is recorded yet");
    let mut phones = [
        (Leg::CALLER, caller, Stream::new(StreamConfig::new(&media, Codec::Pcma, agent), start)),
        (Leg::AGENT, agent, Stream::new(StreamConfig::new(&media, Codec::Pcmu, caller), start)),
    ];
    let mut sound = [0; 160];
    sound.copy_from_slice(&tone::sine(1_000.0, 8_000.0, 160));
    let (mut packet, mut spent) = (Vec::new(), Duration::ZERO);
    for tick in 0..TICKS {
        let now = start + FRAME_DURATION * tick;
        for (leg, address, phone) in &mut phones {
            phone.send_frame(now, &sound, &mut packet);
            let began = Instant::now();
            call.receive(now, *leg, *address, &packet).expect("the phone's packet is good");
            spent += began.elapsed();
        }
        let began = Instant::now();
        call.handle_timeout(now);
        while let Some(transmit) = call.poll_transmit() {
            black_box(transmit.bytes);
        }
        while let Some(block) = call.poll_recording() {
            black_box(block);
        }
        while let Some(event) = call.poll_event() {
            black_box(event);
        }
        spent += began.elapsed();
    }
    let each = spent.as_nanos() / u128::from(TICKS);
    let calls = FRAME_DURATION.as_nanos() / each.max(1);
    writeln!(std::io::stdout(), "bridged and recorded: {each} ns per tick, {calls} calls fill one core")
        .expect("stdout is open");
}
