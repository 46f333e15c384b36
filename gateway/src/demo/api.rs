//! The gateway's own API, as a downstream platform would use it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use record::{Record, Uuid};
use serde::Deserialize;
use serde_json::Value;

/// How often the API is asked.
const EVERY: Duration = Duration::from_millis(250);
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client with a token.
pub struct Api {
    client: reqwest::Client,
    base: String,
    token: String,
}

#[derive(Deserialize)]
struct Page {
    records: Vec<Record>,
    next: Option<u64>,
}

impl Api {
    /// Of the gateway at this address.
    pub fn new(address: SocketAddr, token: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;
        Ok(Self { client, base: format!("http://{address}"), token: token.to_owned() })
    }

    /// Posts a platform's delivery and gives the answer's text.
    pub async fn post(&self, target: &str, body: String) -> anyhow::Result<String> {
        let url = format!("{}{target}", self.base);
        let answer = self.client.post(url).header("content-type", "text/xml").body(body).send();
        // The address holds signatures, so it stays out of the error.
        let answer = answer.await.map_err(reqwest::Error::without_url)?;
        if !answer.status().is_success() {
            bail!("the webhook answered {}", answer.status());
        }
        Ok(answer.text().await.map_err(reqwest::Error::without_url)?)
    }

    /// The place of the newest record.
    pub async fn newest(&self) -> anyhow::Result<u64> {
        Ok(self.after(0).await?.iter().map(|record| record.integrity.seq).max().unwrap_or(0))
    }

    /// Asks until the records after `seq` are as wanted and every sink has them. Of each record the newest
    /// revision, in order of acceptance.
    pub async fn records(
        &self,
        seq: u64,
        limit: Duration,
        wanted: impl Fn(&[Record]) -> bool,
    ) -> anyhow::Result<Vec<Record>> {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let complete = async {
            loop {
                every.tick().await;
                let records = newest_revisions(self.after(seq).await?);
                if wanted(&records) && self.delivered().await? {
                    return Ok(records);
                }
            }
        };
        tokio::time::timeout(limit, complete).await.context("the records did not become complete in time")?
    }

    async fn after(&self, seq: u64) -> anyhow::Result<Vec<Record>> {
        let (mut records, mut after) = (Vec::new(), seq);
        loop {
            let page = self.get(&format!("/api/v1/records?limit=1000&after={after}")).await?;
            let page: Page = serde_json::from_value(page).context("the API's answer")?;
            records.extend(page.records);
            match page.next {
                Some(next) if next > after => after = next,
                _ => return Ok(records),
            }
        }
    }

    async fn delivered(&self) -> anyhow::Result<bool> {
        let sinks = self.get("/api/v1/sinks").await?;
        Ok(sinks.as_array().is_some_and(|sinks| sinks.iter().all(|sink| sink["lag"] == 0)))
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.token).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

fn newest_revisions(records: Vec<Record>) -> Vec<Record> {
    let mut order: Vec<Uuid> = Vec::new();
    let mut newest: BTreeMap<Uuid, Record> = BTreeMap::new();
    for record in records {
        let id = record.record_id;
        if newest.insert(id, record).is_none() {
            order.push(id);
        }
    }
    order.iter().filter_map(|id| newest.remove(id)).collect()
}
