//! The media path asked at its border: datagrams and virtual time in; sound, datagrams and events out.
//! One file per thing that goes wrong on a telephone line.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod any_order_of_packets;
mod bridge_carries_sound;
mod clocks_drift;
mod codecs_sound_right;
mod config_is_checked;
mod digits_arrive_once;
mod far_end_moves;
mod g711_is_exact;
mod headers_round_trip;
mod hold_and_consult;
mod hostile_packets;
mod keys_by_three_ways;
mod legs_of_one_codec;
mod packets_go_missing;
mod prompts_play_out;
mod rates_are_converted;
mod recording_is_verified;
mod recording_stays_aligned;
mod reports_tell_quality;
mod rig;
mod room_rig;
mod silence_is_not_death;
mod speech_pauses;
mod srtp_keeps_strangers_out;
mod three_talk;
mod voices_pass_untouched;
