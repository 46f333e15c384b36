//! Who gets in, and into which lane: the caller lists (黑名单、两代表一委员白名单、…).
//!
//! [`Lists::check`] is the only door: a caller and a moment in, a [`record::Verdict`] out, without waiting
//! for anybody. The lists come whole from one file (its columns are in this crate's README; the CSV form is
//! [RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)) and are swapped whole; a file with a single bad line
//! changes nothing. What a verdict means for a call or a message is decided by the gateway, not here.
//!
//! ```
//! use blacklist::{Format, Lists, ListsConfig};
//! use record::{Caller, Decision, NumberContext, Presentation, Timestamp, Trust, number};
//!
//! let context = NumberContext { area_code: "0471".into(), service_lines: vec!["12345".into()] };
//! let file = "list,kind,value,reason,valid_until\nblock,number,139-1234-5678,无理纠缠,2026-12-31\n";
//! let (lists, report) = Lists::from_text(file, Format::Csv, ListsConfig::default(), &context)?;
//! assert!(report.warnings.is_empty());
//!
//! let caller = Caller {
//!     number: Some(number::normalise("+8613912345678", &context)),
//!     presentation: Presentation::Allowed,
//!     trust: Trust::NetworkAsserted,
//!     ..Caller::unknown()
//! };
//! let now: Timestamp = "2026-11-23T10:00:00+08:00".parse()?;
//! assert_eq!(lists.check(&caller, now).decision, Decision::Refuse);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod config;
mod decide;
mod entry;
pub mod error;
pub mod events;
mod import;
mod index;
mod lists;
mod source;
mod subject;
mod table;
mod watch;

pub use config::ListsConfig;
pub use error::{ImportError, ListsError};
pub use import::{ImportWarning, LoadReport};
pub use lists::{Lists, ListsStatus};
pub use source::Format;
pub use watch::Watch;
