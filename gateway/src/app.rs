//! The composition root: configuration → bound sockets and loaded parts → running → drained.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use blacklist::Lists;
use channels::Channels;
use config::{Config, Listen};
use metrics_exporter_prometheus::PrometheusHandle;
use outbox::{Dispatcher, Outbox, OutboxConfig, Route};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::calls::gate::Gate;
use crate::calls::hub::Hub;
use crate::calls::media::Engine;
use crate::calls::ports::PortPool;
use crate::calls::prompts::Prompts;
use crate::calls::recording::Recorder;
use crate::calls::{Calls, Counters, Ending, Live, accept, number_context, transcribe};
use crate::desk::RunningDesk;
use crate::http::{self, Checks};
use crate::intake::Middle;
use crate::net::tls::{self, Tls};
use crate::switch::{self, Incoming, Sockets, Switch};
use crate::{calls, clock, fetch, recover, settings, texts, trunks};

/// How often records that the disk did not take, and overdue transcripts, are looked after.
const HOUSEKEEPING: Duration = Duration::from_secs(2);
/// How long a drain waits for calls in progress.
const DRAIN_LIMIT: Duration = Duration::from_secs(4 * 3600);
/// How long calls have to write their records once they are told to end.
const HANG_UP_LIMIT: Duration = Duration::from_secs(15);

/// Everything bound and loaded; nothing runs yet but the store.
pub struct App {
    config: Config,
    sockets: Sockets,
    tls: Tls,
    http: TcpListener,
    metrics: TcpListener,
    outbox: Outbox,
    lists: Lists,
    channels: Channels,
    routes: Vec<Route>,
    prompts: Prompts,
    speech: asr::Pool,
    recorder: Recorder,
    prometheus: PrometheusHandle,
}

/// Where a running gateway can be reached.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// SIP listeners.
    pub sip: Vec<Listen>,
    /// HTTP.
    pub http: SocketAddr,
    /// Metrics.
    pub metrics: SocketAddr,
}

/// Asks a running gateway to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Read configuration and lists again.
    Reload,
    /// No new calls; end when the last is over.
    Drain,
    /// End now.
    Stop,
}

impl App {
    /// Binds and loads. An error here is the operator's to mend; nothing was changed but the data directory.
    pub async fn build(mut config: Config, prometheus: PrometheusHandle) -> anyhow::Result<Self> {
        crate::secrets::complete(&mut config)?;
        config.node.data_dir = std::path::absolute(&config.node.data_dir)?;
        let data = config.node.data_dir.clone();
        let prompts = Prompts::load(config.prompts.folder.as_deref())?;
        if let Some((key, id)) = calls::prompts::unknown(&config).into_iter().next() {
            anyhow::bail!("{key}: there is no prompt `{id}`");
        }
        let (lists, report) = Lists::open(config.lists.clone(), &number_context(&config)).context("lists")?;
        for warning in &report.warnings {
            tracing::warn!(line = warning.line, "A list entry deserves a look: {}", warning.message);
        }
        let channels = Channels::build(&config.channels).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            anyhow::anyhow!(faults.join("; "))
        })?;
        let sinks = config.sinks.iter().cloned().map(|sink| settings::below(sink, &data)).collect();
        let routes = outbox::sinks::build(sinks).map_err(|faults| {
            let faults: Vec<String> =
                faults.iter().map(|fault| format!("{}: {}", fault.key, fault.message)).collect();
            anyhow::anyhow!(faults.join("; "))
        })?;
        let speech = asr::Pool::start(&config.speech, &data)?;
        let tls = Tls::load(&config)?;
        let sockets = Sockets::bind(&config.sip.listen).await?;
        let http = bind("http.listen", config.http.listen).await?;
        let metrics = bind("metrics.listen", config.metrics.listen).await?;
        let store = OutboxConfig::new(store_path(&data), &config.node.name, &config.node.jurisdiction);
        let outbox = tokio::task::spawn_blocking(move || Outbox::open(store))
            .await?
            .context("cannot open the store")?;
        let recorder = Recorder::start(data.join("recordings"), config.media.recording.format)?;
        Ok(Self {
            config,
            sockets,
            tls,
            http,
            metrics,
            outbox,
            lists,
            channels,
            routes,
            prompts,
            speech,
            recorder,
            prometheus,
        })
    }

    /// Where it listens, with the ports the system chose where 0 was configured.
    pub fn addresses(&self) -> anyhow::Result<Addresses> {
        Ok(Addresses {
            sip: self.sockets.addresses(),
            http: self.http.local_addr()?,
            metrics: self.metrics.local_addr()?,
        })
    }

    /// The configuration with its secrets completed.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Runs until told to end. `reload` reads the configuration anew.
    pub async fn run(
        self,
        mut control: mpsc::Receiver<Control>,
        reload: impl Fn() -> Option<Config>,
    ) -> anyhow::Result<()> {
        let (ending, ending_receiver) = watch::channel(Ending::No);
        let (stop, stopped) = watch::channel(false);
        let speech = Arc::new(self.speech);
        let speech_ready = transcribe::readiness(&speech);
        let node = settings::node(&self.config);
        let middle = Middle::new(node, self.lists, self.outbox.clone(), clock);
        let speech_wanted = self.config.speech.engine != asr::Engine::Off;
        recover::recover(&middle, &self.recorder, speech_wanted).await?;
        // Ends with this function.
        let _watch = middle.lists().watch(|_| {}).context("the list file cannot be watched")?;

        let endpoint = settings::endpoint_config(&self.config, &self.sockets);
        let media_address = settings::media_address(&self.config, &self.sockets);
        let rtp_address = settings::rtp_address(&self.config, media_address);
        let tls = self.tls;
        let origins = Arc::new(self.config.sip.websocket_origins.clone());
        let secured = switch::Secured { tls: tls.clone(), origins };
        let switch::Started { switch, incoming, presence, texts: written } =
            switch::start(self.sockets, secured, endpoint, rand::random())?;
        let live = Live::new(&self.config);
        let hub = Hub::start(live.call.clone(), presence);
        let calls = Arc::new(Calls {
            switch: switch.clone(),
            hub: hub.clone(),
            engine: Engine::start(self.config.media.threads).context("media threads")?,
            middle: middle.clone(),
            ports: PortPool::new(rtp_address, self.config.media.rtp_ports),
            media_address,
            prompts: self.prompts,
            recorder: self.recorder,
            media: self.config.media.clone(),
            live: ArcSwap::from_pointee(live),
            speech_ready: speech_ready.clone(),
            speech_wanted,
            ending: ending_receiver.clone(),
            gate: Gate::new(&self.config.sip),
            counters: Counters::default(),
            directory: calls::desk::Directory::default(),
        });

        let dispatcher = Dispatcher::start(&self.outbox, self.routes);
        let mut workers = JoinSet::new();
        for _ in 0..self.config.speech.workers {
            workers.spawn(transcribe::work(
                middle.clone(),
                speech.clone(),
                speech_ready.clone(),
                stopped.clone(),
            ));
        }
        let channels = Arc::new(self.channels);
        let media_folder = self.config.node.data_dir.join("attachments");
        workers.spawn(texts::work(calls.clone(), written, stopped.clone()));
        workers.spawn(fetch::work(middle.clone(), channels.clone(), media_folder, stopped.clone()));
        workers.spawn(watch_certificates(tls.clone(), self.config.clone(), stopped.clone()));
        workers.spawn(housekeeping(calls.clone(), self.prometheus.clone(), stopped.clone()));

        let limits = channels::Limits {
            max_in_flight: self.config.http.max_concurrent,
            trusted_proxies: self.config.http.trusted_proxies.clone(),
            ..channels::Limits::default()
        };
        let checks = Checks { calls: calls.clone(), speech: speech.clone(), ending: ending_receiver };
        let router = http::health(checks)
            .merge(channels.router(Arc::new(middle.clone()), Arc::new(clock), limits))
            .merge(console::router(
                Arc::new(RunningDesk::new(calls.clone())),
                settings::tokens(&self.config),
            ));
        workers.spawn(http::serve(self.http, router, stopped.clone()));
        workers.spawn(http::serve(self.metrics, http::metrics(self.prometheus), stopped.clone()));

        let mut running = JoinSet::new();
        let reload = || {
            let config = reload()?;
            if let Err(error) = tls.reload(&config) {
                tracing::error!(error = %format!("{error:#}"), "Certificates were not taken over; the old ones stay in force.");
            }
            Some(config)
        };
        take_calls(&calls, &switch, incoming, &mut control, &ending, reload, &mut running).await;
        // Every call is over, or was told to be: what they wrote is in the store's queue.
        let _ =
            tokio::time::timeout(HANG_UP_LIMIT, async { while running.join_next().await.is_some() {} }).await;
        switch.unregister_trunks().await;
        middle.save_unsaved().await;
        stop.send_replace(true);
        let _ =
            tokio::time::timeout(HANG_UP_LIMIT, async { while workers.join_next().await.is_some() {} }).await;
        dispatcher.stop().await;
        tokio::task::spawn_blocking(move || speech.shutdown()).await?;
        self.outbox.close().await;
        tracing::info!("The gateway ended.");
        Ok(())
    }
}

/// Takes calls until told to end, then lets those in progress finish as the control says.
async fn take_calls(
    calls: &Arc<Calls>,
    switch: &Switch,
    mut incoming: mpsc::Receiver<Incoming>,
    control: &mut mpsc::Receiver<Control>,
    ending: &watch::Sender<Ending>,
    reload: impl Fn() -> Option<Config>,
    running: &mut JoinSet<()>,
) {
    let mut give_up = None;
    metrics::gauge!("jiesu_draining").set(0.0);
    loop {
        let draining = *ending.borrow() != Ending::No;
        if draining && running.is_empty() {
            return;
        }
        tokio::select! {
            Some(call) = incoming.recv() => {
                running.spawn(accept::accept(calls.clone(), call));
            }
            Some(_) = running.join_next(), if !running.is_empty() => {}
            command = control.recv() => match command {
                Some(Control::Reload) => {
                    if let Some(config) = reload() {
                        apply(calls, switch, &config).await;
                    }
                }
                Some(Control::Drain) if !draining => {
                    tracing::info!(calls = calls.active(), "Draining: no new calls; those in progress go on.");
                    switch.drain().await;
                    ending.send_replace(Ending::Draining);
                    metrics::gauge!("jiesu_draining").set(1.0);
                    give_up = Some(std::time::Instant::now() + DRAIN_LIMIT);
                }
                Some(Control::Drain) => {}
                Some(Control::Stop) | None => {
                    switch.drain().await;
                    ending.send_replace(Ending::Now);
                    return;
                }
            },
            () = switch::wait_until(give_up) => {
                ending.send_replace(Ending::Now);
                return;
            }
        }
    }
}

/// What a reload takes over: trunks, agents, call settings, lists. The rest needs a restart.
async fn apply(calls: &Calls, switch: &Switch, config: &Config) {
    switch.reload(trunks::sip_trunks(config), settings::agent_accounts(config)).await;
    let live = Live::new(config);
    calls.hub.reconfigure(live.call.clone()).await;
    calls.live.store(Arc::new(live));
    tracing::info!("The configuration was read again.");
    if config.lists.file.is_none() {
        return;
    }
    match calls.middle.lists().reload() {
        Ok(report) => tracing::info!(entries = report.entries(), "The lists were read again."),
        Err(error) => tracing::error!(%error, "The lists were not taken over; the old ones stay in force."),
    }
}

/// Takes renewed certificates over; connections that stand keep theirs.
async fn watch_certificates(tls: Tls, config: Config, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(tls::WATCH_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        if !tls.is_outdated() {
            continue;
        }
        match tls.reload(&config) {
            Ok(()) => tracing::info!("Certificates were read again."),
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "Changed certificates were not taken over; the old ones stay in force.");
            }
        }
    }
}

async fn housekeeping(calls: Arc<Calls>, prometheus: PrometheusHandle, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(HOUSEKEEPING);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        // Histograms keep every value until somebody asks for them, which nobody may.
        prometheus.run_upkeep();
        if calls.middle.unsaved_count() > 0 {
            calls.middle.save_unsaved().await;
        }
        if let Err(error) = calls.middle.release_overdue(transcribe::HOLD_LIMIT).await {
            tracing::warn!(%error, "Records that wait for a transcript could not be looked after.");
        }
        if let Some(hall) = calls.hub.snapshot().await {
            for lane in record::Lane::ALL {
                let waiting = hall.waiting.get(lane).copied().unwrap_or_default();
                metrics::gauge!("jiesu_queue_waiting", "lane" => lane.as_str()).set(waiting as f64);
            }
            metrics::gauge!("jiesu_agents", "state" => "free").set(hall.agents_free as f64);
            metrics::gauge!("jiesu_agents", "state" => "talking").set(hall.agents_talking as f64);
        }
    }
}

async fn bind(key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{key}: cannot bind {address}"))
}

/// The data directory's files, for `doctor` and `demo`.
pub fn store_path(data_dir: &std::path::Path) -> PathBuf {
    data_dir.join("outbox.db")
}
