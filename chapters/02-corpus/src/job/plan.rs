//! What a job of a given size will need, before it is started.
