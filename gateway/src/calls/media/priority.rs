//! Asks the system to run a media thread before others: sound wants its 20 ms. A refusal is no fault, only a
//! little more delay on a busy machine; it is logged once.

use std::num::NonZeroU64;
use std::sync::Once;

/// Niceness of a media thread (`-20` to `19`); the process's own is 0, or what its unit says.
const NICENESS: i32 = -15;
/// How far the kernel may put off waking it, in nanoseconds; its default of 50 µs saves energy on laptops.
const TIMER_SLACK_NS: Option<NonZeroU64> = NonZeroU64::new(1_000);

/// Raises the calling thread.
pub fn raise() {
    // Neither fails but for want of permission or of the call itself (old kernels, containers).
    let _ = rustix::thread::set_current_timer_slack(TIMER_SLACK_NS);
    // On Linux "process 0" is the calling thread alone.
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        static TOLD: Once = Once::new();
        TOLD.call_once(|| {
            tracing::info!(%error, "Media threads run without raised priority (CAP_SYS_NICE is not granted).");
        });
    }
}
