//! TLS for signalling: our certificates, read again without dropping a connection, and the checks of others'.
//!
//! One library in the house (rustls with ring). A connection keeps the certificate it was made with; the next one
//! gets the new one. The far end's name is checked on every connection of ours (RFC 5922 section 7).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use config::{Config, SipTlsConfig, TrunkTlsConfig};
use gateway_sip::{ConnectionId, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{Arrival, tcp, ws};

/// How long a handshake may take.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How often certificate files are looked at.
pub const WATCH_EVERY: Duration = Duration::from_secs(10);

/// What TLS is done with; shared, and replaced whole.
#[derive(Clone)]
pub struct Tls {
    inner: Arc<ArcSwap<Inner>>,
}

struct Inner {
    /// `None` without `[sip.tls]`.
    server: Option<Arc<ServerConfig>>,
    /// By trunk; the empty name is for whoever belongs to none.
    clients: HashMap<String, Client>,
    /// The files it was read from, with their age.
    files: Vec<(PathBuf, Option<SystemTime>)>,
}

#[derive(Clone)]
struct Client {
    config: Arc<ClientConfig>,
    server_name: Option<String>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads every certificate and key that the configuration names.
    pub fn load(config: &Config) -> anyhow::Result<Self> {
        Ok(Self { inner: Arc::new(ArcSwap::from_pointee(Inner::load(config)?)) })
    }

    /// Reads them again. On a fault the old ones stay.
    pub fn reload(&self, config: &Config) -> anyhow::Result<()> {
        self.inner.store(Arc::new(Inner::load(config)?));
        Ok(())
    }

    /// Whether a file changed since it was read.
    pub fn is_outdated(&self) -> bool {
        self.inner.load().files.iter().any(|(file, age)| modified(file) != *age)
    }

    /// When the certificate in use ends is the operator's to watch; whether there is one is told here.
    pub fn has_certificate(&self) -> bool {
        self.inner.load().server.is_some()
    }

    fn acceptor(&self) -> Option<TlsAcceptor> {
        self.inner.load().server.clone().map(TlsAcceptor::from)
    }

    fn client(&self, trunk: Option<&str>) -> Option<Client> {
        let inner = self.inner.load();
        trunk.and_then(|name| inner.clients.get(name)).or_else(|| inner.clients.get("")).cloned()
    }
}

impl Inner {
    fn load(config: &Config) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        let server = match &config.sip.tls {
            Some(tls) => Some(server(tls, &mut files).context("sip.tls")?),
            None => None,
        };
        let mut clients = HashMap::from([(String::new(), client(&TrunkTlsConfig::default(), &mut files)?)]);
        for trunk in &config.trunks {
            let at = || format!("trunks.tls of {}", trunk.name);
            clients.insert(trunk.name.clone(), client(&trunk.tls, &mut files).with_context(at)?);
        }
        let files = files.into_iter().map(|file| (modified(&file), file)).map(|(age, file)| (file, age));
        Ok(Self { server, clients, files: files.collect() })
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn server(tls: &SipTlsConfig, files: &mut Vec<PathBuf>) -> anyhow::Result<Arc<ServerConfig>> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match &tls.client_ca {
        Some(ca) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca, files)?), provider());
            // Phones have no certificate; who shows one must show a good one.
            let verifier = if tls.require_client { verifier } else { verifier.allow_unauthenticated() };
            builder.with_client_cert_verifier(verifier.build()?)
        }
        None => builder.with_no_client_auth(),
    };
    let (chain, key) = identity(&tls.certificate, &tls.key, files)?;
    Ok(Arc::new(builder.with_single_cert(chain, key).context("certificate and key do not fit")?))
}

fn client(tls: &TrunkTlsConfig, files: &mut Vec<PathBuf>) -> anyhow::Result<Client> {
    let roots = match &tls.ca {
        Some(ca) => roots(ca, files)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let config = match (&tls.certificate, &tls.key) {
        (Some(certificate), Some(key)) => {
            let (chain, key) = identity(certificate, key, files)?;
            builder.with_client_auth_cert(chain, key).context("certificate and key do not fit")?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Client { config: Arc::new(config), server_name: tls.server_name.clone() })
}

fn roots(ca: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    for certificate in chain(ca, files)? {
        store.add(certificate).with_context(|| format!("{} holds no certificate authority", ca.display()))?;
    }
    Ok(store)
}

fn chain(file: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    files.push(file.to_owned());
    let at = || format!("cannot read a certificate from {}", file.display());
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(file).with_context(at)?.collect::<Result<_, _>>().with_context(at)?;
    anyhow::ensure!(!chain.is_empty(), at());
    Ok(chain)
}

fn identity(
    certificate: &Path,
    key: &Path,
    files: &mut Vec<PathBuf>,
) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain = chain(certificate, files)?;
    files.push(key.to_owned());
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("cannot read a key from {}", key.display()))?;
    Ok((chain, key))
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

/// Accepts TLS connections, and with `transport` Wss the WebSocket in them, until the switch is gone.
pub async fn listen(
    listener: TcpListener,
    transport: Transport,
    tls: Tls,
    origins: Arc<Vec<String>>,
    ids: Arc<AtomicU64>,
    arrivals: mpsc::Sender<Arrival>,
) {
    while !arrivals.is_closed() {
        let Ok((stream, remote)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        let Some(acceptor) = tls.acceptor() else { continue };
        let connection = ConnectionId(ids.fetch_add(1, Ordering::Relaxed));
        let (arrivals, origins) = (arrivals.clone(), origins.clone());
        tokio::spawn(async move {
            let Ok(local) = stream.local_addr() else { return };
            let _ = stream.set_nodelay(true);
            let ends = tcp::Ends { local, remote, transport };
            match tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) if transport == Transport::Wss => {
                    ws::serve(stream, ends, &origins, connection, arrivals).await;
                }
                Ok(Ok(stream)) => {
                    let (reader, writer) = tokio::io::split(stream);
                    tcp::carry(reader, writer, ends, connection, arrivals).await;
                }
                Ok(Err(error)) => {
                    metrics::counter!("jiesu_sip_refused_total", "rule" => "tls-handshake").increment(1);
                    tracing::debug!(peer = %remote, %error, "A TLS handshake failed.");
                }
                Err(_) => {
                    metrics::counter!("jiesu_sip_refused_total", "rule" => "tls-handshake").increment(1);
                }
            }
        });
    }
}

/// Opens a TLS connection that the endpoint asked for.
pub async fn connect(
    remote: SocketAddr,
    server_name: Option<String>,
    trunk: Option<String>,
    tls: Tls,
    connection: ConnectionId,
    arrivals: mpsc::Sender<Arrival>,
) {
    let opened =
        tokio::time::timeout(HANDSHAKE_LIMIT, open(remote, server_name, trunk.as_deref(), &tls)).await;
    match opened.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in time"))) {
        Ok((stream, local)) => {
            let (reader, writer) = tokio::io::split(stream);
            let ends = tcp::Ends { local, remote, transport: Transport::Tls };
            tcp::carry(reader, writer, ends, connection, arrivals).await;
        }
        Err(error) => {
            let trunk = trunk.unwrap_or_default();
            tracing::warn!(peer = %remote, trunk, error = %format!("{error:#}"), "A TLS connection could not be opened.");
            drop(arrivals.send(Arrival::Closed { connection }).await);
        }
    }
}

async fn open(
    remote: SocketAddr,
    server_name: Option<String>,
    trunk: Option<&str>,
    tls: &Tls,
) -> anyhow::Result<(tokio_rustls::client::TlsStream<TcpStream>, SocketAddr)> {
    let client = tls.client(trunk).context("no TLS for this trunk")?;
    let name = client.server_name.or(server_name).unwrap_or_else(|| remote.ip().to_string());
    let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(name).context("the name cannot stand in a certificate")?;
    let stream = TcpStream::connect(remote).await?;
    let local = stream.local_addr()?;
    let _ = stream.set_nodelay(true);
    Ok((TlsConnector::from(client.config).connect(name, stream).await?, local))
}
