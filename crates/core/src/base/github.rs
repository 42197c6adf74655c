//! The repository on GitHub that a remote's URL names.

/// `OWNER/REPO` of a remote at github.com, in whatever form git takes it; `None` for any other remote. Credentials and
/// ports are left out.
pub fn repository(url: &str) -> Option<String> {
    let (host, path) = match url.split_once("://") {
        Some((scheme, rest)) => {
            let known = ["https", "http", "ssh", "git", "git+ssh", "git+https"];
            known.iter().find(|known| scheme.eq_ignore_ascii_case(known))?;
            rest.split_once('/')?
        }
        // As scp takes it: [user@]host:path.
        None => url.split_once(':').filter(|(host, _)| !host.contains('/'))?,
    };
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host).to_ascii_lowercase();
    if !["github.com", "www.github.com", "ssh.github.com"].contains(&host.as_str()) {
        return None;
    }
    let path = path.trim_matches('/');
    let (owner, name) = path.strip_suffix(".git").unwrap_or(path).split_once('/')?;
    let plain = |part: &str, more: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        (1..=100).contains(&part.len()) && part.chars().all(known) && part != "." && part != ".."
    };
    (plain(owner, "-_") && plain(name, "-_.")).then(|| format!("{owner}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_remote_at_github_names_its_repository() {
        for url in [
            "https://github.com/own/comp",
            "https://github.com/own/comp.git",
            "https://github.com/own/comp.git/",
            "https://GitHub.com:443/own/comp",
            "https://x-access-token:ghp_secret@github.com/own/comp.git",
            "https://ghp_secret@www.github.com/own/comp",
            "http://github.com/own/comp",
            "git://github.com/own/comp.git",
            "ssh://git@github.com/own/comp.git",
            "ssh://git@github.com:22/own/comp",
            "ssh://git@ssh.github.com:443/own/comp.git",
            "git+ssh://git@github.com/own/comp.git",
            "git@github.com:own/comp.git",
            "github.com:own/comp",
            "git@github.com:/own/comp.git",
        ] {
            assert_eq!(repository(url).as_deref(), Some("own/comp"), "{url}");
        }
        assert_eq!(repository("git@github.com:a-b/c_d.e.git").as_deref(), Some("a-b/c_d.e"));
    }

    #[test]
    fn other_remotes_name_none() {
        for url in [
            "",
            "origin",
            "/srv/github.com/own/comp",
            "file:///github.com/own/comp",
            "../github.com:own/comp",
            "https://gitlab.com/own/comp.git",
            "https://github.com.example.org/own/comp",
            "https://example.org/github.com/own/comp",
            "https://github.com@example.org/own/comp",
            "git@example.org:own/comp.git",
            "https://github.com/own",
            "https://github.com/own/comp/tree/main",
            "https://github.com/own/..",
            "https://github.com/own/comp?x=\"><script>",
            "javascript://github.com/own/comp",
        ] {
            assert_eq!(repository(url), None, "{url}");
        }
    }
}
