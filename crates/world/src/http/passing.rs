//! The one table of transient refusals: by status, and by a server's own codes.
//!
//! | server | transient statuses | further rules |
//! |---|---|---|
//! | any | 429, 5xx | |
//! | node of a chain | 429, 5xx | JSON-RPC codes |
//! | judge | 408, 409, 425, 429, 5xx | |
//! | CI, registry | 5xx | rate limits (403, 429) are waited for in `builds/web.rs` |
//! | object store | 408, 425, 429, 5xx except 501, 505 and 507 | S3 codes, which decide the rest |

use std::time::SystemTime;

use ureq::http::HeaderMap;

use super::retry::{Failure, retry_after};

/// Transient S3 codes, whatever their status and case: a body damaged or delayed in transit, two writers at once, a
/// server that is busy or still starting.
const S3_CODES: [&str; 24] = [
    "BadDigest",
    "ConditionalRequestConflict",
    "ContentSHA256Mismatch",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "OperationTimedOut",
    "ServerBusy",
    "PriorRequestNotComplete",
    "RateLimitExceeded",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "SlowDownRead",
    "SlowDownWrite",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
    "XAmzContentSHA256Mismatch",
    "XMinioServerNotInitialized",
];

/// Transient JSON-RPC codes: busy, and the rate limits of public gateways.
const RPC_CODES: [i64; 4] = [-32009, -32005, -32004, -32603];

/// What kind of server is asked: the same status means different things for different servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerKind {
    /// Services, providers' APIs, the gateways of nodes.
    Any,
    /// A model server, or the gateway before it.
    Judge,
    /// A CI or a registry.
    Ci,
    /// An object store that speaks S3.
    Store,
}

impl ServerKind {
    /// May the same request succeed later, judged by the status alone?
    pub(crate) fn passes(self, status: u16) -> bool {
        match (self, status) {
            (ServerKind::Ci, 429) => false,
            (_, 429) => true,
            (ServerKind::Judge | ServerKind::Store, 408 | 425) => true,
            // In a store: two writers at once, or a name that is taken. The S3 code tells which.
            (ServerKind::Judge, 409) => true,
            (ServerKind::Store, 501 | 505 | 507) => false,
            (_, 500..) => true,
            _ => false,
        }
    }

    /// A refusal as a failed attempt.
    pub(crate) fn failure(self, status: u16, headers: &HeaderMap, reason: String) -> Failure {
        if !self.passes(status) {
            return Failure::Permanent(reason);
        }
        // With 429, nothing was done with the request.
        Failure::Transient { reason, after: asked(headers), unsent: status == 429 }
    }
}

/// Is this S3 code transient?
pub(crate) fn s3_passes(code: &str) -> bool {
    S3_CODES.iter().any(|known| known.eq_ignore_ascii_case(code))
}

/// Is this JSON-RPC code transient?
pub(crate) fn rpc_passes(code: i64) -> bool {
    RPC_CODES.contains(&code)
}

/// How long an answer asks to be left alone.
pub(crate) fn asked(headers: &HeaderMap) -> Option<std::time::Duration> {
    let asked = headers.get("retry-after").and_then(|value| value.to_str().ok());
    asked.and_then(|value| retry_after(value, SystemTime::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_means_what_its_server_means_by_it() {
        use ServerKind::{Any, Ci, Judge, Store};
        for (status, passing) in [
            (200, &[][..]),
            (400, &[]),
            (404, &[]),
            (408, &[Judge, Store]),
            (409, &[Judge]),
            (425, &[Judge, Store]),
            (429, &[Any, Judge, Store]),
            (500, &[Any, Judge, Ci, Store]),
            (501, &[Any, Judge, Ci]),
            (503, &[Any, Judge, Ci, Store]),
            (507, &[Any, Judge, Ci]),
        ] {
            for server in [Any, Judge, Ci, Store] {
                assert_eq!(server.passes(status), passing.contains(&server), "{server:?} {status}");
            }
        }
        let failure = |status| Any.failure(status, &HeaderMap::new(), "why".to_owned());
        let transient = |unsent| Failure::Transient { reason: "why".to_owned(), after: None, unsent };
        assert_eq!(failure(404), Failure::Permanent("why".to_owned()));
        assert_eq!((failure(429), failure(503)), (transient(true), transient(false)));
    }
}
