//! Nonces are recognised without memory; a captured proof cannot be used twice.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use gateway_sip::auth::{AuthError, Freshness, NonceKey, ReplayGuard};
use proptest::prelude::*;

const LIFE_MS: u64 = 1000;

fn key() -> NonceKey {
    NonceKey::new([7; 32]).with_lifetime_ms(LIFE_MS)
}

#[test]
fn a_nonce_is_fresh_then_stale() {
    let mut key = key();
    let nonce = key.issue(5000);
    assert_eq!(key.check(&nonce, 5000), Freshness::Fresh);
    assert_eq!(key.check(&nonce, 5999), Freshness::Fresh);
    assert_eq!(key.check(&nonce, 6000), Freshness::Stale);
    assert_eq!(key.check(&nonce, 4999), Freshness::Stale); // the clock was set back
    assert_ne!(nonce, key.issue(5000));
    assert!(nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()));
}

#[test]
fn any_changed_character_is_a_forgery() {
    let mut key = key();
    let nonce = key.issue(0x00ab_cdef);
    for at in 0..nonce.len() {
        let mut bytes = nonce.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        assert_eq!(key.check(&String::from_utf8(bytes).unwrap(), 0x00ab_cdef), Freshness::Forged, "at {at}");
    }
    for other in
        [nonce.to_uppercase(), format!("{nonce}0"), nonce[1..].to_owned(), String::new(), "密".repeat(30)]
    {
        assert_eq!(key.check(&other, 0x00ab_cdef), Freshness::Forged);
    }
    assert_eq!(NonceKey::new([8; 32]).check(&nonce, 0x00ab_cdef), Freshness::Forged);
}

#[test]
fn a_count_is_good_once_in_any_order_within_the_window() {
    let nonce = key().issue(0);
    let mut guard = ReplayGuard::new(10, LIFE_MS);
    let mut take = |count| guard.accept(&nonce, Some(count), 1);
    assert_eq!(take(3), Ok(()));
    assert_eq!(take(3), Err(AuthError::Replayed));
    assert_eq!(take(1), Ok(()));
    assert_eq!(take(1), Err(AuthError::Replayed));
    assert_eq!(take(66), Ok(()));
    assert_eq!(take(3), Err(AuthError::Replayed)); // in the window, used
    assert_eq!(take(4), Ok(())); // in the window, late
    assert_eq!(take(2), Err(AuthError::Replayed)); // behind the window
    assert_eq!(take(u32::MAX), Ok(()));
    assert_eq!(take(66), Err(AuthError::Replayed));
}

#[test]
fn without_count_a_nonce_is_good_once() {
    let nonce = key().issue(0);
    let mut guard = ReplayGuard::new(10, LIFE_MS);
    assert_eq!(guard.accept(&nonce, None, 1), Ok(()));
    assert_eq!(guard.accept(&nonce, None, 1), Err(AuthError::Replayed));
    assert_eq!(guard.accept(&nonce, Some(1), 1), Err(AuthError::Replayed));
}

#[test]
fn room_is_bounded_and_forgetting_reopens_nothing() {
    let mut key = key();
    let nonces: Vec<_> = (0..5).map(|at| key.issue(at)).collect();
    let mut guard = ReplayGuard::new(3, LIFE_MS);
    for nonce in &nonces {
        assert_eq!(guard.accept(nonce, Some(1), 10), Ok(()));
    }
    assert_eq!(guard.len(), 3);
    for nonce in &nonces[..2] {
        assert_eq!(guard.accept(nonce, Some(1), 10), Err(AuthError::Stale));
        assert_eq!(guard.accept(nonce, Some(9), 10), Err(AuthError::Stale));
    }
    assert_eq!(guard.accept(&nonces[2], Some(1), 10), Err(AuthError::Replayed));
    assert_eq!(guard.accept(&nonces[2], Some(2), 10), Ok(()));
}

#[test]
fn entries_leave_with_their_nonce() {
    let mut key = key();
    let (old, young) = (key.issue(0), key.issue(900));
    let mut guard = ReplayGuard::new(10, LIFE_MS);
    guard.accept(&old, Some(1), 950).unwrap();
    guard.accept(&young, Some(1), 950).unwrap();
    guard.accept(&young, Some(2), 1000).unwrap();
    assert_eq!(guard.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Against the simplest model: the set of all used counts, and the rule of the window.
    #[test]
    fn the_window_is_exact(counts in prop::collection::vec(0..200_u32, 1..200)) {
        let nonce = key().issue(0);
        let mut guard = ReplayGuard::new(1, LIFE_MS);
        let mut used = std::collections::BTreeSet::new();
        for count in counts {
            let highest = used.last().copied().unwrap_or(0);
            let expected = !used.contains(&count) && (used.is_empty() || count + 64 > highest);
            prop_assert_eq!(guard.accept(&nonce, Some(count), 1).is_ok(), expected);
            if expected { used.insert(count); }
        }
    }
}
