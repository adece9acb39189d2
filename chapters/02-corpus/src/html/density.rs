//! Tells menus from prose by the share of the text that is links.
//!
//! In real prose few words are links; in menus, tag lists and lists of related pages nearly all are. Measured over a
//! block, that share alone finds most boilerplate that bears no telling name: Kohlschütter et al., "Boilerplate Detection
//! using Shallow Text Features" (WSDM 2010), section 4.

/// What becomes of blocks that are mostly links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Links {
    /// Every block stays.
    #[default]
    Keep,
    /// A block goes when more than [`MAX_LINK_SHARE`] of its characters are links and it has several of them, or when
    /// it is nothing but links.
    DropDense,
}

const MAX_LINK_SHARE: f64 = 0.5;
const ALL_LINK_SHARE: f64 = 0.9;
/// Without spaces, as all characters here.
const MAX_CALL_CHARS: usize = 200;
const MIN_TITLE_CHARS: usize = 14;
pub(super) const SEVERAL_LINKS: usize = 3;

/// Characters so far; the difference of two counts describes what lies between.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub n_chars: usize,
    pub n_link_chars: usize,
    pub n_links: usize,
    /// Lines like *Sign up*.
    pub n_calls: usize,
}

impl Counts {
    /// Whether a small box calls for something: an advertisement, a newsletter.
    pub fn is_call_since(self, before: Counts) -> bool {
        self.n_calls > before.n_calls && self.n_chars - before.n_chars < MAX_CALL_CHARS
    }

    /// Whether the links are long enough for titles: *Registers and how to run out of them*, not *Contact*.
    pub fn has_titles_since(self, before: Counts) -> bool {
        let n_links = self.n_links - before.n_links;
        n_links >= SEVERAL_LINKS && self.n_link_chars - before.n_link_chars >= MIN_TITLE_CHARS * n_links
    }

    /// Whether every line is one link, long enough for a title.
    pub fn is_titles_since(self, before: Counts, n_lines: usize) -> bool {
        let n_links = self.n_links - before.n_links;
        n_links > 0 && n_links <= n_lines && self.n_link_chars - before.n_link_chars >= MIN_TITLE_CHARS * n_links
    }

    /// Whether a line is a row of links: *Previous, Index, Next*.
    pub fn is_bar_since(self, before: Counts) -> bool {
        self.n_links - before.n_links > 1 && self.is_link_dense_since(before)
    }

    /// Whether links are at least half of a line.
    pub fn is_half_links_since(self, before: Counts) -> bool {
        let n_link_chars = self.n_link_chars - before.n_link_chars;
        n_link_chars > 0 && 2 * n_link_chars >= self.n_chars - before.n_chars
    }

    pub fn is_link_dense_since(self, before: Counts) -> bool {
        let n_chars = self.n_chars - before.n_chars;
        let share = (self.n_link_chars - before.n_link_chars) as f64 / n_chars.max(1) as f64;
        let n_links = self.n_links - before.n_links;
        n_chars > 0 && (share > MAX_LINK_SHARE && n_links >= SEVERAL_LINKS || share >= ALL_LINK_SHARE)
    }
}
