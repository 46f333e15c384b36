//! Reads the merged tree into types and reports *every* fault, not only the first.
//!
//! serde stops at the first error. So the culprit is noted and taken out of the tree, and the tree is read
//! again, until it reads or until the culprit cannot be taken out.

use channels::config::nearest;
use serde::de::DeserializeOwned;
use toml::Value;

use crate::fault::Fault;
use crate::layers::Layers;

/// Rounds before giving up; each takes one fault out.
const MAX_FAULTS: usize = 200;

/// Reads `tree`; on faults returns the best reading that is left, if any.
pub fn read<T: DeserializeOwned>(layers: &Layers, faults: &mut Vec<Fault>) -> Option<T> {
    let mut tree = layers.tree.clone();
    for _ in 0..MAX_FAULTS {
        match serde_path_to_error::deserialize::<_, T>(Value::Table(tree.clone())) {
            Ok(read) => return Some(read),
            Err(error) => {
                let at = error.path().to_string();
                let at = if at == "." { String::new() } else { at };
                let message = error.inner().message().to_owned();
                let (path, text) = explain(&at, &message);
                let origin = layers.origin(&path).cloned();
                faults.push(Fault::new(origin, path.clone(), text));
                if !remove(&mut tree, &path) {
                    return None;
                }
            }
        }
    }
    None
}

/// serde names the table of an unknown key; the fault should name the key itself.
fn explain(at: &str, message: &str) -> (String, String) {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return (at.to_owned(), message.to_owned());
    };
    let Some((name, expected)) = rest.split_once('`') else { return (at.to_owned(), message.to_owned()) };
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let path = if at.is_empty() || at == name || at.ends_with(&format!(".{name}")) {
        if at.is_empty() { name.to_owned() } else { at.to_owned() }
    } else {
        format!("{at}.{name}")
    };
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => format!("; known here: {}", known.join(", ")),
    };
    (path, format!("unknown key `{name}`{hint}"))
}

/// Takes the value at a dotted path out of the tree. `false` when there is nothing to take.
fn remove(tree: &mut toml::Table, path: &str) -> bool {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for part in path.split('.') {
        let (name, indexes) = part.split_once('[').map_or((part, ""), |(n, i)| (n, i));
        if name.is_empty() {
            return false;
        }
        steps.push(Step::Key(name));
        for index in indexes.split('[').filter(|i| !i.is_empty()) {
            match index.trim_end_matches(']').parse() {
                Ok(index) => steps.push(Step::Index(index)),
                Err(_) => return false,
            }
        }
    }
    let Some((last, way)) = steps.split_last() else { return false };
    let Some((Step::Key(first), way)) = way.split_first() else {
        return matches!(last, Step::Key(key) if tree.remove(*key).is_some());
    };
    let mut here = match tree.get_mut(*first) {
        Some(value) => value,
        None => return false,
    };
    for step in way {
        let next = match (step, here) {
            (Step::Key(key), Value::Table(table)) => table.get_mut(*key),
            (Step::Index(index), Value::Array(items)) => items.get_mut(*index),
            _ => None,
        };
        match next {
            Some(value) => here = value,
            None => return false,
        }
    }
    match (last, here) {
        (Step::Key(key), Value::Table(table)) => table.remove(*key).is_some(),
        (Step::Index(index), Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}
