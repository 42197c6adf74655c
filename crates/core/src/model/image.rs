//! How miners' images are named.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::ids::Hotkey;

/// The template of image names: `{hotkey10}` or `{hotkey}` in the name, `:{tag}` at the end. The result is
/// lower-cased as a whole, as registries require.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct ImageName(String);

/// Why a text is not a template of image names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageNameError {
    /// It lacks the tag.
    #[error("image {0:?}: it must end in :{{tag}}")]
    Tag(String),
    /// Its name does not vary with the miner.
    #[error("image {0:?}: its name must contain {{hotkey10}} or {{hotkey}}, and nothing else in braces")]
    Name(String),
}

/// The template of the deployed competition.
const DEPLOYED: &str = "europe-west3-docker.pkg.dev/gen-456515/active-competition/{hotkey10}:{tag}";

impl Default for ImageName {
    fn default() -> Self {
        ImageName(DEPLOYED.to_owned())
    }
}

impl ImageName {
    /// A template that settings cannot have.
    #[cfg(test)]
    pub fn unchecked(text: &str) -> Self {
        ImageName(text.to_owned())
    }

    /// The image of a miner's build.
    #[must_use]
    pub fn of(&self, hotkey: &Hotkey, tag: &str) -> String {
        let named = self.0.replace("{hotkey10}", hotkey.short()).replace("{hotkey}", &hotkey.to_string());
        named.replace("{tag}", tag).to_lowercase()
    }
}

impl FromStr for ImageName {
    type Err = ImageNameError;

    fn from_str(text: &str) -> Result<Self, ImageNameError> {
        let (name, tag) = text.rsplit_once(':').unwrap_or((text, ""));
        let rest = name.replace("{hotkey10}", "").replace("{hotkey}", "");
        if tag != "{tag}" {
            return Err(ImageNameError::Tag(text.to_owned()));
        }
        if rest == name || rest.contains(['{', '}']) || rest.contains(char::is_whitespace) {
            return Err(ImageNameError::Name(text.to_owned()));
        }
        Ok(ImageName(text.to_owned()))
    }
}

impl TryFrom<String> for ImageName {
    type Error = ImageNameError;

    fn try_from(text: String) -> Result<Self, ImageNameError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_as_the_deployed_ones() {
        let hotkey: Hotkey = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY".parse().unwrap();
        let image = ImageName::default().of(&hotkey, "7c1b379-Mesh-1");
        assert_eq!(image, "europe-west3-docker.pkg.dev/gen-456515/active-competition/5grwvaef5z:7c1b379-mesh-1");
        for odd in ["", "x/{hotkey10}", "x/{tag}:{tag}", "x/y:{tag}", "x/{hotkey}:{tag}-x", "x/{repo}{hotkey}:{tag}"] {
            assert!(odd.parse::<ImageName>().is_err(), "{odd:?}");
        }
        assert_eq!("x/{hotkey}:{tag}".parse::<ImageName>().unwrap().of(&hotkey, "a").len(), 2 + 48 + 2);
    }
}
