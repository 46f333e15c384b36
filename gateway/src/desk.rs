//! The API's view of the running gateway: implements `console::Desk`.

use std::sync::Arc;

use console::{
    AttachmentFile, CallOut, CallRefusal, CallTarget, CallWatch, CallWish, Desk, DeskError, DeskFuture,
    RecordPage,
};
use gateway_call::flow::is_sip_address;
use gateway_call::{CallId, Command, CommandRefused, Target, Watch};
use outbox::OutboxError;
use record::{Pii, Record, Uuid};
use serde_json::{Value, json};

use crate::attach;
use crate::calls::Calls;
use crate::calls::desk::WishFailed;
use crate::calls::drive::is_dialable;
use crate::calls::outbound::{self, NotBegun, OutboundCall};

/// Over the calls and their store.
pub struct RunningDesk {
    calls: Arc<Calls>,
}

impl RunningDesk {
    /// Over these calls.
    pub fn new(calls: Arc<Calls>) -> Self {
        Self { calls }
    }
}

impl RunningDesk {
    /// `None` when the target cannot be called: no such agent, no digits, no trunk that calls out.
    fn command(&self, wish: CallWish) -> Option<Command> {
        let optional = |target: Option<CallTarget>| match target {
            Some(target) => self.target(target).map(Some),
            None => Some(None),
        };
        Some(match wish {
            CallWish::Hold => Command::Hold,
            CallWish::Resume => Command::Resume,
            CallWish::HangUp => Command::HangUp,
            CallWish::Consult(target) => Command::Consult { target: self.target(target)? },
            CallWish::Conference(target) => Command::Conference { target: optional(target)? },
            CallWish::Transfer(target) => Command::Transfer { target: optional(target)? },
            CallWish::Supervise(target, mode) => Command::Supervise {
                target: self.target(target)?,
                watch: match mode {
                    CallWatch::Listen => Watch::Listen,
                    CallWatch::Whisper => Watch::Whisper,
                    CallWatch::Barge => Watch::Barge,
                },
            },
        })
    }

    fn target(&self, target: CallTarget) -> Option<Target> {
        let live = self.calls.live.load();
        match target {
            CallTarget::Agent { agent } if live.agents.contains(&agent) => {
                Some(Target::Agent(agent.as_str().into()))
            }
            CallTarget::Number { number, trunk } if is_dialable(&number) => {
                let trunk = match trunk {
                    Some(trunk) if live.trunks.iter().any(|known| known.name == trunk) => trunk,
                    Some(_) => return None,
                    None => live.trunk_out()?.to_owned(),
                };
                Some(Target::Trunk { trunk: Some(trunk), number: Pii::new(number) })
            }
            CallTarget::Phone { phone } if is_sip_address(&phone) => Some(Target::Phone(phone)),
            _ => None,
        }
    }
}

const fn word(why: CommandRefused) -> &'static str {
    match why {
        CommandRefused::NotTalking => "not_talking",
        CommandRefused::Busy => "busy",
        CommandRefused::NothingToDo => "nothing_to_do",
        CommandRefused::InThisCall => "in_this_call",
        CommandRefused::TooMany => "too_many",
    }
}

fn unavailable(error: OutboxError) -> DeskError {
    tracing::warn!(%error, "The store could not answer the API.");
    DeskError
}

impl Desk for RunningDesk {
    fn records(&self, after: u64, channel: Option<String>, limit: usize) -> DeskFuture<'_, RecordPage> {
        Box::pin(async move {
            let page = self.calls.middle.outbox().list(after, channel, limit).await.map_err(unavailable)?;
            let records = page.records.iter().map(|stored| stored.record()).collect::<Result<_, _>>();
            Ok(RecordPage { records: records.map_err(unavailable)?, next: page.next })
        })
    }

    fn record(&self, record_id: Uuid, revision: Option<u32>) -> DeskFuture<'_, Option<Record>> {
        Box::pin(async move {
            let stored = self.calls.middle.outbox().get(record_id, revision).await.map_err(unavailable)?;
            stored.map(|stored| stored.record()).transpose().map_err(unavailable)
        })
    }

    fn record_by_number(&self, record_no: String) -> DeskFuture<'_, Option<Record>> {
        Box::pin(async move {
            let stored = self.calls.middle.outbox().get_by_number(&record_no).await.map_err(unavailable)?;
            stored.map(|stored| stored.record()).transpose().map_err(unavailable)
        })
    }

    fn cloud_event(&self, record: &Record) -> Option<Value> {
        outbox::cloud_event(serde_json::to_value(record).ok()?)
    }

    fn attachment(&self, record: Record, index: usize) -> DeskFuture<'_, Option<AttachmentFile>> {
        let attachment = record.attachments.and_then(|attachments| attachments.into_iter().nth(index));
        let file = attachment.and_then(|attachment| {
            let path = attach::file_path(&attachment.uri)?;
            Some(AttachmentFile { path, media_type: attachment.media_type })
        });
        Box::pin(async move { Ok(file) })
    }

    fn calls(&self, after: u64, limit: usize) -> DeskFuture<'_, Vec<Value>> {
        Box::pin(async move { Ok(self.calls.directory.list(after, limit).await) })
    }

    fn call(&self, id: u64) -> DeskFuture<'_, Option<Value>> {
        Box::pin(async move { Ok(self.calls.directory.describe(CallId(id)).await) })
    }

    fn call_of(&self, agent: String) -> DeskFuture<'_, Option<u64>> {
        Box::pin(async move {
            let Some(call) = self.calls.hub.call_of(agent.as_str().into()).await else { return Ok(None) };
            let described = self.calls.directory.describe(call).await;
            let target = Target::Agent(agent.as_str().into()).to_string();
            // Whoever is consulted or supervises talks in the call, too, and is not in charge of it.
            let in_charge = |leg: &Value| leg["role"] == "agent" && leg["target"] == target.as_str();
            let legs = described.as_ref().and_then(|call| call["legs"].as_array());
            Ok(legs.is_some_and(|legs| legs.iter().any(in_charge)).then_some(call.0))
        })
    }

    fn wish(&self, id: u64, wish: CallWish) -> DeskFuture<'_, Result<(), CallRefusal>> {
        Box::pin(async move {
            let Some(command) = self.command(wish) else { return Ok(Err(CallRefusal::BadTarget)) };
            let granted = self.calls.directory.command(CallId(id), command).await;
            Ok(granted.map_err(|why| match why {
                WishFailed::NoSuchCall => CallRefusal::NoSuchCall,
                WishFailed::Busy => CallRefusal::Busy,
                WishFailed::Refused(why) => CallRefusal::NotNow(word(why)),
            }))
        })
    }

    fn dial(&self, wanted: CallOut) -> DeskFuture<'_, Result<Value, CallRefusal>> {
        Box::pin(async move {
            let target = self.target(CallTarget::Number { number: wanted.number, trunk: wanted.trunk });
            let known = self.calls.live.load().agents.contains(&wanted.agent);
            let Some(Target::Trunk { trunk: Some(trunk), number }) = target.filter(|_| known) else {
                return Ok(Err(CallRefusal::BadTarget));
            };
            if let Some(about) = wanted.record_id {
                let found = self.calls.middle.outbox().get(about, None).await.map_err(unavailable)?;
                if found.is_none() {
                    return Ok(Err(CallRefusal::NoSuchRecord));
                }
            }
            let agent = wanted.agent.as_str().into();
            let wanted = OutboundCall { agent, trunk, number, about: wanted.record_id };
            Ok(match outbound::begin(&self.calls, wanted).await {
                Ok(begun) => Ok(json!({
                    "id": begun.call.0, "record_id": begun.record_id, "record_no": begun.record_no,
                })),
                Err(NotBegun::Draining) => Err(CallRefusal::NotNow("draining")),
                Err(NotBegun::Crowded) => Err(CallRefusal::Crowded),
                Err(NotBegun::NoPort) => Err(CallRefusal::Busy),
            })
        })
    }

    fn queues(&self) -> DeskFuture<'_, Value> {
        Box::pin(async move {
            let hall = self.calls.hub.snapshot().await.ok_or(DeskError)?;
            let waiting: serde_json::Map<String, Value> = hall
                .waiting
                .iter()
                .map(|(lane, count)| (lane.as_str().to_owned(), (*count).into()))
                .collect();
            Ok(json!({
                "calls": self.calls.active(),
                "waiting": waiting,
                "longest_wait_ms": u64::try_from(hall.longest_wait.as_millis()).unwrap_or(u64::MAX),
                "agents": {
                    "free": hall.agents_free, "paused": hall.agents_paused, "ringing": hall.agents_ringing,
                    "talking": hall.agents_talking, "wrap_up": hall.agents_wrap_up,
                    "aside": hall.agents_aside.values().sum::<usize>(),
                },
            }))
        })
    }

    fn sinks(&self) -> Value {
        let sinks = self.calls.middle.outbox().sinks();
        sinks
            .iter()
            .map(|sink| {
                json!({
                    "name": sink.name, "cursor": sink.cursor, "sequence": sink.sequence, "lag": sink.lag,
                    "parked": sink.parked, "failing": sink.last_error.map(|failure| failure.reason),
                })
            })
            .collect()
    }
}
