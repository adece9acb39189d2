//! Who is at work: each process of several writes `alive/<shard>.json` again and again, with a number that grows.
//!
//! A process that waits for the tasks of another must not wait for a dead one. Nobody can see that a process on another machine has died;
//! one can only see that it has been silent. The clocks of two machines differ, so what is compared is not the time in the
//! file: the one who waits notes by its own clock when it last saw the file change. A process that ends removes its file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Shard;
use crate::atomic_file::AtomicFile;

/// The folder of the files.
pub(super) const FOLDER: &str = "alive";

/// Time between two writes.
const BEAT_EVERY: Duration = Duration::from_secs(2);

/// What a process says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Beat {
    host: String,
    process: u32,
    /// Seconds since 1970 by the clock of the host, for people.
    time_s: u64,
    n_beats: u64,
}

/// Says that a shard is at work, until it is dropped.
pub(super) struct Alive {
    path: PathBuf,
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Alive {
    /// Begins; a shard that is alone has nobody to tell.
    pub fn begin(folder: &Path, shard: Shard) -> Self {
        let path = path(folder, shard);
        if shard.count == 1 {
            return Self { path, stop: None, thread: None };
        }
        let (stop, stopped) = mpsc::channel();
        let to = path.clone();
        let thread = thread::spawn(move || {
            let host = host();
            for n_beats in 0.. {
                // A full disk stops the work itself; here it only makes this shard look silent.
                let _ = write(&to, &host, n_beats);
                if stopped.recv_timeout(BEAT_EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        Self { path, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// How long another shard has been silent.
pub(super) struct Watch {
    path: PathBuf,
    last: Option<Beat>,
    since: Instant,
}

impl Watch {
    /// Begins to watch; before that, nothing is known.
    pub fn begin(folder: &Path, shard: Shard) -> Self {
        Self { path: path(folder, shard), last: None, since: Instant::now() }
    }

    /// The time since the shard was last seen to say something.
    pub fn silence(&mut self) -> Duration {
        let beat = fs::read(&self.path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if beat.is_some() && beat != self.last {
            self.last = beat;
            self.since = Instant::now();
        }
        self.since.elapsed()
    }

    /// Who it was, in words.
    pub fn who(&self) -> String {
        match &self.last {
            Some(beat) => format!("process {} on {}", beat.process, beat.host),
            None => "it has not been seen".to_string(),
        }
    }
}

fn path(folder: &Path, shard: Shard) -> PathBuf {
    folder.join(FOLDER).join(format!("{}-of-{}.json", shard.index, shard.count))
}

fn write(path: &Path, host: &str, n_beats: u64) -> io::Result<()> {
    let time_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let beat = Beat { host: host.to_string(), process: std::process::id(), time_s, n_beats };
    let mut file = AtomicFile::create(path)?;
    file.write_all(&serde_json::to_vec(&beat)?)?;
    file.finish()
}

/// The machine's name, where it can be had.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(|name| std::env::var(name).ok()));
    name.map_or_else(|| "an unknown machine".to_string(), |name| name.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_heard_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let shard = Shard { index: 1, count: 2 };
        let mut watch = Watch::begin(folder.path(), shard);
        assert!(watch.silence() < Duration::from_secs(10) && watch.who().contains("not been seen"));
        let alive = Alive::begin(folder.path(), shard);
        let started = Instant::now();
        while watch.last.is_none() && started.elapsed() < Duration::from_secs(20) {
            watch.silence();
        }
        assert!(watch.who().contains(&std::process::id().to_string()));
        let first = watch.last.clone();
        while watch.last == first && started.elapsed() < Duration::from_secs(20) {
            watch.silence();
            thread::sleep(Duration::from_millis(10));
        }
        assert_ne!(watch.last, first, "it says something again and again");
        drop(alive);
        assert!(!path(folder.path(), shard).exists());
        let silence = watch.silence();
        assert!(watch.silence() >= silence, "a file that has gone is silence");
        write(&watch.path, "n17", 3).unwrap();
        watch.silence();
        thread::sleep(Duration::from_millis(20));
        assert!(watch.silence() >= Duration::from_millis(20), "a file that stays as it is is silence");
    }
}
