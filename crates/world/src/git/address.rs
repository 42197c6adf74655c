//! A remote's address, told in one way for all usual spellings of it, and without secrets.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Longer addresses are told by their digest.
const LONGEST: usize = 500;

/// The schemes of git's own transports, with their ports.
const SCHEMES: [(&str, &str); 7] = [
    ("https", "443"),
    ("http", "80"),
    ("ssh", "22"),
    ("git+ssh", "22"),
    ("ssh+git", "22"),
    ("git", "9418"),
    ("ftps", "990"),
];

/// Hosts that take paths in any letter case.
const ANY_CASE: [&str; 4] = ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"];

/// The address: `host/path` for a server, whatever the transport, user and spelling; the full path of a folder of this
/// machine. One that cannot be told apart from a secret is told by its digest.
pub(super) fn address(url: &str, root: &Path) -> String {
    let told = match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("file") => local(rest, root),
        Some((scheme, rest)) => of_server(scheme, rest),
        None => match url.split_once(':') {
            // As in git: a colon before the first slash means a host.
            Some((host, path)) if !host.contains('/') && !path.starts_with(':') => served(host, None, path),
            Some((host, _)) if !host.contains('/') => None,
            _ => local(url, root),
        },
    };
    told.filter(|told| told.len() <= LONGEST && !told.chars().any(char::is_control)).unwrap_or_else(|| digest(url))
}

fn of_server(scheme: &str, rest: &str) -> Option<String> {
    let (_, port) = SCHEMES.iter().find(|(known, _)| scheme.eq_ignore_ascii_case(known))?;
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/')?;
    served(authority, Some(port), path)
}

/// `usual` is the port that need not be named; `None` where none can be.
fn served(authority: &str, usual: Option<&str>, path: &str) -> Option<String> {
    let host = authority.rsplit('@').next()?;
    let (host, port) = match (usual, host.rsplit_once(':')) {
        (Some(usual), Some((host, port))) if !port.ends_with(']') => (host, Some(port).filter(|port| *port != usual)),
        _ => (host, None),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    // An @ further on may be the end of a password with a slash in it.
    if host.is_empty() || path.contains('@') || !port.is_none_or(is_port) {
        return None;
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let path = parts.join("/");
    let path = path.strip_suffix(".git").unwrap_or(&path);
    let path = if ANY_CASE.contains(&host.as_str()) { path.to_ascii_lowercase() } else { path.to_owned() };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{host}{port}/{path}"))
}

/// A folder of this machine, or a bundle.
fn local(path: &str, root: &Path) -> Option<String> {
    let path: PathBuf = root.join(path);
    let path = path.canonicalize().or_else(|_| std::path::absolute(&path)).ok()?;
    Some(path.to_string_lossy().into_owned())
}

fn digest(url: &str) -> String {
    let digest = hex::encode(Sha256::digest(url.as_bytes()));
    format!("sha256:{}", digest.get(..32).unwrap_or(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_an_address_are_one_and_none_shows_a_secret() {
        let root = Path::new("/");
        for url in [
            "https://github.com/404-Repo/Comp",
            "https://github.com/404-repo/comp.git",
            "https://user:secret@GitHub.com:443/404-Repo/comp.git/",
            "http://x-access-token:ghs_secret@github.com/404-repo//comp?token=secret#x",
            "git@github.com:404-repo/comp.git",
            "github.com:404-repo/comp",
            "ssh://git@github.com/404-repo/comp.git",
            "git+ssh://git@github.com:22/404-repo/comp",
            "git://github.com./404-repo/comp",
        ] {
            assert_eq!(address(url, root), "github.com/404-repo/comp", "{url}");
        }
        assert_eq!(address("ssh://git@host:2222/A/b.git", root), "host:2222/A/b");
        assert_eq!(address("https://[2001:db8::1]/a", root), "[2001:db8::1]/a");
        assert_ne!(address("https://host/A", root), address("https://host/a", root));
        for hidden in [
            "https://user:sec/ret@host/a",
            "https://secret:x/a",
            "ext::sh -c secret% x",
            "other://secret/a",
            "https://secret",
        ] {
            let told = address(hidden, root);
            assert!(told.starts_with("sha256:") && !told.contains("secret"), "{hidden}: {told}");
        }
    }

    #[test]
    fn a_folder_is_told_by_its_full_path() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let told = real.to_str().unwrap();
        for url in [told.to_owned(), format!("file://{told}"), ".".to_owned(), "../".to_owned() + &last(&real)] {
            assert_eq!(address(&url, &real), told, "{url}");
        }
    }

    fn last(path: &Path) -> String {
        path.file_name().unwrap().to_string_lossy().into_owned()
    }
}
