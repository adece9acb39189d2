//! Planted bug: goes on with what follows a stop string.

/// A text that is passed on up to a stop string.
#[derive(Debug)]
pub struct Stream {
    stops: Vec<String>,
    held: String,
    has_stopped: bool,
}

impl Stream {
    /// Stops at any of `stops`, of which none is empty.
    pub fn new(stops: Vec<String>) -> Self {
        Self { stops, held: String::new(), has_stopped: false }
    }

    /// What can be shown now.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let found = self.stops.iter().filter_map(|stop| Some((self.held.find(stop.as_str())?, stop.len())));
        if let Some((start, _)) = found.min_by_key(|(start, len)| (start + len, *start)) {
            self.has_stopped = true;
            self.held.truncate(start);
            return std::mem::take(&mut self.held);
        }
        let waiting = self.held.split_off(self.held.len() - self.n_waiting());
        std::mem::replace(&mut self.held, waiting)
    }

    /// What was held back, at the end of the text.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Whether a stop string came.
    pub fn has_stopped(&self) -> bool {
        self.has_stopped
    }

    /// Length of the longest end that begins a stop string.
    fn n_waiting(&self) -> usize {
        let ends = self.held.char_indices().map(|(start, _)| &self.held[start..]);
        let mut beginnings = ends.filter(|end| self.stops.iter().any(|stop| stop.starts_with(end)));
        beginnings.next().map_or(0, str::len)
    }
}
