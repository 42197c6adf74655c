//! Steps that hosts have announced on the remote, so that two of them do not rent pods for the same work.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::ids::{Hotkey, RoundNumber};
use super::record::{parse_json, to_json};
use super::stage::Timestamp;
use crate::base::text::{cut, line, time};

/// Size limit of the announcements, in bytes.
pub const LARGEST: u64 = 256 << 10;

/// The most announcements at a time.
const MOST: usize = 64;

/// The longest that an announcement may hold, in minutes: `[lease] minutes` is not more.
const LONGEST_MINUTES: i64 = 1440;

/// The longest name of a host that is shown, in characters.
const LONGEST_HOST: usize = 64;

/// A step that a host is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLease {
    /// The host's name, for people.
    pub host: String,
    /// The run that does it.
    pub run: String,
    /// The command.
    pub command: String,
    /// The round.
    pub round: RoundNumber,
    /// The miners concerned; empty for a step that has no parts.
    #[serde(default)]
    pub hotkeys: Vec<Hotkey>,
    /// When it was taken.
    pub taken: Timestamp,
    /// Until when it holds, by the host's own clock.
    pub expires: Timestamp,
}

impl StepLease {
    /// The host's name, safe to show.
    pub fn shown_host(&self) -> String {
        let name = cut(&line(&self.host), LONGEST_HOST);
        if name.trim().is_empty() { "a host without a name".to_owned() } else { name }
    }

    /// Does it still hold for others, whose clocks may differ by `skew`? One that no host could have announced, since it
    /// begins in the future or lasts longer than the settings allow, does not: it would block the step for years.
    pub fn holds(&self, now: DateTime<Utc>, skew: Duration) -> bool {
        let within = |at: DateTime<Utc>, longest: Duration| {
            longest.checked_add(&skew).is_none_or(|longest| at.signed_duration_since(now) <= longest)
        };
        let over = self.expires.at().checked_add_signed(skew).is_some_and(|end| now >= end);
        let longest = Duration::minutes(LONGEST_MINUTES);
        !over && within(self.taken.at(), Duration::zero()) && within(self.expires.at(), longest)
    }

    /// Is it about this step of this round?
    pub fn is_of(&self, command: &str, round: RoundNumber) -> bool {
        self.command == command && self.round == round
    }

    /// Is the work for this miner part of it?
    pub fn covers(&self, hotkey: &Hotkey) -> bool {
        self.hotkeys.is_empty() || self.hotkeys.contains(hotkey)
    }

    /// "HOST does it until TIME", as others see it, who allow for `skew` between clocks.
    pub fn says(&self, skew: Duration) -> String {
        format!("{} does it until {}", self.shown_host(), self.until(skew))
    }

    /// From when on others may do it, unless it is renewed.
    pub fn until(&self, skew: Duration) -> String {
        let expires = self.expires.at();
        time(expires.checked_add_signed(skew).unwrap_or(expires))
    }
}

/// All announced steps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLeases {
    /// The announcements.
    pub leases: Vec<StepLease>,
}

impl StepLeases {
    /// Reads them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(bytes: &[u8]) -> Result<StepLeases, String> {
        let read: StepLeases = parse_json(bytes).map_err(|why| why.to_string())?;
        if read.leases.len() > MOST { Err(format!("more than {MOST} leases")) } else { Ok(read) }
    }

    /// The bytes to keep; `None` if there is nothing to say.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        (!self.leases.is_empty()).then(|| to_json(self))
    }

    /// Can every host read them? If not, what is too much.
    pub fn fits(&self) -> Result<(), String> {
        if self.leases.len() > MOST {
            return Err(format!("more than {MOST} leases"));
        }
        let size = self.bytes().map_or(0, |bytes| bytes.len() as u64);
        if size > LARGEST { Err(format!("{size} bytes of leases, of at most {LARGEST}")) } else { Ok(()) }
    }

    /// Those that hold now.
    pub fn held(&self, now: DateTime<Utc>, skew: Duration) -> StepLeases {
        let held = self.leases.iter().filter(|lease| lease.holds(now, skew));
        StepLeases { leases: held.cloned().collect() }
    }

    /// Those of a step of a round.
    pub fn of(&self, command: &str, round: RoundNumber) -> impl Iterator<Item = &StepLease> {
        self.leases.iter().filter(move |lease| lease.is_of(command, round))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn lease(hotkeys: &[&str]) -> StepLease {
        StepLease {
            host: "a\u{202e}b\n".to_owned(),
            run: "r".to_owned(),
            command: "audit".to_owned(),
            round: RoundNumber(3),
            hotkeys: hotkeys.iter().map(|hotkey| hotkey.parse().unwrap()).collect(),
            taken: Timestamp::from(at("2026-03-01T08:00:00Z")),
            expires: Timestamp::from(at("2026-03-01T08:15:00Z")),
        }
    }

    #[test]
    fn it_holds_until_it_expires_and_for_the_skew_of_clocks() {
        let (one, skew) = (lease(&[]), Duration::seconds(120));
        assert!(one.holds(at("2026-03-01T08:16:59Z"), skew) && !one.holds(at("2026-03-01T08:17:00Z"), skew));
        assert!(one.is_of("audit", RoundNumber(3)) && !one.is_of("audit", RoundNumber(4)));
        assert_eq!(one.says(skew), "a\\u{202e}b  does it until 2026-03-01 08:17:00 UTC", "by then it holds no more");
        let all = StepLeases { leases: vec![one] };
        assert_eq!(StepLeases::parse(&all.bytes().unwrap()).unwrap(), all);
        assert_eq!(all.held(at("2026-03-02T08:00:00Z"), skew).bytes(), None);
    }

    #[test]
    fn one_that_no_host_could_have_announced_does_not_hold() {
        let (now, skew) = (at("2026-03-01T08:00:00Z"), Duration::seconds(120));
        let until = |taken: &str, expires: &str| {
            let (taken, expires) = (Timestamp::from(at(taken)), Timestamp::from(at(expires)));
            StepLease { taken, expires, ..lease(&[]) }.holds(now, skew)
        };
        assert!(until("2026-03-01T08:02:00Z", "2026-03-02T08:02:00Z"));
        // Renewed for days.
        assert!(until("2026-02-20T08:00:00Z", "2026-03-01T08:15:00Z"));
        assert!(!until("2026-03-01T08:00:00Z", "2026-03-02T08:02:01Z"));
        assert!(!until("2026-03-01T08:02:01Z", "2026-03-01T08:15:00Z"));
        assert!(!until("2026-03-01T08:00:00Z", "9999-12-31T00:00:00Z"));
    }

    #[test]
    fn it_covers_its_miners_or_the_whole_step() {
        let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        let other: Hotkey = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty".parse().unwrap();
        assert!(lease(&[hotkey]).covers(&hotkey.parse().unwrap()) && !lease(&[hotkey]).covers(&other));
        assert!(lease(&[]).covers(&other));
    }

    #[test]
    fn a_damaged_or_endless_list_is_refused() {
        assert!(StepLeases::parse(b"x").is_err() && StepLeases::parse(b"{\"leases\": [{}]}").is_err());
        let many = StepLeases { leases: vec![lease(&[]); MOST + 1] };
        assert!(StepLeases::parse(&many.bytes().unwrap()).unwrap_err().contains("more than 64"));
        assert!(many.fits().unwrap_err().contains("more than 64"));
        let most = StepLeases { leases: vec![lease(&[]); MOST] };
        assert_eq!(most.fits(), Ok(()));
        let hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        let large = StepLeases { leases: vec![lease(&[hotkey; 8000])] };
        assert!(large.fits().unwrap_err().contains("bytes of leases"));
    }
}
