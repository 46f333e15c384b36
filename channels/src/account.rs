//! One account of a channel, and what the registry must know to build it.

use std::sync::Arc;

use crate::channel::{Capabilities, Webhook};
use crate::config::{AccountTable, ConfigFault};
use crate::outbound::{MediaSource, Outbound};

/// One channel: what it is called, what it can do, how an account of it is built.
pub struct Entry {
    /// Channel code, one of [`record::channel_code::CHANNELS`].
    pub code: &'static str,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Builds an account from its table, or tells every fault in it.
    pub build: fn(AccountTable) -> Result<Account, Vec<ConfigFault>>,
}

/// A built account.
#[derive(Clone)]
pub struct Account {
    /// Channel code.
    pub code: &'static str,
    /// The account's name in the configuration.
    pub name: String,
    /// The receiving side.
    pub webhook: Arc<dyn Webhook>,
    /// The sending side; `None` when the account is not configured to send.
    pub outbound: Option<Arc<dyn Outbound>>,
    /// The fetching side; `None` when the account is not configured to fetch.
    pub media: Option<Arc<dyn MediaSource>>,
    /// A further path it is served at.
    pub path: Option<String>,
}
