//! The end of a call: a durable draft at once, then the recording, then the record.

use std::time::{Duration, Instant};

use gateway_call::Summary;

use super::Driver;
use crate::calls::Ending;
use crate::calls::media::Figures;
use crate::calls::recording::{self, Finished};
use crate::{attach, compose};

impl Driver {
    pub(super) async fn finish(mut self, summary: Summary) {
        let hung_up = Instant::now();
        // Phones that were still to fall silent when the session gave up waiting for them.
        self.note_remaining_legs();
        for agent in std::mem::take(&mut self.agents) {
            self.calls.switch.hang_up(agent.handle, None).await;
        }
        if let Some(line) = self.second_line.take() {
            self.calls.switch.hang_up(line.handle(), None).await;
        }
        self.fill(&summary);
        if self.intake {
            self.calls.middle.call_ended(&self.record).await;
        }
        metrics::histogram!("jiesu_hangup_to_draft_seconds").record(hung_up.elapsed().as_secs_f64());
        metrics::counter!("jiesu_calls_total", "outcome" => summary.outcome.as_str(), "lane" => summary.lane.as_str())
            .increment(1);
        let (recording, figures) = self.close_recording().await;
        if let Some(finished) = &recording {
            self.attach(finished);
        }
        self.note_quality(&figures);
        if let Some(expected) = figures.recorded {
            let talked = Duration::from_millis(summary.talk_ms.unwrap_or_default());
            for fault in recording::verify(recording.as_ref(), expected, talked) {
                tracing::error!(record.id = %self.record.record_id, fault, "A call was not recorded as it should.");
            }
        }
        tracing::info!(
            call.id = %summary.call, record.id = %self.record.record_id, outcome = summary.outcome.as_str(),
            talk_ms = summary.talk_ms, wait_ms = summary.wait_ms, "A call ended.",
        );
        if !self.intake {
            return;
        }
        let heard = recording.as_ref().filter(|_| self.calls.speech_wanted);
        let path = heard.map(|finished| finished.path.as_path());
        let hold = *self.calls.speech_ready.borrow() && self.ending != Ending::Now;
        self.calls.middle.call_complete(self.record, path, hold).await;
    }

    pub(super) fn fill(&mut self, summary: &Summary) {
        let invited_at = self.record.created_at;
        if let Some(call) = &mut self.record.call {
            summary.fill(call, invited_at);
        }
        let mut ext = self.record.ext.take().unwrap_or_default();
        if let Some(notice) = &summary.notice {
            let version = self.calls.prompts.version(notice.prompt.as_str()).unwrap_or_default();
            let id = format!("{}@{version}", notice.prompt.as_str());
            let played_at = invited_at.plus_ms(milliseconds(notice.started_after));
            let entry =
                serde_json::json!({ "id": id, "played_at": played_at, "completed": notice.completed });
            ext.insert(compose::EXT_NOTICE.into(), entry);
            self.record.privacy.notice = Some(id);
        }
        if let Some(message) = &summary.voice_message {
            let entry = serde_json::json!({
                "from_ms": message.from_ms, "to_ms": message.to_ms, "speech": message.speech,
            });
            ext.insert(compose::EXT_VOICE_MESSAGE.into(), entry);
        }
        let mut end = serde_json::json!({ "reason": summary.reason });
        if let Some(lost) = self.lost {
            end["lost"] = lost.into();
        }
        ext.insert(compose::EXT_END.into(), end);
        if let Some(ends) = self.take_leg_ends() {
            ext.insert(compose::EXT_LEGS.into(), ends);
        }
        if summary.flow != "queue" {
            ext.insert(compose::EXT_FLOW.into(), summary.flow.into());
        }
        self.record.ext = Some(ext).filter(|ext| !ext.is_empty());
        compose::assess(&mut self.record);
        self.record.state = record::State::Final;
        self.record.updated_at = self.calls.middle.now();
    }

    pub(super) async fn close_recording(&mut self) -> (Option<Finished>, Figures) {
        let Some(media) = self.media.take() else { return (None, Figures::default()) };
        let figures = media.finish().await;
        if !self.recorded {
            return (None, figures);
        }
        let path = self.calls.recorder.path(self.record.record_id, self.record.created_at);
        (self.calls.recorder.finish(self.record.record_id, &path).await, figures)
    }

    pub(super) fn attach(&mut self, finished: &Finished) {
        self.record.attachments.get_or_insert_default().push(attach::recording(finished));
        let gaps = finished.check.iter().flat_map(|check| &check.gaps);
        let gaps: Vec<_> = gaps
            .map(|gap| {
                serde_json::json!({ "from_ms": milliseconds(gap.from), "to_ms": milliseconds(gap.until) })
            })
            .collect();
        if !gaps.is_empty() {
            let ext = self.record.ext.get_or_insert_default();
            ext.insert(compose::EXT_RECORDING_GAPS.into(), gaps.into());
        }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
