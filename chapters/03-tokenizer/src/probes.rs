//! Short texts of known kinds, to compare vocabularies on: languages, code, digits, white space.
//!
//! Problem: one number, bytes per token on one corpus, hides who pays. A vocabulary made of English carries four bytes a token there
//! and one in Hindi, so a Hindi speaker gets a quarter of the context at four times the price. These samples are a few sentences each: enough to
//! see a factor of two, not to measure a percent.
//!
//! Bytes per token compare tokenizers within a row. Across rows compare tokens instead: the languages say the same sentences,
//! but their characters have one to three bytes.

use crate::Tokenizer;

/// A text of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    /// What it is.
    pub kind: &'static str,
    /// The text.
    pub text: &'static str,
}

const fn probe(kind: &'static str, text: &'static str) -> Probe {
    Probe { kind, text }
}

/// The languages say the same three sentences.
pub const PROBES: [Probe; 14] = [
    probe(
        "English",
        "The harbour master lights the lamps every evening. When the fog comes in, the ships wait outside until morning. Nobody in the town remembers a winter without snow.",
    ),
    probe(
        "German",
        "Der Hafenmeister zündet jeden Abend die Lampen an. Wenn der Nebel kommt, warten die Schiffe draußen bis zum Morgen. Niemand in der Stadt erinnert sich an einen Winter ohne Schnee.",
    ),
    probe(
        "French",
        "Le maître du port allume les lampes chaque soir. Quand le brouillard arrive, les navires attendent dehors jusqu'au matin. Personne dans la ville ne se souvient d'un hiver sans neige.",
    ),
    probe(
        "Spanish",
        "El capitán del puerto enciende las lámparas cada noche. Cuando llega la niebla, los barcos esperan fuera hasta la mañana. Nadie en la ciudad recuerda un invierno sin nieve.",
    ),
    probe(
        "Russian",
        "Начальник порта зажигает лампы каждый вечер. Когда приходит туман, корабли ждут снаружи до утра. Никто в городе не помнит зимы без снега.",
    ),
    probe(
        "Arabic",
        "يشعل مدير الميناء المصابيح كل مساء. عندما يأتي الضباب تنتظر السفن في الخارج حتى الصباح. لا أحد في المدينة يتذكر شتاء بلا ثلج.",
    ),
    probe(
        "Hindi",
        "बंदरगाह का मुखिया हर शाम दीपक जलाता है। जब कोहरा आता है, तो जहाज़ सुबह तक बाहर इंतज़ार करते हैं। शहर में किसी को बिना बर्फ़ की सर्दी याद नहीं है।",
    ),
    probe("Chinese", "港务长每天晚上点亮灯。雾来的时候,船只在外面等到早晨。城里没有人记得没有雪的冬天。"),
    probe(
        "Japanese",
        "港長は毎晩ランプを灯します。霧が出ると、船は朝まで外で待ちます。町の誰も雪のない冬を覚えていません。",
    ),
    probe(
        "Rust",
        "impl<'a> Lamps<'a> {\n    pub fn lit(&self) -> impl Iterator<Item = &Lamp> {\n        self.all.iter().filter(|lamp| lamp.is_lit())\n    }\n}\n",
    ),
    probe(
        "Python",
        "def lit(lamps: list[Lamp]) -> Iterator[Lamp]:\n    for lamp in lamps:\n        if lamp.is_lit():\n            yield lamp\n",
    ),
    probe("digits", "3.14159265 1984 2026-11-22 19:45:07 1234567 0x7FFF 99.5% 12,000,000 42 00017 8080"),
    probe("white space", "a\n    b\n        c\n            d\n\te\n\t\tf\n\n\ng   h        i\n                j\n"),
    probe("emoji", "🦀🚢⚓🌫️🏮 👩‍🚀👨‍👩‍👧 👍🏽 🇮🇸🇯🇵 ❤️‍🔥"),
];

/// How many tokens a kind of text takes.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct KindReport {
    /// What it is.
    pub kind: &'static str,
    /// Its bytes.
    pub n_bytes: usize,
    /// Its tokens.
    pub n_tokens: usize,
}

impl KindReport {
    /// Bytes of text that one token carries.
    pub fn bytes_per_token(&self) -> f64 {
        self.n_bytes as f64 / self.n_tokens.max(1) as f64
    }
}

/// Encodes each probe.
pub fn by_kind(tokenizer: &Tokenizer) -> Vec<KindReport> {
    let measure =
        |Probe { kind, text }| KindReport { kind, n_bytes: text.len(), n_tokens: tokenizer.encode(text).len() };
    PROBES.into_iter().map(measure).collect()
}
