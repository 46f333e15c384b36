//! Which caller an entry may refuse, prefer or only annotate; and what then stands in the record.

mod support;

use std::net::IpAddr;

use blacklist::{Format, Lists, ListsConfig};
use record::{
    Caller, Decision, Lane, ListEffect, ListName, Pii, Presentation, RepresentativeKind, RepresentativeLevel,
    Trust,
};
use support::{HEADER, at, caller, csv, hohhot, now, user};

const BLOCK: &str = "block,number,139-1234-5678,无理纠缠,,,2027-01-01,,,案-7,\n";
const DEPUTY: &str = "representative,number,13900000001,,,,,npc_deputy,city,市-001,\n";

/// Decision, lane and the (list, effect) pairs of the report.
#[track_caller]
fn check(rows: &str, caller: &Caller, decision: Decision, lane: Lane, report: &[(ListName, ListEffect)]) {
    let verdict = csv(rows).check(caller, now());
    let found: Vec<_> = verdict.entries.iter().map(|e| (e.list, e.effect)).collect();
    assert_eq!((verdict.decision, verdict.lane, found.as_slice()), (decision, lane, report));
}

#[test]
fn a_blocked_number_is_refused_in_every_style_it_may_arrive_in() {
    for style in
        ["13912345678", "+8613912345678", "013912345678", "0086 139 1234 5678", "１３９１２３４５６７８"]
    {
        check(
            BLOCK,
            &caller(style),
            Decision::Refuse,
            Lane::Standard,
            &[(ListName::Block, ListEffect::Reject)],
        );
    }
    check(BLOCK, &caller("13912345679"), Decision::Admit, Lane::Standard, &[]);
}

#[test]
fn a_number_that_nobody_vouches_for_is_only_annotated() {
    for &trust in Trust::ALL {
        let caller = Caller { trust, ..caller("13912345678") };
        let refused = csv(BLOCK).check(&caller, now()).decision == Decision::Refuse;
        assert_eq!(refused, trust == Trust::NetworkAsserted, "{trust:?}");
    }
    let restricted = Caller { presentation: Presentation::Restricted, ..caller("13912345678") };
    check(BLOCK, &restricted, Decision::Admit, Lane::Standard, &[(ListName::Block, ListEffect::Annotate)]);
}

#[test]
fn a_deputy_gets_the_lane_only_with_a_proven_number() {
    let verdict = csv(DEPUTY).check(&caller("13900000001"), now());
    assert_eq!((verdict.decision, verdict.lane), (Decision::Admit, Lane::PriorityRep));
    let representative = verdict.representative.unwrap();
    assert_eq!(representative.kind, RepresentativeKind::NpcDeputy);
    assert_eq!(representative.level, Some(RepresentativeLevel::City));
    assert_eq!(representative.verified_by.as_deref(), Some("network_asserted"));
    assert_eq!(representative.r#ref.as_deref(), Some("市-001"));

    let spoofed = Caller { trust: Trust::FromOnly, ..caller("13900000001") };
    check(
        DEPUTY,
        &spoofed,
        Decision::Admit,
        Lane::Standard,
        &[(ListName::Representative, ListEffect::Annotate)],
    );
    assert_eq!(csv(DEPUTY).check(&spoofed, now()).representative, None);

    let on_channel = "representative,channel_user,wechat_mp:oDeputy,,,,,party_delegate,,,\n";
    let verdict = csv(on_channel).check(&user("wechat_mp", "oDeputy"), now());
    assert_eq!(verdict.lane, Lane::PriorityRep);
    assert_eq!(verdict.representative.unwrap().verified_by.as_deref(), Some("channel_identity"));
    assert_eq!(csv(on_channel).check(&user("weibo", "oDeputy"), now()).lane, Lane::Standard);
    assert_eq!(csv(on_channel).check(&user("wechat_mp", "odeputy"), now()).lane, Lane::Standard);
}

#[test]
fn a_deputy_passes_a_block_on_a_class_but_not_on_the_person() {
    use {ListEffect as E, ListName as L};
    let class = format!("{DEPUTY}block,prefix,+86139,刷号,,,2027-01-01,,,,\n");
    check(
        &class,
        &caller("13900000001"),
        Decision::Admit,
        Lane::PriorityRep,
        &[(L::Block, E::None), (L::Representative, E::Priority)],
    );
    check(&class, &caller("13900000002"), Decision::Refuse, Lane::Standard, &[(L::Block, E::Reject)]);

    let person = format!("{DEPUTY}block,number,13900000001,手机被盗,,,2027-01-01,,,,\n");
    check(
        &person,
        &caller("13900000001"),
        Decision::Refuse,
        Lane::Standard,
        &[(L::Block, E::Reject), (L::Representative, E::None)],
    );
    let allowed = format!("{person}allow,number,13900000001,复核,,,,,,,\n");
    check(
        &allowed,
        &caller("13900000001"),
        Decision::Admit,
        Lane::PriorityRep,
        &[(L::Block, E::None), (L::Allow, E::None), (L::Representative, E::Priority)],
    );
}

#[test]
fn a_withheld_number_is_refused_only_when_the_configuration_says_so() {
    let rows = format!("{HEADER}block,withheld,,匿名骚扰,,,2027-01-01,,,,\n");
    let restricted = Caller { presentation: Presentation::Restricted, ..caller("13912345678") };
    for caller in [Caller::unknown(), restricted] {
        for refuse_withheld in [false, true] {
            let config = ListsConfig { refuse_withheld, ..ListsConfig::default() };
            let (lists, _) = Lists::from_text(&rows, Format::Csv, config, &hohhot()).unwrap();
            let verdict = lists.check(&caller, now());
            assert_eq!(verdict.decision == Decision::Refuse, refuse_withheld);
            assert_eq!(verdict.entries.len(), 1);
        }
    }
    // Nobody withholds a number on a channel that has none.
    let lists = csv("block,withheld,,匿名骚扰,,,2027-01-01,,,,\n");
    assert_eq!(lists.check(&user("weibo", "7"), now()).entries, []);
    assert_eq!(lists.check(&caller("13912345678"), now()).entries, []);
}

#[test]
fn networks_are_matched_in_both_families() {
    let rows = "block,network,203.0.113.0/24,刷单,,,2027-01-01,,,,\nblock,network,2001:db8::/32,刷单,,,2027-01-01,,,,\n\
                block,network,::ffff:198.51.100.7,刷单,,,2027-01-01,,,,\n";
    for (address, refused) in [
        ("203.0.113.0", true),
        ("203.0.113.255", true),
        ("203.0.114.0", false),
        ("::ffff:203.0.113.9", true),
        ("2001:db8:ffff::1", true),
        ("2001:db9::1", false),
        ("198.51.100.7", true),
        ("198.51.100.8", false),
    ] {
        let address: IpAddr = address.parse().unwrap();
        let caller = Caller { address: Some(address), ..user("webchat", "s") };
        assert_eq!(csv(rows).check(&caller, now()).decision == Decision::Refuse, refused, "{address}");
    }
}

#[test]
fn an_address_typed_into_a_form_refuses_nobody() {
    let rows = "block,email,Troll@Mail.example,辱骂,,,2027-01-01,,,,\n";
    let email = Some(Pii::new("troll@mail.example".to_owned()));
    let typed = Caller { email: email.clone(), ..user("portal", "42") };
    check(rows, &typed, Decision::Admit, Lane::Standard, &[(ListName::Block, ListEffect::Annotate)]);
    let sent = Caller { email, ..user("email", "TROLL@mail.example") };
    check(rows, &sent, Decision::Refuse, Lane::Standard, &[(ListName::Block, ListEffect::Reject)]);
}

#[test]
fn service_digits_and_their_prefixes_are_not_subscribers() {
    let rows = "block,number,95588,推销,,,2027-01-01,,,,\nwatch,prefix,106,短信,,,,,,,\n";
    check(rows, &caller("95588"), Decision::Refuse, Lane::Standard, &[(ListName::Block, ListEffect::Reject)]);
    check(
        rows,
        &caller("106980095588"),
        Decision::Admit,
        Lane::Standard,
        &[(ListName::Watch, ListEffect::Annotate)],
    );
    check(rows, &caller("010-69800955"), Decision::Admit, Lane::Standard, &[]);
}

#[test]
fn enterprise_has_its_lane_and_leaders_and_watched_callers_none() {
    use {ListEffect as E, ListName as L};
    let rows = "enterprise,number,0471-4862423,,,,,,,,\nwatch,prefix,+86471,,,,,,,,\nleader,number,4862423,,,,,,,,\n";
    check(
        rows,
        &caller("04714862423"),
        Decision::Admit,
        Lane::Enterprise,
        &[(L::Enterprise, E::Priority), (L::Watch, E::Annotate), (L::Leader, E::Annotate)],
    );
}

#[test]
fn an_entry_holds_within_its_days_only() {
    let lists = csv("block,number,13912345678,骚扰,,2026-11-01,2026-11-30,,,,\n");
    for (moment, refused) in [
        ("2026-10-31T23:59:59.999+08:00", false),
        ("2026-11-01T00:00:00+08:00", true),
        ("2026-11-30T23:59:59.999+08:00", true),
        ("2026-12-01T00:00:00+08:00", false),
    ] {
        let verdict = lists.check(&caller("13912345678"), at(moment));
        assert_eq!(verdict.decision == Decision::Refuse, refused, "{moment}");
        assert_eq!(verdict.entries.is_empty(), !refused, "{moment}");
    }
}

#[test]
fn every_decision_is_explained_without_a_number() {
    let lists = csv(&format!("{BLOCK}watch,prefix,+86139,多次来电,,,,,,,\n"));
    let verdict = lists.check(&caller("13912345678"), now());
    let [block, watch] = verdict.entries.as_slice() else { panic!("two entries took part") };
    assert_eq!((block.entry.as_str(), block.reason.as_deref()), ("案-7", Some("无理纠缠")));
    assert_eq!((watch.entry.as_str(), watch.reason.as_deref()), ("line:3", Some("多次来电")));
    assert_eq!(block.decided_at, now());
    let hex = block.policy.strip_prefix("lists@").unwrap();
    assert!(hex.len() == 12 && hex.bytes().all(|b| b.is_ascii_hexdigit()), "{hex}");
    assert_eq!(lists.status().policy, block.policy);
    for text in [format!("{verdict:?}"), format!("{lists:?}")] {
        assert!(!text.contains("1391234"), "{text}");
    }
}

#[test]
fn a_report_is_bounded_and_keeps_what_decided() {
    let mut rows = String::new();
    for _ in 0..50 {
        rows.push_str("watch,number,13912345678,,,,,,,,\n");
    }
    let verdict = csv(&format!("{rows}{BLOCK}")).check(&caller("13912345678"), now());
    assert_eq!((verdict.decision, verdict.entries.len()), (Decision::Refuse, 16));
    assert_eq!(verdict.entries[0].effect, ListEffect::Reject);
}
