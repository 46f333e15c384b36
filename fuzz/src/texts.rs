//! What platforms post, and what operators write.

use std::io::Write as _;

/// The trees of the platforms, as XML or JSON.
pub fn channel_xml(bytes: &[u8]) {
    let read =
        [channels::xml::read(bytes), channels::xml::read_xml(bytes, "xml"), channels::xml::read_json(bytes)];
    for fields in read.into_iter().flatten() {
        let _ = (fields.text("MsgType"), fields.filled("Content"), fields.each("item").count());
        let _ = format!("{fields:?}");
    }
}

/// A configuration file: it holds, or every fault says what and where.
pub fn config(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("a few bytes fit");
    let options =
        config::LoadOptions { file: Some(file.path().to_owned()), ..config::LoadOptions::default() };
    match config::load(&options) {
        Ok(loaded) => drop(format!("{loaded:?}")),
        Err(faults) => {
            assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.to_string().is_empty()))
        }
    }
}
