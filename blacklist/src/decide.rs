//! From the entries that fit to the verdict. The order, from the strongest:
//!
//! 1. `allow` admits, whatever else stands against the caller.
//! 2. `block` on the person (number, channel user, e-mail) refuses.
//! 3. `representative` admits against a block on a class (prefix, network, withheld), in the priority lane.
//! 4. `block` on a class refuses.
//! 5. Everybody else is admitted; `enterprise` gives its lane, `watch` and `leader` only annotate.
//!
//! What is not proven decides nothing: an entry on a number counts only when the network asserted the
//! number, for anybody can write a `From`; it then stands in the record as `annotate`. A withheld number
//! is never used to refuse its owner (see the README for the reasons).

use record::{
    Caller, Decision, Lane, ListDecision, ListEffect, ListName, Presentation, Representative, Timestamp,
    Trust, Verdict,
};

use crate::config::ListsConfig;
use crate::index::{Index, Match};
use crate::subject::SubjectKind;

pub(crate) fn decide(index: &Index, config: &ListsConfig, caller: &Caller, now: Timestamp) -> Verdict {
    let mut matches = index.matches(caller);
    matches.retain(|m| m.entry.is_valid(now));
    if matches.is_empty() {
        return Verdict::admitted();
    }
    let mut weighed: Vec<(Match<'_>, ListEffect)> =
        matches.into_iter().map(|m| (m, effect_alone(m, config, caller))).collect();
    // The order of report: what decides first, then as the file has it.
    weighed.sort_by_key(|(m, effect)| (rank(*effect), m.entry.list, m.entry.line));

    let has = |list, effect| weighed.iter().any(|(m, e)| m.entry.list == list && *e == effect);
    let allowed = has(ListName::Allow, ListEffect::None);
    let representative = weighed
        .iter()
        .find(|(m, e)| m.entry.list == ListName::Representative && *e == ListEffect::Priority)
        .map(|(m, _)| *m);
    let stands = |m: &Match<'_>| m.subject.is_person() || representative.is_none();
    let refused = !allowed && weighed.iter().any(|(m, e)| *e == ListEffect::Reject && stands(m));
    let lane = match (refused, representative) {
        (true, _) => Lane::Standard,
        (false, Some(_)) => Lane::PriorityRep,
        (false, None) if has(ListName::Enterprise, ListEffect::Priority) => Lane::Enterprise,
        (false, None) => Lane::Standard,
    };
    let entries = weighed
        .iter()
        .take(config.max_matches)
        .map(|(m, effect)| ListDecision {
            list: m.entry.list,
            entry: m.entry.name(),
            effect: effect_in_the_end(*effect, refused),
            reason: index.reason(m.entry),
            policy: index.policy.clone(),
            decided_at: now,
        })
        .collect();
    Verdict {
        decision: if refused { Decision::Refuse } else { Decision::Admit },
        lane,
        entries,
        representative: representative.filter(|_| !refused).and_then(|m| describe(m)),
    }
}

/// What the entry would do if it stood alone.
fn effect_alone(m: Match<'_>, config: &ListsConfig, caller: &Caller) -> ListEffect {
    let holds = match m.entry.effect {
        ListEffect::Reject => may_refuse(m.subject, config, caller),
        _ => is_proven(m.subject, caller),
    };
    if holds { m.entry.effect } else { ListEffect::Annotate }
}

/// What it did beside the others: the overruled side had no effect.
const fn effect_in_the_end(effect: ListEffect, refused: bool) -> ListEffect {
    match (effect, refused) {
        (ListEffect::Reject, false) | (ListEffect::Priority, true) => ListEffect::None,
        _ => effect,
    }
}

/// Whether the caller is shown to be the subject.
fn is_proven(subject: SubjectKind, caller: &Caller) -> bool {
    match subject {
        SubjectKind::Number | SubjectKind::Prefix => caller.trust == Trust::NetworkAsserted,
        // The mail channel vouches for its own sender; an address typed into a form is only a claim.
        SubjectKind::Email => {
            caller.channel_identity.as_ref().zip(caller.email.as_ref()).is_some_and(|(id, email)| {
                id.channel == "email" && id.user_id.reveal().eq_ignore_ascii_case(email.reveal())
            })
        }
        SubjectKind::ChannelUser | SubjectKind::Network | SubjectKind::Withheld => true,
    }
}

/// Whether an entry on this subject may keep the caller out.
fn may_refuse(subject: SubjectKind, config: &ListsConfig, caller: &Caller) -> bool {
    match subject {
        SubjectKind::Number | SubjectKind::Prefix => {
            is_proven(subject, caller) && caller.presentation == Presentation::Allowed
        }
        SubjectKind::Withheld => config.refuse_withheld,
        SubjectKind::ChannelUser | SubjectKind::Email | SubjectKind::Network => is_proven(subject, caller),
    }
}

const fn rank(effect: ListEffect) -> u8 {
    match effect {
        ListEffect::Reject => 0,
        ListEffect::None => 1,
        ListEffect::Priority => 2,
        _ => 3,
    }
}

fn describe(m: Match<'_>) -> Option<Representative> {
    let (kind, level) = m.entry.representative?;
    let verified_by = match m.subject {
        SubjectKind::ChannelUser => "channel_identity",
        _ => Trust::NetworkAsserted.as_str(),
    };
    Some(Representative {
        kind,
        level,
        verified_by: Some(verified_by.to_owned()),
        r#ref: m.entry.reference.as_deref().map(str::to_owned),
    })
}
