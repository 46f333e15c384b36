//! The compiled lists: every entry under the key it is looked up by. Built once, then only read.

use std::cmp::Ordering;
use std::net::IpAddr;

use record::{Caller, ListName, Presentation};

use crate::entry::Entry;
use crate::import::Parsed;
use crate::subject::{E164_MARK, Subject, SubjectKind, number_digits, pack, push};
use crate::table::Table;

/// An entry that fits the caller, and why.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Match<'a> {
    pub entry: &'a Entry,
    pub subject: SubjectKind,
}

/// Family, prefix length, network bits: networks of one length lie together.
type NetworkKey = (bool, u8, u128);

#[derive(Debug)]
pub(crate) struct Index {
    /// `lists@` and the first 12 hex digits of the file's SHA-256.
    pub policy: String,
    pub by_list: Vec<(ListName, usize)>,
    reasons: Vec<Box<str>>,
    numbers: Table<u64>,
    prefixes: Table<u64>,
    /// Bit n: there are prefixes of n digits.
    prefix_lengths: u32,
    channel_users: Table<(&'static str, Box<str>)>,
    emails: Table<Box<str>>,
    networks: Table<NetworkKey>,
    /// Which (family, prefix length) there are.
    network_lengths: Vec<(bool, u8)>,
    withheld: Vec<Entry>,
}

impl Index {
    pub fn new(policy: String, parsed: Parsed) -> Self {
        let by_list = parsed.by_list();
        let (mut numbers, mut prefixes, mut channel_users) = (Vec::new(), Vec::new(), Vec::new());
        let (mut emails, mut networks, mut withheld) = (Vec::new(), Vec::new(), Vec::new());
        let (mut prefix_lengths, mut network_lengths) = (0, Vec::new());
        for (subject, entry) in parsed.entries {
            match subject {
                Subject::Number(key) => numbers.push((key, entry)),
                Subject::Prefix(key) => {
                    prefix_lengths |= 1 << (key & !E164_MARK).ilog10().min(31);
                    prefixes.push((key, entry));
                }
                Subject::Withheld => withheld.push(entry),
                Subject::ChannelUser { channel, user_id } => channel_users.push(((channel, user_id), entry)),
                Subject::Email(address) => emails.push((address, entry)),
                Subject::Network(net) => {
                    let key = network_key(net.addr(), net.prefix_len());
                    network_lengths.push((key.0, key.1));
                    networks.push((key, entry));
                }
            }
        }
        network_lengths.sort_unstable();
        network_lengths.dedup();
        Self {
            policy,
            by_list,
            reasons: parsed.reasons,
            numbers: Table::new(numbers),
            prefixes: Table::new(prefixes),
            prefix_lengths,
            channel_users: Table::new(channel_users),
            emails: Table::new(emails),
            networks: Table::new(networks),
            network_lengths,
            withheld,
        }
    }

    pub fn empty() -> Self {
        Self::new("lists@none".to_owned(), Parsed::default())
    }

    pub fn reason(&self, entry: &Entry) -> Option<String> {
        let reason = self.reasons.get(usize::try_from(entry.reason?).ok()?)?;
        Some(reason.to_string())
    }

    /// Lines that stand on both the block and the representative list for the same person.
    pub fn contradictions(&self) -> impl Iterator<Item = u32> {
        let on = |group: &[Entry], list| group.iter().any(|e| e.list == list);
        (self.numbers.groups()).chain(self.channel_users.groups()).filter_map(move |group| {
            (on(group, ListName::Block) && on(group, ListName::Representative))
                .then(|| group.iter().find(|e| e.list == ListName::Block).map(|e| e.line))?
        })
    }

    /// Every entry that fits the caller, valid or not. Allocates only when there is one.
    pub fn matches<'a>(&'a self, caller: &Caller) -> Vec<Match<'a>> {
        let mut found = Vec::new();
        let mut add = |entries: &'a [Entry], subject| {
            found.extend(entries.iter().map(|entry| Match { entry, subject }));
        };
        if let Some(number) = &caller.number {
            let (digits, is_e164) = number_digits(number);
            if let Some(key) = pack(digits, is_e164) {
                add(self.numbers.find(|k| k.cmp(&key)), SubjectKind::Number);
            }
            self.prefixes_of(digits, is_e164, |entries| add(entries, SubjectKind::Prefix));
        }
        if is_withheld(caller) {
            add(&self.withheld, SubjectKind::Withheld);
        }
        if let Some(identity) = &caller.channel_identity {
            let sought = (identity.channel.as_str(), identity.user_id.reveal().as_str());
            let users = self.channel_users.find(|(channel, user)| (*channel, &**user).cmp(&sought));
            add(users, SubjectKind::ChannelUser);
        }
        if let Some(email) = &caller.email {
            add(self.emails.find(|k| cmp_ignoring_case(k, email.reveal())), SubjectKind::Email);
        }
        if let Some(address) = caller.address {
            let address = address.to_canonical();
            for (_, length) in self.network_lengths.iter().filter(|(is_v6, _)| *is_v6 == address.is_ipv6()) {
                let key = network_key(address, *length);
                add(self.networks.find(|k| k.cmp(&key)), SubjectKind::Network);
            }
        }
        found
    }

    fn prefixes_of<'a>(&'a self, digits: &str, is_e164: bool, mut add: impl FnMut(&'a [Entry])) {
        let mut packed = 1;
        for (i, digit) in digits.bytes().enumerate() {
            let Some(longer) = push(packed, digit) else { return };
            packed = longer;
            // The whole number is a prefix of itself.
            if self.prefix_lengths >> (i + 1).min(31) & 1 == 1 {
                let key = if is_e164 { packed | E164_MARK } else { packed };
                add(self.prefixes.find(|k| k.cmp(&key)));
            }
        }
    }
}

/// A caller who shows no number on a channel that has numbers. A person on a message channel is known.
fn is_withheld(caller: &Caller) -> bool {
    caller.presentation != Presentation::Allowed
        && caller.channel_identity.is_none()
        && caller.email.is_none()
}

fn network_key(address: IpAddr, length: u8) -> NetworkKey {
    let keep = |bits: u128, width: u32| {
        let dropped = width.saturating_sub(u32::from(length));
        bits.checked_shr(dropped).unwrap_or(0).checked_shl(dropped).unwrap_or(0)
    };
    match address {
        IpAddr::V4(v4) => (false, length, keep(u128::from(v4.to_bits()), 32)),
        IpAddr::V6(v6) => (true, length, keep(v6.to_bits(), 128)),
    }
}

/// Compares the lower-case key with a text of any case.
fn cmp_ignoring_case(key: &str, text: &str) -> Ordering {
    key.bytes().cmp(text.bytes().map(|b| b.to_ascii_lowercase()))
}
