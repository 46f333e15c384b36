//! Keys as events, as tones and in SIP INFO: each press is told once. livekit #585, jambonz #128.

use gateway_media::{
    Codec, Digit, MediaConfig, MediaEvent, Stream, StreamConfig, config::InBandDigits, digit_of_info,
    inband::ToneDetector,
};

use crate::rig::*;

const LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: &str = "123A456B789C*0#D";

/// Two tones for `ms`, detuned by a factor, with peaks of each; then silence for `pause_ms`.
fn press(key: char, ms: usize, pause_ms: usize, detune: f64, peaks: (f64, f64)) -> Vec<i16> {
    let place = KEYS.find(key).expect("a key");
    let (low, high) = (LOW[place / 4] * detune, HIGH[place % 4] * detune);
    let mut samples: Vec<i16> = (0..ms * 8)
        .map(|index| {
            let at = std::f64::consts::TAU * index as f64 / 8_000.0;
            (peaks.0 * (low * at).sin() + peaks.1 * (high * at).sin()) as i16
        })
        .collect();
    samples.resize((ms + pause_ms) * 8, 0);
    samples
}

fn detect(samples: &[i16]) -> Vec<Digit> {
    let mut detector = ToneDetector::default();
    let mut padded = vec![0; 333];
    padded.extend_from_slice(samples);
    padded.resize((padded.len() + 1_600).next_multiple_of(160), 0);
    padded.chunks(160).filter_map(|frame| detector.hear(frame.try_into().expect("whole"))).collect()
}

fn digits(samples: &[i16]) -> String {
    detect(samples).iter().map(|digit| digit.digit).collect()
}

#[test]
fn every_key_within_the_tolerances_of_q24_and_no_other() {
    for key in KEYS.chars() {
        for detune in [0.985, 1.0, 1.015] {
            // Weak, loud, high group 8 dB down, high group 4 dB up (less a little for rounding).
            for peaks in [(900.0, 900.0), (14_000.0, 14_000.0), (8_000.0, 3_400.0), (5_000.0, 7_700.0)] {
                let samples = press(key, 40, 40, detune, peaks);
                let three = [samples.clone(), samples.clone(), samples].concat();
                assert_eq!(digits(&three), key.to_string().repeat(3), "{key} {detune} {peaks:?}");
            }
        }
        let fine = (6_000.0, 6_000.0);
        assert_eq!(digits(&press(key, 22, 60, 1.0, fine)), "", "too short: {key}");
        assert_eq!(digits(&press(key, 80, 60, 1.0, (100.0, 100.0))), "", "too weak: {key}");
        assert_eq!(digits(&press(key, 80, 60, 1.0, (9_000.0, 2_000.0))), "", "too unlike: {key}");
        assert_eq!(digits(&press(key, 80, 60, 1.035, fine)), "", "out of tune: {key}");
        let interrupted = [press(key, 60, 8, 1.0, fine), press(key, 60, 60, 1.0, fine)].concat();
        assert_eq!(digits(&interrupted), key.to_string(), "a short gap splits no key: {key}");
    }
}

#[test]
fn durations_are_told() {
    let told = detect(&press('5', 200, 100, 1.0, (6_000.0, 6_000.0)));
    assert_eq!(told.len(), 1);
    assert!((170..=230).contains(&told[0].duration_ms), "{}", told[0].duration_ms);
}

#[test]
fn neither_tones_of_the_network_nor_noise_nor_a_voice_is_a_key() {
    // Ring-back, and a dial tone of two frequencies.
    assert_eq!(digits(&sine_sum(&[(450.0, 9_000.0)], 3)), "");
    assert_eq!(digits(&sine_sum(&[(350.0, 6_000.0), (440.0, 6_000.0)], 3)), "");
    // A sung vowel ("a"): harmonics of a gliding pitch through three resonances, of which two lie where the
    // tones of 1 and 5 do.
    let resonance = |hertz: f64, centre: f64, width: f64| {
        centre.powi(2) / f64::hypot(centre.powi(2) - hertz.powi(2), width * hertz)
    };
    let mut voice = Vec::new();
    let mut phases = [0.0f64; 20];
    for index in 0..8_000 * 20 {
        let pitch = 140.0 + 60.0 * (index as f64 / 3_000.0).sin();
        let mut sample = 0.0;
        for (harmonic, phase) in (1..).zip(&mut phases) {
            let hertz = pitch * f64::from(harmonic);
            *phase += std::f64::consts::TAU * hertz / 8_000.0;
            let shape = resonance(hertz, 730.0, 90.0)
                * resonance(hertz, 1_250.0, 110.0)
                * resonance(hertz, 2_500.0, 160.0);
            sample += phase.sin() * shape / f64::from(harmonic);
        }
        voice.push((sample * 2_500.0) as i16);
    }
    assert_eq!(digits(&voice), "");
    let mut state = 99u32;
    let noise: Vec<i16> = (0..8_000 * 20)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 18) as i16) - 8_192
        })
        .collect();
    assert_eq!(digits(&noise), "");
}

fn sine_sum(tones: &[(f64, f64)], seconds: usize) -> Vec<i16> {
    (0..seconds * 8_000)
        .map(|index| {
            let at = std::f64::consts::TAU * index as f64 / 8_000.0;
            tones.iter().map(|(hertz, peak)| peak * (hertz * at).sin()).sum::<f64>() as i16
        })
        .collect()
}

/// A leg with or without telephone events which hears a press as tones, and as events if it has them.
fn leg(in_band_digits: InBandDigits, events: bool) -> Stream {
    let config = StreamConfig {
        in_band_digits,
        telephone_event_receive: events.then_some(TELEPHONE_EVENT),
        ..stream_config(&MediaConfig::default(), Codec::Pcma, caller())
    };
    Stream::new(config, start())
}

fn told(stream: &mut Stream) -> String {
    std::iter::from_fn(|| stream.poll_event())
        .filter_map(|event| match event {
            MediaEvent::Digit(digit) => Some(digit.digit),
            _ => None,
        })
        .collect()
}

fn hear_tones(stream: &mut Stream, text: &str) {
    let sound: Vec<i16> =
        text.chars().flat_map(|key| press(key, 100, 100, 1.0, (6_000.0, 6_000.0))).collect();
    let frames = (sound.len() / 160) as u32;
    let phone = Phone::new();
    for frame in 0..frames + 20 {
        let now = at_frame(frame);
        let at = frame as usize * 160;
        let mut samples = [0; 160];
        if let Some(part) = sound.get(at..at + 160) {
            samples.copy_from_slice(part);
        }
        stream.receive(now, caller(), &phone.packet(frame, &samples)).expect("it is theirs");
        stream.poll_frame(now);
    }
}

#[test]
fn tones_are_sought_only_where_no_events_were_agreed_on() {
    for (policy, events, expected) in [
        (InBandDigits::Auto, false, "1107*"),
        (InBandDigits::Auto, true, ""),
        (InBandDigits::Always, true, "1107*"),
        (InBandDigits::Never, false, ""),
    ] {
        let mut stream = leg(policy, events);
        hear_tones(&mut stream, "1107*");
        assert_eq!(told(&mut stream), expected, "{policy:?} {events}");
    }
}

#[test]
fn info_and_tone_of_one_press_are_one_digit() {
    let mut stream = leg(InBandDigits::Auto, false);
    let info = digit_of_info("application/dtmf-relay", "Signal=1\r\nDuration=100\r\n").expect("a digit");
    stream.digit_by_info(at_frame(8), info);
    hear_tones(&mut stream, "112");
    // The second press's INFO comes late; a third "1" by INFO alone is a press of its own.
    stream.digit_by_info(at_frame(40), info);
    assert_eq!(told(&mut stream), "112");
    stream.digit_by_info(at_ms(5_000), info);
    assert_eq!(told(&mut stream), "1");
}

#[test]
fn bodies_of_info_are_read() {
    let read = |kind, body| digit_of_info(kind, body).map(|digit| (digit.digit, digit.duration_ms));
    assert_eq!(read("application/dtmf-relay", "Signal=5\r\nDuration=160"), Some(('5', 160)));
    assert_eq!(read("Application/DTMF-Relay; charset=x", "signal= *\nduration = x\n"), Some(('*', 250)));
    assert_eq!(read("application/dtmf-relay", "Duration=160\r\nSignal=11\r\n"), Some(('#', 160)));
    assert_eq!(read("application/dtmf", "d\r\n"), Some(('D', 250)));
    for (kind, body) in [
        ("application/dtmf", ""),
        ("application/dtmf", "55"),
        ("application/dtmf", "E"),
        ("application/dtmf-relay", "Signal=\r\n"),
        ("application/dtmf-relay", "Signal"),
        ("text/plain", "5"),
        ("", "\u{ff15}"),
    ] {
        assert_eq!(read(kind, body), None, "{kind} {body}");
    }
}

#[test]
fn keys_we_press_are_heard_as_events_and_as_tones() {
    for events in [true, false] {
        let send = events.then_some(TELEPHONE_EVENT);
        let config = StreamConfig {
            telephone_event_send: send,
            ..stream_config(&MediaConfig::default(), Codec::Pcma, agent())
        };
        let mut ours = Stream::new(config, start());
        let mut theirs = leg(InBandDigits::Auto, events);
        assert!("0118#".chars().all(|key| ours.press(key, 120)));
        assert!(!ours.press('x', 120));
        let mut packet = Vec::new();
        for frame in 0..100 {
            let now = at_frame(frame);
            ours.send_frame(now, &tone(300.0, 3_000.0, frame), &mut packet);
            // Every fifth packet is lost on the way.
            if !packet.is_empty() && (frame % 5 != 4 || !events) {
                theirs.receive(now, caller(), &packet).expect("it is theirs");
            }
            theirs.poll_frame(now);
        }
        assert_eq!(told(&mut theirs), "0118#", "events: {events}");
    }
}
