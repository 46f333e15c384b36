//! The media engine against phones on real sockets: sound both ways, recorded, counted to the packet.
//!
//! Nobody sleeps: the engine's own pace is the clock. A phone answers each packet it hears with one, and a
//! test ends when so many were heard.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs::File;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use gateway::calls::media::{Engine, MediaCommand, MediaEvent, MediaHandle, Setup};
use gateway::calls::ports::{PortPair, PortPool};
use gateway::calls::recording::{Recorder, create_file};
use gateway_media::{
    BridgeEvent, Codec, Leg, MediaConfig, Prompt, RecordingFormat, Role, Stream, StreamConfig,
};
use record::{Timestamp, Uuid};

/// A loopback address of this test process alone: others use the same ports at the same time.
fn host() -> IpAddr {
    let [_, b, c, d] = std::process::id().to_be_bytes();
    [127, b | 1, c, d].into()
}

/// A phone that hears one stream and answers packet by packet, always with the same sound.
struct Phone {
    socket: UdpSocket,
    ssrc: u32,
    code: u8,
    sent: u16,
    heard: Vec<(u16, u8)>,
}

impl Phone {
    fn new(ssrc: u32, code: u8) -> Self {
        let socket = UdpSocket::bind((host(), 0)).unwrap();
        // Patience, not pace: nothing comes for so long only when something is broken.
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { socket, ssrc, code, sent: 0, heard: Vec::new() }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn hear(&mut self) -> SocketAddr {
        let mut packet = [0; 400];
        let (length, from) = self.socket.recv_from(&mut packet).unwrap();
        assert_eq!(length, 172);
        self.heard.push((u16::from_be_bytes([packet[2], packet[3]]), packet[100]));
        from
    }

    fn say(&mut self, to: SocketAddr) {
        let mut packet = vec![0x80, 8];
        packet.extend(self.sent.to_be_bytes());
        packet.extend((u32::from(self.sent) * 160).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend([self.code; 160]);
        self.socket.send_to(&packet, to).unwrap();
        self.sent += 1;
    }

    /// Hears and answers so many packets.
    fn talk(&mut self, packets: usize) {
        for _ in 0..packets {
            let from = self.hear();
            self.say(from);
        }
    }

    fn assert_nothing_is_missing(&self) {
        assert!(
            self.heard.windows(2).all(|pair| pair[1].0 == pair[0].0.wrapping_add(1)),
            "{} packets",
            self.heard.len()
        );
    }

    fn stream(&self, ssrc: u32) -> Stream {
        let media = MediaConfig::default();
        let mut config = StreamConfig::new(&media, Codec::Pcma, self.address());
        config.ssrc = ssrc;
        Stream::new(config, Instant::now())
    }
}

/// An engine with its ports and its disk.
struct Bench {
    engine: Engine,
    ports: PortPool,
    recorder: Recorder,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new(ports: PortPool) -> Self {
        Self::on(ports, create_file)
    }

    fn on(
        ports: PortPool,
        create: impl Fn(&std::path::Path) -> std::io::Result<File> + Send + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::on(folder.path().into(), RecordingFormat::Wav, create).unwrap();
        Self { engine: Engine::start(2).unwrap(), ports, recorder, _folder: folder }
    }

    async fn call(&self, ports: PortPair, phone: &Phone) -> (MediaHandle, Uuid, PathBuf) {
        let id = Uuid::now_v7();
        let path = self.recorder.path(id, Timestamp::from_unix_ms(0));
        let track = self.recorder.track(id, &path);
        let setup = Setup { config: MediaConfig::default(), ports, stream: phone.stream(1), track };
        (self.engine.open(setup).await, id, path)
    }
}

fn pool() -> PortPool {
    PortPool::new(host(), [30_000, 39_999])
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_goes_both_ways_and_is_recorded_in_its_channel() {
    let bench = Bench::new(pool());
    let (mut caller, mut agent) = (Phone::new(7, 0x95), Phone::new(8, 0x15));
    let (media, id, path) = bench.call(bench.ports.bind().unwrap(), &caller).await;
    let (ports, stream) = (bench.ports.bind().unwrap(), Box::new(agent.stream(2)));
    media.send(MediaCommand::SetLeg { leg: Leg::AGENT, role: Role::Agent, ports, stream }).await;
    media.send(MediaCommand::Bridge(true)).await;
    media.send(MediaCommand::StartRecording).await;
    let caller = std::thread::spawn(move || {
        caller.talk(100);
        caller
    });
    agent.talk(100);
    let caller = caller.join().unwrap();
    let figures = media.finish().await;
    for (phone, other) in [(&caller, 0x15), (&agent, 0x95)] {
        phone.assert_nothing_is_missing();
        let clear = phone.heard.iter().filter(|(_, code)| *code == other).count();
        assert!(clear > 50, "{clear}");
    }
    let stats = figures.of(Leg::CALLER).copied().unwrap();
    assert_eq!((stats.packets_received, stats.packets_lost), (100, 0));
    let finished = bench.recorder.finish(id, &path).await.unwrap();
    assert_eq!(finished.check.as_ref().unwrap().gaps, []);
    assert!(finished.duration.as_millis() >= 1_900, "{:?}", finished.duration);
    let file = std::fs::read(path).unwrap();
    let channel = |side: usize, sample: i16| {
        let sound = file[44..].chunks_exact(4).map(|both| [both[side * 2], both[side * 2 + 1]]);
        sound.filter(|&bytes| i16::from_le_bytes(bytes) == sample).count()
    };
    let (left, right) = (Codec::Pcma.decoded(0x95), Codec::Pcma.decoded(0x15));
    assert!(channel(0, left) > 8_000 && channel(1, right) > 8_000);
    assert_eq!((channel(0, right), channel(1, left)), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_is_heard_to_its_end_and_the_end_is_told() {
    let bench = Bench::new(pool());
    let mut caller = Phone::new(7, 0xd5);
    let (mut media, _, _) = bench.call(bench.ports.bind().unwrap(), &caller).await;
    let prompt = Prompt::new(vec![Codec::Pcma.decoded(0x95); 8_000]);
    media.send(MediaCommand::Play { leg: Leg::CALLER, prompt, id: 3, repeat: false }).await;
    let told = async {
        loop {
            match media.events.recv().await {
                Some(MediaEvent::Bridge(BridgeEvent::PromptFinished { id, .. })) => return id,
                Some(_) => {}
                None => panic!("the room ended"),
            }
        }
    };
    assert_eq!(told.await, 3);
    let figures = media.finish().await;
    let sent = figures.of(Leg::CALLER).copied().unwrap().packets_sent;
    (0..sent).for_each(|_| {
        caller.hear();
    });
    caller.assert_nothing_is_missing();
    assert_eq!(caller.heard.iter().filter(|(_, code)| *code == 0x95).count(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_calls_and_not_one_packet_is_lost() {
    const PHONES: u32 = 40;
    const CALLS_EACH: u32 = 5;
    const PACKETS: usize = 50;
    let bench = Bench::new(pool());
    let mut calls = Vec::new();
    let mut talking = Vec::new();
    for phone in 0..PHONES {
        // One socket for five calls, told apart by where their packets come from.
        let socket = Phone::new(phone, 0x95);
        for _ in 0..CALLS_EACH {
            let ports = bench.ports.bind().unwrap();
            let port = ports.port;
            let (media, id, path) = bench.call(ports, &socket).await;
            media.send(MediaCommand::StartRecording).await;
            calls.push((media, id, path, port));
        }
        talking.push(std::thread::spawn(move || {
            let mut talks: std::collections::HashMap<u16, (u16, Vec<u16>)> = std::collections::HashMap::new();
            let mut packet = [0; 400];
            let done = |talks: &std::collections::HashMap<u16, (u16, Vec<u16>)>| {
                talks.len() == CALLS_EACH as usize && talks.values().all(|(said, _)| *said == PACKETS as u16)
            };
            while !done(&talks) {
                let (_, from) = socket.socket.recv_from(&mut packet).unwrap();
                let (said, heard) = talks.entry(from.port()).or_default();
                heard.push(u16::from_be_bytes([packet[2], packet[3]]));
                if *said < PACKETS as u16 {
                    let mut answer = vec![0x80, 8];
                    answer.extend(said.to_be_bytes());
                    answer.extend((u32::from(*said) * 160).to_be_bytes());
                    answer.extend(u32::from(from.port()).to_be_bytes());
                    answer.extend([0x95; 160]);
                    socket.socket.send_to(&answer, from).unwrap();
                    *said += 1;
                }
            }
            talks
        }));
    }
    let loads = bench.engine.loads();
    assert!(loads.iter().all(|&rooms| rooms == 100), "{loads:?}");
    let mut heard = std::collections::HashMap::new();
    for phone in talking {
        heard.extend(phone.join().unwrap());
    }
    for (media, id, path, port) in calls {
        let stats = media.finish().await.of(Leg::CALLER).copied().unwrap();
        assert_eq!((stats.packets_received, stats.packets_lost), (PACKETS as u64, 0));
        let (_, numbers) = &heard[&port];
        assert!(numbers.len() >= PACKETS);
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{numbers:?}");
        let finished = bench.recorder.finish(id, &path).await.unwrap();
        assert!(finished.duration.as_millis() >= 900 && finished.check.unwrap().gaps.is_empty());
    }
    assert_eq!(bench.engine.loads(), [0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_disk_never_stalls_the_call() {
    let (disk_is_back, stalled) = sync_channel::<()>(0);
    let stalled = Mutex::new(stalled);
    let bench = Bench::on(pool(), move |path| {
        let _ = stalled.lock().map(|stalled| stalled.recv());
        create_file(path)
    });
    let mut caller = Phone::new(7, 0x95);
    let (media, id, path) = bench.call(bench.ports.bind().unwrap(), &caller).await;
    media.send(MediaCommand::StartRecording).await;
    caller.talk(100);
    caller.assert_nothing_is_missing();
    // The goodbye does not wait for the disk either.
    let stats = media.finish().await.of(Leg::CALLER).copied().unwrap();
    assert_eq!((stats.packets_received, stats.packets_lost), (100, 0));
    drop(disk_is_back);
    let finished = bench.recorder.finish(id, &path).await.unwrap();
    assert!(finished.duration.as_millis() >= 1_900 && finished.check.unwrap().gaps.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_on_sending_is_not_heard_in_the_next_call() {
    // One pair only, so that the next call must take it before it has rested.
    let bench = Bench::new(PortPool::new(host(), [30_000, 30_001]));
    let (mut former, mut caller) = (Phone::new(7, 0x95), Phone::new(8, 0x15));
    let (media, _, _) = bench.call(bench.ports.bind().unwrap(), &former).await;
    let port = former.hear();
    former.say(port);
    former.talk(5);
    media.finish().await;
    // The far end missed the BYE.
    (0..20).for_each(|_| former.say(port));
    let (media, id, path) = bench.call(bench.ports.bind().unwrap(), &caller).await;
    media.send(MediaCommand::StartRecording).await;
    for _ in 0..60 {
        former.say(port);
        let from = caller.hear();
        assert_eq!(from, port);
        former.say(port);
        caller.say(from);
    }
    let stats = media.finish().await.of(Leg::CALLER).copied().unwrap();
    assert_eq!((stats.packets_received, stats.packets_lost), (60, 0));
    let finished = bench.recorder.finish(id, &path).await.unwrap();
    let file = std::fs::read(&path).unwrap();
    let loud = |code| {
        let sample = Codec::Pcma.decoded(code).to_le_bytes();
        file[44..].chunks_exact(4).filter(|both| both[..2] == sample).count()
    };
    assert!(finished.duration.as_millis() > 1_000);
    assert_eq!(loud(0x95), 0);
    assert!(loud(0x15) > 4_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_dropped_without_goodbye_gives_its_ports_back() {
    let bench = Bench::new(PortPool::new(host(), [30_000, 30_001]));
    let mut caller = Phone::new(7, 0x95);
    let (media, _, _) = bench.call(bench.ports.bind().unwrap(), &caller).await;
    caller.talk(3);
    assert!(bench.ports.bind().is_err());
    drop(media);
    // The room ends at its next turn; the RTCP goodbye says that it has.
    let mut ended = bench.ports.bind();
    while ended.is_err() {
        tokio::task::yield_now().await;
        ended = bench.ports.bind();
    }
    assert_eq!(bench.engine.loads().iter().sum::<usize>(), 0);
}

/// What a G.711 code means.
trait Decoded {
    fn decoded(self, code: u8) -> i16;
}

impl Decoded for Codec {
    fn decoded(self, code: u8) -> i16 {
        let mut sample = [0];
        self.decode(&[code], &mut sample);
        sample[0]
    }
}
