//! Pages in German, French, Spanish and Italian, from phrase books of our own.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::World;
use super::phrases::{filler, index, pick};
use super::prose::PageText;

/// Twelve sentences a language; `{e}` is a town, `{n}` a number.
const PHRASE_BOOKS: [[&str; 12]; 4] = [
    [
        "Wir kamen am Abend nach {e} und fanden kein Zimmer mehr.",
        "Die Straßen von {e} sind eng, aber sehr sauber.",
        "In {e} wohnen etwa {n} Familien, die sich alle kennen.",
        "Der Bürgermeister hat uns selbst durch die Stadt geführt.",
        "Am Morgen lag dichter Nebel über den Feldern.",
        "Man sollte mindestens {n} Tage bleiben, um alles zu sehen.",
        "Das Gasthaus neben der Brücke kocht eine gute Suppe.",
        "Leider war die Bibliothek wegen des Wetters geschlossen.",
        "Unsere Kinder wollten gar nicht mehr nach Hause fahren.",
        "Der Weg von {e} bis zur Küste dauert {n} Stunden.",
        "Eine alte Frau erzählte uns von früheren Zeiten.",
        "Nächstes Jahr möchten wir im Sommer wiederkommen.",
    ],
    [
        "Nous sommes arrivés à {e} un soir sous la pluie.",
        "Les rues de {e} sont étroites, mais on s'y sent bien.",
        "Il faut {n} heures pour aller de {e} jusqu'à la mer.",
        "Le boulanger nous a raconté l'histoire de la vieille tour.",
        "Chaque matin, le brouillard couvre les champs autour du village.",
        "On peut manger une bonne soupe près de la fontaine.",
        "Malheureusement, la bibliothèque était fermée pendant l'hiver.",
        "Les enfants jouaient derrière l'école avec un petit chien.",
        "Une vieille dame nous a montré le chemin du jardin.",
        "Il y a {n} marches pour monter jusqu'à la chapelle.",
        "Nous avons dormi chez un marin qui parlait beaucoup.",
        "L'année prochaine, nous voulons revenir au printemps.",
    ],
    [
        "Llegamos a {e} por la tarde y no había habitaciones.",
        "Las calles de {e} son estrechas, pero muy limpias.",
        "Hace falta caminar {n} horas desde {e} hasta la costa.",
        "El panadero nos contó la historia de la torre vieja.",
        "Por la mañana la niebla cubre los campos del pueblo.",
        "Se puede comer una sopa muy buena cerca de la fuente.",
        "Por desgracia la biblioteca estaba cerrada todo el invierno.",
        "Los niños jugaban detrás de la escuela con un perro pequeño.",
        "Una señora mayor nos enseñó el camino del jardín.",
        "Hay {n} escalones para subir hasta la capilla.",
        "Dormimos en casa de un marinero que hablaba mucho.",
        "El año que viene queremos volver en primavera.",
    ],
    [
        "Siamo arrivati a {e} di sera e non c'erano più camere.",
        "Le strade di {e} sono strette, ma molto pulite.",
        "Ci vogliono {n} ore per andare da {e} fino al mare.",
        "Il fornaio ci ha raccontato la storia della vecchia torre.",
        "Ogni mattina la nebbia copre i campi intorno al paese.",
        "Si può mangiare una buona zuppa vicino alla fontana.",
        "Purtroppo la biblioteca era chiusa per tutto l'inverno.",
        "I bambini giocavano dietro la scuola con un piccolo cane.",
        "Una vecchia signora ci ha mostrato la strada per il giardino.",
        "Ci sono {n} gradini per salire fino alla cappella.",
        "Abbiamo dormito da un marinaio che parlava sempre.",
        "L'anno prossimo vogliamo tornare in primavera.",
    ],
];

/// A foreign page of four to eight sentences; some quote one or two English ones.
pub(super) fn page(world: &World, rng: &mut ChaCha8Rng) -> PageText {
    let book = pick(&PHRASE_BOOKS, rng);
    let n_sentences = rng.random_range(4..=8);
    let chosen = rand::seq::index::sample(rng, book.len(), n_sentences);
    let mut sentences: Vec<String> = chosen.iter().map(|i| filled(book[i], world, rng)).collect();
    if rng.random_bool(0.15) {
        sentences.extend((0..rng.random_range(1..=2)).map(|_| filler(rng)).collect::<Vec<_>>());
    }
    PageText::of_lines(sentences.chunks(3).map(|paragraph| paragraph.join(" ")))
}

/// One sentence in some foreign language, for a page that is otherwise English.
pub(super) fn sentence(world: &World, rng: &mut ChaCha8Rng) -> String {
    let book = pick(&PHRASE_BOOKS, rng);
    filled(pick(&book, rng), world, rng)
}

fn filled(phrase: &str, world: &World, rng: &mut ChaCha8Rng) -> String {
    let town = &world.towns()[index(rng, world.towns().len())];
    phrase.replace("{e}", &town.name).replace("{n}", &rng.random_range(2..40).to_string())
}
