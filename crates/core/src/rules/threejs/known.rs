//! The words that the services write, from closed lists: a later version may have others.

/// How the work of a pod on a run ends if all is well.
pub const COMPLETED: &str = "completed";

/// How the work of a pod on a run ends.
pub const TERMINATIONS: [&str; 6] =
    [COMPLETED, "requested", "unreachable", "submission_failed", "download_failed", "batch_time_limit"];

/// The hardware that a program can ask for.
pub const HARDWARE: [&str; 2] = ["4xH200", "4xRTX6000Pro"];

/// The views that stage 1 judges.
pub const ANGLES: [&str; 4] = ["front_left", "front_right", "front_below", "front_above"];

/// The reason of a stem that a pod's results leave out.
pub const LEFT_OUT: &str = "missing from batch results";

/// The most bytes that a module may have.
pub const MOST_BYTES: u64 = 1_048_576;

/// Reasons of a submitted module that was never stored.
const NOT_STORED: [&str; 2] = ["js_too_large", "js_upload_failed"];

/// Reasons of a submitted module without views.
const NO_VIEWS: [&str; 5] =
    ["prompt_image_missing", "render_failed", "grid_render_failed", "embeddings_failed", "views_upload_failed"];

/// What came of fetching a submitted module, if that is the reason: `HTTP 404`, or the name of an exception.
fn fetch_failure(reason: &str) -> Option<&str> {
    reason.strip_prefix("js_fetch_failed: ")
}

/// Is this a reason that the service that fetches modules writes?
#[must_use]
pub fn is_submit_failure(reason: &str) -> bool {
    let is_code = |code: &str| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    NOT_STORED.contains(&reason)
        || NO_VIEWS.contains(&reason)
        || fetch_failure(reason).is_some_and(|why| why.strip_prefix("HTTP ").map_or_else(|| is_name(why), is_code))
}

/// Does this reason say that a submitted module was never stored?
#[must_use]
pub fn is_not_stored(reason: &str) -> bool {
    NOT_STORED.contains(&reason) || fetch_failure(reason).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_submitted_modules_are_known() {
        for reason in ["js_too_large", "js_fetch_failed: HTTP 404", "js_fetch_failed: ReadTimeout", "render_failed"] {
            assert!(is_submit_failure(reason), "{reason}");
        }
        for reason in ["", "js_fetch_failed", "js_fetch_failed: ", "js_fetch_failed: HTTP 4040", "too large", "null"] {
            assert!(!is_submit_failure(reason), "{reason}");
        }
        assert!(is_not_stored("js_too_large") && is_not_stored("js_fetch_failed: HTTP 404"));
        assert!(!is_not_stored("render_failed") && !is_not_stored("prompt_image_missing"));
    }
}
