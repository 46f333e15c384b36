//! Sealing a record into the node's chain: sequence, previous digest, own digest, canonical text.
//!
//! The digest covers the RFC 8785 form of the record without `integrity.digest` and
//! `integrity.signature`. The record is serialised once: the digest is hashed over the canonical text
//! without it and then put where it sorts.

use record::canonical::canonical;
use record::{Integrity, Record};
use rusqlite::{Connection, OptionalExtension};
use sha2::{Digest, Sha256};

use crate::error::OutboxError;

/// `integrity.previous` of the first record of a node.
pub const FIRST_PREVIOUS: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Where the chain of this node ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// `integrity.seq` of the newest record, 0 before the first.
    pub seq: u64,
    /// Its digest.
    pub digest: String,
}

impl Chain {
    /// Reads the end of the chain.
    pub fn load(sql: &Connection) -> Result<Self, OutboxError> {
        let newest = sql
            .prepare_cached("SELECT seq, digest FROM records ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))
            .optional()?;
        Ok(match newest {
            Some((seq, digest)) => Self { seq: seq.unsigned_abs(), digest },
            None => Self { seq: 0, digest: FIRST_PREVIOUS.to_owned() },
        })
    }

    /// Makes `record` the next link: fills its `integrity` and returns its canonical text.
    pub fn seal(&mut self, record: &mut Record, node: &str) -> Result<String, OutboxError> {
        record.integrity = Integrity {
            canon: "jcs".to_owned(),
            digest: String::new(),
            previous: Some(self.digest.clone()),
            node: node.to_owned(),
            seq: self.seq + 1,
            key_id: None,
            alg: None,
            signature: None,
        };
        let mut value = serde_json::to_value(&*record).map_err(|_| OutboxError::NotCanonical)?;
        if let Some(integrity) = value.get_mut("integrity").and_then(|i| i.as_object_mut()) {
            integrity.remove("digest");
        }
        let mut text = canonical(&value).map_err(|_| OutboxError::NotCanonical)?;
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(&text)));
        // The last match is the record's own: only `ext` could hold another, and `ext` sorts before
        // `integrity`; inside a string the quotes would be escaped.
        const BEFORE: &str = "\"integrity\":{\"canon\":\"jcs\",";
        let at = text.rfind(BEFORE).ok_or(OutboxError::NotCanonical)? + BEFORE.len();
        text.insert_str(at, &format!("\"digest\":\"{digest}\","));
        record.integrity.digest.clone_from(&digest);
        *self = Self { seq: self.seq + 1, digest };
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::canonical::record_digest;
    use serde_json::{Value, json};

    #[test]
    fn the_spliced_text_is_canonical_even_when_ext_mimics_the_integrity() {
        let mut record: Record =
            serde_json::from_str(include_str!("../../record/examples/example.intake.json")).unwrap();
        let decoy = json!({"integrity": {"canon": "jcs", "z": "\"integrity\":{\"canon\":\"jcs\","}});
        record.ext = decoy.as_object().cloned();
        record.request.text = "\"integrity\":{\"canon\":\"jcs\",".to_owned();
        let mut chain = Chain { seq: 7, digest: FIRST_PREVIOUS.to_owned() };
        let text = chain.seal(&mut record, "node-1").unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(canonical(&value).unwrap(), text);
        assert_eq!(record_digest(&value).unwrap(), record.integrity.digest);
        assert_eq!(serde_json::to_value(&record).unwrap(), value);
        assert_eq!((chain.seq, chain.digest), (8, record.integrity.digest));
    }
}
