//! Checks that images exist: asks a registry for their manifest, with the token that it demands.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::Deserialize;

use super::web::{Credentials, ReadRequest, Web};
use super::{BuildSource, WantedBuilds};
use crate::base::error::{Error, Result};
use crate::http::{Method, Response, Secret, shown_url};
use crate::model::observation::{BuildObservation, Presence};
use crate::probe::Probed;

/// Every manifest format: without this list many registries deny having an image that they have.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, \
                         application/vnd.docker.distribution.manifest.v2+json";

/// A client of registries.
#[derive(Debug, Clone)]
pub struct Registry {
    pub(super) web: Web,
    /// http in place of https (tests).
    pub(super) insecure: bool,
    /// Sent unchanged as a bearer token.
    pub(super) token: Option<Secret>,
    /// User and password, for registries that exchange them for tokens.
    pub(super) login: Option<(String, Secret)>,
}

impl BuildSource for Registry {
    fn name(&self) -> String {
        "the registry of the images".to_owned()
    }

    fn look(&self, wanted: &WantedBuilds) -> Result<BuildObservation> {
        let mut images = BTreeMap::new();
        for (hotkey, image) in &wanted.unbuilt {
            let presence = self.presence(image)?;
            if presence == Presence::Unknown {
                return Err(needs_credentials(image));
            }
            images.insert(hotkey.clone(), presence);
        }
        Ok(BuildObservation::Registry(images))
    }

    fn probe(&self, image: &str) -> Result<Probed> {
        match self.presence(image)? {
            Presence::Unknown => Err(needs_credentials(image)),
            _ => Ok(Probed::fine(format!("{}: answers", image.split('/').next().unwrap_or(image)))),
        }
    }
}

fn needs_credentials(image: &str) -> Error {
    let refused = Error::outside(format!("{image}: the registry requires credentials"));
    refused.hint("set REGISTRY_TOKEN, or REGISTRY_USER and REGISTRY_PASSWORD")
}

impl Registry {
    /// Does this image exist?
    ///
    /// # Errors
    /// The registry cannot be asked, or denies us access.
    pub(super) fn presence(&self, image: &str) -> Result<Presence> {
        let url = self.manifest_url(image)?;
        let direct = self.token.as_ref().map(|token| Credentials::bearer(&url, token)).transpose()?;
        let mut response = self.head(&url, direct.as_ref())?;
        if response.status == 401
            && direct.is_none()
            && let Some(credentials) = self.answer_challenge(&url, &response)?
        {
            response = self.head(&url, Some(&credentials))?;
        }
        let shown = shown_url(&url);
        match response.status {
            200 => Ok(Presence::There),
            404 => Ok(Presence::Absent),
            401 | 403 if self.token.is_none() && self.login.is_none() => Ok(Presence::Unknown),
            status @ (401 | 403) => {
                let refused = Error::outside(format!("HEAD {shown}: status {status}"));
                Err(refused.hint("REGISTRY_TOKEN, or REGISTRY_USER and REGISTRY_PASSWORD, do not give access"))
            }
            status => Err(Error::outside(format!("HEAD {shown}: status {status}"))),
        }
    }

    fn head(&self, url: &str, credentials: Option<&Credentials>) -> Result<Response> {
        let headers = vec![("accept", MANIFESTS.to_owned())];
        self.web.send(&ReadRequest { method: Method::HEAD, url, headers, credentials })
    }

    fn manifest_url(&self, image: &str) -> Result<String> {
        let wrong = || Error::usage(format!("{image:?}: not an image of the form HOST/NAME:TAG"));
        let (path, tag) = image.rsplit_once(':').ok_or_else(wrong)?;
        let (host, name) = path.split_once('/').ok_or_else(wrong)?;
        if !(host.contains(['.', ':']) || host == "localhost") || name.is_empty() {
            return Err(wrong().hint("[builds] image names the registry's host first"));
        }
        // Docker Hub's images are named after one host and served by another.
        let host = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let scheme = if self.insecure { "http" } else { "https" };
        Ok(format!("{scheme}://{host}/v2/{name}/manifests/{tag}"))
    }

    /// The credentials that the registry demands, if we can get them.
    fn answer_challenge(&self, url: &str, response: &Response) -> Result<Option<Credentials>> {
        let headers = response.headers.get_all("www-authenticate").into_iter();
        let challenges: Vec<Challenge> = headers.filter_map(|value| value.to_str().ok()).flat_map(challenges).collect();
        let of = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme));
        if let Some(realm) = of("bearer").and_then(|challenge| Some((challenge, challenge.params.get("realm")?))) {
            let token = self.fetch_token(realm.1, realm.0)?;
            return token.map(|token| Credentials::bearer(url, &token)).transpose();
        }
        match (of("basic"), self.basic()) {
            (Some(_), Some(basic)) => Credentials::new(url, basic.expose()).map(Some),
            _ => Ok(None),
        }
    }

    /// The value of `Authorization` for user and password.
    fn basic(&self) -> Option<Secret> {
        let (user, password) = self.login.as_ref()?;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", password.expose()));
        Some(Secret::new(&format!("Basic {pair}")))
    }

    /// A token from the realm; `None` if it gives us none.
    fn fetch_token(&self, realm: &str, challenge: &Challenge) -> Result<Option<Secret>> {
        #[derive(Deserialize)]
        struct TokenAnswer {
            token: Option<String>,
            access_token: Option<String>,
        }
        if !self.insecure && !realm.starts_with("https://") {
            return Err(Error::outside(format!("{}: the registry's realm is not an https URL", shown_url(realm))));
        }
        let mut url = realm.to_owned();
        for name in ["service", "scope"] {
            if let Some(value) = challenge.params.get(name) {
                url.push(if url.contains('?') { '&' } else { '?' });
                url = [url.as_str(), name, "=", &encoded(value)].concat();
            }
        }
        let credentials = self.basic().map(|basic| Credentials::new(&url, basic.expose())).transpose()?;
        let ask =
            ReadRequest { method: Method::GET, url: &url, headers: Vec::new(), credentials: credentials.as_ref() };
        let response = self.web.send(&ask)?;
        if matches!(response.status, 401 | 403) {
            return Ok(None);
        }
        let response = response.success()?;
        let unexpected = || Error::outside(format!("GET {}: the answer has no token", shown_url(&url)));
        let answer: TokenAnswer = response.granted().ok_or_else(unexpected)?;
        let token = answer.token.or(answer.access_token).filter(|token| !token.trim().is_empty());
        token.map(|token| Some(Secret::new(&token))).ok_or_else(unexpected)
    }
}

/// An authentication scheme that a server offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    params: BTreeMap<String, String>,
}

/// Parses a `WWW-Authenticate` header: commas separate parameters and challenges alike, but not inside quotes.
fn challenges(header: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    for part in parts(header) {
        let (name, value) = part.split_once('=').unwrap_or((part.as_str(), ""));
        // `Bearer realm`: a scheme, then the first parameter.
        let (scheme, name) = match name.trim().split_once(char::is_whitespace) {
            Some((scheme, name)) => (Some(scheme), name.trim()),
            None if !part.contains('=') => (Some(name.trim()), ""),
            None => (None, name.trim()),
        };
        if let Some(scheme) = scheme {
            found.push(Challenge { scheme: scheme.to_owned(), params: BTreeMap::new() });
        }
        if let Some(challenge) = found.last_mut().filter(|_| !name.is_empty()) {
            challenge.params.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

/// The parts between commas, unquoted.
fn parts(header: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for c in header.chars() {
        match c {
            _ if escaped => {
                part.push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    parts.push(part);
    parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// A percent-encoded query value.
fn encoded(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_with_their_quotes() {
        let header = r#"Basic realm="a \"b\", c", Bearer realm="https://auth.x.org/token",service="x.org",scope="repository:a/b:pull,push""#;
        let found = challenges(header);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].scheme.as_str(), found[0].params["realm"].as_str()), ("Basic", "a \"b\", c"));
        assert_eq!(found[1].params["realm"], "https://auth.x.org/token");
        assert_eq!(found[1].params["scope"], "repository:a/b:pull,push");
        assert_eq!(encoded("repository:a/b:pull,push"), "repository:a/b:pull%2Cpush");
    }
}
