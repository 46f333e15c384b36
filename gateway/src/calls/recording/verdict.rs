//! Was the call recorded? Asked after each call, because a recording that is missed is missed for good, and
//! one that is silent is found out months later by a court.

use std::time::Duration;

use super::Finished;

/// A call whose caller was on the line for so long and is not on the recording is worth an alarm; shorter
/// ones say nothing often enough.
const SILENT_FOR: Duration = Duration::from_secs(10);
/// Sound that may be missing: the conversation's clock is not the recording's.
const TOLERANCE: Duration = Duration::from_millis(1_000);

/// Counts what is wrong with a recording in `jiesu_recording_verify_failures_total` and returns it. `expected`
/// is how long the call made sound for it, `talked` how long caller and agent heard each other.
pub fn verify(finished: Option<&Finished>, expected: Duration, talked: Duration) -> Vec<&'static str> {
    let faults = faults(finished, expected, talked);
    for &fault in &faults {
        metrics::counter!("jiesu_recording_verify_failures_total", "reason" => fault).increment(1);
    }
    faults
}

fn faults(finished: Option<&Finished>, expected: Duration, talked: Duration) -> Vec<&'static str> {
    let Some(finished) = finished else {
        // A caller who hung up before the first tick left nothing to record.
        return if expected > Duration::ZERO { vec!["missing"] } else { Vec::new() };
    };
    let Some(check) = &finished.check else { return vec!["cut-off"] };
    let found = [
        ("size", finished.bytes != check.bytes),
        ("duration", check.duration + TOLERANCE < expected.max(talked)),
        ("gap", check.lost > Duration::ZERO),
        ("disk", finished.failures > 0),
        ("caller-silent", talked >= SILENT_FOR && !check.caller_alive()),
        ("agent-silent", talked >= SILENT_FOR && !check.agent_alive()),
    ];
    found.into_iter().filter(|(_, is_wrong)| *is_wrong).map(|(fault, _)| fault).collect()
}

#[cfg(test)]
mod tests {
    use gateway_media::recording::ChannelCheck;
    use gateway_media::{RecordingCheck, RecordingFormat};

    use super::*;

    fn good() -> Finished {
        let alive = ChannelCheck { active: Duration::from_secs(20), ..ChannelCheck::default() };
        let check = RecordingCheck {
            duration: Duration::from_secs(60),
            bytes: 1_920_044,
            caller: alive,
            agent: alive,
            ..RecordingCheck::default()
        };
        Finished {
            path: "a.wav".into(),
            format: RecordingFormat::Wav,
            bytes: check.bytes,
            digest: String::new(),
            duration: check.duration,
            check: Some(check),
            failures: 0,
        }
    }

    fn faults_of(change: impl FnOnce(&mut Finished)) -> Vec<&'static str> {
        let mut finished = good();
        change(&mut finished);
        faults(Some(&finished), Duration::from_secs(60), Duration::from_secs(50))
    }

    fn check(finished: &mut Finished) -> &mut RecordingCheck {
        finished.check.as_mut().unwrap()
    }

    #[test]
    fn a_good_recording_raises_no_alarm() {
        assert!(faults_of(|_| {}).is_empty());
    }

    #[test]
    fn each_fault_has_its_name() {
        assert_eq!(faults(None, Duration::from_millis(20), Duration::ZERO), ["missing"]);
        assert!(faults(None, Duration::ZERO, Duration::ZERO).is_empty());
        assert_eq!(faults_of(|finished| finished.check = None), ["cut-off"]);
        assert_eq!(faults_of(|finished| finished.bytes = 44), ["size"]);
        assert_eq!(faults_of(|it| check(it).duration = Duration::from_secs(48)), ["duration"]);
        assert_eq!(faults_of(|it| check(it).lost = Duration::from_millis(500)), ["gap"]);
        assert_eq!(faults_of(|finished| finished.failures = 1), ["disk"]);
        assert_eq!(faults_of(|it| check(it).caller = ChannelCheck::default()), ["caller-silent"]);
        assert_eq!(faults_of(|it| check(it).agent = ChannelCheck::default()), ["agent-silent"]);
    }

    #[test]
    fn a_caller_who_hung_up_waiting_need_not_have_said_anything() {
        let mut finished = good();
        check(&mut finished).caller = ChannelCheck::default();
        check(&mut finished).agent = ChannelCheck::default();
        assert!(faults(Some(&finished), Duration::from_secs(60), Duration::ZERO).is_empty());
    }
}
