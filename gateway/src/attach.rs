//! Files that belong to a record: how they stand in it, and how they are found again.

use std::collections::BTreeMap;
use std::path::Path;

use record::{Access, Attachment, AttachmentKind, Record, Scan};

use crate::calls::recording::Finished;
use crate::compose::EXT_PENDING_MEDIA;

/// A recording as an attachment.
pub fn recording(finished: &Finished) -> Attachment {
    Attachment {
        kind: AttachmentKind::Recording,
        media_type: finished.format.media_type().into(),
        bytes: i64::try_from(finished.bytes).ok(),
        digest: finished.digest.clone(),
        uri: file_uri(&finished.path),
        access: Access::Sealed,
        party: Some("caller-left agent-right".into()),
        duration_ms: i64::try_from(finished.duration.as_millis()).ok(),
        derived_from: None,
        scan: None,
    }
}

/// Media of a message, fetched and kept.
pub fn fetched_media(
    kind: AttachmentKind,
    media_type: &str,
    bytes: u64,
    digest: String,
    path: &Path,
) -> Attachment {
    Attachment {
        kind,
        media_type: media_type.into(),
        bytes: i64::try_from(bytes).ok(),
        digest,
        uri: file_uri(path),
        access: Access::Sealed,
        party: None,
        duration_ms: None,
        derived_from: None,
        scan: Some(Scan::NotScanned),
    }
}

/// Takes media that has arrived off the list of what waits.
pub fn media_arrived(record: &mut Record, reference: &BTreeMap<String, String>) {
    let Some(ext) = &mut record.ext else { return };
    let Some(serde_json::Value::Array(waiting)) = ext.get_mut(EXT_PENDING_MEDIA) else { return };
    waiting.retain(|entry| !reference.iter().all(|(name, value)| entry[name] == value.as_str()));
    if waiting.is_empty() {
        ext.remove(EXT_PENDING_MEDIA);
    }
}

/// A `file:` URI (RFC 8089) of an absolute path; what a URI cannot hold is percent-encoded.
fn file_uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = String::from("file://");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

/// The path behind a `file:` URI of ours.
pub fn file_path(uri: &str) -> Option<std::path::PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    let encoded = uri.strip_prefix("file://")?;
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(encoded).collect();
    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_uri_leads_back_to_its_file() {
        for path in ["/var/lib/jiesu/recordings/a.wav", "/数据/有 空格%/a#b?.wav"] {
            let uri = file_uri(Path::new(path));
            assert!(uri.is_ascii() && !uri.contains(' ') && !uri.contains('#'));
            assert_eq!(file_path(&uri).unwrap(), Path::new(path));
        }
        assert_eq!(file_path("https://example.cn/a"), None);
    }
}
