//! This machine's clock, compared with those of the servers that are asked anyway.

use super::finding::{Finding, Status};
use crate::world::probe;

/// A clock that is further off than this is wrong, and further than the second is odd: signatures of requests to a
/// bucket are refused at 15 minutes.
const WRONG_SECONDS: i64 = 120;
const ODD_SECONDS: i64 = 15;

/// By how many seconds this machine is ahead of a server; `None` if that is unknown.
pub(super) fn ahead_of(url: &str) -> Option<i64> {
    probe::ahead_of(url).ok().flatten()
}

/// Compares this machine's clock with what most of these servers say.
pub(super) fn check(addresses: &[String]) -> Option<Finding> {
    const NAME: &str = "clock";
    let mut ahead: Vec<i64> = std::thread::scope(|scope| {
        let asked: Vec<_> = addresses.iter().map(|url| scope.spawn(|| ahead_of(url))).collect();
        asked.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect()
    });
    if addresses.is_empty() {
        return None;
    }
    ahead.sort_unstable();
    let Some(middle) = ahead.get(ahead.len() / 2).copied() else {
        return Some(Finding::warn(
            NAME,
            "no server said what time it is",
            "`timedatectl` says whether it is synchronized",
        ));
    };
    let count = ahead.len();
    let way = if middle < 0 { "behind" } else { "ahead of" };
    let said = format!("{} s {way} the clocks of servers ({count} asked)", middle.abs());
    let status = match middle.abs() {
        off if off > WRONG_SECONDS => Status::Fail,
        off if off > ODD_SECONDS => Status::Warn,
        _ => return Some(Finding::ok(NAME, said)),
    };
    let hints = vec!["set this machine's clock: `timedatectl set-ntp true`".to_owned()];
    Some(Finding { name: NAME, status, what: said, hints })
}
