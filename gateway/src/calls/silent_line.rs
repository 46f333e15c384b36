//! A number whose flow is to answer and send nothing (`then = "hold"` without intake): a line kept open for a
//! measurement. No RTP port, no media, no record and no place in the hall, so that what is left is the
//! signalling itself.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use gateway_sip::CallHandle;
use gateway_sip::sdp::{Capabilities, Direction, LocalDescription, SdpError, SessionDescription};
use tokio::sync::watch;

use super::{Calls, Ending, leg};
use crate::switch::{LegEvent, LegEvents, wait_until};

/// The discard port (RFC 863) stands for "there is none": 0 would refuse the stream (RFC 3264 section 6).
const NO_PORT: u16 = 9;

/// Answers, and waits for the caller to hang up. `Err` is the status to refuse with.
pub async fn hold(
    calls: &Calls,
    call: CallHandle,
    address: IpAddr,
    offer: Option<String>,
    mut events: LegEvents,
    limit: Duration,
) -> Result<(), u16> {
    let deadline = Instant::now() + limit;
    let mut description = leg::description();
    let sdp = describe(&mut description, address, offer.as_deref()).map_err(|error| error.status())?;
    drop(offer);
    if calls.switch.answer(call, sdp).await.is_err() {
        // The caller gave up at this very moment.
        return Ok(());
    }
    let mut ending = calls.ending.clone();
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(LegEvent::Offer { sdp }) => {
                    match describe(&mut description, address, sdp.as_deref()) {
                        Ok(sdp) => calls.switch.answer_offer(call, sdp).await,
                        Err(error) => calls.switch.refuse_offer(call, error.status()).await,
                    }
                }
                Some(LegEvent::HungUp { .. } | LegEvent::Failed { .. } | LegEvent::Lost { .. }) | None => return Ok(()),
                Some(LegEvent::Referred { .. }) => calls.switch.refuse_refer(call, 603).await,
                Some(LegEvent::Text(message)) => calls.switch.refuse_text(message.id, 488).await,
                Some(_) => {}
            },
            () = wait_until(Some(deadline)) => break,
            () = told_to_end(&mut ending) => break,
        }
    }
    calls.switch.hang_up(call, None).await;
    Ok(())
}

async fn told_to_end(ending: &mut watch::Receiver<Ending>) {
    if ending.wait_for(|ending| *ending == Ending::Now).await.is_err() {
        // Nobody is left to tell: the process ends by other means.
        std::future::pending::<()>().await;
    }
}

fn describe(
    description: &mut LocalDescription,
    address: IpAddr,
    offer: Option<&str>,
) -> Result<String, SdpError> {
    let capabilities = Capabilities::default();
    let Some(offer) = offer else {
        return Ok(description.offer(address, NO_PORT, Direction::Inactive, &capabilities));
    };
    let offer = SessionDescription::parse(offer)?;
    description.answer(&offer, address, NO_PORT, Direction::Inactive, &capabilities).map(|(sdp, _)| sdp)
}
