//! `object.sha256`, `object.preview`: the objects behind the recorded URLs.

use std::borrow::Cow;

use super::copies::previews::LookHash;
use super::{Claim, Sink};
use crate::base::text::counted;
use crate::model::ids::{Player, RoundNumber};
use crate::model::sums::Sums;

/// The stored objects of one player, as found.
#[derive(Debug, Clone)]
pub struct Stored<'a> {
    /// Whose objects they are, by round.
    pub round: RoundNumber,
    /// Their owner.
    pub player: &'a Player,
    /// The file that names them: `submitted.json`, or what was generated.
    pub file: Cow<'static, str>,
    /// The recorded sums.
    pub sums: Option<&'a Sums>,
    /// The objects that were looked at.
    pub objects: Vec<StoredFile>,
    /// The number of objects in all.
    pub total: usize,
    /// Files without a stored model.
    pub unstored: usize,
}

/// A stored object, as found.
#[derive(Debug, Clone)]
pub struct StoredFile {
    /// Its path below the player's folder.
    pub path: String,
    /// What is there.
    pub found: Found,
    /// For a preview: how it compares with our rendering of the model.
    pub preview: Option<StoredPreview>,
    /// For a preview: what it looks like.
    pub look: Option<LookHash>,
}

/// What was found behind a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Bytes with this SHA-256, in lower-case hex.
    Bytes(String),
    /// The store has no such object.
    Nothing,
    /// Unknown, and why.
    Unknown(String),
}

/// How a stored preview compares with our rendering.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredPreview {
    /// The same pixels.
    Same,
    /// Other pixels, with this SSIM (1.0: equal).
    Alike(f64),
    /// It cannot be compared: another size, or not a picture.
    Other(String),
    /// Our renderer cannot draw this model.
    Undrawable(String),
}

/// Objects of a player that are named when they could not be read; of more, the number is given.
const MOST_UNKNOWN: usize = 2;

/// Checks the objects that were fetched.
pub fn check(all: &[Stored<'_>], sink: &mut Sink) {
    for stored in all {
        let subject = format!("rounds/{}/{}/{}", stored.round, stored.player, stored.file);
        sink.claim("object.sha256", stored.round, subject.clone(), |claim| sums(claim, stored));
        if stored.objects.iter().any(|object| object.preview.is_some()) {
            sink.claim("object.preview", stored.round, subject, |claim| previews(claim, stored));
        }
    }
}

fn sums(claim: &mut Claim, stored: &Stored<'_>) {
    let unstored = match stored.unstored {
        0 => String::new(),
        count => format!("; {} not stored: why cannot be checked", counted(count, "file is", "files are")),
    };
    claim.note(format!("{} of {} objects{unstored}", stored.objects.len(), stored.total));
    let mut unknown = Vec::new();
    for StoredFile { path, found, .. } in &stored.objects {
        match (found, stored.sums.and_then(|sums| sums.0.get(path))) {
            (Found::Nothing, _) => claim.fail(format!("{path}: nothing is stored there")),
            (Found::Unknown(why), _) => unknown.push(format!("{path}: {why}")),
            (Found::Bytes(_), None) => {}
            (Found::Bytes(sum), Some(recorded)) if sum == recorded => {}
            (Found::Bytes(sum), Some(recorded)) => {
                claim.fail(format!("{path}: SHA-256 is {sum}, but {recorded} is recorded"));
            }
        }
    }
    // A server that is away is away for all of them.
    unknown.iter().take(MOST_UNKNOWN).for_each(|why| claim.skip(why));
    if let more @ 1.. = unknown.len().saturating_sub(MOST_UNKNOWN) {
        claim.skip(format!("{} could not be read either", counted(more, "object", "objects")));
    }
    let unsummed = |object: &&StoredFile| stored.sums.is_none_or(|sums| !sums.0.contains_key(&object.path));
    let count = stored.objects.iter().filter(unsummed).count();
    if count > 0 {
        claim.skip(format!("SHA256SUMS has no line for {count} of {} objects", stored.objects.len()));
    }
}

fn previews(claim: &mut Claim, stored: &Stored<'_>) {
    for StoredFile { path, preview, .. } in &stored.objects {
        match preview {
            None | Some(StoredPreview::Same) => {}
            Some(StoredPreview::Alike(ssim)) => {
                claim.warn(format!("{path}: drawn by another renderer: SSIM {ssim:.4} to ours"));
            }
            Some(StoredPreview::Other(what)) => claim.fail(format!("{path}: {what}")),
            Some(StoredPreview::Undrawable(why)) => {
                claim.warn(format!("{path}: drawn by another renderer: ours cannot draw this model: {why}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::checks::CheckStatus;

    #[test]
    fn each_object_is_judged_by_what_was_found() {
        let sums =
            Sums([("submitted/a.bin", "aa"), ("submitted/a.png", "bb")].map(|(p, s)| (p.into(), s.into())).into());
        let file = |path: &str, found, preview| StoredFile { path: path.to_owned(), found, preview, look: None };
        let verdict = |objects: Vec<StoredFile>| {
            let (player, file) = (Player::Leader, "submitted.json");
            let stored = Stored {
                round: RoundNumber(1),
                player: &player,
                file: file.into(),
                sums: Some(&sums),
                objects,
                total: 9,
                unstored: 1,
            };
            let mut sink = Sink::default();
            check(&[stored], &mut sink);
            let findings = sink.finish();
            let notes =
                findings.iter().filter(|found| found.status == CheckStatus::Pass && found.id == "object.sha256");
            assert!(notes.clone().all(|found| found.detail.ends_with("; 1 file is not stored: why cannot be checked")));
            findings.into_iter().map(|found| (found.id, found.status)).collect::<Vec<_>>()
        };
        let bytes = |sum: &str| Found::Bytes(sum.to_owned());
        let (sha256, preview) = ("object.sha256", "object.preview");
        assert_eq!(verdict(vec![file("submitted/a.bin", bytes("aa"), None)]), [(sha256, CheckStatus::Pass)]);
        assert_eq!(verdict(vec![file("submitted/a.bin", bytes("ab"), None)]), [(sha256, CheckStatus::Fail)]);
        assert_eq!(verdict(vec![file("submitted/a.bin", Found::Nothing, None)]), [(sha256, CheckStatus::Fail)]);
        assert_eq!(verdict(vec![file("submitted/b.bin", bytes("aa"), None)]), [(sha256, CheckStatus::Skip)]);
        for (shown, status) in [
            (StoredPreview::Same, CheckStatus::Pass),
            (StoredPreview::Alike(0.97), CheckStatus::Warn),
            (StoredPreview::Undrawable(String::new()), CheckStatus::Warn),
            (StoredPreview::Other("no PNG".to_owned()), CheckStatus::Fail),
        ] {
            let found = verdict(vec![file("submitted/a.png", bytes("bb"), Some(shown))]);
            assert_eq!(found, [(sha256, CheckStatus::Pass), (preview, status)]);
        }
    }
}
