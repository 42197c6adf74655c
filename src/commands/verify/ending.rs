//! The end of `verify`: what concerns the history as a whole, what is remembered, receipts, and the result.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{conclude, no_history, of_round};
use crate::base::error::{Error, Kind, Result};
use crate::base::files::{self, Readers};
use crate::base::text::counted;
use crate::cli::VerifyArgs;
use crate::engine::context::Context;
use crate::engine::verification::continuity::{self, Asked, Lineage, Verified};
use crate::engine::verification::receipt::{self, Differences, Receipt, Scope};
use crate::engine::verification::signing;
use crate::model::format::detect::Detected;
use crate::model::signing::Signers;
use crate::rules::certainty::rounds::Sureness;
use crate::rules::checks::in_force::InForce;
use crate::rules::checks::{Finding, Sink, continues, signed};
use crate::ui::Report;
use crate::world::git::Git;

/// What is asked for at the end, read before the work begins.
pub(super) struct Ending {
    /// The flags; with a receipt to compare with, those that it was made with.
    pub(super) args: VerifyArgs,
    quiet: bool,
    signers: Option<Signers>,
    recorded: Option<Receipt>,
}

/// What was judged.
pub(super) struct Judged<'a> {
    pub(super) detected: &'a Detected,
    pub(super) rules: &'a InForce,
    /// The commits of what is checked out.
    pub(super) lineage: Lineage,
    /// With `--from`, the part of them that was judged.
    pub(super) ended: Option<PastEra>,
    /// How sure the results are, if anyone will see it.
    pub(super) sureness: Option<&'a Sureness>,
}

/// What comes of a receipt, told after everything else.
struct ReceiptOutcome {
    /// The digest of this run's receipt.
    sum: String,
    /// The receipt that was compared with, and where they differ.
    compared: Option<(PathBuf, Differences)>,
}

/// The commits of a competition that may have ended.
pub(super) struct PastEra {
    /// The first one that was judged.
    pub(super) from: String,
    /// The last one of the competition.
    pub(super) last: String,
}

impl Ending {
    /// Reads the files that the flags name.
    ///
    /// # Errors
    /// One of them cannot be read, or what is asked for needs a history and there is none.
    pub(super) fn of(context: &Context<'_>, quiet: bool, args: &VerifyArgs) -> Result<Ending> {
        let mut args = args.clone();
        let past = &args.past;
        let needs_history =
            [past.expect.is_some(), past.signers.is_some(), past.receipt.is_some(), past.check_receipt.is_some()];
        if needs_history.contains(&true) && context.git.is_none() {
            return Err(no_history(context));
        }
        let signers = past.signers.as_ref().map(|list| signing::signers(list, past.revoked.as_deref())).transpose()?;
        let recorded = past.check_receipt.as_deref().map(Receipt::read).transpose()?;
        if let Some(path) = past.receipt.as_deref() {
            replaces_only_a_receipt(path)?;
        }
        if let Some(flags) = recorded.as_ref().map(Receipt::flags) {
            args.history |= flags.history;
            args.round = args.round.or(flags.round);
            args.from = args.from.or(flags.from);
        }
        Ok(Ending { args, quiet, signers, recorded })
    }

    /// Checks what is left, remembers the head, writes or compares a receipt, and reports the findings.
    ///
    /// # Errors
    /// The history or a file cannot be read, or the receipt cannot be written.
    pub(super) fn end(
        &self,
        context: &Context<'_>,
        judged: &Judged<'_>,
        mut sink: Sink,
        report: &mut Report,
    ) -> Result<()> {
        let verified = match &context.git {
            Some(git) => self.history(context, git, judged, &mut sink)?,
            None => None,
        };
        let findings = of_round(&self.args, sink.finish());
        let outcome = match &context.git {
            Some(git) => self.receipts(context, git, (judged, &findings), report)?,
            None => None,
        };
        if let Some(verified) = verified.filter(|_| !context.options.dry_run)
            && let Err(error) = verified.remember()
        {
            context.ui.warn_once(&format!("the head that was verified is not remembered: {error}"));
        }
        let unjudged = !self.args.history && judged.ended.is_none() && judged.lineage.head().is_some();
        conclude((self.quiet, unjudged), context.ui, judged, &findings, report);
        if let Some(outcome) = outcome {
            self.tell(&outcome, report);
        }
        Ok(())
    }

    /// Are private hosts accepted because the reader's own settings say so? Not for a receipt: it says what anybody finds.
    pub(super) fn allows_private_cdn(&self, context: &Context<'_>) -> bool {
        let own = context.config.miners.allow_private_cdn;
        let of_anybody = self.args.past.receipt.is_some() || self.recorded.is_some();
        if own && of_anybody {
            context.ui.warn_once(
                "allow_private_cdn of your own settings is not followed: a receipt says what anybody finds without them",
            );
        }
        own && !of_anybody
    }

    /// The claims on the history as a whole; and the head to remember.
    fn history<'a>(
        &self,
        context: &Context<'_>,
        git: &'a Git,
        judged: &Judged<'_>,
        sink: &mut Sink,
    ) -> Result<Option<Verified<'a>>> {
        let past = &self.args.past;
        let (heads, expect, accept, history) =
            (past.heads.as_deref(), past.expect.as_deref(), past.accept_rewrite, self.args.history);
        let asked = Asked { heads, expect, accept, history };
        let Some((known, verified)) = continuity::gather(git, &judged.lineage, asked)? else {
            let asks = expect.is_some() || self.signers.is_some();
            return if asks { Err(Error::failed("the history has no commits")) } else { Ok(None) };
        };
        continues::check(&known, sink);
        if let Some((list, signers)) = past.signers.as_deref().zip(self.signers.as_ref()) {
            let from = judged.ended.as_ref().map(|ended| ended.from.as_str());
            signed::check(&signing::gather(context, git, (list, signers), from)?, sink);
        }
        // A competition that ended is not what is checked out.
        let whole = judged.ended.as_ref().is_none_or(|ended| judged.lineage.head() == Some(&ended.last));
        Ok(verified.filter(|_| whole))
    }

    fn receipts(
        &self,
        context: &Context<'_>,
        git: &Git,
        (judged, findings): (&Judged<'_>, &[Finding]),
        report: &mut Report,
    ) -> Result<Option<ReceiptOutcome>> {
        let past = &self.args.past;
        if past.receipt.is_none() && self.recorded.is_none() {
            return Ok(None);
        }
        let last = judged.ended.as_ref().map(|ended| ended.last.as_str());
        let commit = last.or(judged.lineage.head()).ok_or_else(|| Error::failed("the history has no commits"))?;
        let changed = judged.lineage.uncommitted;
        if last.is_none() && changed > 0 {
            let files = counted(changed, "file differs", "files differ");
            let dirty = Error::failed(format!("a receipt is of commit {commit}, but {files} from it"));
            return Err(dirty.hint("commit the changes, or git stash"));
        }
        let now = Receipt::of(git, commit, &self.scope(judged), (judged.detected, judged.rules), findings)?;
        let bytes = now.bytes()?;
        let sum = receipt::digest(&bytes);
        if let Some(path) = &past.receipt {
            if !context.options.dry_run {
                files::write(path, &bytes, Readers::All)?;
            }
            report.note_files([path.display().to_string()]);
        }
        let compared = past.check_receipt.clone().zip(self.recorded.as_ref());
        let compared = compared.map(|(path, recorded)| (path, now.differences(recorded)));
        Ok(Some(ReceiptOutcome { sum, compared }))
    }

    /// Says where the receipts differ, and whether they do.
    fn tell(&self, ReceiptOutcome { sum, compared }: &ReceiptOutcome, report: &mut Report) {
        let lines = compared.as_ref().map(|(_, differences)| &differences.lines);
        report.detail(json!({ "receipt": { "sha256": sum, "differences": lines } }));
        let Some((path, Differences { lines, count })) = compared else { return };
        let path = path.display();
        for line in lines {
            report.say_marked("31;1", "fail", format!("  {path}: {line}"));
        }
        if *count > 0 {
            let count = counted(*count, "difference", "differences");
            report.say(format!("{path}: the receipt does not agree: {count}"));
            report.fails(Kind::Failed);
        } else if !self.quiet {
            report.say(format!("{path}: the receipt agrees"));
        }
    }

    fn scope(&self, judged: &Judged<'_>) -> Scope {
        let (signers, ids) = (self.signers.as_ref(), &judged.lineage.ids);
        // Later commits do not change what is said of a competition that ended.
        let last = judged.ended.as_ref().and_then(|ended| ids.iter().position(|id| *id == ended.last));
        Scope {
            chain: self.args.chain,
            commits: last.map_or(ids.len(), |last| last + 1),
            from: judged.ended.as_ref().map(|ended| ended.from.clone()),
            history: self.args.history,
            objects: self.args.objects,
            revoked: signers.and_then(|signers| signers.revoked.as_deref()).map(receipt::digest),
            round: self.args.round,
            shallow: judged.lineage.shallow.is_some(),
            signers: signers.map(|signers| receipt::digest(&signers.bytes)),
        }
    }
}

/// Refuses to write a receipt in place of another file.
fn replaces_only_a_receipt(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_err() || Receipt::read(path).is_ok() {
        return Ok(());
    }
    let other = Error::usage(format!("--receipt {}: there is another file, which is not replaced", path.display()));
    Err(other.hint("name a new file, or a receipt of before"))
}
