//! What a call's sound costs each 20 ms and how much memory it holds: received, mixed, recorded and sent, without
//! sockets. Run with `cargo bench -p gateway-media`; the figures bound how many calls one core carries.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{alloc::System, hint::black_box, io::Write, net::SocketAddr, time::Instant};

use gateway_media::{
    CallMedia, Codec, FRAME_DURATION, Leg, MediaConfig, Prompt, RecordingBlock, RecordingFormat,
    RecordingWriter, Role, Stream, StreamConfig, tone,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TICKS: u32 = 20_000;
const SPECIALIST: Leg = Leg(2);

struct Call {
    media: CallMedia,
    phones: Vec<(Leg, SocketAddr, Stream)>,
    start: Instant,
}

impl Call {
    fn of(legs: &[(Leg, Role, Codec)]) -> Self {
        let start = Instant::now();
        let config = MediaConfig::default();
        let mut call = Self { media: CallMedia::new(config.clone(), start), phones: Vec::new(), start };
        for &(leg, role, codec) in legs {
            let address = SocketAddr::from(([192, 0, 2, 1 + leg.0], 4_000));
            let stream = || Stream::new(StreamConfig::new(&config, codec, address), start);
            call.media.set_leg(leg, role, stream()).expect("the room has room");
            call.phones.push((leg, address, stream()));
        }
        call.media.bridge(true);
        call
    }

    /// Nanoseconds of this thread a tick.
    fn run(&mut self) -> u128 {
        let mut sound = [0; 160];
        sound.copy_from_slice(&tone::sine(1_000.0, 8_000.0, 160));
        let mut packets = Vec::new();
        for tick in 0..TICKS {
            for (_, _, phone) in &mut self.phones {
                let mut packet = Vec::new();
                phone.send_frame(self.start + FRAME_DURATION * tick, &sound, &mut packet);
                packets.push(packet);
            }
        }
        let legs = self.phones.len();
        let began = Spent::so_far();
        for (tick, packets) in (0..TICKS).zip(packets.chunks(legs)) {
            let now = self.start + FRAME_DURATION * tick;
            for ((leg, address, _), packet) in self.phones.iter().zip(packets) {
                self.media.receive(now, *leg, *address, packet).expect("the phone's packet is good");
            }
            self.media.handle_timeout(now);
            while let Some(transmit) = self.media.poll_transmit() {
                black_box(transmit.bytes);
            }
            while let Some(block) = self.media.poll_recording() {
                black_box(block.pcm);
            }
            while let Some(event) = self.media.poll_event() {
                black_box(event);
            }
        }
        began.nanoseconds_since() / u128::from(TICKS)
    }
}

/// Time this thread has had a core for, so that a busy machine does not change the figures; where the system does
/// not tell, the clock's.
struct Spent {
    on_core: Option<u128>,
    clock: Instant,
}

impl Spent {
    fn so_far() -> Self {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
        let on_core = told.as_deref().and_then(|told| told.split_whitespace().next()?.parse().ok());
        Self { on_core, clock: Instant::now() }
    }

    fn nanoseconds_since(&self) -> u128 {
        let now = Self::so_far();
        match (self.on_core, now.on_core) {
            (Some(began), Some(ended)) => ended - began,
            _ => (now.clock - self.clock).as_nanos(),
        }
    }
}

const CALLER: (Leg, Role, Codec) = (Leg::CALLER, Role::Caller, Codec::Pcma);
const AGENT: (Leg, Role, Codec) = (Leg::AGENT, Role::Agent, Codec::Pcma);

fn main() {
    let prompt = Prompt::new(tone::sine(800.0, 8_000.0, 160_000));
    let mut report = String::new();
    let mut tell = |name: &str, each: u128| {
        let second = each as f64 * 50.0 / 1e6;
        report += &format!("{name:<38} {each:>7} ns a tick  {second:.3} ms a call-second\n");
    };
    let mut playback = Call::of(&[CALLER]);
    playback.media.play(Leg::CALLER, prompt.clone(), 1, true).expect("nothing plays yet");
    tell("playback", playback.run());
    let mut recorded = Call::of(&[CALLER]);
    recorded.media.play(Leg::CALLER, prompt, 1, true).expect("nothing plays yet");
    recorded.media.start_recording().expect("nothing is recorded yet");
    tell("playback, recorded", recorded.run());
    let mut echo = Call::of(&[CALLER]);
    echo.media.echo(Leg::CALLER, true);
    tell("echo", echo.run());
    tell("bridge, A-law and A-law", Call::of(&[CALLER, AGENT]).run());
    tell("bridge, A-law and µ-law", Call::of(&[CALLER, (Leg::AGENT, Role::Agent, Codec::Pcmu)]).run());
    let region = Region::new(ALLOCATOR);
    let config = MediaConfig::default();
    let address = SocketAddr::from(([192, 0, 2, 1], 4_000));
    let stream = Stream::new(StreamConfig::new(&config, Codec::Pcma, address), Instant::now());
    let a_stream_holds = held(&region);
    drop(stream);
    let region = Region::new(ALLOCATOR);
    let mut bridge = Call::of(&[CALLER, AGENT]);
    bridge.media.start_recording().expect("nothing is recorded yet");
    tell("bridge, recorded", bridge.run());
    // The phones of this bench are streams, too.
    let a_call_holds = held(&region) - bridge.phones.len() * a_stream_holds;
    let mut three = Call::of(&[CALLER, AGENT, (SPECIALIST, Role::Specialist, Codec::Pcma)]);
    three.media.start_recording().expect("nothing is recorded yet");
    tell("three-way, recorded", three.run());
    for format in [RecordingFormat::Wav, RecordingFormat::OggOpus] {
        tell(&format!("writing {format:?} (recorder's thread)"), written(format));
    }
    report += &format!(
        "heap: a bridged, recorded call {} KiB; a stream that has heard nothing yet {} bytes\n\
         sizes in bytes: CallMedia {}, Stream {}\n",
        a_call_holds / 1024,
        a_stream_holds,
        size_of::<CallMedia>(),
        size_of::<Stream>()
    );
    std::io::stdout().write_all(report.as_bytes()).expect("stdout is open");
}

/// Bytes allocated since and not given back.
fn held(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change.bytes_allocated.saturating_sub(change.bytes_deallocated)
}

/// Nanoseconds of the recorder's thread a tick, without the disk. What is heard is not silence: two voices of noise.
fn written(format: RecordingFormat) -> u128 {
    let mut seed = 1u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 20) as u8
    };
    // The low byte full of noise, the high byte small: hiss at -36 dB with a hum under it.
    let hum = tone::sine(150.0, 6.0, 4_000);
    let pcm: Vec<u8> = hum.iter().flat_map(|&hum| [noise(), hum.to_le_bytes()[0], noise(), 0]).collect();
    let (blocks, mut bytes) = (if format == RecordingFormat::Wav { 20_000u64 } else { 400 }, 0);
    let mut writer = RecordingWriter::new(format, 1);
    let began = Spent::so_far();
    for number in 0..blocks {
        let block = RecordingBlock { at: number * 4_000, paused: 0, pcm: &pcm };
        writer.append(block, &mut |piece| bytes += black_box(piece).len());
    }
    began.nanoseconds_since() / u128::from(blocks * 25)
}
