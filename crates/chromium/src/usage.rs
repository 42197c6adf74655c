//! What a process group uses, read from /proc.

use std::fs;
use std::time::Duration;

/// Clock ticks of /proc/PID/stat, a second: fixed in what Linux shows to programs.
const TICKS: u64 = 100;

/// The processes are looked for anew each so many looks.
const LOOKS: u32 = 10;

/// A process group that is watched.
#[derive(Debug)]
pub(crate) struct Group {
    id: i32,
    members: Vec<Member>,
    looks: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    pid: i32,
    draws_pages: bool,
}

/// What a group uses at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Memory shared with no file, in bytes.
    pub memory: u64,
    /// CPU time of all living processes.
    pub cpu: Duration,
    /// CPU time of the main thread of each process that runs pages, by process.
    pub pages: Vec<(i32, Duration)>,
}

impl Group {
    pub(crate) fn new(id: i32) -> Self {
        Group { id, members: Vec::new(), looks: 0 }
    }

    /// Looks for its processes anew at the next look.
    pub(crate) fn renew(&mut self) {
        self.looks = 0;
    }

    /// What it uses now. A process that ends meanwhile is left out.
    pub(crate) fn used(&mut self) -> Used {
        if self.looks == 0 {
            self.members = members(self.id);
            self.looks = LOOKS;
        }
        self.looks -= 1;
        let mut used = Used::default();
        for member in &self.members {
            let pid = member.pid;
            used.memory += memory(pid).unwrap_or_default();
            used.cpu += cpu(&format!("/proc/{pid}/stat")).unwrap_or_default();
            if member.draws_pages
                && let Some(cpu) = cpu(&format!("/proc/{pid}/task/{pid}/stat"))
            {
                used.pages.push((pid, cpu));
            }
        }
        used
    }
}

impl Used {
    /// The most CPU time that the main thread of one page took since `before`.
    pub(crate) fn busiest_page_since(&self, before: &Used) -> Duration {
        let since = |&(pid, now): &(i32, Duration)| {
            let then = before.pages.iter().find(|(other, _)| *other == pid).map_or(Duration::ZERO, |(_, then)| *then);
            now.saturating_sub(then)
        };
        self.pages.iter().map(since).max().unwrap_or_default()
    }
}

/// The living processes of a group.
fn members(group: i32) -> Vec<Member> {
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut members: Vec<Member> = pids
        .filter(|pid| {
            // State and group are the first and third word after the name.
            let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let mut words = after_name(&text);
            words.next().is_some_and(|state| state != "Z") && words.nth(1).and_then(|w| w.parse().ok()) == Some(group)
        })
        .map(|pid| {
            // Chromium's children write their command line as one word.
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            let mut words = line.split(['\0', ' ']);
            Member { pid, draws_pages: words.any(|word| word == "--type=renderer") }
        })
        .collect();
    members.sort_unstable_by_key(|member| member.pid);
    members
}

/// Are processes of this group alive?
#[must_use]
pub fn is_alive(group: i32) -> bool {
    !members(group).is_empty()
}

/// The words of a stat file after the name, which may hold spaces and brackets.
fn after_name(stat: &str) -> std::str::SplitWhitespace<'_> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace()
}

fn cpu(stat: &str) -> Option<Duration> {
    let text = fs::read_to_string(stat).ok()?;
    // Time in user and kernel mode: words 14 and 15, and the state is word 3.
    let mut words = after_name(&text).skip(11).map(str::parse::<u64>);
    let ticks = words.next()?.ok()?.saturating_add(words.next()?.ok()?);
    Some(Duration::from_millis(ticks.saturating_mul(1000 / TICKS)))
}

fn memory(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = |line: &str| {
        let rest = line.strip_prefix("RssAnon:").or_else(|| line.strip_prefix("RssShmem:"))?;
        rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    Some(text.lines().filter_map(kib).fold(0, u64::saturating_add).saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_time() {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let group: i32 = after_name(&stat).nth(2).unwrap().parse().unwrap();
        let mut watched = Group::new(group);
        let before = watched.used();
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(300) {}
        let after = watched.used();
        assert!(before.memory > 1 << 20 && after.cpu > before.cpu, "{before:?} {after:?}");
        assert_eq!(after.busiest_page_since(&before), Duration::ZERO);
    }

    #[test]
    fn the_busiest_page_is_measured_from_before_it() {
        let at = |ms: &[(i32, u64)]| Used {
            pages: ms.iter().map(|(pid, ms)| (*pid, Duration::from_millis(*ms))).collect(),
            ..Used::default()
        };
        assert_eq!(at(&[(1, 900), (2, 500)]).busiest_page_since(&at(&[(1, 800)])), Duration::from_millis(500));
        assert_eq!(at(&[]).busiest_page_since(&at(&[(1, 800)])), Duration::ZERO);
    }

    #[test]
    fn a_name_with_brackets_is_no_word() {
        assert_eq!(after_name("7 (a) b (c) S 1 42 42").nth(2), Some("42"));
    }
}
