//! The outermost scenarios: each starts the real gateway, with real peers around it. A module's name says
//! what it shows. What a lower test can show is not here.

mod bad_input;
mod call_asked_from_a_phone;
mod call_back;
mod call_blocked;
mod call_caller_hangs_up_waiting;
mod call_handed_over;
mod call_held_by_phone;
mod call_no_agent_voice_message;
mod call_representative;
mod call_sipp_to_baresip;
mod call_three_way;
mod call_transferred_by_phone;
mod call_unknown_source;
mod call_withheld;
mod carrier_moves_the_sound_by_our_offer;
mod carrier_uses_another_address;
mod cli;
mod disk_full;
mod interop_baresip;
mod interop_sipp;
mod message_wechat;
mod nothing_of_a_citizen_is_logged;
mod people;
mod python_validates;
mod redis_away;
mod restart_kill9;
mod scanner_flood;
mod text_by_sip;
mod transcript_arrives_later;
