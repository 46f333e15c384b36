//! Recording files in both formats: whole, in place, recoverable after a crash, and checked rather than
//! assumed.

use std::time::Duration;

use gateway_media::{
    RecordingBlock, RecordingFormat, RecordingWriter,
    recording::{Gap, ogg::Scan},
    wav::{Audio, HEADER_LENGTH},
};

use crate::rig::{assert_tone, peak_at, tone};

const FORMATS: [RecordingFormat; 2] = [RecordingFormat::Wav, RecordingFormat::OggOpus];

/// Half a second in which each channel has a note, or nothing.
fn block(number: u32, left: Option<f64>, right: Option<f64>) -> Vec<u8> {
    let side = |hertz: Option<f64>, frame| hertz.map_or([0; 160], |hertz| tone(hertz, 8_000.0, frame));
    (number * 25..(number + 1) * 25)
        .flat_map(|frame| side(left, frame).into_iter().zip(side(right, frame)).collect::<Vec<_>>())
        .flat_map(|(left, right)| [left.to_le_bytes(), right.to_le_bytes()].concat())
        .collect()
}

struct File {
    writer: RecordingWriter,
    bytes: Vec<u8>,
    pieces: Vec<usize>,
}

impl File {
    fn new(format: RecordingFormat) -> Self {
        Self { writer: RecordingWriter::new(format, 0x5a5a_1234), bytes: Vec::new(), pieces: Vec::new() }
    }

    fn append(&mut self, at: u64, paused: u64, pcm: &[u8]) {
        let Self { writer, bytes, pieces } = self;
        writer.append(RecordingBlock { at, paused, pcm }, &mut |piece| {
            bytes.extend_from_slice(piece);
            pieces.push(bytes.len());
        });
    }

    fn finish(self, instants: u64) -> (Vec<u8>, gateway_media::recording::RecordingCheck) {
        let Self { writer, mut bytes, .. } = self;
        let check = writer.finish(instants, &mut |piece| bytes.extend_from_slice(piece));
        (bytes, check)
    }
}

/// A minimal reader of our own Ogg files, by the RFCs: packets and the granule of each page.
fn packets(file: &[u8]) -> (Vec<Vec<u8>>, Vec<(u8, u64)>) {
    let (mut packets, mut pages, mut rest) = (Vec::new(), Vec::new(), file);
    while !rest.is_empty() {
        assert_eq!(&rest[..5], b"OggS\0");
        let granule = u64::from_le_bytes(rest[6..14].try_into().unwrap());
        let sequence = u32::from_le_bytes(rest[18..22].try_into().unwrap());
        assert_eq!((sequence as usize, &rest[14..18]), (pages.len(), &0x5a5a_1234u32.to_le_bytes()[..]));
        pages.push((rest[5], granule));
        let count = usize::from(rest[26]);
        let (table, mut body) = (&rest[27..27 + count], &rest[27 + count..]);
        let mut length = 0;
        for &segment in table {
            length += usize::from(segment);
            if segment < 255 {
                let (packet, after) = body.split_at(length);
                packets.push(packet.to_vec());
                (body, length) = (after, 0);
            }
        }
        assert_eq!(length, 0, "no packet runs over its page");
        rest = body;
    }
    (packets, pages)
}

/// Both channels at 8 kHz.
fn play(format: RecordingFormat, file: &[u8]) -> (Vec<i16>, Vec<i16>) {
    let samples = match format {
        RecordingFormat::Wav => {
            let audio = Audio::read(file).unwrap();
            assert_eq!((audio.rate, audio.channels), (8_000, 2));
            audio.samples
        }
        RecordingFormat::OggOpus => {
            let (packets, pages) = packets(file);
            let pre_skip = usize::from(u16::from_le_bytes([packets[0][10], packets[0][11]])) / 6;
            let end = (pages.last().unwrap().1 / 6) as usize;
            let mut decoder =
                opusic_c::Decoder::new(opusic_c::Channels::Stereo, opusic_c::SampleRate::Hz8000).unwrap();
            let mut all = Vec::new();
            for packet in &packets[2..] {
                let mut out = [0u16; 320];
                assert_eq!(decoder.decode_to_slice(packet, &mut out, false).unwrap(), 160);
                all.extend(out.map(u16::cast_signed));
            }
            all[pre_skip * 2..end * 2].to_vec()
        }
    };
    samples.chunks_exact(2).map(|both| (both[0], both[1])).unzip()
}

fn finished(
    format: RecordingFormat,
    file: File,
    instants: u64,
) -> (Vec<u8>, gateway_media::recording::RecordingCheck) {
    let (mut bytes, check) = file.finish(instants);
    assert_eq!(check.bytes, bytes.len() as u64, "the check tells the file's length");
    if let Some(header) = RecordingWriter::header(format, &check) {
        bytes[..HEADER_LENGTH].copy_from_slice(&header);
    }
    (bytes, check)
}

#[test]
fn a_recording_plays_as_long_as_the_call_and_keeps_the_voices_apart() {
    for format in FORMATS {
        let mut file = File::new(format);
        for number in 0..20 {
            let (left, right) = if number < 10 { (Some(400.0), None) } else { (None, Some(1_000.0)) };
            file.append(u64::from(number) * 4_000, 0, &block(number, left, right));
        }
        let (bytes, check) = finished(format, file, 80_000);
        assert_eq!(
            (check.duration, check.gaps.len(), check.paused),
            (Duration::from_secs(10), 0, Duration::ZERO)
        );
        assert!(check.caller_alive() && check.agent_alive());
        assert!((7_900..=8_000).contains(&check.caller.peak), "{check:?}");
        // Half of the time a sine 12.2 + 3 dB below full scale.
        assert!((-18.5..-18.0).contains(&check.caller.level_db), "{check:?}");
        assert_eq!(check.caller.active, Duration::from_secs(5));
        let (left, right) = play(format, &bytes);
        assert_eq!((left.len(), right.len()), (80_000, 80_000), "{format:?}");
        assert_tone(400.0, 8_000.0, &left[4_000..36_000]);
        assert_tone(1_000.0, 8_000.0, &right[44_000..76_000]);
        // The transcript takes the speaker from the channel: the other one must be far below (-40 dB).
        for (channel, range, hertz) in [(&right, 4_000..36_000, 400.0), (&left, 44_000..76_000, 1_000.0)] {
            let leak = peak_at(hertz, 8_000.0, &channel[range]);
            assert!(leak < 80.0, "{format:?}: {leak}");
        }
    }
}

#[test]
fn an_empty_or_one_sided_recording_is_found_out() {
    // rustpbx #171: files of size 0, and nobody noticed.
    for format in FORMATS {
        let (_, check) = finished(format, File::new(format), 0);
        assert_eq!(
            (check.duration, check.caller_alive(), check.agent_alive()),
            (Duration::ZERO, false, false)
        );
        let mut file = File::new(format);
        for number in 0..4 {
            file.append(u64::from(number) * 4_000, 0, &block(number, Some(400.0), None));
        }
        let (_, check) = finished(format, file, 16_000);
        assert_eq!((check.caller_alive(), check.agent_alive()), (true, false));
        assert_eq!((check.agent.peak, check.agent.level_db), (0, f32::NEG_INFINITY));
    }
}

#[test]
fn a_gap_is_silence_of_its_length_and_is_told() {
    for format in FORMATS {
        let mut file = File::new(format);
        file.append(0, 0, &block(0, Some(400.0), Some(1_000.0)));
        // The queue overflowed for a second; a block that comes out of turn is left out.
        file.append(12_000, 0, &block(3, Some(400.0), Some(1_000.0)));
        file.append(4_000, 0, &block(1, Some(2_000.0), Some(2_000.0)));
        let (bytes, check) = finished(format, file, 20_000);
        let ms = Duration::from_millis;
        let gaps = [Gap { from: ms(500), until: ms(1_500) }, Gap { from: ms(2_000), until: ms(2_500) }];
        assert_eq!((check.gaps.as_slice(), check.lost, check.duration), (&gaps[..], ms(1_500), ms(2_500)));
        let (left, right) = play(format, &bytes);
        assert_eq!((left.len(), right.len()), (20_000, 20_000));
        assert!(left[5_000..11_800].iter().all(|sample| sample.abs() < 40), "{format:?}");
        assert_tone(400.0, 8_000.0, &left[12_800..15_200]);
    }
}

#[test]
fn thousands_of_gaps_are_counted_and_not_all_told() {
    let mut file = File::new(RecordingFormat::Wav);
    for number in 0..1_000u32 {
        file.append(u64::from(number) * 8_000, 0, &block(number, None, None));
    }
    let (_, check) = finished(RecordingFormat::Wav, file, 8_000_000);
    assert_eq!((check.gaps.len(), check.lost), (64, Duration::from_millis(500 * 1_000)));
    assert_eq!(check.gaps.last().unwrap().until, Duration::from_secs(1_000));
}

#[test]
fn a_pause_is_told_and_is_no_gap() {
    let mut file = File::new(RecordingFormat::Wav);
    file.append(0, 0, &block(0, None, None));
    file.append(4_000, 4_000, &block(1, None, None));
    let (_, check) = finished(RecordingFormat::Wav, file, 8_000);
    assert_eq!((check.paused, check.gaps.len()), (Duration::from_millis(500), 0));
}

#[test]
fn an_ogg_file_follows_its_rfc() {
    let mut file = File::new(RecordingFormat::OggOpus);
    for number in 0..9 {
        file.append(u64::from(number) * 4_000, 0, &block(number, Some(400.0), None));
    }
    let (bytes, _) = finished(RecordingFormat::OggOpus, file, 36_000);
    let (packets, pages) = packets(&bytes);
    assert_eq!(&packets[0][..10], b"OpusHead\x01\x02");
    assert_eq!((packets[0].len(), &packets[0][12..16], packets[0][18]), (19, &8_000u32.to_le_bytes()[..], 0));
    assert_eq!(&packets[1], b"OpusTags\x05\0\0\0jiesu\0\0\0\0");
    let pre_skip = u64::from(u16::from_le_bytes([packets[0][10], packets[0][11]]));
    assert!((100..1_000).contains(&pre_skip), "{pre_skip}");
    // Headers, a page each second, the last cut to the sample: 4.5 s.
    let expected =
        [(2, 0), (0, 0), (0, 48_000), (0, 96_000), (0, 144_000), (0, 192_000), (4, pre_skip + 216_000)];
    assert_eq!(pages, expected);
    assert!(packets[2..].iter().all(|packet| packet[0] & 0b111 == 0b100), "stereo, one frame a packet");
}

#[test]
fn a_crash_costs_an_ogg_file_one_second_at_the_most() {
    let mut file = File::new(RecordingFormat::OggOpus);
    for number in 0..20 {
        file.append(u64::from(number) * 4_000, 0, &block(number, Some(400.0), Some(1_000.0)));
    }
    let (whole, pieces) = (file.bytes.clone(), file.pieces.clone());
    assert_eq!(pieces.len(), 12, "two headers and ten seconds");
    for cut in (0..whole.len()).step_by(97).chain(pieces.iter().copied()) {
        let mut scan = Scan::default();
        whole[..cut].chunks(1_000).for_each(|piece| scan.read(piece));
        let kept = pieces.iter().filter(|&&end| end <= cut).count();
        let Some(repair) = scan.finish() else {
            assert!(kept < 2, "only a file without whole headers is beyond help");
            continue;
        };
        assert_eq!(repair.length, pieces[kept - 1] as u64);
        let mut file = whole[..repair.length as usize].to_vec();
        file.splice(repair.last_page_at as usize.., repair.last_page.clone());
        let (_, pages) = packets(&file);
        assert_eq!(pages.last().unwrap().0 & 4, 4, "the last page says so");
        let lacking = repair.duration().abs_diff(Duration::from_secs(kept as u64 - 2));
        assert!(lacking < Duration::from_millis(20), "{kept}: {lacking:?}");
        // What was repaired needs no repair.
        let mut again = Scan::default();
        again.read(&file);
        let again = again.finish().unwrap();
        assert_eq!((again.length, again.granule), (repair.length, repair.granule));
    }
}

#[test]
fn damage_in_the_middle_ends_an_ogg_file_before_it() {
    let mut file = File::new(RecordingFormat::OggOpus);
    for number in 0..6 {
        file.append(u64::from(number) * 4_000, 0, &block(number, Some(400.0), None));
    }
    let (mut bytes, pieces) = (file.bytes.clone(), file.pieces.clone());
    bytes[pieces[2] + 40] ^= 1;
    let mut scan = Scan::default();
    scan.read(&bytes);
    assert_eq!(scan.finish().unwrap().length, pieces[2] as u64);
    for nonsense in [&b""[..], b"OggS", b"RIFF____WAVE", &[0; 5_000]] {
        let mut scan = Scan::default();
        scan.read(nonsense);
        assert_eq!(scan.finish(), None);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_disk_returns_is_survived(bytes: Vec<u8>, cut in 0usize..4_000, flip in 0usize..4_000) {
        let mut file = File::new(RecordingFormat::OggOpus);
        for number in 0..2 {
            file.append(u64::from(number) * 4_000, 0, &block(number, Some(400.0), None));
        }
        let mut damaged = file.bytes.clone();
        damaged.truncate(cut);
        if let Some(byte) = damaged.get_mut(flip) {
            *byte = byte.wrapping_add(1);
        }
        damaged.extend(bytes);
        let mut scan = Scan::default();
        damaged.chunks(333).for_each(|piece| scan.read(piece));
        if let Some(repair) = scan.finish() {
            proptest::prop_assert!(repair.length <= damaged.len() as u64);
        }
    }
}
