//! Collects mdBook's warnings.
//!
//! mdBook reports an unclosed tag or an unused footnote through `tracing` and succeeds; without a subscriber nobody sees
//! it. Here every warning and error that is logged during a build is kept, so that the build can fail with them.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Runs `work` and gives its result together with the warnings that it logged on this thread.
pub fn collect<T>(work: impl FnOnce() -> T) -> (T, Vec<String>) {
    let warnings = Warnings::default();
    let subscriber = Registry::default().with(warnings.clone());
    let result = tracing::subscriber::with_default(subscriber, work);
    let collected = std::mem::take(&mut *warnings.0.lock().unwrap_or_else(PoisonError::into_inner));
    (result, collected)
}

#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // Level::ERROR is the smallest level.
        if *event.metadata().level() > Level::WARN {
            return;
        }
        let mut message = Message::default();
        event.record(&mut message);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message.0);
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_warnings_and_errors_only() {
        let ((), warnings) = collect(|| {
            tracing::info!("fine");
            tracing::warn!("footnote `{}` is unused", "a");
            tracing::error!("broken");
        });
        assert_eq!(warnings, ["footnote `a` is unused", "broken"]);
    }
}
