//! The list of channels: one line each. Everything else finds a channel through here.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use record::channel_code;
use record::{Intake, Timestamp};

use crate::account::{Account, Entry};
use crate::channel::{Seed, Webhook};
use crate::config::{AccountTable, ChannelsConfig, ConfigFault, nearest};
use crate::outbound::{MediaSource, Outbound};
use crate::webhook::{self, Clock, Limits, SeedSource};
use crate::wechat_mp;

/// Every channel of this version.
pub static REGISTRY: &[Entry] = &[wechat_mp::ENTRY];

/// All configured accounts.
#[derive(Clone, Default)]
pub struct Channels {
    accounts: Vec<Account>,
}

impl Channels {
    /// Builds every account.
    ///
    /// # Errors
    /// All faults of all accounts, each with its key path.
    pub fn build(config: &ChannelsConfig) -> Result<Self, Vec<ConfigFault>> {
        let (mut accounts, mut faults) = (Vec::new(), Vec::new());
        for (code, tables) in &config.0 {
            let Some(entry) = REGISTRY.iter().find(|entry| entry.code == code) else {
                faults.push(unknown_channel(code));
                continue;
            };
            for (name, table) in tables {
                if !is_account_name(name) {
                    faults.push(ConfigFault {
                        path: format!("channels.{code}.{name}"),
                        message: "an account name has 1 to 64 letters, digits, - or _".to_owned(),
                    });
                    continue;
                }
                match (entry.build)(AccountTable::new(entry.code, name, table.clone())) {
                    Ok(account) => accounts.push(account),
                    Err(found) => faults.extend(found),
                }
            }
        }
        let mut taken = BTreeSet::new();
        for account in &accounts {
            let Some(path) = &account.path else { continue };
            if !taken.insert(path.trim_end_matches('/')) {
                faults.push(ConfigFault {
                    path: format!("channels.{}.{}.path", account.code, account.name),
                    message: "another account is already served at this path".to_owned(),
                });
            }
        }
        if faults.is_empty() { Ok(Self { accounts }) } else { Err(faults) }
    }

    /// From accounts built elsewhere.
    pub fn from_accounts(accounts: Vec<Account>) -> Self {
        Self { accounts }
    }

    /// The routes of all accounts: `/in/{code}/{account}`, what lies below, and further paths. Serve it
    /// with `into_make_service_with_connect_info::<SocketAddr>()`, else no client address is known.
    pub fn router(&self, intake: Arc<dyn Intake>, clock: Clock, limits: Limits) -> Router {
        self.router_with_seeds(intake, clock, limits, Arc::new(random_seed))
    }

    /// Like [`router`](Self::router) with injected randomness, so that sealed answers can be compared.
    pub fn router_with_seeds(
        &self,
        intake: Arc<dyn Intake>,
        clock: Clock,
        limits: Limits,
        seeds: SeedSource,
    ) -> Router {
        webhook::router(self.accounts.clone(), intake, clock, limits, seeds)
    }

    /// The sending side of an account.
    pub fn outbound(&self, code: &str, account: &str) -> Option<Arc<dyn Outbound>> {
        self.account(code, account)?.outbound.clone()
    }

    /// The fetching side of an account.
    pub fn media(&self, code: &str, account: &str) -> Option<Arc<dyn MediaSource>> {
        self.account(code, account)?.media.clone()
    }

    /// The receiving side of an account.
    pub fn webhook(&self, code: &str, account: &str) -> Option<Arc<dyn Webhook>> {
        Some(self.account(code, account)?.webhook.clone())
    }

    /// (code, account) of every configured account.
    pub fn names(&self) -> Vec<(&'static str, &str)> {
        self.accounts.iter().map(|account| (account.code, account.name.as_str())).collect()
    }

    fn account(&self, code: &str, name: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.code == code && account.name == name)
    }
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Channels").field(&self.names()).finish()
    }
}

fn is_account_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn unknown_channel(code: &str) -> ConfigFault {
    let message = if channel_code::digits(code).is_some() {
        format!("channel {code} is not available in this version")
    } else {
        match nearest(code, REGISTRY.iter().map(|entry| entry.code)) {
            Some(known) => format!("is not a known channel; did you mean `{known}`?"),
            None => {
                let known: Vec<&str> = REGISTRY.iter().map(|entry| entry.code).collect();
                format!("is not a known channel; known are {}", known.join(", "))
            }
        }
    };
    ConfigFault { path: format!("channels.{code}"), message }
}

fn random_seed(now: Timestamp) -> Seed {
    Seed { now, random: rand::random(), nonce: rand::random::<u32>().to_string() }
}
