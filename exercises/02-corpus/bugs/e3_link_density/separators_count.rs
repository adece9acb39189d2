//! Planted bug: the bars and spaces between links count as prose.

/// Text between two borders of links.
#[derive(Debug, Clone, Copy)]
pub enum Run<'a> {
    /// Outside of links.
    Text(&'a str),
    /// One link's text.
    Link(&'a str),
}

/// Whether a block that consists of `runs` is mostly links.
pub fn is_menu(runs: &[Run]) -> bool {
    let (mut n_all, mut n_in_links, mut n_links) = (0, 0, 0);
    for run in runs {
        match run {
            Run::Text(text) => n_all += n_chars(text),
            Run::Link(text) => {
                n_all += n_chars(text);
                n_in_links += n_chars(text);
                n_links += 1;
            }
        }
    }
    let share_is_enough = if n_links >= 3 { 2 * n_in_links > n_all } else { 10 * n_in_links >= 9 * n_all };
    n_all > 0 && share_is_enough
}

fn n_chars(text: &str) -> usize {
    text.chars().count()
}
