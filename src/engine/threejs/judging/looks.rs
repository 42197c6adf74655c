//! What is found out of a duel without the judge.

use super::duel::Found;
use super::{DuelOf, Sights};
use crate::base::error::{Error, Result};
use crate::model::threejs::embeddings::{Embeddings, MOST_BYTES};
use crate::model::threejs::view::{EMBEDDINGS, View};
use crate::rules::threejs::staged::{BestViews, GrayMeasure, Look, Picture, SideOf, sampled};
use crate::world::distance::rgb;
use crate::world::http::shown_url;

/// A larger view is not read.
const LARGEST_VIEW: usize = 32 << 20;

const SIDES: [SideOf; 2] = [SideOf::A, SideOf::B];

/// Looks at a duel.
///
/// # Errors
/// A file cannot be fetched, or is not what it should be. Only embeddings may be absent.
pub(super) fn look(sights: &dyn Sights, duel: &DuelOf, look: Look) -> Result<Found> {
    match look {
        Look::Embeddings => best_views(sights, duel).map(Found::Best),
        Look::Gray => gray(sights, duel).map(Found::Gray),
    }
}

fn best_views(sights: &dyn Sights, duel: &DuelOf) -> Result<BestViews> {
    let mut best = [View::FrontLeft; 2];
    for (place, side) in best.iter_mut().zip(SIDES) {
        let Some(views) = &duel.side(side).views else { return Ok(BestViews::None) };
        let url = format!("{views}/{EMBEDDINGS}");
        let Some(bytes) = sights.file(&url, MOST_BYTES)? else { return Ok(BestViews::None) };
        let read = Embeddings::read(&bytes);
        *place = read.map_err(|why| Error::outside(format!("{}: {why}", shown_url(&url))))?.best_view();
    }
    let [a, b] = best;
    Ok(BestViews::Of(a, b))
}

fn gray(sights: &dyn Sights, duel: &DuelOf) -> Result<GrayMeasure> {
    let mut pixels = Vec::new();
    for side in SIDES {
        let url = duel.url(Picture::Gray(side, View::FrontLeft));
        let url = url.ok_or_else(|| Error::failed(format!("{}: a side without views", duel.name)))?;
        let missing = || Error::outside(format!("{}: there is no such file", shown_url(&url)));
        let png = sights.file(&url, LARGEST_VIEW)?.ok_or_else(missing)?;
        let picture = rgb::decode(&png).map_err(|why| Error::outside(format!("{}: {why}", shown_url(&url))))?;
        pixels.extend(sampled(picture.width, &picture.bytes));
    }
    Ok(GrayMeasure::of(pixels.into_iter()))
}
