//! Data sets and models by name, from a hub that stands in this file: it breaks connections, lies about hashes and asks for tokens.
#![allow(clippy::unwrap_used)]
#![cfg(feature = "hub")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use corpus::hub::{DatasetName, Hub, HubError, ModelName};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the hub does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Sound,
    /// Sends at most this many bytes of a file at a time, then closes the connection.
    Breaks(usize),
    /// The same, and sends the file from its beginning whatever is asked for.
    BreaksOnceAndKnowsNoRanges(usize),
    LiesAboutHashes,
    WantsToken,
}

struct FakeHub {
    endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
    cache: TempDir,
}

fn shard_bytes() -> Vec<u8> {
    (0..2_000).flat_map(|n| format!("{{\"text\":\"document {n}\"}}\n").into_bytes()).collect()
}

impl FakeHub {
    fn start(manner: Manner) -> FakeHub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, own) = (Arc::clone(&requests), endpoint.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, manner, &own, &seen);
            }
        });
        FakeHub { endpoint, requests, cache: tempfile::tempdir().unwrap() }
    }

    fn hub(&self, token: Option<&str>) -> Hub {
        Hub::new(&self.endpoint, token.map(str::to_owned), self.cache.path())
    }

    fn requests_of_files(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|request| request.contains("/resolve/")).cloned().collect()
    }
}

fn answer(mut stream: TcpStream, manner: Manner, endpoint: &str, seen: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let header: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).map(|l| l.to_lowercase()).collect();
    let range = header.iter().find_map(|line| line.strip_prefix("range: bytes=")).map(|range| range.to_owned());
    seen.lock().unwrap().push(format!("{first} {}", range.clone().unwrap_or_default()));
    let path = first.split(' ').nth(1).unwrap();
    let mut send = |status: &str, more: &str, body: &[u8], n_sent: usize| {
        let n_bytes = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {n_bytes}\r\nConnection: close\r\n{more}\r\n");
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..n_sent.min(n_bytes)]));
    };
    if manner == Manner::WantsToken && !header.contains(&"authorization: bearer secret".to_owned()) {
        return send("401 Unauthorized", "", b"", 0);
    }
    let content = shard_bytes();
    let hash: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
    let hash = if manner == Manner::LiesAboutHashes { hash.replace(['1', '2'], "0") } else { hash };
    let n_bytes = content.len();
    let file = |path: &str| {
        format!(
            "{{\"type\":\"file\",\"path\":\"{path}\",\"size\":{n_bytes},\"oid\":\"x\",\"lfs\":{{\"oid\":\"{hash}\",\"size\":{n_bytes}}}}}"
        )
    };
    if path.ends_with("/revision/main") {
        send("200 OK", "", format!("{{\"sha\":\"{COMMIT}\",\"private\":false}}").as_bytes(), usize::MAX);
    } else if let Some((repository, _)) =
        path.strip_prefix("/api/models/owner/").and_then(|rest| rest.split_once("/tree/"))
    {
        let files: Vec<String> = files_of_model(repository).iter().map(|path| file(path)).collect();
        send("200 OK", "", format!("[{}]", files.join(",")).as_bytes(), usize::MAX);
    } else if path.ends_with("tree/0123456789abcdef0123456789abcdef01234567?recursive=true") {
        let link = format!("Link: <{endpoint}/page2>; rel=\"next\"\r\n");
        let readme = "{\"type\":\"file\",\"path\":\"README.md\",\"size\":5,\"oid\":\"y\"}";
        let folder = "{\"type\":\"directory\",\"path\":\"data.jsonl\",\"size\":0,\"oid\":\"z\"}";
        let body = format!("[{readme},{folder},{},{}]", file("data/en/b.jsonl"), file("../../escape.jsonl"));
        send("200 OK", &link, body.as_bytes(), usize::MAX);
    } else if path == "/page2" {
        send("200 OK", "", format!("[{},{}]", file("data/en/a.jsonl"), file("data/de/c.jsonl")).as_bytes(), usize::MAX);
    } else if path.contains(&format!("/resolve/{COMMIT}/")) {
        let from = range.map_or(0, |range| range.trim_end_matches('-').parse::<usize>().unwrap());
        match manner {
            Manner::BreaksOnceAndKnowsNoRanges(n) => {
                let n_sent = if from == 0 { n } else { usize::MAX };
                send("200 OK", "", &content, n_sent);
            }
            _ if from >= n_bytes => send("416 Range Not Satisfiable", "", b"", 0),
            Manner::Breaks(n) => send(if from > 0 { "206 Partial Content" } else { "200 OK" }, "", &content[from..], n),
            _ => send(if from > 0 { "206 Partial Content" } else { "200 OK" }, "", &content[from..], usize::MAX),
        }
    } else {
        send("404 Not Found", "", b"", 0);
    }
}

/// What lies in the models of this hub.
fn files_of_model(repository: &str) -> &'static [&'static str] {
    match repository {
        "split" => &[
            "README.md",
            "config.json",
            "consolidated.safetensors",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "onnx/model.safetensors",
            "pytorch_model.bin",
            "tokenizer.json",
        ],
        "quantised" => &["README.md", "a.Q4_K_M.gguf", "a.Q8_0.gguf"],
        "pickled" => &["config.json", "pytorch_model.bin"],
        _ => &["README.md"],
    }
}

fn name(text: &str) -> DatasetName {
    text.parse().unwrap()
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    files
}

#[test]
fn a_listing_has_the_readable_files_of_all_pages_and_says_what_it_is() {
    let fake = FakeHub::start(Manner::Sound);
    let dataset = fake.hub(None).list(&name("hf:owner/pages")).unwrap();
    let paths: Vec<&str> = dataset.shards.iter().map(|shard| shard.file.path.as_str()).collect();
    assert_eq!(
        paths,
        ["data/de/c.jsonl", "data/en/a.jsonl", "data/en/b.jsonl"],
        "no README, no folder, nothing outside"
    );
    assert_eq!(dataset.n_bytes(), 3 * shard_bytes().len() as u64);
    let message = dataset.to_string();
    for part in ["hf:owner/pages at commit 01234567: 3 files, 0.1 MB, kept in ", fake.cache.path().to_str().unwrap()] {
        assert!(message.contains(part), "{message}");
    }
    assert!(fake.requests_of_files().is_empty(), "nothing is downloaded before it is asked for");
    assert!(files_below(fake.cache.path()).is_empty());
}

#[test]
fn a_folder_can_be_asked_for_and_a_wrong_one_names_the_others() {
    let fake = FakeHub::start(Manner::Sound);
    for folder in ["en", "data/en"] {
        let dataset = fake.hub(None).list(&name(&format!("hf:owner/pages/{folder}"))).unwrap();
        assert_eq!(dataset.shards.len(), 2, "{folder}");
    }
    let error = fake.hub(None).list(&name("hf:owner/pages/fr")).unwrap_err();
    assert!(error.to_string().contains("data/de, data/en"), "{error}");
}

#[test]
fn a_shard_is_downloaded_once_and_read() {
    let fake = FakeHub::start(Manner::Sound);
    let dataset = fake.hub(None).list(&name("hf:owner/pages/en")).unwrap();
    let reached = std::cell::Cell::new(0);
    let file = dataset.fetch(&dataset.shards[0], &|n_bytes| reached.set(n_bytes)).unwrap();
    assert_eq!(reached.get(), shard_bytes().len() as u64);
    assert_eq!(file.id, "data/en/a.jsonl");
    let records: Vec<_> = file.records().unwrap().map(Result::unwrap).collect();
    assert_eq!((records.len(), records[7].document.text.as_str()), (2_000, "document 7"));
    dataset.fetch(&dataset.shards[0], &|_| ()).unwrap();
    assert_eq!(fake.requests_of_files().len(), 1, "the second time it is there");
    assert_eq!(files_below(fake.cache.path()), ["a.jsonl"]);
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    let n_bytes = shard_bytes().len();
    let fake = FakeHub::start(Manner::Breaks(n_bytes / 4 + 1));
    let dataset = fake.hub(None).list(&name("hf:owner/pages/en")).unwrap();
    let file = dataset.fetch(&dataset.shards[0], &|_| ()).unwrap();
    assert!(fs::read(&file.path).unwrap() == shard_bytes());
    let requests = fake.requests_of_files();
    assert_eq!(requests.len(), 4);
    assert!(requests[1].ends_with(&format!(" {}-", n_bytes / 4 + 1)), "{requests:?}");
}

#[test]
fn another_process_goes_on_where_this_one_was_killed() {
    let fake = FakeHub::start(Manner::Sound);
    let dataset = fake.hub(None).list(&name("hf:owner/pages/en")).unwrap();
    let part = dataset.folder.join("data/en/a.jsonl.part");
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(&part, &shard_bytes()[..1_000]).unwrap();
    let file = dataset.fetch(&dataset.shards[0], &|_| ()).unwrap();
    assert!(fs::read(&file.path).unwrap() == shard_bytes());
    assert!(fake.requests_of_files()[0].ends_with(" 1000-"));

    // What was left of another file is found out and deleted.
    let part = dataset.folder.join("data/en/b.jsonl.part");
    fs::write(&part, [b'x'; 1_000]).unwrap();
    let error = dataset.fetch(&dataset.shards[1], &|_| ()).unwrap_err();
    assert!(matches!(error, HubError::Damaged { .. }), "{error}");
    assert_eq!(files_below(fake.cache.path()), ["a.jsonl"]);
    dataset.fetch(&dataset.shards[1], &|_| ()).unwrap();
}

#[test]
fn a_server_without_ranges_sends_everything_again() {
    let fake = FakeHub::start(Manner::BreaksOnceAndKnowsNoRanges(10_000));
    let dataset = fake.hub(None).list(&name("hf:owner/pages/en")).unwrap();
    let file = dataset.fetch(&dataset.shards[0], &|_| ()).unwrap();
    assert!(fs::read(&file.path).unwrap() == shard_bytes());
}

#[test]
fn a_wrong_hash_leaves_nothing_behind() {
    let fake = FakeHub::start(Manner::LiesAboutHashes);
    let dataset = fake.hub(None).list(&name("hf:owner/pages/en")).unwrap();
    let error = dataset.fetch(&dataset.shards[0], &|_| ()).unwrap_err();
    assert!(error.to_string().contains("expected SHA-256"), "{error}");
    assert!(files_below(fake.cache.path()).is_empty());
}

#[test]
fn a_hub_that_never_sends_a_byte_is_given_up() {
    let fake = FakeHub::start(Manner::Breaks(0));
    let dataset = fake.hub(None).list(&name("hf:owner/pages/en")).unwrap();
    let error = dataset.fetch(&dataset.shards[0], &|_| ()).unwrap_err();
    assert!(matches!(error, HubError::Answer { .. }), "{error}");
    assert_eq!(fake.requests_of_files().len(), 3);
}

#[test]
fn a_closed_data_set_asks_for_a_token_and_takes_it() {
    let fake = FakeHub::start(Manner::WantsToken);
    let error = fake.hub(None).list(&name("hf:owner/pages")).unwrap_err();
    assert!(error.to_string().contains("HF_TOKEN"), "{error}");
    let dataset = fake.hub(Some("secret")).list(&name("hf:owner/pages")).unwrap();
    dataset.fetch(&dataset.shards[0], &|_| ()).unwrap();
    let error = fake.hub(Some("secret")).list(&name("hf:owner/pages@other")).unwrap_err();
    assert!(matches!(error, HubError::Status { status: 404, .. }), "{error}");
}

#[test]
fn names_are_parsed_and_wrong_ones_refused() {
    let full = name("hf:HuggingFaceFW/fineweb-edu/sample/10BT@v1.0");
    assert_eq!((full.owner.as_str(), full.name.as_str()), ("HuggingFaceFW", "fineweb-edu"));
    assert_eq!((full.folder.as_deref(), full.revision.as_str()), (Some("sample/10BT"), "v1.0"));
    assert_eq!(full.to_string(), "hf:HuggingFaceFW/fineweb-edu/sample/10BT@v1.0");
    assert_eq!(name("hf:a/b").to_string(), "hf:a/b");
    for wrong in ["hf:squad", "hf:", "hf:a/../b", "hf:a//b", "hf:a/b@", "hf:a/b?x", "hf:a/b@../c"] {
        assert!(wrong.parse::<DatasetName>().is_err(), "{wrong}");
    }
}

fn model(text: &str) -> ModelName {
    text.parse().unwrap()
}

#[test]
fn of_a_model_what_is_read_is_fetched_and_nothing_else() {
    let fake = FakeHub::start(Manner::Breaks(shard_bytes().len() / 2));
    let files = fake.hub(None).model(&model("owner/split")).unwrap();
    let expected = [
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
    ];
    assert_eq!(files.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), expected);
    let said = files.to_string();
    assert!(said.contains("hf:owner/split at commit 01234567: 5 files, 0.2 MB, kept in "), "{said}");
    assert!(fake.requests_of_files().is_empty(), "nothing is downloaded before it is asked for");

    let told = std::cell::RefCell::new((String::new(), 0));
    let folder = files.fetch(&|file, n_bytes| *told.borrow_mut() = (file.to_owned(), n_bytes)).unwrap();
    assert_eq!(*told.borrow(), ("tokenizer.json".to_owned(), files.n_bytes()));
    for file in expected {
        assert!(fs::read(folder.join(file)).unwrap() == shard_bytes(), "{file}");
    }
    assert_eq!(files_below(fake.cache.path()).len(), 5);
    let n_requests = fake.requests_of_files().len();
    assert!(fake.requests_of_files()[0].contains(&format!(" /owner/split/resolve/{COMMIT}/config.json")));
    files.fetch(&|_, _| ()).unwrap();
    assert_eq!(fake.requests_of_files().len(), n_requests, "the second time it is all there");
}

#[test]
fn a_gguf_file_of_a_model_is_named() {
    let fake = FakeHub::start(Manner::Sound);
    let error = fake.hub(None).model(&model("owner/quantised")).unwrap_err().to_string();
    assert!(error.contains("no model.safetensors") && error.contains("a.Q4_K_M.gguf, a.Q8_0.gguf"), "{error}");
    let error = fake.hub(None).model(&model("hf:owner/quantised/b.gguf")).unwrap_err().to_string();
    assert!(error.contains("no b.gguf") && error.contains("a.Q8_0.gguf"), "{error}");
    let error = fake.hub(None).model(&model("hf:owner/split/b.gguf")).unwrap_err().to_string();
    assert!(error.contains("it has safetensors: import OWNER/NAME"), "{error}");
    let files = fake.hub(None).model(&model("hf:owner/quantised/a.Q8_0.gguf")).unwrap();
    let path = files.fetch(&|_, _| ()).unwrap();
    assert!(path.ends_with("a.Q8_0.gguf") && fs::read(path).unwrap() == shard_bytes());
    assert_eq!(files_below(fake.cache.path()), ["a.Q8_0.gguf"]);
}

#[test]
fn a_model_without_weights_that_we_read_says_what_it_has() {
    let fake = FakeHub::start(Manner::Sound);
    let error = fake.hub(None).model(&model("owner/pickled")).unwrap_err().to_string();
    assert!(error.contains("pickles (pytorch_model.bin)") && error.contains("safetensors copy"), "{error}");
    let error = fake.hub(None).model(&model("owner/empty")).unwrap_err().to_string();
    assert!(error.contains("no weights at all"), "{error}");
    for wrong in ["owner", "owner/name/folder", "hf:a/b/c.bin", "a/b@", "../b"] {
        assert!(wrong.parse::<ModelName>().is_err(), "{wrong}");
    }
    assert_eq!(model("hf:a/b/c.gguf@v1").to_string(), "hf:a/b/c.gguf@v1");
}
