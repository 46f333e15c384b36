//! Who is calling, and which number was dialled before the call was diverted here.
//!
//! Reads raw header values: P-Asserted-Identity and P-Preferred-Identity
//! ([RFC 3325](https://www.rfc-editor.org/rfc/rfc3325)), Privacy ([RFC 3323](https://www.rfc-editor.org/rfc/rfc3323)),
//! From, Remote-Party-ID, History-Info ([RFC 7044](https://www.rfc-editor.org/rfc/rfc7044)), Diversion
//! ([RFC 5806](https://www.rfc-editor.org/rfc/rfc5806)), Reason ([RFC 3326](https://www.rfc-editor.org/rfc/rfc3326)).
//! A hotline merged from many lines finds the old line with [`first_diverting`].
//!
//! Not here: whether a peer may assert anything (the trunk's configuration says so), and the numbering plan:
//! numbers stay as written. Reading never fails; what cannot be read is left out. No `Debug` shows a number.

mod caller;
mod diversion;
mod diverting;
mod history;
mod name_address;
mod reason;
mod text;
mod uri;

pub use caller::{IdentityHeaders, IdentityTrust, PrivacyToken, RawIdentity, RemoteParty};
pub use diversion::{DiversionEntry, read_diversion};
pub use diverting::{DivertReason, DivertSource, Diverting, diversions, first_diverting, sources_disagree};
pub use history::{HistoryEntry, TargetKind, read_history};
pub use name_address::{Parameter, UriIdentity};
pub use reason::{Reason, q850_cause, q850_of_status, read_reasons, sip_cause};
pub(crate) use text::percent_decoded;
pub use uri::{Scheme, Uri};

/// Longest header value that is read, in bytes; a longer one is left out.
pub const MAX_VALUE_BYTES: usize = 8 * 1024;
/// Most entries read from all values of one header; the rest is left out.
pub const MAX_ENTRIES: usize = 64;
/// Most parameters read of one entry or URI; the rest is left out.
pub const MAX_PARAMETERS: usize = 64;
