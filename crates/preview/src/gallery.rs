//! The pictures of a file: each is opened once, when something first asks for it.

use std::borrow::Cow;

use super::accessor::Views;
use super::base64;
use super::cost;
use super::json::Object;
use super::picture::{self, Picture, Plan};
use super::refusal::Checked;

/// All images of the document, and behind them the pictures that materials are converted to.
#[derive(Default)]
pub(crate) struct Gallery<'a> {
    images: Vec<Image<'a>>,
    /// How many the document lists; `None` where it has no list of images at all.
    listed: Option<usize>,
}

enum Image<'a> {
    /// Nobody has asked for it yet.
    Packed(Cow<'a, [u8]>),
    Open(Box<Plan<'a>>),
    /// Nowhere in the file, no picture, or already taken.
    Nothing,
}

impl<'a> Gallery<'a> {
    /// Finds the bytes of all images; a view that does not exist refuses the model, in use or not.
    pub(crate) fn find(document: Object<'_>, views: &Views<'a>) -> Checked<Self> {
        let entries = document.list("images", "")?;
        let images = entries.iter().enumerate().map(|(i, entry)| find(Object::of(entry, &place(i))?, views, &place(i)));
        let images = images.collect::<Checked<Vec<_>>>()?;
        let listed = document.get("images").map(|_| images.len());
        Ok(Self { images, listed })
    }

    /// How many images the document lists; `None` where it has no such list.
    pub(crate) fn listed(&self) -> Option<usize> {
        self.listed
    }

    /// What opening the picture of this index costs.
    pub(crate) fn price(&self, index: usize) -> u64 {
        match self.images.get(index) {
            Some(Image::Packed(bytes)) => cost::OPEN + cost::PACKED * bytes.len() as u64,
            _ => 0,
        }
    }

    /// The picture of this index; `None` where there is none, or its header is broken.
    pub(crate) fn open(&mut self, index: usize) -> Option<&Plan<'a>> {
        let image = self.images.get_mut(index)?;
        if let Image::Packed(bytes) = image {
            let plan = picture::plan(std::mem::take(bytes));
            *image = plan.map_or(Image::Nothing, |plan| Image::Open(Box::new(plan)));
        }
        match image {
            Image::Open(plan) => Some(plan),
            _ => None,
        }
    }

    /// As [`Gallery::open`], and it is gone from here.
    pub(crate) fn take(&mut self, index: usize) -> Option<Plan<'a>> {
        self.open(index)?;
        match std::mem::replace(self.images.get_mut(index)?, Image::Nothing) {
            Image::Open(plan) => Some(*plan),
            _ => None,
        }
    }

    /// Adds a picture that was made here; the result is its index.
    pub(crate) fn add(&mut self, picture: Picture) -> usize {
        self.images.push(Image::Open(Box::new(Plan::made(picture))));
        self.images.len() - 1
    }
}

/// An image's place in the file.
pub(crate) fn place(index: usize) -> String {
    format!("images[{index}]")
}

fn find<'a>(image: Object<'_>, views: &Views<'a>, place: &str) -> Checked<Image<'a>> {
    if image.text("mimeType") == Some("image/ktx2") {
        return Ok(Image::Nothing);
    }
    if let Some(view) = image.int("bufferView", place)? {
        return views.bytes(view, place).map(|bytes| Image::Packed(Cow::Borrowed(bytes)));
    }
    let bytes = image.text("uri").and_then(base64::from_data_uri);
    Ok(bytes.map_or(Image::Nothing, |bytes| Image::Packed(Cow::Owned(bytes))))
}
