//! `${file:/run/secrets/x}` and `${env:X}`: a value kept outside the configuration file.

use toml::Value;

use crate::fault::Fault;
use crate::layers::Layers;

/// Largest secret file that is read.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Replaces every text that is wholly a reference by what it refers to.
pub fn resolve(layers: &mut Layers, faults: &mut Vec<Fault>) {
    let mut tree = std::mem::take(&mut layers.tree);
    let mut found = Vec::new();
    for (key, value) in tree.iter_mut() {
        walk(value, key, &mut found);
    }
    faults.extend(
        found.into_iter().map(|(path, message)| Fault::new(layers.origin(&path).cloned(), path, message)),
    );
    layers.tree = tree;
}

fn walk(value: &mut Value, path: &str, faults: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => match lookup(text) {
            None => {}
            Some(Ok(secret)) => *text = secret,
            Some(Err(message)) => faults.push((path.to_owned(), message)),
        },
        Value::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                walk(item, &format!("{path}[{i}]"), faults);
            }
        }
        Value::Table(table) => {
            for (key, item) in table.iter_mut() {
                walk(item, &format!("{path}.{key}"), faults);
            }
        }
        _ => {}
    }
}

/// `None`: not a reference. A trailing newline of a secret file is not part of the secret.
fn lookup(text: &str) -> Option<Result<String, String>> {
    let reference = text.strip_prefix("${")?.strip_suffix('}')?;
    let (kind, name) = reference.split_once(':')?;
    Some(match kind {
        "env" => std::env::var(name).map_err(|_| format!("environment variable {name} is not set")),
        "file" => match std::fs::metadata(name) {
            Ok(meta) if meta.len() > MAX_SECRET_BYTES => Err(format!("{name} is larger than 64 KiB")),
            _ => std::fs::read_to_string(name)
                .map(|secret| secret.trim_end_matches(['\n', '\r']).to_owned())
                .map_err(|error| format!("cannot read {name}: {error}")),
        },
        _ => Err(format!("unknown reference ${{{kind}:…}}: use ${{file:…}} or ${{env:…}}")),
    })
}
