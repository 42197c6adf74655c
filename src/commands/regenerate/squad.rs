//! One player's pods: how many there are, when one more is ordered, when all hope is gone.

use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use super::attempt::{catch_up, fetch_prompts};
use super::board::Board;
use super::pod::{End, Pod};
use super::{Job, Workshop};
use crate::error::{Error, Result};
use crate::rules::regeneration::Progress;
use crate::world::pods::lease::Keeper;
use crate::world::regeneration::AuditSettings;

/// How long somebody waits before looking again whether all is to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What a pod says of itself.
enum Said {
    Ready,
    End(End),
}

/// The pods of a player.
#[derive(Debug, Default)]
struct Squad {
    alive: usize,
    /// Pods that were ordered and given to us.
    had: usize,
    /// The number of the next order.
    number: usize,
    /// One of them became ready.
    ready: bool,
    /// Not before this is another ordered.
    next_order: Option<Instant>,
    /// Since when there is no capacity, and why.
    without: Option<(Instant, String)>,
    trouble: Option<Error>,
}

/// Makes a player's outputs as far as it goes; what was in the way, where something was.
pub(super) fn run(shop: &Workshop<'_>, job: &Job, board: &Board) -> Result<()> {
    catch_up(shop, job, board)?;
    if !board.has_work() {
        return Ok(());
    }
    fetch_prompts(shop, &board.look(Progress::open))?;
    let report = |error: &Error| shop.ui.error_line(&error.to_string());
    let keeper = Keeper::new(shop.provider.as_ref(), &shop.own, &report);
    for name in keeper.sweep(shop.round, &job.player)? {
        shop.ui.status(&format!("released pod {name}, which an earlier run had left"));
    }
    let mut squad = Squad::default();
    let (say, heard) = channel();
    std::thread::scope(|scope| {
        loop {
            if squad.wants_another(shop, board) {
                squad.order(shop);
                let pod = Pod { shop, job, board, keeper: &keeper, number: squad.number };
                let say: Sender<Said> = say.clone();
                scope.spawn(move || {
                    let end = pod.run(|| drop(say.send(Said::Ready)));
                    // The squad outlives its pods.
                    let _ = say.send(Said::End(end));
                });
            }
            if squad.alive == 0 && !squad.will_order(shop, board) {
                return;
            }
            if let Ok(said) = heard.recv_timeout(LOOK_AGAIN) {
                squad.hear(shop, job, said);
            }
        }
    });
    squad.conclude(shop, job, board)
}

impl Squad {
    /// May another be ordered, now or later?
    fn will_order(&self, shop: &Workshop<'_>, board: &Board) -> bool {
        let patience = AuditSettings::time(shop.settings.capacity_seconds);
        let waited = self.without.as_ref().is_none_or(|(since, _)| since.elapsed() <= patience);
        let room = self.had < shop.settings.most_pods;
        self.trouble.is_none() && room && waited && !shop.is_stopping() && board.has_work()
    }

    fn wants_another(&self, shop: &Workshop<'_>, board: &Board) -> bool {
        let most = if self.ready { shop.settings.pods } else { shop.settings.first_pods };
        let due = self.next_order.is_none_or(|at| Instant::now() >= at);
        due && self.alive < most.min(board.open_prompts()) && self.will_order(shop, board)
    }

    fn order(&mut self, shop: &Workshop<'_>) {
        self.alive += 1;
        self.had += 1;
        self.number += 1;
        self.next_order = Some(Instant::now() + AuditSettings::time(shop.settings.order_seconds));
    }

    fn hear(&mut self, shop: &Workshop<'_>, job: &Job, said: Said) {
        let Said::End(end) = said else {
            (self.ready, self.without) = (true, None);
            return;
        };
        self.alive = self.alive.saturating_sub(1);
        let player = &job.player;
        match end {
            End::Done => {}
            End::Bad => shop.ui.status(&format!("{player}: a pod is given up: it fails too often or is too slow")),
            End::Lost(why) => shop.ui.status(&format!("{player}: a pod is lost: {why}")),
            End::NeverReady(why) => shop.ui.status(&format!("{player}: a pod did not become ready: {why}")),
            End::NoCapacity(why) => {
                self.had = self.had.saturating_sub(1);
                let pause = AuditSettings::time(shop.settings.poll_seconds.max(shop.settings.order_seconds));
                self.next_order = Some(Instant::now() + pause);
                let since = self.without.take().map_or_else(Instant::now, |(since, _)| since);
                self.without = Some((since, why));
            }
            End::Trouble(error) => {
                self.trouble.get_or_insert(error);
            }
        }
    }

    fn conclude(self, shop: &Workshop<'_>, job: &Job, board: &Board) -> Result<()> {
        if !board.has_work() && self.trouble.is_none() {
            return Ok(());
        }
        if let Some(error) = self.trouble {
            return if board.open_prompts() == 0 { Ok(()) } else { Err(error) };
        }
        shop.check()?;
        if self.had < shop.settings.most_pods {
            let why = self.without.map(|(_, why)| why).unwrap_or_default();
            let seconds = shop.settings.capacity_seconds;
            return Err(Error::outside(format!("{}: no pod for {seconds:.0} s: {why}", job.player)));
        }
        shop.ui.status(&format!("{}: {} pods are used up", job.player, self.had));
        board.exhaust();
        Ok(())
    }
}
