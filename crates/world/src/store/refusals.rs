//! Refusals of S3-compatible servers: AWS, R2, MinIO, Ceph and Google each use codes of their own.

use super::said::Said;
use crate::http::{ServerKind, s3_passes, shown_text};

/// Parts of codes about this machine's clock, the account's quota, the account itself, and the bucket's region; in any
/// case.
const CLOCK: [&str; 4] = ["RequestTimeTooSkewed", "ExpiredRequest", "RequestExpired", "RequestNotYetValid"];
const QUOTA: [&str; 4] = ["QuotaExceeded", "StorageFull", "InsufficientStorage", "StorageLimitExceeded"];
const ACCOUNT: [&str; 10] = [
    "AccountProblem",
    "AccountSuspended",
    "AccountDisabled",
    "AccountArrears",
    "AllAccessDisabled",
    "Billing",
    "NotSignedUp",
    "Overdue",
    "PaymentRequired",
    "UserSuspended",
];
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
    /// Its code; empty if there is none, as in answers to HEAD.
    pub(super) code: String,
    /// Its message.
    message: String,
    /// The bucket's region or endpoint, if the server names it.
    place: Option<String>,
}

impl StoreRefusal {
    /// A refusal by an answer's status, the region in its headers, and what its body says; `hide` blanks secrets.
    pub(super) fn of(status: u16, region: Option<&str>, said: &Said, hide: impl Fn(&str) -> String) -> Self {
        let place = region.or(said.place.as_deref());
        let shown = |text: &str, longest| shown_text(hide(text).trim(), longest);
        let (code, message) = (shown(&said.code, 60), shown(&said.message, 200));
        StoreRefusal { status, code, message, place: place.map(|place| shown(place, 100)) }
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
        let code = self.code.to_ascii_lowercase();
        words.iter().any(|word| code.contains(&word.to_ascii_lowercase()))
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
        if self.is_of(&ACCOUNT) || self.status == 402 {
            return Some(
                "the store's account is suspended, unpaid or not signed up: see the store's console".to_owned(),
            );
        }
        if self.is_of(&["NoSuchBucket", "InvalidBucketName"]) {
            return Some("[store] bucket in gen404.toml names the bucket".to_owned());
        }
        match (self.status, self.code.as_str()) {
            // Whoever is asked to slow down has the right keys.
            _ if self.passes() => None,
            (401 | 403, _) => Some(keys.to_owned()),
            // A HEAD says no more than this about a wrong region.
            (400, "") => Some("is [store] region in gen404.toml the bucket's own?".to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, code: &str) -> StoreRefusal {
        said(status, &format!("<Error><Code>{code}</Code></Error>"))
    }

    fn said(status: u16, body: &str) -> StoreRefusal {
        StoreRefusal::of(status, None, &Said::read(body.as_bytes(), true), str::to_owned)
    }

    #[test]
    fn codes_and_words_are_found() {
        let body =
            "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>no &amp; \u{202e}no</Message></Error>";
        assert_eq!(said(403, body).reason(), "status 403 (AccessDenied): no & \\u{202e}no");
        for other in ["", "<Code>", "</Code><Code>", "busy"] {
            assert_eq!(said(403, other).reason(), "status 403");
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
    fn only_keys_that_are_wrong_are_doubted() {
        for (status, code, hint) in [
            (403, "AccessDenied", "R2_ACCESS_KEY_ID"),
            (401, "", "R2_ACCESS_KEY_ID"),
            (403, "AccountProblem", "account is suspended"),
            (403, "UserProjectAccountProblem", "account is suspended"),
            (402, "", "account is suspended"),
            (404, "nosuchbucket", "[store] bucket"),
            (403, "requesttimetooskewed", "clock"),
        ] {
            assert!(refusal(status, code).hint().is_some_and(|said| said.contains(hint)), "{status} {code}");
        }
        for (status, code) in [(403, "SlowDown"), (403, "slowdown"), (503, "ServiceUnavailable"), (429, "")] {
            assert!(refusal(status, code).passes() && refusal(status, code).hint().is_none(), "{status} {code}");
        }
    }
}
