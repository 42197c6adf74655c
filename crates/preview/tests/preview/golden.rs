//! The table: every accepted model against the reference's picture, every other one refused.

use std::num::NonZeroUsize;

use gen404_preview::{self as preview, Options, RefusalCode};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::metrics::{foreground_psnr, median, read_png, ssim, views};
use crate::reference::{Model, models, more};

/// Least similarity and foreground ratio (dB) of any view, and of the median view.
const WORST: (f64, f64) = (0.995, 35.0);
const MEDIAN: (f64, f64) = (0.9995, 42.0);

/// Similarity and foreground ratio of the four views; `Err` if the model is refused.
fn compare(model: &Model) -> Result<Vec<(f64, f64)>, preview::Refusal> {
    let glb = std::fs::read(&model.path).unwrap();
    let preview = preview::render(&glb, &Options { threads: NonZeroUsize::MIN, ..Options::default() })?;
    let (edge, golden) = read_png(&std::fs::read(model.golden.as_ref().unwrap()).unwrap());
    assert_eq!(edge, preview.edge());
    let pairs = views(preview.rgb(), edge).into_iter().zip(views(&golden, edge));
    Ok(pairs.map(|(mine, theirs)| (ssim(&mine, &theirs), foreground_psnr(&mine, &theirs))).collect())
}

#[test]
fn pictures_are_the_references() {
    let Some(models) = models() else { return };
    let chosen: Vec<&Model> = models.iter().filter(|m| m.golden.is_some()).collect();
    let results: Vec<_> = chosen.par_iter().map(|model| compare(model)).collect();
    println!("{:<28} {:>9} {:>8}", "model, worst view", "ssim", "fg dB");
    let (mut similar, mut ratios, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for (model, result) in chosen.iter().zip(results) {
        let views = match result {
            Ok(views) => views,
            Err(refusal) => {
                println!("{:<28} refused: {refusal}", model.name);
                if refusal.code != RefusalCode::ExtensionRequired {
                    faults.push(model.name.clone());
                }
                continue;
            }
        };
        let worst = views.iter().fold((1.0, 99.0), |w: (f64, f64), v| (w.0.min(v.0), w.1.min(v.1)));
        println!(
            "{:<28} {:>9.5} {:>8.2}{}",
            model.name,
            worst.0,
            worst.1,
            if model.ungated { "  (not gated)" } else { "" }
        );
        if model.ungated {
            continue;
        }
        if worst.0 < WORST.0 || worst.1 < WORST.1 {
            faults.push(model.name.clone());
        }
        similar.extend(views.iter().map(|v| v.0));
        ratios.extend(views.iter().map(|v| v.1));
    }
    let middle = (median(&mut similar), median(&mut ratios));
    println!("{:<28} {:>9.5} {:>8.2}", "median of all views", middle.0, middle.1);
    assert!(faults.is_empty(), "too far from the reference: {faults:?}");
    assert!(middle.0 >= MEDIAN.0 && middle.1 >= MEDIAN.1);
}

#[test]
fn what_other_tools_write_is_drawn_as_the_reference_draws_it() {
    let Some(models) = more() else { return };
    let results: Vec<_> = models
        .par_iter()
        .map(|model| match &model.golden {
            Some(_) => compare(model),
            None => preview::render(&std::fs::read(&model.path).unwrap(), &Options::default()).map(|_| Vec::new()),
        })
        .collect();
    let mut faults = Vec::new();
    for (model, result) in models.iter().zip(results) {
        let sound = match &result {
            Ok(views) => {
                let worst = views.iter().fold((1.0, 99.0), |w: (f64, f64), v| (w.0.min(v.0), w.1.min(v.1)));
                println!("{:<32} {:>9.5} {:>8.2}", model.name, worst.0, worst.1);
                model.accepted && worst.0 >= WORST.0 && worst.1 >= WORST.1
            }
            Err(refusal) => {
                println!("{:<32} refused: {refusal}", model.name);
                !model.accepted
            }
        };
        if !sound {
            faults.push(&model.name);
        }
    }
    assert!(faults.is_empty(), "not as the reference: {faults:?}");
}

#[test]
fn rejects_are_refused_with_a_code_of_their_kind() {
    let Some(models) = models() else { return };
    for model in models.iter().filter(|m| !m.accepted) {
        let glb = std::fs::read(&model.path).unwrap();
        let refusal = preview::render(&glb, &Options::default()).expect_err(&model.name);
        println!("{:<24} {refusal}", model.name);
        let group = model.kind.strip_prefix("reject_").unwrap();
        let given = refusal.code.as_str().split('.').next().unwrap();
        assert_eq!(given, group, "{}", model.name);
    }
}
