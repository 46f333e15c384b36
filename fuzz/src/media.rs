//! Everything that comes in on the media side, and the files sound is read from.

use std::time::{Duration, Instant};

use gateway_media::{
    Codec, FRAME_DURATION, FRAME_SAMPLES, MediaConfig, Stream, StreamConfig, rtcp as rtcp_packets,
    rtp::Packet, wav::Audio,
};

/// What was read is written and read again as it was (padding aside).
pub fn rtp(bytes: &[u8]) {
    let Ok(packet) = Packet::parse(bytes) else { return };
    assert!(packet.payload.len() <= bytes.len());
    let mut written = Vec::new();
    packet.write(&mut written);
    let again = Packet::parse(&written).expect("what we wrote is RTP");
    assert_eq!(again.payload, packet.payload);
    assert_eq!(
        (again.sequence, again.timestamp, again.ssrc),
        (packet.sequence, packet.timestamp, packet.ssrc)
    );
}

/// Compound packets: each that was read can be written, and reads again.
pub fn rtcp(bytes: &[u8]) {
    let Ok(packets) = rtcp_packets::parse(bytes) else { return };
    let mut written = Vec::new();
    for packet in &packets {
        packet.write(&mut written);
    }
    let _ = rtcp_packets::parse(&written);
}

/// Datagrams of length-prefixed pieces reach a stream in the middle of a call, one every 20 ms; each frame out
/// is whole, and each packet sent is.
pub fn media_stream(bytes: &[u8]) {
    let config = MediaConfig::default();
    let remote = ([192, 0, 2, 9], 4_000).into();
    let mut now = Instant::now();
    let mut settings = StreamConfig::new(&config, Codec::Pcma, remote);
    settings.telephone_event_receive = Some(101);
    let mut stream = Stream::new(settings, now);
    let mut rest = bytes;
    let mut out = Vec::new();
    while let Some((&length, after)) = rest.split_first() {
        let (datagram, after) = after.split_at(usize::from(length).min(after.len()));
        rest = after;
        let _ = stream.receive(now, remote, datagram);
        let frame = stream.poll_frame(now);
        assert_eq!(frame.samples.len(), FRAME_SAMPLES);
        stream.send_frame(now, &frame.samples, &mut out);
        assert!(Packet::parse(&out).is_ok(), "what we send is RTP");
        out.clear();
        while stream.poll_event().is_some() {}
        now += FRAME_DURATION;
    }
    let stats = stream.stats();
    assert!(stats.playout_delay < Duration::from_secs(1));
}

/// Our own reader of WAV files.
pub fn wav(bytes: &[u8]) {
    if let Ok(audio) = Audio::read(bytes) {
        assert!(audio.mono().len() <= bytes.len());
    }
}

/// Files of any format: attachments of citizens, prompts of operators.
pub fn audio_file(bytes: &[u8]) {
    let limits = asr::audio::Limits { max_duration_ms: 60_000, max_channels: 2 };
    if let Ok(recording) = asr::audio::decode_bytes(bytes, &limits, &asr::CancelFlag::new()) {
        for channel in &recording.channels {
            assert!(channel.duration_ms() <= limits.max_duration_ms);
        }
    }
}
