//! Calls as scripts: events in, actions out, on virtual time. A file per symptom.

#![allow(missing_docs)] // test code

mod floor;

mod a_number_has_its_own_flow;
mod agent_answers_during_notice;
mod agent_hangs_up_ends_both;
mod agent_rings_after_the_notice;
mod agent_rings_out_next_agent;
mod agent_unregisters_while_ringing;
mod any_event_in_any_phase;
mod call_back;
mod caller_hangs_up_ends_both;
mod caller_hangs_up_while_agent_rings;
mod caller_never_acknowledges;
mod caller_who_left_is_never_offered;
mod config_is_read;
mod consult_conference_transfer;
mod drain_and_shutdown;
mod hall_books_agree;
mod late_answer_after_caller_left;
mod longest_idle_agent_first;
mod message_ended_by_hash;
mod no_agent_voice_message;
mod phone_not_there_notice_missing;
mod priority_before_standard;
mod queue_full;
mod record_gets_the_summary;
mod silent_message_still_a_record;
mod standard_is_not_starved;
mod two_agents_never_one_caller;
mod waiting_sounds;
mod wrap_up_belongs_to_the_person;
