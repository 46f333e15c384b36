//! Everything a peer may do to the endpoint, one file a symptom. One binary: linking it once is enough.
#![allow(clippy::disallowed_methods)] // one Instant::now a test, as the origin of virtual time
#![allow(clippy::unwrap_used)] // the rig's helpers are tests too, which clippy cannot see

mod agent_leg;
mod answered_twice;
mod browser_phone_over_websocket;
mod cancel_races_200;
mod connection_lost;
mod field_oddities;
mod fixture;
mod framing;
mod hang_up;
mod offers_cross;
mod overload;
mod pair;
mod phone_at_a_fixed_address;
mod refused_before_a_call;
mod registrar;
mod response_routing;
mod rfc4475;
mod rfc5118;
mod rig;
mod timers;
mod torture;
