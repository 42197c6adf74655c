//! One player's pod pool: how many pods there are, when to order another, when to give up.

use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, unbounded};

use super::attempt::{catch_up, fetch_prompts};
use super::pod::{Pod, PodExit};
use super::prompt_queue::PromptQueue;
use super::{RegenerationJob, RegenerationRun};
use crate::base::error::{Error, Result};
use crate::base::text::counted;
use crate::rules::regeneration::Progress;
use crate::settings::audit::AuditSettings;
use crate::world::pods::lease::Keeper;

/// How often the pool checks whether to order another pod or to end.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// An event reported by a pod.
enum PodEvent {
    Ready,
    End(PodExit),
}

/// The pods of a player.
#[derive(Debug, Default)]
struct PodPool {
    alive: usize,
    /// Orders placed, without those refused for lack of capacity.
    had: usize,
    /// The number of the next order.
    number: usize,
    /// At least one pod became ready.
    ready: bool,
    /// No pod is ordered before this time.
    next_order: Option<Instant>,
    /// Since when there has been no capacity, and why.
    without: Option<(Instant, String)>,
    trouble: Option<Error>,
}

/// Generates a player's outputs as far as possible. Fails with what stopped it.
pub(crate) fn run(run: &RegenerationRun<'_>, job: &RegenerationJob, queue: &PromptQueue) -> Result<()> {
    catch_up(run, job, queue)?;
    if !queue.has_work() {
        return Ok(());
    }
    fetch_prompts(run, &queue.look(Progress::open))?;
    let report = |error: &Error| run.ui.error_line(&error.to_string());
    let keeper = Keeper::new(run.provider.as_ref(), &run.own, &report).metered(&run.meter);
    for name in keeper.sweep(run.round, &job.player)? {
        run.ui.status(&format!("released pod {name}, left by an earlier run"));
    }
    let mut pool = PodPool::default();
    let (say, heard) = unbounded();
    std::thread::scope(|scope| {
        loop {
            if pool.wants_another(run, queue) {
                pool.order(run);
                let pod = Pod { run, job, queue, keeper: &keeper, number: pool.number };
                let say: Sender<PodEvent> = say.clone();
                scope.spawn(move || {
                    let end = pod.run(|| drop(say.send(PodEvent::Ready)));
                    // Cannot fail: the pool outlives its pods.
                    let _ = say.send(PodEvent::End(end));
                });
            }
            if pool.alive == 0 && !pool.will_order(run, queue) {
                return;
            }
            if let Ok(said) = heard.recv_timeout(LOOK_AGAIN) {
                pool.hear(run, job, said);
            }
        }
    });
    pool.conclude(run, job, queue)
}

impl PodPool {
    /// May another pod be ordered, now or later?
    fn will_order(&self, run: &RegenerationRun<'_>, queue: &PromptQueue) -> bool {
        let patience = AuditSettings::time(run.settings.capacity_seconds);
        let waited = self.without.as_ref().is_none_or(|(since, _)| since.elapsed() <= patience);
        let room = self.had < run.settings.most_pods;
        self.trouble.is_none() && room && waited && !run.is_stopping() && queue.has_work()
    }

    fn wants_another(&self, run: &RegenerationRun<'_>, queue: &PromptQueue) -> bool {
        // Until one pod is ready, the image may not run at all: rent only a few to find out.
        let most = if self.ready { run.settings.pods } else { run.settings.first_pods };
        let due = self.next_order.is_none_or(|at| Instant::now() >= at);
        due && self.alive < most.min(queue.open_prompts()) && self.will_order(run, queue)
    }

    fn order(&mut self, run: &RegenerationRun<'_>) {
        self.alive += 1;
        self.had += 1;
        self.number += 1;
        self.next_order = Some(Instant::now() + AuditSettings::time(run.settings.order_seconds));
    }

    fn hear(&mut self, run: &RegenerationRun<'_>, job: &RegenerationJob, said: PodEvent) {
        let PodEvent::End(end) = said else {
            (self.ready, self.without) = (true, None);
            return;
        };
        self.alive = self.alive.saturating_sub(1);
        let player = &job.player;
        match end {
            PodExit::Done => {}
            PodExit::Bad => run.ui.status(&format!("{player}: gave up on a pod: it failed too often or was too slow")),
            PodExit::Lost(why) => run.ui.status(&format!("{player}: lost a pod: {why}")),
            PodExit::NeverReady(why) => run.ui.status(&format!("{player}: a pod did not become ready: {why}")),
            PodExit::NoCapacity(why) => {
                self.had = self.had.saturating_sub(1);
                let pause = AuditSettings::time(run.settings.poll_seconds.max(run.settings.order_seconds));
                self.next_order = Some(Instant::now() + pause);
                let since = self.without.take().map_or_else(Instant::now, |(since, _)| since);
                self.without = Some((since, why));
            }
            PodExit::Trouble(error) => {
                self.trouble.get_or_insert(error);
            }
        }
    }

    fn conclude(self, run: &RegenerationRun<'_>, job: &RegenerationJob, queue: &PromptQueue) -> Result<()> {
        if !queue.has_work() && self.trouble.is_none() {
            return Ok(());
        }
        if let Some(error) = self.trouble {
            return if queue.open_prompts() == 0 { Ok(()) } else { Err(error) };
        }
        run.check()?;
        if self.had < run.settings.most_pods {
            let why = self.without.map(|(_, why)| why).unwrap_or_default();
            let seconds = run.settings.capacity_seconds;
            return Err(Error::outside(format!("{}: no pod for {seconds:.0} s: {why}", job.player)));
        }
        run.ui.status(&format!("{}: {} used up", job.player, counted(self.had, "pod is", "pods are")));
        queue.exhaust();
        Ok(())
    }
}
