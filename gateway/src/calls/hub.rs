//! The hall shared by all calls: one task owns queue and agents, calls join it by their number.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use gateway_call::{AgentId, CallConfig, CallId, Event, Hall, HallEvent, HallSnapshot};
use tokio::sync::{mpsc, oneshot};

use crate::switch::{Presence, wait_until};

/// Commands waiting for the hall.
const QUEUE: usize = 4096;
/// Offers waiting for one call.
const CALL_QUEUE: usize = 16;

enum Command {
    Open { call: CallId, events: mpsc::Sender<Event> },
    Close { call: CallId },
    Tell(HallEvent),
    Snapshot(oneshot::Sender<HallSnapshot>),
    CallOf { agent: AgentId, reply: oneshot::Sender<Option<CallId>> },
    Reconfigure(Arc<CallConfig>),
}

/// How calls speak to the hall.
#[derive(Clone)]
pub struct Hub {
    commands: mpsc::Sender<Command>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hub")
    }
}

impl Hub {
    /// Starts the hall; `presence` is who has a phone.
    pub fn start(config: Arc<CallConfig>, presence: mpsc::Receiver<Presence>) -> Self {
        let (commands, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(run(Hall::new(config, Instant::now()), presence, receiver));
        Self { commands }
    }

    /// A call wants to hear of offers.
    pub async fn open(&self, call: CallId) -> mpsc::Receiver<Event> {
        let (events, receiver) = mpsc::channel(CALL_QUEUE);
        let _ = self.commands.send(Command::Open { call, events }).await;
        receiver
    }

    /// A call is over; whatever the hall still holds for it is let go.
    pub async fn close(&self, call: CallId) {
        let _ = self.commands.send(Command::Close { call }).await;
    }

    /// Tells the hall.
    pub async fn tell(&self, event: HallEvent) {
        let _ = self.commands.send(Command::Tell(event)).await;
    }

    /// Who waits and who works.
    pub async fn snapshot(&self) -> Option<HallSnapshot> {
        let (reply, snapshot) = oneshot::channel();
        let _ = self.commands.send(Command::Snapshot(reply)).await;
        snapshot.await.ok()
    }

    /// The call this agent talks in.
    pub async fn call_of(&self, agent: AgentId) -> Option<CallId> {
        let (reply, call) = oneshot::channel();
        let _ = self.commands.send(Command::CallOf { agent, reply }).await;
        call.await.ok().flatten()
    }

    /// New limits from now on.
    pub async fn reconfigure(&self, config: Arc<CallConfig>) {
        let _ = self.commands.send(Command::Reconfigure(config)).await;
    }
}

async fn run(mut hall: Hall, mut presence: mpsc::Receiver<Presence>, mut commands: mpsc::Receiver<Command>) {
    let mut calls: HashMap<CallId, mpsc::Sender<Event>> = HashMap::new();
    loop {
        let deadline = hall.poll_timeout();
        tokio::select! {
            change = presence.recv() => match change {
                Some(Presence::Registered(user)) => {
                    let agent = AgentId::from(user.as_str());
                    hall.handle(Instant::now(), HallEvent::AgentRegistered { agent, skills: Vec::new() });
                }
                Some(Presence::Unregistered(user)) => {
                    hall.handle(Instant::now(), HallEvent::AgentUnregistered { agent: user.as_str().into() });
                }
                None => return,
            },
            command = commands.recv() => match command {
                Some(Command::Open { call, events }) => drop(calls.insert(call, events)),
                Some(Command::Close { call }) => {
                    calls.remove(&call);
                    hall.handle(Instant::now(), HallEvent::Leave { call });
                }
                Some(Command::Tell(event)) => hall.handle(Instant::now(), event),
                Some(Command::Snapshot(reply)) => drop(reply.send(hall.snapshot(Instant::now()))),
                Some(Command::CallOf { agent, reply }) => drop(reply.send(hall.call_of(&agent))),
                Some(Command::Reconfigure(config)) => hall.reconfigure(config),
                None => return,
            },
            () = wait_until(deadline) => hall.handle_timeout(Instant::now()),
        }
        while let Some(output) = hall.poll_output() {
            // A call that is gone closes itself; the hall's own deadlines free what was offered to it.
            if let Some(call) = calls.get(&output.call()) {
                let _ = call.try_send(Event::from(output));
            }
        }
    }
}
