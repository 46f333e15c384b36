//! Random lists and random callers: the compiled lists and a naive checker always agree.
//!
//! The naive checker is written from the README, scans every entry and shares no code with the crate.

mod support;

use std::net::IpAddr;

use blacklist::{Format, Lists, ListsConfig};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{FailurePersistence, FileFailurePersistence};
use record::{
    Caller, ChannelIdentity, Decision, Lane, ListEffect, ListName, Pii, Presentation, Timestamp, Trust,
    number,
};
use support::{HEADER, at, hohhot};

const NUMBERS: [&str; 7] = [
    "+8613912345678",
    "+8613912345679",
    "+8613800000001",
    "+864714862423",
    "95588",
    "106980095588",
    "+85291234567",
];
const PREFIXES: [&str; 6] = ["+86139", "+86", "+8613912345678", "95", "106980", "+8529"];
const USERS: [(&str, &str); 3] = [("wechat_mp", "oA"), ("weibo", "oA"), ("email", "a@b.example")];
const EMAILS: [&str; 2] = ["a@b.example", "c@d.example"];
const NETWORKS: [(&str, &str); 4] = [
    ("203.0.113.0/24", "203.0.113."),
    ("203.0.113.7/32", "203.0.113.7"),
    ("203.0.0.0/16", "203.0."),
    ("2001:db8::/32", "2001:db8:"),
];
const ADDRESSES: [&str; 4] = ["203.0.113.7", "203.0.9.9", "2001:db8::7", "198.51.100.1"];
const DAYS: [&str; 4] = ["", "2026-11-22", "2026-11-23", "2026-11-24"];

#[derive(Clone, Debug)]
enum Who {
    Number(&'static str),
    Prefix(&'static str),
    Withheld,
    User(&'static str, &'static str),
    Network(&'static str, &'static str),
    Email(&'static str),
}

#[derive(Clone, Debug)]
struct Plain {
    list: ListName,
    who: Who,
    annotate: bool,
    from: &'static str,
    until: &'static str,
}

impl Plain {
    fn row(&self) -> String {
        let (kind, value) = match &self.who {
            Who::Number(value) => ("number", (*value).to_owned()),
            Who::Prefix(value) => ("prefix", (*value).to_owned()),
            Who::Withheld => ("withheld", String::new()),
            Who::User(channel, user) => ("channel_user", format!("{channel}:{user}")),
            Who::Network(net, _) => ("network", (*net).to_owned()),
            Who::Email(address) => ("email", (*address).to_owned()),
        };
        let effect = if self.annotate { "annotate" } else { "" };
        let representative = if self.list == ListName::Representative { "cppcc_member" } else { "" };
        let list = self.list.as_str();
        format!("{list},{kind},{value},reason,{effect},{},{},{representative},,,\n", self.from, self.until)
    }

    fn fits(&self, caller: &Caller, now: Timestamp) -> bool {
        let day = now.china_day();
        let plain = |date: &str| date.replace('-', "");
        if !self.from.is_empty() && day < plain(self.from)
            || !self.until.is_empty() && day > plain(self.until)
        {
            return false;
        }
        let digits = caller.number.as_ref().map(|n| n.e164.as_ref().unwrap_or(&n.raw).reveal().clone());
        match &self.who {
            Who::Number(value) => digits.as_deref() == Some(value),
            Who::Prefix(value) => digits.is_some_and(|d| d.starts_with(value)),
            Who::Withheld => {
                caller.presentation != Presentation::Allowed
                    && caller.channel_identity.is_none()
                    && caller.email.is_none()
            }
            Who::User(channel, user) => caller
                .channel_identity
                .as_ref()
                .is_some_and(|i| i.channel == *channel && i.user_id.reveal() == user),
            Who::Network(_, text) => caller.address.is_some_and(|a| a.to_string().starts_with(text)),
            Who::Email(address) => caller.email.as_ref().is_some_and(|e| e.reveal() == address),
        }
    }

    fn proven(&self, caller: &Caller) -> bool {
        match &self.who {
            Who::Number(_) | Who::Prefix(_) => caller.trust == Trust::NetworkAsserted,
            Who::Email(address) => caller
                .channel_identity
                .as_ref()
                .is_some_and(|i| i.channel == "email" && i.user_id.reveal() == address),
            _ => true,
        }
    }

    fn bites(&self, caller: &Caller, refuse_withheld: bool) -> bool {
        let shown = !matches!(self.who, Who::Number(_) | Who::Prefix(_))
            || caller.presentation == Presentation::Allowed;
        let permitted = !matches!(self.who, Who::Withheld) || refuse_withheld;
        self.list == ListName::Block && !self.annotate && self.proven(caller) && shown && permitted
    }
}

type Outcome = (Decision, Lane, bool, Vec<(ListName, String, ListEffect)>);

fn naive(entries: &[Plain], caller: &Caller, now: Timestamp, refuse_withheld: bool) -> Outcome {
    let fitting: Vec<(usize, &Plain)> =
        entries.iter().enumerate().filter(|(_, e)| e.fits(caller, now)).collect();
    let any = |wanted: &dyn Fn(&Plain) -> bool| fitting.iter().any(|(_, e)| wanted(e));
    let on = |e: &Plain, list| e.list == list && e.proven(caller);
    let person = |e: &Plain| matches!(e.who, Who::Number(_) | Who::User(..) | Who::Email(_));
    let deputy = any(&|e| on(e, ListName::Representative));
    let refused = if any(&|e| on(e, ListName::Allow)) {
        false
    } else if any(&|e| e.bites(caller, refuse_withheld) && person(e)) {
        true
    } else if deputy {
        false
    } else {
        any(&|e| e.bites(caller, refuse_withheld))
    };
    let lane = if refused {
        Lane::Standard
    } else if deputy {
        Lane::PriorityRep
    } else if any(&|e| on(e, ListName::Enterprise)) {
        Lane::Enterprise
    } else {
        Lane::Standard
    };
    let effect = |e: &Plain| match e.list {
        ListName::Block if e.bites(caller, refuse_withheld) && refused => ListEffect::Reject,
        ListName::Block if e.bites(caller, refuse_withheld) => ListEffect::None,
        ListName::Allow if e.proven(caller) => ListEffect::None,
        ListName::Representative | ListName::Enterprise if e.proven(caller) && refused => ListEffect::None,
        ListName::Representative | ListName::Enterprise if e.proven(caller) => ListEffect::Priority,
        _ => ListEffect::Annotate,
    };
    let mut report: Vec<_> =
        fitting.iter().map(|(i, e)| (e.list, format!("line:{}", i + 2), effect(e))).collect();
    report.sort();
    (if refused { Decision::Refuse } else { Decision::Admit }, lane, deputy && !refused, report)
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        4 => select(NUMBERS.to_vec()).prop_map(Who::Number),
        2 => select(PREFIXES.to_vec()).prop_map(Who::Prefix),
        1 => Just(Who::Withheld),
        2 => select(USERS.to_vec()).prop_map(|(channel, user)| Who::User(channel, user)),
        2 => select(NETWORKS.to_vec()).prop_map(|(net, text)| Who::Network(net, text)),
        1 => select(EMAILS.to_vec()).prop_map(Who::Email),
    ]
}

fn plain() -> impl Strategy<Value = Plain> {
    let list = prop_oneof![3 => Just(ListName::Block), 2 => select(ListName::ALL.to_vec())];
    let days = (select(DAYS.to_vec()), select(DAYS.to_vec()));
    (list, who(), any::<bool>(), days)
        .prop_map(|(list, who, annotate, (from, until))| Plain {
            list,
            who,
            annotate: annotate && list == ListName::Block,
            from,
            until,
        })
        .prop_filter("a file that would be refused", |e| {
            let known = matches!(e.who, Who::Number(_) | Who::User(..));
            (e.list != ListName::Representative || known) && (e.until.is_empty() || e.from <= e.until)
        })
}

fn caller() -> impl Strategy<Value = Caller> {
    let identity = select(USERS.to_vec()).prop_map(|(channel, user)| ChannelIdentity {
        channel: channel.to_owned(),
        user_id: Pii::new(user.to_owned()),
    });
    let trust = prop_oneof![3 => Just(Trust::NetworkAsserted), 2 => select(Trust::ALL.to_vec())];
    let presentation = prop_oneof![3 => Just(Presentation::Allowed), 2 => select(Presentation::ALL.to_vec())];
    (
        proptest::option::weighted(0.8, select(NUMBERS.to_vec())),
        presentation,
        trust,
        proptest::option::of(identity),
        proptest::option::of(select(EMAILS.to_vec())),
        proptest::option::of(select(ADDRESSES.to_vec())),
    )
        .prop_map(|(digits, presentation, trust, channel_identity, email, address)| Caller {
            number: digits.map(|d| number::normalise(d, &hohhot())),
            presentation,
            trust,
            channel_identity,
            email: email.map(|e| Pii::new(e.to_owned())),
            address: address.map(|a| a.parse::<IpAddr>().expect("listed above")),
        })
}

/// Seeds of found faults are kept beside this file.
fn seeds() -> Option<Box<dyn FailurePersistence>> {
    Some(Box::new(FileFailurePersistence::Direct("tests/precedence.seeds")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: seeds(), cases: 1_000, ..ProptestConfig::default() })]
    #[test]
    fn compiled_and_naive_agree(
        entries in proptest::collection::vec(plain(), 0..12),
        callers in proptest::collection::vec(caller(), 1..8),
        refuse_withheld in any::<bool>(),
        hours in 0_i64..96,
    ) {
        let text = entries.iter().fold(HEADER.to_owned(), |text, entry| text + &entry.row());
        let config = ListsConfig { refuse_withheld, ..ListsConfig::default() };
        let (lists, report) = Lists::from_text(&text, Format::Csv, config, &hohhot()).unwrap();
        prop_assert_eq!(report.entries(), entries.len());
        let now = at("2026-11-21T12:00:00+08:00").plus_ms(hours * 3_600_000);
        for caller in callers {
            let verdict = lists.check(&caller, now);
            let mut found: Vec<_> =
                verdict.entries.iter().map(|e| (e.list, e.entry.clone(), e.effect)).collect();
            found.sort();
            let found = (verdict.decision, verdict.lane, verdict.representative.is_some(), found);
            prop_assert_eq!(found, naive(&entries, &caller, now, refuse_withheld));
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>(), rows in proptest::collection::vec("[a-z0-9,\"+:/.#\r\n@-]{0,60}", 0..6)) {
        for format in [Format::Csv, Format::Toml] {
            let _ = Lists::from_text(&text, format, ListsConfig::default(), &hohhot());
            let body = format!("{HEADER}{}\n", rows.join("\n"));
            let _ = Lists::from_text(&body, format, ListsConfig::default(), &hohhot());
            let body = format!("format = 1\n[[entry]]\nlist = {text:?}\nvalue = \"{}\"\n", rows.concat());
            let _ = Lists::from_text(&body, format, ListsConfig::default(), &hohhot());
        }
    }
}
