//! Drops pages by their address: domains with all their subdomains, and words in the path.
//!
//! The cheapest filter of all, so it comes first: no text is looked at. RefinedWeb (arXiv:2306.01116, section 3.1) and
//! FineWeb begin with a public list of some millions of adult and fraudulent domains. A list is read from files of one
//! domain a line, or in the format of `hosts` files (`0.0.0.0 domain`); `#` begins a comment.
//!
//! A domain is kept as a hash of eight bytes in one sorted list: five million domains in 40 MB, where a set of strings
//! takes some 400. A page on a domain that is not listed is dropped by accident with a probability below
//! $10^{-11}$: hashes asked for times hashes listed, over $2^{64}$.
//!
//! Domains are compared as they are written: an international name must be listed in its `xn--` form.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::setting::{InvalidSetting, holds};
use crate::words::words;

/// A longer line is no domain.
const MAX_LINE_BYTES: u64 = 1 << 12;

/// Which addresses to refuse; none unless set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UrlBlockListConfig {
    /// Domains; their subdomains go with them.
    pub domains: Vec<String>,
    /// Files with more domains.
    pub files: Vec<PathBuf>,
    /// Words that must not stand in the path or the query of an address.
    pub path_words: Vec<String>,
}

impl UrlBlockListConfig {
    /// Does any of the settings refuse anything?
    pub fn is_on(&self) -> bool {
        *self != Self::default()
    }

    pub(crate) fn validate(&self) -> Result<(), InvalidSetting> {
        for domain in &self.domains {
            let is_domain = host(domain).is_some_and(|host| host == domain.to_lowercase());
            holds(is_domain, "url_block_list.domains", format!("{domain:?}"), "write a domain such as example.com")?;
        }
        for word in &self.path_words {
            let is_word = words(word) == [word.as_str()];
            holds(is_word, "url_block_list.path_words", format!("{word:?}"), "write single words in lower case")?;
        }
        Ok(())
    }
}

/// The lists, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct UrlBlockList {
    /// Hashes of domains, sorted.
    domains: Vec<u64>,
    path_words: HashSet<String>,
}

impl UrlBlockList {
    /// Reads the lists.
    ///
    /// # Errors
    /// A setting outside its range, or a file that cannot be read.
    pub fn new(config: &UrlBlockListConfig) -> Result<Self, InvalidSetting> {
        config.validate()?;
        let mut domains: Vec<u64> = config.domains.iter().map(|domain| hash(domain)).collect();
        for path in &config.files {
            read_domains(path, &mut domains).map_err(|e| InvalidSetting {
                name: "url_block_list.files",
                value: path.display().to_string(),
                rule: format!("cannot read it: {e}").into(),
            })?;
        }
        domains.sort_unstable();
        domains.dedup();
        domains.shrink_to_fit();
        Ok(Self { domains, path_words: config.path_words.iter().cloned().collect() })
    }

    /// How many domains are listed.
    pub fn n_domains(&self) -> usize {
        self.domains.len()
    }

    // ANCHOR: blocked
    /// The rule that `url` breaks, if it breaks one. An address without a host breaks none.
    pub fn broken_rule(&self, url: &str) -> Option<&'static str> {
        let host = host(url)?;
        // `a.b.example.com`, `b.example.com`, `example.com`, `com`.
        let starts = std::iter::once(0).chain(host.match_indices('.').map(|(dot, _)| dot + 1));
        if starts.into_iter().any(|start| self.domains.binary_search(&hash(&host[start..])).is_ok()) {
            return Some("blocked_domain");
        }
        let has_word =
            !self.path_words.is_empty() && words(path(url)).iter().any(|word| self.path_words.contains(word));
        has_word.then_some("blocked_path_word")
    }
    // ANCHOR_END: blocked
}

fn hash(domain: &str) -> u64 {
    xxh3_64(domain.trim_end_matches('.').to_lowercase().as_bytes())
}

/// The host of an address in lower case, without user, port and final dot.
fn host(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next()?.trim_end_matches('.').to_lowercase();
    (host.contains('.') && !host.contains(char::is_whitespace)).then_some(host)
}

/// What follows the host.
fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find(['/', '?', '#']).map_or("", |at| &rest[at..])
}

fn read_domains(path: &Path, domains: &mut Vec<u64>) -> std::io::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE_BYTES {
            return Err(std::io::Error::other("a line of more than 4 KiB is no domain; is it a list?"));
        }
        let text = String::from_utf8_lossy(&line);
        let entry = text.split('#').next().unwrap_or_default();
        // In a hosts file the address of nobody comes first.
        let domain = entry.split_whitespace().last().filter(|domain| domain.contains('.'));
        domains.extend(domain.and_then(host).map(|domain| hash(&domain)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(config: &UrlBlockListConfig) -> UrlBlockList {
        UrlBlockList::new(config).unwrap()
    }

    #[test]
    fn a_domain_is_blocked_with_its_subdomains_and_nothing_else() {
        let list = list(&UrlBlockListConfig { domains: vec!["Bad.example".into()], ..Default::default() });
        for url in [
            "https://bad.example",
            "http://www.bad.example/a?b",
            "https://user:word@a.b.BAD.example.:8080/",
            "//bad.example/x",
            "bad.example/x",
        ] {
            let url = url.trim_start_matches("//");
            assert_eq!(list.broken_rule(url), Some("blocked_domain"), "{url}");
        }
        for url in
            ["https://notbad.example", "https://bad.example.org", "https://good.example/bad.example", "file:///x", ""]
        {
            assert_eq!(list.broken_rule(url), None, "{url}");
        }
    }

    #[test]
    fn words_of_the_path_are_whole_words() {
        let list = list(&UrlBlockListConfig { path_words: vec!["casino".into()], ..Default::default() });
        assert_eq!(list.broken_rule("https://a.example/best-Casino/1"), Some("blocked_path_word"));
        assert_eq!(list.broken_rule("https://a.example/?q=casino"), Some("blocked_path_word"));
        assert_eq!(list.broken_rule("https://casino.example/casinos"), None);
    }

    #[test]
    fn plain_lists_and_hosts_files_are_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            b"# a list\n0.0.0.0 one.example # why\ntwo.example\r\n\n127.0.0.1 localhost\n\xff\n",
        )
        .unwrap();
        let config = UrlBlockListConfig { files: vec![file.path().into()], ..Default::default() };
        let list = list(&config);
        assert_eq!(list.n_domains(), 2);
        assert!(
            list.broken_rule("http://x.one.example/").is_some() && list.broken_rule("http://two.example").is_some()
        );
        std::fs::write(file.path(), vec![b'a'; 10_000]).unwrap();
        assert!(UrlBlockList::new(&config).unwrap_err().to_string().contains("4 KiB"));
    }

    #[test]
    fn many_domains_stay_small() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text: String = (0..200_000).map(|i| format!("site{i}.example\n")).collect();
        std::fs::write(file.path(), text).unwrap();
        let list = list(&UrlBlockListConfig { files: vec![file.path().into()], ..Default::default() });
        assert_eq!(list.n_domains(), 200_000);
        assert!(list.broken_rule("https://www.site199999.example/").is_some());
        assert!((200_000..300_000).all(|i| list.broken_rule(&format!("https://site{i}.example/")).is_none()));
    }

    #[test]
    fn what_is_no_domain_is_named() {
        let config = UrlBlockListConfig { domains: vec!["http://x.example/".into()], ..Default::default() };
        let said = config.validate().unwrap_err().to_string();
        assert!(said.contains("url_block_list.domains is \"http://x.example/\""), "{said}");
    }
}
