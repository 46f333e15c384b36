//! Everything a peer may do to the endpoint, one file a symptom. One binary: linking it once is enough.
#![allow(clippy::disallowed_methods)] // one Instant::now a test, as the origin of virtual time
#![allow(clippy::unwrap_used)] // the rig's helpers are tests too, which clippy cannot see

mod agent_leg;
mod agents_phone_calls;
mod answered_twice;
mod browser_phone_over_websocket;
mod cancel_races_200;
mod carrier_asks_for_a_password;
mod carrier_manners;
mod carrier_sends_the_call_elsewhere;
mod connection_kept_alive;
mod connection_lost;
mod field_oddities;
mod fixture;
mod framing;
mod gateway_fails_the_next_takes_the_call;
mod hang_up;
mod hold_answered_sendrecv;
mod ipv6_peers;
mod lossy;
mod offers_cross;
mod overload;
mod pair;
mod phone_at_a_fixed_address;
mod phones_ring_behind_a_fork;
mod refused_before_a_call;
mod registrar;
mod request_comes_back;
mod request_too_large_for_udp;
mod response_routing;
mod rfc4475;
mod rfc5118;
mod rig;
mod ringing_unconfirmed;
mod scanner_flood;
mod session_not_refreshed;
mod text_messages;
mod timers;
mod too_many_calls_a_second;
mod torture;
mod transfer_by_refer;
mod trunk_registers_with_its_carrier;
mod trunk_rig;
mod why_it_ended;
