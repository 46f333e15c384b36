//! Views: what of a record may leave the node for whom.
//!
//! The record is `sealed` inside the node. `dispatch` is for the platform that works on the request: it
//! reads the request but joins people by keyed hash. `command`, `region` and `statistics` get no identity,
//! no free text and no exact place. Every removed path is named in `privacy.masked`, and the masked record
//! carries its own digest, for it is another text.

use crate::canonical::{CanonicalError, record_digest};
use crate::record::{Phone, Record, Reporter};
use crate::terms::{SubjectKind, View};

/// The record as `view` may see it. `sealed` returns it unchanged.
pub fn apply(record: &Record, view: View) -> Record {
    let mut masked = record.clone();
    if view == View::Sealed {
        return masked;
    }
    let mut paths = Paths(record.privacy.masked.clone());
    identities(&mut masked, &mut paths);
    if view != View::Dispatch {
        free_text(&mut masked, &mut paths);
        exact_place(&mut masked, &mut paths);
    }
    masked.privacy.view = view;
    masked.privacy.masked = paths.0;
    // A record of ours holds no floats, so it always has a canonical form.
    if let Ok(digest) = digest_of(&masked) {
        masked.integrity.digest = digest;
    }
    masked.integrity.signature = None;
    masked.integrity.key_id = None;
    masked.integrity.alg = None;
    masked
}

/// The digest a record should carry.
pub fn digest_of(record: &Record) -> Result<String, CanonicalError> {
    record_digest(&serde_json::to_value(record).map_err(|_| CanonicalError::NotJson)?)
}

struct Paths(Vec<String>);

impl Paths {
    /// Removes a value and notes its path when there was one.
    fn remove<T>(&mut self, path: impl Into<String>, value: &mut Option<T>) {
        if value.take().is_some() {
            self.note(path);
        }
    }

    fn note(&mut self, path: impl Into<String>) {
        let path = path.into();
        if !self.0.contains(&path) {
            self.0.push(path);
        }
    }
}

fn identities(record: &mut Record, paths: &mut Paths) {
    let Reporter { name, email, phones, channel_user, .. } = &mut record.reporter;
    paths.remove("reporter.name", name);
    paths.remove("reporter.email", email);
    for (i, phone) in phones.iter_mut().flatten().enumerate() {
        plain_number(phone, &format!("reporter.phones.{i}"), paths);
    }
    if let Some(user) = channel_user {
        paths.remove("reporter.channel_user.user_id", &mut user.user_id);
    }
    if let Some(handler) = &mut record.handler {
        paths.remove("handler.agent_name", &mut handler.agent_name);
    }
    for (i, subject) in record.subjects.iter_mut().flatten().enumerate() {
        if subject.kind == SubjectKind::Person {
            paths.remove(format!("subjects.{i}.name"), &mut subject.name);
        }
        if let Some(phone) = &mut subject.phone {
            plain_number(phone, &format!("subjects.{i}.phone"), paths);
        }
    }
    // On a private chat the platform's ids of conversation and message name the person.
    if record.reporter.channel_user.is_some() {
        paths.remove("channel.interaction_id", &mut record.channel.interaction_id);
        for (i, message) in record.messages.iter_mut().flatten().enumerate() {
            paths.remove(format!("messages.{i}.dedupe_key"), &mut message.dedupe_key);
        }
    }
    // What a channel could not yet fetch holds the platform's own references.
    paths.remove("ext", &mut record.ext);
}

fn plain_number(phone: &mut Phone, path: &str, paths: &mut Paths) {
    paths.remove(format!("{path}.e164"), &mut phone.e164);
    paths.remove(format!("{path}.raw"), &mut phone.raw);
}

fn free_text(record: &mut Record, paths: &mut Paths) {
    record.request.text = String::new();
    paths.note("request.text");
    paths.remove("request.title", &mut record.request.title);
    paths.remove("request.wanted", &mut record.request.wanted);
    paths.remove("request.occurred_note", &mut record.request.occurred_note);
    paths.remove("messages", &mut record.messages);
    paths.remove("transcript", &mut record.transcript);
    paths.remove("attachments", &mut record.attachments);
    paths.remove("subjects", &mut record.subjects);
    paths.remove("handler", &mut record.handler);
    paths.remove("reporter.phones", &mut record.reporter.phones);
    paths.remove("reporter.name_masked", &mut record.reporter.name_masked);
    paths.remove("reporter.email_masked", &mut record.reporter.email_masked);
    paths.remove("reporter.org_name", &mut record.reporter.org_name);
    paths.remove("reporter.callback_phone", &mut record.reporter.callback_phone);
    paths.remove("channel.provider_ids", &mut record.channel.provider_ids);
    if let Some(call) = &mut record.call {
        call.call_id = String::new();
        paths.note("call.call_id");
        paths.remove("call.session_id", &mut call.session_id);
        paths.remove("call.diversion", &mut call.diversion);
    }
    paths.remove("push", &mut record.push);
}

fn exact_place(record: &mut Record, paths: &mut Paths) {
    if let Some(location) = &mut record.location {
        paths.remove("location.detail", &mut location.detail);
        paths.remove("location.poi", &mut location.poi);
        paths.remove("location.point", &mut location.point);
    }
}
