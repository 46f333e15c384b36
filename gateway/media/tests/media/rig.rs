//! Virtual time, packets made by hand, and ears that measure.

use std::{
    f64::consts::TAU,
    net::SocketAddr,
    sync::OnceLock,
    time::{Duration, Instant},
};

use gateway_media::{
    Codec, FRAME_DURATION, Frame, JitterConfig, MediaConfig, Samples, Stream, StreamConfig, rtp::Packet,
};

/// The beginning of virtual time: one real instant, after which only arithmetic happens.
#[allow(clippy::disallowed_methods, reason = "an Instant can be had no other way")]
pub fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

pub fn at_ms(milliseconds: u64) -> Instant {
    start() + Duration::from_millis(milliseconds)
}

pub fn at_frame(frame: u32) -> Instant {
    start() + FRAME_DURATION * frame
}

pub const TELEPHONE_EVENT: u8 = 101;

pub fn caller() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 4_000))
}

pub fn agent() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 2], 5_000))
}

/// A fixed delay of 60 ms, so that output can be compared sample by sample.
pub fn fixed() -> MediaConfig {
    let jitter = JitterConfig { adaptive: false, ..JitterConfig::default() };
    MediaConfig { jitter, ..MediaConfig::default() }
}

pub fn stream_config(media: &MediaConfig, codec: Codec, remote: SocketAddr) -> StreamConfig {
    StreamConfig {
        telephone_event_receive: Some(TELEPHONE_EVENT),
        ssrc: 0x0a0b_0c0d,
        first_sequence: 65_530,
        first_timestamp: u32::MAX - 500,
        cname: "3f2a".to_owned(),
        wall_clock: Duration::from_secs(1_795_000_000),
        ..StreamConfig::new(media, codec, remote)
    }
}

pub fn stream(media: &MediaConfig) -> Stream {
    Stream::new(stream_config(media, Codec::Pcma, caller()), start())
}

/// Frame `number` of an endless sine.
pub fn tone(hertz: f64, peak: f64, number: u32) -> Samples {
    std::array::from_fn(|index| {
        let at = f64::from(number) * 160.0 + index as f64;
        (peak * (TAU * hertz * at / 8_000.0).sin()).round() as i16
    })
}

/// What a line does to a frame: encoded and decoded once.
pub fn through_a_law(samples: &Samples) -> Samples {
    let mut bytes = Vec::new();
    Codec::Pcma.encode(samples, &mut bytes);
    let mut out = [0; 160];
    Codec::Pcma.decode(&bytes, &mut out);
    out
}

/// A far end that sends A-law packets whose numbers the test controls.
#[derive(Clone, Copy)]
pub struct Phone {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
}

impl Phone {
    /// Numbers near their wrap, because that is where things break.
    pub fn new() -> Self {
        Self { ssrc: 77, sequence: 65_500, timestamp: u32::MAX - 4_000 }
    }

    /// Packet `number` of an uninterrupted talk.
    pub fn packet(&self, number: u32, samples: &Samples) -> Vec<u8> {
        self.packet_at(number, number * 160, number == 0, samples)
    }

    pub fn packet_at(&self, sequence: u32, timestamp: u32, marker: bool, samples: &Samples) -> Vec<u8> {
        let mut payload = Vec::new();
        Codec::Pcma.encode(samples, &mut payload);
        self.raw(sequence, timestamp, marker, 8, &payload)
    }

    pub fn event(&self, sequence: u32, timestamp: u32, event: u8, end: bool, duration: u16) -> Vec<u8> {
        let [high, low] = duration.to_be_bytes();
        let payload = [event, if end { 0x8a } else { 0x0a }, high, low];
        self.raw(sequence, timestamp, false, TELEPHONE_EVENT, &payload)
    }

    pub fn raw(
        &self,
        sequence: u32,
        timestamp: u32,
        marker: bool,
        payload_type: u8,
        payload: &[u8],
    ) -> Vec<u8> {
        let mut out = Vec::new();
        let packet = Packet {
            marker,
            payload_type,
            sequence: self.sequence.wrapping_add(sequence as u16),
            timestamp: self.timestamp.wrapping_add(timestamp),
            ssrc: self.ssrc,
            csrc: &[],
            extension: None,
            payload,
            padding: 0,
        };
        packet.write(&mut out);
        out
    }
}

/// Delivers datagrams at their times (ms, in any order) and reads `frames` frames.
pub fn listen(stream: &mut Stream, mut datagrams: Vec<(Instant, Vec<u8>)>, frames: u32) -> Vec<Frame> {
    datagrams.sort_by_key(|(when, _)| *when);
    let mut coming = datagrams.into_iter().peekable();
    (0..frames)
        .map(|frame| {
            let now = at_frame(frame);
            while let Some((when, datagram)) = coming.next_if(|(when, _)| *when <= now) {
                stream.receive(when, caller(), &datagram).expect("the test's packets are good");
            }
            stream.poll_frame(now)
        })
        .collect()
}

pub fn sound(frames: &[Frame]) -> Vec<i16> {
    frames.iter().flat_map(|frame| frame.samples).collect()
}

/// Peak of the sine at `hertz` within the samples (a Goertzel filter by definition).
pub fn peak_at(hertz: f64, rate: f64, samples: &[i16]) -> f64 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (index, &sample) in samples.iter().enumerate() {
        let angle = TAU * hertz * index as f64 / rate;
        real += f64::from(sample) * angle.cos();
        imaginary += f64::from(sample) * angle.sin();
    }
    2.0 * f64::hypot(real, imaginary) / samples.len() as f64
}

/// Asserts that a sine is there at a level, within half a decibel.
#[track_caller]
pub fn assert_tone(hertz: f64, peak: f64, samples: &[i16]) {
    let heard = peak_at(hertz, 8_000.0, samples);
    let decibels = 20.0 * (heard / peak).log10();
    assert!(decibels.abs() < 0.5, "{hertz} Hz heard at {heard:.0} instead of {peak:.0}: {decibels:.2} dB");
}

/// Asserts that a sine is at least 40 dB below a level.
#[track_caller]
pub fn assert_no_tone(hertz: f64, peak: f64, samples: &[i16]) {
    let heard = peak_at(hertz, 8_000.0, samples);
    assert!(heard < peak / 100.0, "{hertz} Hz heard at {heard:.0}");
}
