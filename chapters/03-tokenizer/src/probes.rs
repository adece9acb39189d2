//! Texts of known kinds, to compare vocabularies on.
