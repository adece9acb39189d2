//! Which tasks fall to a process, and what it does about those of others.

use std::fmt;
use std::time::Duration;

/// The share of the tasks that one process takes: those whose number leaves the remainder `index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: usize,
    /// Of how many.
    pub count: usize,
}

impl Shard {
    /// All tasks.
    pub const WHOLE: Shard = Shard { index: 0, count: 1 };
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if index < count => Ok(Self { index, count }),
            Some((index, count)) => Err(format!("shard {index} of {count}: the first is 0, the last {count} less 1")),
            None => Err(format!("{text} is no shard; give I/N with I from 0 to N-1, such as 0/4")),
        }
    }
}

/// What a process does when others have not finished a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// Stop; to be started again later.
    Leave,
    /// Wait for them, as long as none that has work left is silent for longer than this.
    Wait(Duration),
}
