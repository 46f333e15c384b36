//! Trunks: from the configuration to what the endpoint wants to know, their names looked up, their state told.

use std::net::IpAddr;

use config::{Config, GatewayTransport};
use gateway_sip::auth::Secret;
use gateway_sip::trunk::{CallerId, HealthConfig, RegistrationConfig, TrunkCredentials};
use gateway_sip::{GatewayConfig, Transport, TrunkConfig};

/// Who may call, and through whom we call.
pub fn sip_trunks(config: &Config) -> Vec<TrunkConfig> {
    config.trunks.iter().map(|trunk| sip_trunk(trunk, &config.node.area_code)).collect()
}

fn sip_trunk(trunk: &config::TrunkConfig, area_code: &str) -> TrunkConfig {
    let health = &trunk.health;
    TrunkConfig {
        name: trunk.name.clone(),
        from: trunk.from.clone(),
        symmetric: trunk.symmetric,
        gateways: trunk.gateways.iter().map(gateway).collect(),
        credentials: trunk.credentials.as_ref().map(|credentials| TrunkCredentials {
            user: credentials.user.clone(),
            secret: Secret::Plain(credentials.secret.reveal().to_owned()),
        }),
        registration: trunk.registration.as_ref().map(|registration| RegistrationConfig {
            user: registration.user.clone(),
            expires_s: u32::try_from(registration.expires.as_secs()).unwrap_or(u32::MAX),
        }),
        domain: trunk.domain.clone(),
        external: trunk.external_address.map(written),
        manner: trunk.manners(),
        caller_id: CallerId {
            number: trunk.caller_id.number.clone(),
            presentation: trunk.caller_id.presentation,
        },
        area_code: trunk.area_code.clone().unwrap_or_else(|| area_code.to_owned()),
        health: HealthConfig {
            probe_every: Some(health.probe_every).filter(|every| !every.is_zero()),
            probe_limit: health.probe_limit,
            down_after: health.down_after,
            up_after: health.up_after,
            rest: health.rest,
            answer_limit: health.answer_limit,
            ..HealthConfig::default()
        },
    }
}

fn gateway(gateway: &config::GatewayConfig) -> GatewayConfig {
    GatewayConfig {
        address: gateway.address.clone(),
        transport: match gateway.transport {
            GatewayTransport::Udp => Transport::Udp,
            GatewayTransport::Tcp => Transport::Tcp,
            GatewayTransport::Tls => Transport::Tls,
        },
        priority: gateway.priority,
        weight: gateway.weight,
    }
}

/// An address as the host of a URI.
fn written(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The addresses of a name; none when it cannot be looked up now.
pub async fn look_up(host: &str) -> Vec<IpAddr> {
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => {
            let mut addresses: Vec<IpAddr> = Vec::new();
            for address in found.map(|address| address.ip()) {
                // Round robin of the name server is its own; only doubles are left out.
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            addresses
        }
        Err(error) => {
            tracing::warn!(host, %error, "The name of a trunk's gateway could not be looked up.");
            Vec::new()
        }
    }
}
