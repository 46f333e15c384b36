//! Damaged identity headers never panic and never exceed the bounds.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use gateway_sip::identity::{
    IdentityHeaders, MAX_ENTRIES, RawIdentity, diversions, first_diverting, q850_cause, read_diversion,
    read_history, sources_disagree,
};
use proptest::prelude::*;

const SAMPLE: &str = "\"Wang \\\"L\\\", <x>\" <sip:486%2323;phone-context=+86471:pw@[2001:db8::1]:5060;user=phone;cause=302\
    ?Reason=SIP%3Bcause%3D302%3Btext%3D%22a%22&Privacy=history>;index=1.1;mp=1;reason=user-busy;counter=2;\
    privacy=full;screen=yes, <tel:+86-471-1;phone-context=x>;index=1, sip:a@b;tag=1:2;cause=16";

fn exercise(text: &str) {
    let values = [text, SAMPLE, text];
    let headers = IdentityHeaders::read(&RawIdentity {
        asserted: &values,
        preferred: &values,
        from: Some(text),
        privacy: &values,
        remote_party: &values,
    });
    assert!(headers.asserted.len() <= MAX_ENTRIES && headers.privacy.len() <= MAX_ENTRIES);
    let _ = (headers.best(true), headers.presentation_restricted(), q850_cause(&values));
    let (history, diversion) = (read_history(&values, &headers.privacy), read_diversion(&values));
    assert!(history.len() <= MAX_ENTRIES && diversion.len() <= MAX_ENTRIES);
    let all = diversions(&history, &diversion);
    assert_eq!(first_diverting(&history, &diversion).as_ref(), all.first());
    let _ = sources_disagree(&history, &diversion);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_samples(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..8)) {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        for (place, byte, kind) in edits {
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        exercise(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_text(text in "(sips?|tel|[<>\"\\\\,;:@?&=%.\\[\\]0-9a-f ]|密|\u{80}){0,60}") {
        exercise(&text);
    }
}
