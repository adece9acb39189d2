//! What users write: a job's settings, lists of domains, lists of words.

use corpus::url_block_list::{UrlBlockList, UrlBlockListConfig};
use corpus::word_lists::WordList;
use corpus::words::words;
use corpus::{Document, Filters, JobConfig, PipelineConfig};

use crate::with_file;

/// Settings are refused or valid, never a panic; and written settings are read as the same settings.
pub fn job_config(bytes: &[u8]) {
    let Ok(config) = toml::from_str::<JobConfig>(&String::from_utf8_lossy(bytes)) else { return };
    let is_valid = config.validate().is_ok();
    let written = toml::to_string(&config).unwrap();
    let again: JobConfig = toml::from_str(&written).unwrap();
    assert_eq!(format!("{config:?}"), format!("{again:?}"), "{written}");
    assert_eq!(again.validate().is_ok(), is_valid);
}

/// A domain that may stand in the settings is blocked when it stands in a file, with its subdomains.
pub fn url_block_list(bytes: &[u8]) {
    let from_file = with_file("list.txt", bytes, |path| {
        UrlBlockList::new(&UrlBlockListConfig { files: vec![path.into()], ..Default::default() })
    });
    let Ok(list) = from_file else { return };
    let text = String::from_utf8_lossy(bytes);
    assert!(list.n_domains() <= text.split('\n').count());
    for line in text.split('\n') {
        list.broken_rule(line);
        let is_bare = !line.contains(|c: char| c.is_whitespace() || matches!(c, '#' | '.' | '\u{FFFD}'));
        let domain = format!("{line}.example");
        let config = UrlBlockListConfig { domains: vec![domain.clone()], ..Default::default() };
        let Some(by_setting) = UrlBlockList::new(&config).ok().filter(|_| is_bare) else { continue };
        let by_file = with_file("list.txt", format!("0.0.0.0 {domain} # why\n").as_bytes(), |path| {
            UrlBlockList::new(&UrlBlockListConfig { files: vec![path.into()], ..Default::default() }).unwrap()
        });
        for url in [domain.clone(), format!("https://user@www.{domain}:80/a?b#c")] {
            assert_eq!(by_setting.broken_rule(&url), Some("blocked_domain"), "{url}");
            assert_eq!(by_file.broken_rule(&url), Some("blocked_domain"), "{url}");
        }
    }
}

/// A page of which half is a listed phrase breaks the rule, unless the list is empty.
pub fn word_list(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let phrases = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let first = phrases.into_iter().find(|phrase| !words(phrase).is_empty());
    with_file("list.txt", text.as_bytes(), |path| {
        let list = WordList { name: "own".into(), file: Some(path.into()), max_share: 0.4, ..Default::default() };
        let mut config = PipelineConfig::documentation();
        config.quality.word_lists = vec![list];
        let filters = Filters::new(&config).unwrap();
        let judged = |text: String| filters.judge(&mut Document::new("x", "", text));
        let _ = judged(text.clone().into_owned());
        if let Some(phrase) = first {
            // Enough words for the other rules; which rule is broken first is not ours to say. A line that begins with the phrase
            // may begin a block of code.
            assert!(judged(format!("a {phrase} ").repeat(80)).is_err(), "{phrase:?}");
        }
    });
}
