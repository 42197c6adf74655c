//! `gen404 render`: draws previews of model files, several in parallel.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use serde_json::{Value, json};

use crate::base::error::{Context as _, Error, Kind, Result};
use crate::base::files;
use crate::cli::{Global, RenderArgs};
use crate::model::format::Format;
use crate::ui::{Report, Ui};
use crate::world::render;
use crate::world::render::{Renderer, Rendering};
use crate::world::usage::Meter;

/// A model, and where its preview goes.
struct RenderJob {
    model: PathBuf,
    png: PathBuf,
}

/// A job's outcome.
enum RenderOutcome {
    Drawn { bytes: usize },
    Refused { code: String, place: String, message: String },
    Failed(Error),
}

pub(super) fn run(global: &Global, ui: &Ui, args: &RenderArgs, report: &mut Report) -> Result<()> {
    let jobs = jobs(args)?;
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let beside = jobs.len().clamp(1, cores.get());
    let inner = NonZeroUsize::new(cores.get() / beside).unwrap_or(NonZeroUsize::MIN);
    // These files belong to no competition, so the default format applies.
    let format = Format::default().model();
    let renderer = render::open(
        format,
        args.service.as_deref().filter(|url| !url.is_empty()),
        args.size,
        inner,
        &Meter::default(),
    )?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(beside).build().failed(|| "cannot start threads".into())?;
    let bar = ui.bar("rendering", jobs.len() as u64);
    let outcomes: Vec<RenderOutcome> = pool.install(|| {
        let one = |job: &RenderJob| {
            let outcome = draw(renderer.as_ref(), job, global.dry_run);
            bar.advance(1);
            outcome
        };
        jobs.par_iter().with_max_len(1).map(one).collect()
    });
    drop(bar);
    say(ui, &jobs, &outcomes, report);
    Ok(())
}

/// Where each preview goes: beside its model, into the folder given, or for one model to the file given.
fn jobs(args: &RenderArgs) -> Result<Vec<RenderJob>> {
    let folder = args.out.as_deref().filter(|out| args.files.len() > 1 || out.is_dir());
    if let Some(folder) = folder
        && folder.exists()
        && !folder.is_dir()
    {
        return Err(Error::usage(format!("{}: must be a folder for more than one model", folder.display())));
    }
    let mut targets = BTreeMap::new();
    let mut jobs = Vec::with_capacity(args.files.len());
    for model in &args.files {
        let png = match (&args.out, folder) {
            (_, Some(folder)) => folder.join(model.with_extension("png").file_name().unwrap_or_default()),
            (Some(file), None) => file.clone(),
            (None, None) => model.with_extension("png"),
        };
        if png == *model {
            return Err(Error::usage(format!("{}: the preview would replace the model", model.display())));
        }
        if let Some(other) = targets.insert(png.clone(), model) {
            let (a, b) = (other.display(), model.display());
            return Err(Error::usage(format!("{}: would hold the previews of {a} and {b}", png.display())));
        }
        jobs.push(RenderJob { model: model.clone(), png });
    }
    Ok(jobs)
}

fn draw(renderer: &dyn Renderer, job: &RenderJob, dry_run: bool) -> RenderOutcome {
    let drawn = || -> Result<RenderOutcome> {
        let found = std::fs::metadata(&job.model).map_err(|error| {
            let kind = if error.kind() == ErrorKind::NotFound { Kind::Usage } else { Kind::Failed };
            Error::new(kind, format!("{}: cannot read", job.model.display())).because(error)
        })?;
        if found.is_dir() {
            return Err(Error::file(&job.model, "a folder: name the models in it"));
        }
        let size = found.len();
        let rendering = match renderer.refuses(size) {
            Some(refused) => refused,
            None => renderer.render(&files::need(&job.model, files::MODEL)?)?,
        };
        Ok(match rendering {
            Rendering::Png(png) => {
                if !dry_run {
                    files::write(&job.png, &png, files::Readers::All)?;
                }
                RenderOutcome::Drawn { bytes: png.len() }
            }
            Rendering::Refused { code, place, message } => {
                let code = code.unwrap_or_else(|| renderer.name().to_owned());
                RenderOutcome::Refused { code, place: place.unwrap_or_else(|| "the model".to_owned()), message }
            }
        })
    };
    drawn().unwrap_or_else(RenderOutcome::Failed)
}

/// Reports each model's outcome.
fn say(ui: &Ui, jobs: &[RenderJob], outcomes: &[RenderOutcome], report: &mut Report) {
    let pairs = || jobs.iter().zip(outcomes);
    let drawn = outcomes.iter().filter(|o| matches!(o, RenderOutcome::Drawn { .. })).count();
    let previews: Vec<Value> = pairs().map(|(job, outcome)| entry(job, outcome)).collect();
    report.detail(json!({
        "previews": previews,
        "summary": { "drawn": drawn, "refused_or_failed": outcomes.len() - drawn },
    }));
    for (job, outcome) in pairs() {
        match outcome {
            RenderOutcome::Drawn { .. } => {
                let png = job.png.display().to_string();
                report.say(if report.dry_run { format!("would write {png}") } else { png.clone() });
                report.note_files([png]);
            }
            RenderOutcome::Refused { code, place, message } => {
                ui.error_line(&format!("{}: {place}: {message} ({code})", job.model.display()));
                report.fails(Kind::Failed);
            }
            RenderOutcome::Failed(error) => {
                let causes: Vec<String> = error.causes().iter().map(|cause| format!(": {cause}")).collect();
                ui.error_line(&format!("{error}{}", causes.concat()));
                report.fails(error.kind());
            }
        }
    }
    report.has_told_files();
}

fn entry(job: &RenderJob, outcome: &RenderOutcome) -> Value {
    let model = job.model.display().to_string();
    match outcome {
        RenderOutcome::Drawn { bytes } => {
            json!({ "model": model, "png": job.png.display().to_string(), "bytes": bytes })
        }
        RenderOutcome::Refused { code, place, message } => {
            json!({ "model": model, "png": null, "refusal": { "code": code, "place": place, "message": message } })
        }
        RenderOutcome::Failed(error) => json!({ "model": model, "png": null, "error": error.to_string() }),
    }
}
