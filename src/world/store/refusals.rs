//! Refusals of S3-compatible servers: AWS, R2, MinIO, Ceph and Google each use codes of their own.

use crate::world::http::{ServerKind, s3_passes, shown_text};

/// Parts of codes about this machine's clock, the account's quota, and the bucket's region.
const CLOCK: [&str; 4] = ["RequestTimeTooSkewed", "ExpiredRequest", "RequestExpired", "RequestNotYetValid"];
const QUOTA: [&str; 4] = ["QuotaExceeded", "StorageFull", "InsufficientStorage", "StorageLimitExceeded"];
const PLACE: [&str; 7] = [
    "PermanentRedirect",
    "TemporaryRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraint",
    "IncorrectEndpoint",
    "InvalidRegion",
    "InvalidLocation",
];

/// A server's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoreRefusal {
    pub(super) status: u16,
    /// The code in its XML; empty if there is none, as in answers to HEAD.
    pub(super) code: String,
    /// The message in its XML.
    message: String,
    /// The bucket's region or endpoint, if the server names it.
    place: Option<String>,
}

impl StoreRefusal {
    /// Parses a refusal from an answer's status, the region in its headers, and the beginning of its body.
    pub(super) fn read(status: u16, region: Option<String>, body: &str) -> Self {
        let place = region.or_else(|| element(body, "Region")).or_else(|| element(body, "Endpoint"));
        let text = |name, longest| element(body, name).map(|text| shown_text(text.trim(), longest)).unwrap_or_default();
        let (code, message) = (text("Code", 60), text("Message", 200));
        StoreRefusal { status, code, message, place: place.map(|place| shown_text(place.trim(), 100)) }
    }

    /// The reason, for messages.
    pub(super) fn reason(&self) -> String {
        let StoreRefusal { status, code, message, .. } = self;
        let code = if code.is_empty() { String::new() } else { format!(" ({code})") };
        let message = if message.is_empty() { String::new() } else { format!(": {message}") };
        format!("status {status}{code}{message}")
    }

    /// May the same request succeed later?
    pub(super) fn passes(&self) -> bool {
        let known = s3_passes(&self.code);
        match self.status {
            // An error that came too late for its status; or two writers at once, unless a code says something
            // else.
            200..300 | 409 => known || self.code.is_empty(),
            500.. if ServerKind::Store.passes(self.status) => !self.is_of(&QUOTA),
            status => known || ServerKind::Store.passes(status),
        }
    }

    fn is_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.code.contains(word))
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> Option<String> {
        let keys = "do R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY belong to this bucket, with write access?";
        if self.is_of(&CLOCK) {
            return Some("this machine's clock is wrong: the time is signed with every request".to_owned());
        }
        if self.is_of(&QUOTA) || self.status == 507 {
            return Some("the bucket's quota is used up, or its disk is full: free some, or raise it".to_owned());
        }
        if self.is_of(&PLACE) || (300..400).contains(&self.status) {
            let place = self.place.as_ref().map(|place| format!(": the server says {place:?}")).unwrap_or_default();
            let settings = "R2_ENDPOINT, or [store] endpoint and region in gen404.toml";
            return Some(format!("wrong region or endpoint for this bucket ({settings}){place}"));
        }
        match (self.status, self.code.as_str()) {
            (_, "NoSuchBucket" | "InvalidBucketName") => {
                Some("[store] bucket in gen404.toml names the bucket".to_owned())
            }
            (401 | 403, _) => Some(keys.to_owned()),
            // A HEAD says no more than this about a wrong region.
            (400, "") => Some("is [store] region in gen404.toml the bucket's own?".to_owned()),
            _ => None,
        }
    }
}

/// Is this the beginning of an XML document whose root is `Error`?
pub(super) fn is_error(body: &str) -> bool {
    let mut rest = body.trim_start_matches('\u{feff}').trim_start();
    // A declaration and comments come before the root.
    while let Some((open, close)) = [("<?", "?>"), ("<!--", "-->")].into_iter().find(|(open, _)| rest.starts_with(open))
    {
        let Some((_, after)) = rest.get(open.len()..).and_then(|inner| inner.split_once(close)) else { return false };
        rest = after.trim_start();
    }
    let after = rest.strip_prefix("<Error");
    after.and_then(|after| after.chars().next()).is_some_and(|c| matches!(c, '>' | '/') || c.is_whitespace())
}

/// The text of the first element of this name.
fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    Some(plain.into_iter().fold(text.to_owned(), |text, (entity, is)| text.replace(entity, is)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, code: &str) -> StoreRefusal {
        StoreRefusal::read(status, None, &format!("<Error><Code>{code}</Code></Error>"))
    }

    #[test]
    fn codes_and_words_are_found() {
        let body =
            "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>no &amp; \u{202e}no</Message></Error>";
        assert_eq!(StoreRefusal::read(403, None, body).reason(), "status 403 (AccessDenied): no & \\u{202e}no");
        for other in ["", "<Code>", "</Code><Code>", "busy"] {
            assert_eq!(StoreRefusal::read(403, None, other).reason(), "status 403");
        }
    }

    #[test]
    fn what_passes_is_tried_again() {
        for (status, code) in [
            (400, "RequestTimeout"),
            (400, "BadDigest"),
            (400, "IncompleteBody"),
            (400, "XAmzContentSHA256Mismatch"),
            (403, "SlowDown"),
            (408, ""),
            (409, "ConditionalRequestConflict"),
            (409, "OperationAborted"),
            (409, ""),
            (429, "TooManyRequests"),
            (500, "InternalError"),
            (503, "SlowDown"),
            (200, "InternalError"),
        ] {
            assert!(refusal(status, code).passes(), "{status} {code}");
        }
        for (status, code) in [
            (400, "InvalidDigest"),
            (400, ""),
            (403, "RequestTimeTooSkewed"),
            (403, "QuotaExceeded"),
            (404, "NoSuchBucket"),
            (409, "BucketAlreadyExists"),
            (301, "PermanentRedirect"),
            (501, "NotImplemented"),
            (507, "XMinioStorageFull"),
            (200, "AccessDenied"),
        ] {
            assert!(!refusal(status, code).passes(), "{status} {code}");
        }
    }

    #[test]
    fn the_root_of_an_error_is_known() {
        for error in ["<Error>", "<Error/>", " <Error xmlns='x'>", "\u{feff}<?xml version='1.0'?>\n<!-- x -->\n<Error>"]
        {
            assert!(is_error(error), "{error}");
        }
        for other in
            ["", "x<Error>", "<Errors>", "<Error", "<ListBucketResult><Error>", "<?xml <Error>", "<!-- <Error>"]
        {
            assert!(!is_error(other), "{other}");
        }
    }
}
