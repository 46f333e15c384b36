//! Reads a list file with a bound.

use std::fs::File;
use std::io::{Error, ErrorKind, Read};
use std::path::Path;

use crate::error::ListsError;

/// The whole file. Only regular files: a pipe would make the gateway wait for its writer.
pub(crate) fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, ListsError> {
    let failed = |source| ListsError::Read { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(Error::new(ErrorKind::InvalidInput, "not a regular file")));
    }
    if metadata.len() > max_bytes {
        return Err(ListsError::TooLarge { max_bytes });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    // It may grow while it is read.
    let file = File::open(path).map_err(failed)?;
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > max_bytes {
        return Err(ListsError::TooLarge { max_bytes });
    }
    Ok(bytes)
}
