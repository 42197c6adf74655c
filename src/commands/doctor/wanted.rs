//! Which services are needed, by the table of stages.

use crate::cli::DoctorArgs;
use crate::model::stage::Stage;
use crate::rules::stage_table::{self, Service, asks, commands, commands_of};

/// When something is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// By the stage that is asked about, or the current one.
    Now,
    /// From this stage of a round on.
    From(Stage),
    /// Not at all.
    No,
}

/// What is looked at.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// The commands that count.
    now: Vec<&'static str>,
    /// Is only what they need looked at?
    narrow: bool,
    skip: Vec<String>,
    over: bool,
}

impl Scope {
    /// What flags ask for in a round's stage, if that is known.
    pub(super) fn of(args: &DoctorArgs, stage: Option<Stage>) -> Scope {
        let named = args.stage.as_deref();
        let asked = named.and_then(|name| Stage::ALL.into_iter().find(|stage| stage.as_str() == name));
        let of_name = || commands().into_iter().filter(|command| Some(*command) == named).collect();
        let now = match (named, asked.or(stage.filter(|_| named.is_none()))) {
            (_, Some(stage)) => commands_of(stage),
            (_, None) => of_name(),
        };
        let over = named.is_none() && stage == Some(Stage::Finished);
        Scope { now, narrow: named.is_some(), skip: args.skip.clone(), over }
    }

    fn runs(&self, command: &str) -> bool {
        !self.skip.iter().any(|skipped| skipped == command)
    }

    /// Is a command's own work looked at?
    pub(super) fn has(&self, command: &str) -> bool {
        self.runs(command) && !self.over && (!self.narrow || self.now.contains(&command))
    }

    /// When a service is needed.
    pub(super) fn when(&self, service: Service) -> Wanted {
        self.when_run(|command| asks(command).contains(&service))
    }

    /// When the first of these commands is run.
    pub(super) fn when_run(&self, of_these: impl Fn(&'static str) -> bool) -> Wanted {
        let needed = |command: &&'static str| self.runs(command) && of_these(command);
        if self.now.iter().any(&needed) {
            return Wanted::Now;
        }
        if self.narrow || self.over {
            return Wanted::No;
        }
        let stages = Stage::ALL.into_iter().filter(|stage| stage_table::row(*stage).is_of_a_round());
        let mut later = stages.filter(|stage| commands_of(*stage).iter().any(&needed));
        later.next().map_or(Wanted::No, Wanted::From)
    }

    /// Is something looked at that is configured, but not needed now?
    pub(super) fn is_wide(&self) -> bool {
        !self.narrow && self.skip.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(stage: Option<&str>, skip: &[&str], current: Stage) -> Scope {
        let skip = skip.iter().map(|name| (*name).to_owned()).collect();
        Scope::of(&DoctorArgs { stage: stage.map(str::to_owned), skip, ..DoctorArgs::default() }, Some(current))
    }

    #[test]
    fn needs_follow_the_table_of_stages() {
        let when = |scope: &Scope| Service::ALL.map(|service| scope.when(service));
        let (now, no) = (Wanted::Now, Wanted::No);
        let later = |stage| Wanted::From(stage);
        let open = scope(None, &[], Stage::Open);
        let generation = later(Stage::MinerGeneration);
        let duels = later(Stage::Duels);
        assert_eq!(when(&open), [now, now, generation, generation, generation, duels, duels]);
        assert!(open.has("reveal-seed") && open.has("duel"));
        assert_eq!(when(&scope(Some("duels"), &[], Stage::Open)), [no, no, now, now, now, now, now]);
        assert_eq!(when(&scope(Some("duel"), &[], Stage::Open)), [no, no, no, no, no, now, no]);
        assert_eq!(when(&scope(Some("audit"), &[], Stage::Paused)), [no, no, no, now, now, no, now]);
        let without = scope(None, &["audit", "baseline"], Stage::Duels);
        assert_eq!(without.when(Service::Distance), no);
        assert_eq!(without.when(Service::Store), generation);
        assert_eq!(when(&scope(None, &[], Stage::Finished)), [no; 7]);
    }
}
