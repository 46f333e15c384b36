//! The configuration as layers of TOML: file, `conf.d/*.toml`, environment. Later wins; every value keeps
//! where it came from, so that a fault can say file and line.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Value;
use toml::de::{DeTable, DeValue};

use crate::fault::Fault;
use crate::origin::Origin;

/// The merged tree and the origin of every key in it, by dotted path (`trunks[0].name`).
#[derive(Default)]
pub struct Layers {
    /// The merged values.
    pub tree: toml::Table,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    /// Adds one TOML text above what is there. A syntax error is a fault and adds nothing.
    pub fn add_text(&mut self, text: &str, file: Option<&Path>, faults: &mut Vec<Fault>) {
        let line_of =
            |offset: usize| text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count() + 1;
        let origin = |offset: usize| match file {
            Some(path) => Origin::File(path.to_path_buf(), line_of(offset)),
            None => Origin::Embedded,
        };
        let (parsed, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let offset = error.span().map_or(0, |span| span.start);
            faults.push(Fault::new(Some(origin(offset)), "", error.message()));
        }
        if !errors.is_empty() {
            return;
        }
        let mut layer = toml::Table::new();
        let mut origins = BTreeMap::new();
        collect(parsed.get_ref(), "", &mut layer, &mut |path, offset| {
            origins.insert(path, origin(offset));
        });
        self.merge(layer, origins);
    }

    /// Adds `JIESU__SECTION__KEY` variables. A value that reads as TOML is taken as such, else as text.
    pub fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let mut variables: Vec<_> = variables.filter(|(name, _)| name.starts_with("JIESU__")).collect();
        variables.sort();
        for (name, text) in variables {
            let keys: Vec<String> = name["JIESU__".len()..].split("__").map(str::to_lowercase).collect();
            if keys.iter().any(String::is_empty) {
                continue;
            }
            let value = toml::from_str::<toml::Table>(&format!("v = {text}"))
                .ok()
                .and_then(|mut table| table.remove("v"))
                .unwrap_or(Value::String(text));
            let path = keys.join(".");
            let mut layer = value;
            for key in keys.iter().rev() {
                layer = Value::Table(std::iter::once((key.clone(), layer)).collect());
            }
            if let Value::Table(layer) = layer {
                self.merge(layer, [(path, Origin::Environment(name))].into());
            }
        }
    }

    /// The origin of a path, or of the nearest table around it.
    pub fn origin(&self, path: &str) -> Option<&Origin> {
        let mut path = path;
        loop {
            if let Some(origin) = self.origins.get(path) {
                return Some(origin);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    fn merge(&mut self, layer: toml::Table, mut origins: BTreeMap<String, Origin>) {
        // Arrays of tables (trunks, sinks, tokens …) of several files add up; their indexes shift.
        for (key, value) in &layer {
            let (Value::Array(new), Some(Value::Array(old))) = (value, self.tree.get(key)) else { continue };
            if !old.is_empty() && is_tables(new) && is_tables(old) {
                let shift = old.len();
                origins = origins
                    .into_iter()
                    .map(|(path, origin)| (shift_index(&path, key, shift).unwrap_or(path), origin))
                    .collect();
            }
        }
        self.origins.extend(origins);
        merge_tables(&mut self.tree, layer);
    }
}

fn is_tables(items: &[Value]) -> bool {
    items.iter().all(Value::is_table)
}

fn shift_index(path: &str, key: &str, shift: usize) -> Option<String> {
    let rest = path.strip_prefix(key)?.strip_prefix('[')?;
    let (index, tail) = rest.split_once(']')?;
    Some(format!("{key}[{}]{tail}", index.parse::<usize>().ok()? + shift))
}

fn merge_tables(below: &mut toml::Table, above: toml::Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge_tables(old, new),
            (Some(Value::Array(old)), Value::Array(new)) if is_tables(old) && is_tables(&new) => {
                old.extend(new)
            }
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

fn collect(table: &DeTable<'_>, prefix: &str, out: &mut toml::Table, note: &mut impl FnMut(String, usize)) {
    for (key, value) in table.iter() {
        let name = key.get_ref().to_string();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        note(path.clone(), key.span().start);
        out.insert(name, convert(value.get_ref(), &path, note));
    }
}

fn convert(value: &DeValue<'_>, path: &str, note: &mut impl FnMut(String, usize)) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let (digits, radix) = (number.as_str(), number.radix());
            i64::from_str_radix(digits, radix)
                .map_or_else(|_| Value::String(digits.to_owned()), Value::Integer)
        }
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(number.as_str().to_owned()), Value::Float)
        }
        DeValue::Boolean(yes) => Value::Boolean(*yes),
        DeValue::Datetime(at) => Value::Datetime(*at),
        DeValue::Array(items) => Value::Array(
            items
                .iter()
                .enumerate()
                .map(|(i, item)| {
                    let path = format!("{path}[{i}]");
                    note(path.clone(), item.span().start);
                    convert(item.get_ref(), &path, note)
                })
                .collect(),
        ),
        DeValue::Table(table) => {
            let mut out = toml::Table::new();
            collect(table, path, &mut out, note);
            Value::Table(out)
        }
    }
}
