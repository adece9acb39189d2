//! Chat templates of any maker: rendered as transformers renders them, and refused by the name of what we do not know.
#![allow(clippy::unwrap_used)]

use finetuning::chat::{Ending, NoChatTemplate};
use finetuning::{ChatTemplate, Message};
use serde_json::Value;

/// Made by `tests/reference/chat_templates.py`.
const REFERENCE: &str = include_str!("../../../tests/reference/chat_templates.json");

/// A template with special tokens comes from a folder.
fn load(template: &str) -> anyhow::Result<ChatTemplate> {
    let folder = tempfile::tempdir().unwrap();
    let config = serde_json::json!({ "chat_template": template, "bos_token": "<s>", "eos_token": "</s>" });
    std::fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    ChatTemplate::load(folder.path())
}

#[test]
fn templates_give_what_transformers_gives() {
    let reference: Value = serde_json::from_str(REFERENCE).unwrap();
    let messages: Vec<Message> = serde_json::from_value(reference["messages"].clone()).unwrap();
    let cases = reference["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let template = load(case["template"].as_str().unwrap()).unwrap();
        let found = template.render(&messages, Ending::Prompt);
        match case["text"].as_str() {
            Some(expected) => assert_eq!(found.unwrap(), expected, "{}", case["name"]),
            None => {
                let error = format!("{:#}", found.unwrap_err());
                assert!(error.contains(case["error"].as_str().unwrap()), "{}: {error}", case["name"]);
            }
        }
    }
}

/// What is said of a template, when it is read or when it renders two messages.
fn refusal(template: &str) -> String {
    let messages = [Message::user("Who?"), Message::assistant("I.")];
    let outcome = load(template).and_then(|template| template.render(&messages, Ending::Prompt));
    format!("{:#}", outcome.unwrap_err())
}

#[test]
fn what_is_unknown_is_named_with_its_line() {
    for (construct, named) in [
        ("{% generation %}x{% endgeneration %}", "generation"),
        ("{{ messages | frobnicate }}", "frobnicate"),
        ("{{ frobnicate('%d') }}", "frobnicate"),
        ("{{ messages[0].content.frobnicate() }}", "frobnicate"),
        ("{% if messages is frobnicated %}{% endif %}", "frobnicated"),
        ("{% for message in messages %}", "end of input"),
        ("{{ messages[0]['content' }}", "expected"),
        ("{% import 'x' as y %}", "x"),
        ("{{ messages | tojson }}", "tojson"),
    ] {
        let message = refusal(&format!("{{# a comment #}}\n\n{construct}\n"));
        assert!(message.contains("chat_template line 3"), "{construct}: {message}");
        assert!(message.contains(named), "{construct}: {message}");
        assert!(message.contains(&format!("{construct:?}")), "the line itself: {message}");
    }
}

#[test]
fn a_template_that_never_ends_is_stopped() {
    let message = refusal("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}");
    assert!(message.contains("recursion"), "{message}");
    let message = refusal("{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}");
    assert!(message.contains("fuel"), "{message}");
}

#[test]
fn a_template_s_own_refusal_is_passed_on() {
    let message = refusal("{{ raise_exception('no system messages, please') }}");
    assert!(message.contains("the template refuses these messages: no system messages, please"), "{message}");
}

#[test]
fn a_folder_without_a_template_is_told_apart_from_a_damaged_one() {
    let folder = tempfile::tempdir().unwrap();
    let load = |config: &str| {
        std::fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
        ChatTemplate::load(folder.path()).unwrap_err()
    };
    let error = load("{}");
    assert!(error.downcast_ref::<NoChatTemplate>().unwrap().to_string().contains("was not trained to chat"));
    for damaged in ["{", "{\"chat_template\": \"{% if %}\"}"] {
        assert!(load(damaged).downcast_ref::<NoChatTemplate>().is_none());
    }
}

#[test]
fn a_system_message_has_its_role() {
    let template = ChatTemplate::new("{% for m in messages %}{{ m.role }}={{ m.content }} {% endfor %}").unwrap();
    let messages = [Message::system("s"), Message::user("u"), Message::assistant("a")];
    assert_eq!(template.render(&messages, Ending::Complete).unwrap(), "system=s user=u assistant=a ");
}

/// A table of characters puts a space in front of text behind a special token, so its tokens do not spell the template's text: they are
/// what its own library makes of that text.
#[test]
fn a_conversation_in_a_table_of_characters_has_the_ids_of_the_whole_text() {
    let llama2 = "{% for message in messages %}{% if message.role == 'user' %}{{ bos_token }}[INST] {{ message.content }} [/INST]\
                  {% else %} {{ message.content }} {{ eos_token }}{% endif %}{% endfor %}";
    let template = load(llama2).unwrap();
    let messages = [Message::user("lamp?"), Message::assistant("the lamp"), Message::user("of")];
    for name in ["llama2", "mistral"] {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/tokenizer/spm/");
        let tokenizer = tokenizer::Tokenizer::open(format!("{folder}{name}.json")).unwrap();
        let ids = template.encode(&tokenizer, &messages, Ending::Prompt).unwrap();
        let rendered = template.render(&messages, Ending::Prompt).unwrap();
        assert_eq!(ids, tokenizer.encode_with_special(&rendered), "{name}");
    }
}
