//! A trial of a store: a small object is put, read back, read at its public address, and deleted.

use super::{Bytes, NewObject, ObjectStore, Put, sha256_of};
use crate::base::error::{Context as _, Error, Kind, Result};
use crate::base::hex;
use crate::http::Request;
use crate::model::objects::{ObjectKey, ObjectKind};
use crate::probe::{Probed, client};

/// A key that no other trial has.
///
/// # Errors
/// The operating system gives no random bytes.
pub(super) fn key() -> Result<ObjectKey> {
    let mut bytes = [0; 8];
    let drawn = getrandom::fill(&mut bytes).failed(|| "the operating system gives no random bytes".to_owned());
    drawn.and_then(|()| {
        ObjectKey::of_trial(&hex::encode(bytes)).ok_or_else(|| Error::failed("a trial's key cannot be made"))
    })
}

/// Tries the store. If `writes` is false, only reads a key that does not exist.
///
/// # Errors
/// The store cannot be reached, refuses, or gives other bytes back.
pub(super) fn run(
    store: &dyn ObjectStore,
    writes: bool,
    remove: impl FnOnce(&ObjectKey) -> Result<()>,
) -> Result<Probed> {
    let (key, name) = (key()?, store.name());
    if !writes {
        store.get(&key)?;
        return Ok(Probed::fine(format!("{name}: can be read; not written to (--dry-run)")));
    }
    let bytes = key.as_str().as_bytes();
    let sha256 = sha256_of(bytes).failed(|| "the trial's sum cannot be made".to_owned())?;
    let object =
        NewObject { kind: ObjectKind::Preview, bytes: Bytes::Memory(bytes), size: bytes.len() as u64, sha256: &sha256 };
    if store.put(&key, &object)? != Put::Stored {
        return Err(Error::failed(format!("{name}: {key} is taken, though it is new")));
    }
    let read = store.get(&key).and_then(|read| match read.as_deref() {
        Some(read) if read == bytes => Ok(()),
        _ => Err(Error::new(Kind::Outside, format!("{name}: {key} was put, but cannot be read back"))),
    });
    let public = read.is_ok().then(|| seen(&store.url_of(&key), bytes)).flatten();
    let removed = remove(&key);
    read?;
    let done = format!("{name}: put, read");
    Ok(match (removed, public) {
        (Err(why), _) => Probed::doubtful(
            format!("{done}; not deleted: {why}"),
            format!("a round never deletes an object; delete {key} by hand"),
        ),
        (Ok(()), Some(unseen)) => Probed::doubtful(
            format!("{done} and deleted an object; {unseen}"),
            "judge, miners and `verify --objects` read it there: [store] cdn_url, and what serves it",
        ),
        (Ok(()), None) => Probed::fine(format!("{done} and deleted an object")),
    })
}

/// Why an object is not seen at its public address; `None` if it is, or the address is not on the web.
fn seen(url: &str, bytes: &[u8]) -> Option<String> {
    if !url.starts_with("http") {
        return None;
    }
    let request = Request::get(url);
    match client().send(&request) {
        Ok(response) if response.status == 200 && response.raw() == bytes => None,
        Ok(response) if response.status == 200 => Some(format!("{}: other bytes", request.shown())),
        Ok(response) => Some(format!("{}: status {}", request.shown(), response.status)),
        Err(why) => Some(why.to_string()),
    }
}
