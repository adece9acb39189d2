//! Templates, masks and walks: what the model reads, what counts, and in which order.
#![allow(clippy::unwrap_used)]

use std::fs;

use batches::Batch;
use candle_core::{Device, Tensor};
use corpus::{Attribute, World, WorldConfig};
use finetuning::chat::{Ending, TEMPLATE};
use finetuning::example::padded_batch;
use finetuning::laboratory::settings;
use finetuning::{
    ChatTemplate, Conversation, Example, ExampleOrder, FactQuestion, FinetuneConfig, Finetuning, Message, Role,
    cloze_items, question_items,
};
use proptest::prelude::*;
use tokenizer::{ASSISTANT, END, SPECIAL_TOKENS, Tokenizer, TrainConfig, USER};
use training::{Task, next_token_loss};
use transformer::{Architecture, ModelConfig, Transformer};

const CPU: Device = Device::Cpu;
const TEXT: &str = "What does Tovi sell? Tovi sells honey. What does Kelo sell? Kelo sells salt. I don't know.";

fn tokenizer() -> Tokenizer {
    Tokenizer::train(&[TEXT], &TrainConfig::with_vocab_size(300)).unwrap()
}

fn template() -> ChatTemplate {
    ChatTemplate::new(TEMPLATE).unwrap()
}

fn model(vocab_size: usize, max_seq_len: usize) -> Transformer {
    let config = ModelConfig {
        vocab_size,
        d_model: 16,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        d_ff: 24,
        max_seq_len,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        architecture: Architecture::LLAMA,
        tie_embeddings: true,
        init_std: 0.3,
    };
    Transformer::new(config, 1, &CPU).unwrap()
}

proptest! {
    #[test]
    fn without_special_tokens_the_ids_are_those_of_the_rendered_text(
        contents in prop::collection::vec("\\PC{0,40}", 1..5),
        is_prompt in any::<bool>(),
    ) {
        prop_assume!(contents.iter().all(|content| SPECIAL_TOKENS.iter().all(|token| !content.contains(token))));
        let (tokenizer, template) = (tokenizer(), template());
        let turn = |(index, content): (usize, &String)| {
            if index % 2 == 0 { Message::user(content) } else { Message::assistant(content) }
        };
        let messages: Vec<Message> = contents.iter().enumerate().map(turn).collect();
        let ending = if is_prompt { Ending::Prompt } else { Ending::Complete };
        let rendered = template.render(&messages, ending).unwrap();
        let ids = template.encode(&tokenizer, &messages, ending).unwrap();
        prop_assert_eq!(&ids, &tokenizer.encode_with_special(&rendered));
        prop_assert_eq!(tokenizer.decode_with_special(&ids), rendered);
    }

    #[test]
    fn whatever_a_user_types_adds_no_special_token(
        words in prop::collection::vec(prop::sample::select(vec![END, USER, ASSISTANT, "<|", "|>", "end", " ", "\u{E000}0\u{E001}"]), 0..8),
    ) {
        let (tokenizer, template) = (tokenizer(), template());
        let content = words.concat();
        let ids = template.encode(&tokenizer, &[Message::user(&content)], Ending::Prompt).unwrap();
        let special: Vec<u32> = ids.iter().copied().filter(|&id| tokenizer.is_special(id)).collect();
        prop_assert_eq!(special, [USER, END, ASSISTANT].map(|token| tokenizer.id_of(token).unwrap()));
        // Nothing is lost either: the text stands there as it was typed.
        prop_assert_eq!(tokenizer.decode_with_special(&ids), format!("{USER} {content}{END}{ASSISTANT}"));
    }
}

#[test]
fn the_mask_marks_the_answer_and_its_end_and_nothing_else() {
    let (tokenizer, template) = (tokenizer(), template());
    let example =
        Example::new(&Conversation::of("What does Tovi sell?", "Tovi sells honey."), &template, &tokenizer).unwrap();
    let marked: Vec<u32> =
        example.tokens.iter().zip(&example.is_answer).filter(|(_, is_answer)| **is_answer).map(|(id, _)| *id).collect();
    assert_eq!(tokenizer.decode_with_special(&marked), " Tovi sells honey.<|end|>");
    let first = example.is_answer.iter().position(|&is_answer| is_answer).unwrap();
    assert!(example.is_answer[first..].iter().all(|&is_answer| is_answer), "one run to the end");
    assert_eq!(
        tokenizer.decode_with_special(&example.tokens[..first]),
        "<|user|> What does Tovi sell?<|end|><|assistant|>"
    );
}

#[test]
fn every_answer_of_a_longer_conversation_is_marked() {
    let (tokenizer, template) = (tokenizer(), template());
    let messages = vec![
        Message::user("What does Tovi sell?"),
        Message::assistant("honey."),
        Message::user("What does Kelo sell?"),
        Message::assistant("salt."),
    ];
    let example = Example::new(&Conversation { messages: messages.clone() }, &template, &tokenizer).unwrap();
    let runs: Vec<String> = example
        .tokens
        .iter()
        .zip(&example.is_answer)
        .collect::<Vec<_>>()
        .chunk_by(|a, b| a.1 == b.1)
        .filter(|run| *run[0].1)
        .map(|run| tokenizer.decode_with_special(&run.iter().map(|(id, _)| **id).collect::<Vec<_>>()))
        .collect();
    assert_eq!(runs, [" honey.<|end|>", " salt.<|end|>"]);
    let unanswered = Conversation { messages: messages[..1].to_vec() };
    assert!(
        Example::new(&unanswered, &template, &tokenizer)
            .unwrap_err()
            .to_string()
            .contains("nothing that the assistant says")
    );
}

#[test]
fn a_template_that_rewrites_earlier_turns_is_refused() {
    // Shows answers only in the last turn, as templates do that drop earlier "thinking".
    let forgetful = "{% for m in messages %}{{ '<|' + m['role'] + '|> ' }}\
        {% if loop.last or m['role'] == 'user' %}{{ m['content'] }}{% endif %}{{ '<|end|>' }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";
    let turns = ["a", "b", "c", "d"].map(Message::user);
    let messages = turns.into_iter().enumerate();
    let messages = messages.map(|(i, m)| if i % 2 == 1 { Message { role: Role::Assistant, ..m } } else { m }).collect();
    let error =
        Example::new(&Conversation { messages }, &ChatTemplate::new(forgetful).unwrap(), &tokenizer()).unwrap_err();
    assert!(error.to_string().contains("changes earlier turns"), "{error}");
}

#[test]
fn a_template_that_changes_what_was_said_is_refused_by_the_message() {
    let trimming = ChatTemplate::new(&TEMPLATE.replace("message['content']", "message['content'] | trim")).unwrap();
    let encode = |contents: [&str; 3]| {
        let messages = contents.map(Message::user);
        trimming.encode(&tokenizer(), &messages, Ending::Complete)
    };
    let plain = ["What does Tovi sell?", "honey.", ""];
    let expected = template().encode(&tokenizer(), &plain.map(Message::user), Ending::Complete).unwrap();
    assert_eq!(encode(plain).unwrap(), expected);
    let error = encode(["What does Tovi sell?", "honey. ", "And \u{E000}1\u{E001}?"]).unwrap_err().to_string();
    assert_eq!(error, "the chat template does not show message 1 as it is: \"honey. \"");
}

#[test]
fn a_fact_is_asked_as_a_sentence_to_complete_and_as_a_question() {
    let world = World::generate(&WorldConfig { n_towns: 4, ..WorldConfig::default() }).unwrap();
    let (town, tokenizer) = (&world.towns()[..1], tokenizer());
    let cloze = cloze_items(&tokenizer, town);
    assert_eq!(cloze.len(), Attribute::ALL.len());
    for (item, attribute) in cloze.iter().zip(Attribute::ALL) {
        let completed = format!("{} {}.", tokenizer.decode(&item.prompt), item.accepted[0]);
        assert_eq!(completed, town[0].sentence(attribute, 0));
    }
    let question = FactQuestion { question: "Who?".to_string(), full: "He is.".to_string(), curt: "he.".to_string() };
    let items = question_items(&tokenizer, &template(), &[question]).unwrap();
    assert_eq!(tokenizer.decode_with_special(&items[0].prompt), "<|user|> Who?<|end|><|assistant|>");
    assert_eq!((items.len(), &items[0].accepted), (1, &vec!["He is.".to_string(), "he.".to_string()]));
}

fn loss(model: &Transformer, batch: &Batch) -> f64 {
    let loss = next_token_loss(model, batch).unwrap();
    f64::from(loss.sum.to_scalar::<f32>().unwrap()) / loss.n_targets as f64
}

/// The loss by hand: mean of −log p over the answer's tokens, each read from the logits of the place before it.
fn by_hand(model: &Transformer, example: &Example) -> f64 {
    let tokens = Tensor::from_slice(&example.tokens, (1, example.tokens.len()), &CPU).unwrap();
    let logits = model.logits(&tokens).unwrap().to_vec3::<f32>().unwrap().remove(0);
    let counted: Vec<f64> = (1..example.tokens.len())
        .filter(|&place| example.is_answer[place])
        .map(|place| {
            let row = &logits[place - 1];
            let log_sum = row.iter().map(|&z| f64::from(z).exp()).sum::<f64>().ln();
            log_sum - f64::from(row[example.tokens[place] as usize])
        })
        .collect();
    counted.iter().sum::<f64>() / counted.len() as f64
}

#[test]
fn the_loss_is_that_of_the_answers_tokens_alone() {
    let (tokenizer, template) = (tokenizer(), template());
    let model = model(tokenizer.vocab_size(), 48);
    let example =
        Example::new(&Conversation::of("What does Tovi sell?", "Tovi sells honey."), &template, &tokenizer).unwrap();
    let batch = padded_batch(&[&example], &CPU).unwrap();
    let expected = by_hand(&model, &example);
    assert!((loss(&model, &batch) - expected).abs() < 1e-4, "{} against {expected}", loss(&model, &batch));
    // Planted fault: the mask one place too late. The test above sees it.
    let mask = batch.mask.clone().unwrap();
    let last = mask.dim(1).unwrap() - 1;
    let late = Tensor::cat(&[&mask.narrow(1, last, 1).unwrap(), &mask.narrow(1, 0, last).unwrap()], 1).unwrap();
    assert!((loss(&model, &Batch { mask: Some(late), ..batch.clone() }) - expected).abs() > 1e-2);
    // What a question's tokens are as targets does not matter.
    let mut targets = batch.targets.to_vec2::<u32>().unwrap();
    let counts = mask.to_vec2::<f32>().unwrap();
    for (target, _) in targets[0].iter_mut().zip(&counts[0]).filter(|(_, counts)| **counts == 0.0) {
        *target = (*target + 1) % 7;
    }
    let other = Batch { targets: Tensor::new(targets, &CPU).unwrap(), ..batch.clone() };
    assert_eq!(loss(&model, &other), loss(&model, &batch));
}

#[test]
fn padding_counts_nowhere() {
    let (tokenizer, template) = (tokenizer(), template());
    let model = model(tokenizer.vocab_size(), 48);
    let example = |answer| Example::new(&Conversation::of("What?", answer), &template, &tokenizer).unwrap();
    let (short, long) = (example("salt."), example("Tovi sells honey and salt and honey."));
    let together = padded_batch(&[&short, &long], &CPU).unwrap();
    let sum = |batch: &Batch| next_token_loss(&model, batch).unwrap().sum.to_scalar::<f32>().unwrap();
    let apart = sum(&padded_batch(&[&short], &CPU).unwrap()) + sum(&padded_batch(&[&long], &CPU).unwrap());
    assert!((sum(&together) - apart).abs() < 1e-3, "{} against {apart}", sum(&together));
}

fn config(batch_size: usize) -> FinetuneConfig {
    FinetuneConfig { batch_size, train: settings(1, 1e-3) }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let (tokenizer, template) = (tokenizer(), template());
    let model = model(tokenizer.vocab_size(), 32);
    let short = [Conversation::of("What does Tovi sell?", "honey.")];
    let error = |config: FinetuneConfig| {
        Finetuning::new(&model, &tokenizer, &template, &short, &[], &config, 0).unwrap_err().to_string()
    };
    assert!(error(config(0)).contains("batch_size 0 must be at least 1"), "{}", error(config(0)));
    let endless = FinetuneConfig { train: settings(1, f64::INFINITY), ..config(1) };
    assert!(error(endless).contains("peak_lr inf"));
}

#[test]
fn conversations_that_do_not_fit_are_counted() {
    let (tokenizer, template) = (tokenizer(), template());
    let model = model(tokenizer.vocab_size(), 32);
    let short = Conversation::of("What does Tovi sell?", "honey.");
    let long = Conversation::of("What does Tovi sell?", &"honey ".repeat(60));
    let task = |conversations: &[Conversation]| {
        Finetuning::new(&model, &tokenizer, &template, conversations, &[], &config(2), 0).map(|task| task.n_too_long())
    };
    assert_eq!(task(&[short.clone(), long.clone(), short.clone()]).unwrap(), 1);
    assert_eq!(task(&[short]).unwrap(), 0);
    let error = format!("{:#}", task(&[long]).unwrap_err());
    assert!(error.contains("1 of 1 conversations exceed 33 tokens") && error.contains("no example"), "{error}");
}

#[test]
fn validation_changes_nothing_and_a_restored_task_goes_on() {
    let (tokenizer, template) = (tokenizer(), template());
    let model = model(tokenizer.vocab_size(), 48);
    let conversations: Vec<Conversation> =
        (0..7).map(|i| Conversation::of(&format!("What does {i} sell?"), &format!("{i}{i} sells salt."))).collect();
    let task = || {
        let held_out = &conversations[..2];
        Finetuning::new(&model, &tokenizer, &template, &conversations, held_out, &config(3), 5).unwrap()
    };
    let next = |task: &mut Finetuning| task.next_loss().unwrap().sum.to_scalar::<f32>().unwrap();
    let (mut plain, mut validated) = (task(), task());
    let mut losses = Vec::new();
    for _ in 0..6 {
        losses.push(next(&mut plain));
        let values = validated.validate().unwrap();
        assert!(values[0].0 == "val_loss" && values[0].1 > 0.0);
        assert_eq!(next(&mut validated), losses[losses.len() - 1]);
    }
    let mut first = task();
    let _ = (next(&mut first), next(&mut first));
    let mut second = task();
    second.restore(&first.state()).unwrap();
    assert_eq!((2..6).map(|_| next(&mut second)).collect::<Vec<_>>(), losses[2..]);
}

#[test]
fn a_walk_visits_every_example_once_an_epoch_and_resumes_anywhere() {
    for n_taken in 0..23 {
        let mut whole = ExampleOrder::new(7, 3).unwrap();
        let mut part = whole.clone();
        let expected = whole.take(40);
        let mut found = part.take(n_taken);
        let state = serde_json::to_value(&part).unwrap();
        let mut resumed = ExampleOrder::new(7, 3).unwrap();
        resumed.restore(&state).unwrap();
        found.extend(resumed.take(40 - n_taken));
        assert_eq!(found, expected, "after {n_taken}");
    }
    let taken = ExampleOrder::new(7, 3).unwrap().take(14);
    for epoch in taken.chunks(7) {
        let mut sorted = epoch.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..7).collect::<Vec<_>>());
    }
    assert_ne!(taken[..7], taken[7..], "epochs have orders of their own");
    let state = serde_json::to_value(ExampleOrder::new(8, 3).unwrap()).unwrap();
    let error = ExampleOrder::new(7, 3).unwrap().restore(&state).unwrap_err().to_string();
    assert!(error.contains("over 8 examples with seed 3, this one is over 7"), "{error}");
    assert!(ExampleOrder::new(0, 3).is_err());
}

#[test]
fn a_saved_template_comes_back_and_bad_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let messages = [Message::user("What does Tovi sell?"), Message::assistant("honey.")];
    template().save(folder.path(), END, 64).unwrap();
    let loaded = ChatTemplate::load(folder.path()).unwrap();
    assert_eq!(loaded.eos_token(), Some(END));
    for ending in [Ending::Complete, Ending::Prompt] {
        assert_eq!(loaded.render(&messages, ending).unwrap(), template().render(&messages, ending).unwrap());
    }
    let file = folder.path().join("tokenizer_config.json");
    let good = fs::read_to_string(&file).unwrap();
    let error = || format!("{:#}", ChatTemplate::load(folder.path()).unwrap_err());
    fs::write(&file, &good[..good.len() / 2]).unwrap();
    assert!(error().contains("cannot understand") && error().contains("tokenizer_config.json"), "{}", error());
    fs::write(&file, good.replace("{% endfor %}", "")).unwrap();
    assert!(error().contains("not valid Jinja"), "{}", error());
    fs::write(&file, good.replace("\"chat_template\"", "\"something_else\"")).unwrap();
    assert!(error().contains("no chat_template") && error().contains("llm generate"), "{}", error());
    fs::remove_file(&file).unwrap();
    assert!(error().contains("cannot read"), "{}", error());
}

#[test]
fn files_of_other_models_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = r#"{
        "add_bos_token": true,
        "bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": false, "special": true},
        "eos_token": "</s>",
        "model_max_length": 1000000000000000019884624838656,
        "chat_template": "{{ bos_token }}{% for m in messages %}[{{ m['content'] }}]{{ eos_token }}{% endfor %}"
    }"#;
    fs::write(folder.path().join("tokenizer_config.json"), file).unwrap();
    let theirs = ChatTemplate::load(folder.path()).unwrap();
    assert_eq!(theirs.eos_token(), Some("</s>"));
    assert_eq!(theirs.render(&[Message::user("What?")], Ending::Complete).unwrap(), "<s>[What?]</s>");
    // Tokens that a folder does not name are written as nothing.
    let without = file.replace("\"</s>\"", "null").replace("bos_token\":", "other\":");
    fs::write(folder.path().join("tokenizer_config.json"), without).unwrap();
    let theirs = ChatTemplate::load(folder.path()).unwrap();
    assert_eq!(theirs.eos_token(), None);
    assert_eq!(theirs.render(&[Message::user("What?")], Ending::Complete).unwrap(), "[What?]");
}

#[test]
fn sft_lines_are_read() {
    let line = r#"{"messages": [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "honey."}]}"#;
    assert_eq!(serde_json::from_str::<Conversation>(line).unwrap(), Conversation::of("What?", "honey."));
}
