//! The `[media]` section as operators write it.

use std::time::Duration;

use gateway_media::{LatchPolicy, MediaConfig, RecordingConfig, RecordingFormat};

#[test]
fn nothing_written_means_the_defaults() {
    let config: MediaConfig = toml::from_str("").unwrap();
    assert_eq!(config, MediaConfig::default());
    assert_eq!(config.complaints(), []);
}

#[test]
fn everything_can_be_written() {
    let text = r#"
        rtp_ports = [30000, 30999]
        external_address = "203.0.113.9"
        latch = "first-packet"
        receive_timeout = "2m"
        rtcp_interval = "2500ms"
        catch_up_ticks = 3
        speech_floor_db = -50.0
        speech_hangover = "1s"
        barge_tone = false
        recording = { format = "ogg-opus", prompts = true }
        jitter = { adaptive = false, delay_ms = 80, delay_min_ms = 60, delay_max_ms = 100 }
    "#;
    let config: MediaConfig = toml::from_str(text).unwrap();
    assert_eq!((config.latch, config.receive_timeout), (LatchPolicy::FirstPacket, Duration::from_secs(120)));
    assert_eq!((config.rtcp_interval, config.jitter.delay_ms), (Duration::from_millis(2_500), 80));
    assert_eq!(config.complaints(), []);
    let recording = RecordingConfig { format: RecordingFormat::OggOpus, prompts: true };
    assert_eq!((&config.recording, config.barge_tone), (&recording, false));
    assert_eq!((recording.format.extension(), recording.format.media_type()), ("ogg", "audio/ogg"));
}

#[test]
fn mistakes_are_named() {
    for (text, word) in [
        ("rtp_port = 1", "rtp_port"),
        ("receive_timeout = \"soon\"", "duration"),
        ("receive_timeout = \"30\"", "duration"),
        ("receive_timeout = \"99999999999999999999s\"", "duration"),
        ("jitter = { delay = 4 }", "delay"),
        ("latch = \"any\"", "any"),
        ("recording = { format = \"mp3\" }", "ogg-opus"),
        ("recording = { folder = \"x\" }", "folder"),
    ] {
        let error = toml::from_str::<MediaConfig>(text).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let text = "rtp_ports = [9, 5]\nreceive_timeout = \"1ms\"\nrtcp_interval = \"1ms\"\ncatch_up_ticks = 0\n\
                speech_floor_db = 3.0\njitter = { delay_ms = 500, delay_max_ms = 900 }";
    let paths: Vec<_> =
        toml::from_str::<MediaConfig>(text).unwrap().complaints().into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        paths,
        [
            "media.rtp_ports",
            "media.jitter",
            "media.receive_timeout",
            "media.rtcp_interval",
            "media.catch_up_ticks",
            "media.speech_floor_db"
        ]
    );
}
