//! A wrong request: the user asked for something that cannot be. It ends the program with exit code 2, and says the way out.

use std::fmt;

/// A request that cannot be met as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongRequest {
    message: String,
}

impl WrongRequest {
    /// A request with what is wrong about it.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// A name that does not exist, with the nearest that does.
    pub fn unknown(kind: &str, name: &str, known: &[&str]) -> Self {
        let nearest = known.iter().map(|other| (strsim::damerau_levenshtein(name, other), other)).min();
        // A name that shares little with the nearest was not a slip of the finger.
        let suggestion = match nearest {
            Some((distance, other)) if distance <= 1 + name.len() / 3 => format!("did you mean {other}? "),
            _ => String::new(),
        };
        Self::new(format!("there is no {kind} {name}; {suggestion}There are: {}", known.join(", ")))
    }
}

impl fmt::Display for WrongRequest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for WrongRequest {}
