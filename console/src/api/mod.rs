//! The handlers, a file per noun.

pub mod calls;
pub mod documents;
pub mod records;
pub mod state;
