# Run: pip install lingua-language-detector && python tests/reference/languages.py > tests/reference/languages.json
#
# What the detector lingua says of short texts in twelve languages, for chapters/02-corpus/tests/languages.rs. The texts
# are runs of words of at least 10, 20, 40 and 70 characters from sentences that we wrote.
import json
from importlib.metadata import version

from lingua import LanguageDetectorBuilder

S = {
    "eng": ["The children walked along the river and counted the boats near the old bridge.", "Yesterday we bought fresh bread and cheese at the market before the rain began.", "Nobody knows why the library closed its doors so early in the winter."],
    "deu": ["Die Kinder gingen am Fluss entlang und zählten die Boote bei der alten Brücke.", "Gestern kauften wir auf dem Markt frisches Brot und Käse, bevor der Regen begann.", "Niemand weiß, warum die Bibliothek im Winter so früh geschlossen wurde."],
    "fra": ["Les enfants marchaient le long de la rivière et comptaient les bateaux près du vieux pont.", "Hier nous avons acheté du pain frais et du fromage au marché avant la pluie.", "Personne ne sait pourquoi la bibliothèque a fermé ses portes si tôt en hiver."],
    "spa": ["Los niños caminaban por el río y contaban los barcos cerca del viejo puente.", "Ayer compramos pan fresco y queso en el mercado antes de que empezara la lluvia.", "Nadie sabe por qué la biblioteca cerró sus puertas tan temprano en invierno."],
    "ita": ["I bambini camminavano lungo il fiume e contavano le barche vicino al vecchio ponte.", "Ieri abbiamo comprato pane fresco e formaggio al mercato prima della pioggia.", "Nessuno sa perché la biblioteca abbia chiuso le porte così presto in inverno."],
    "por": ["As crianças caminhavam ao longo do rio e contavam os barcos perto da velha ponte.", "Ontem compramos pão fresco e queijo no mercado antes de começar a chuva.", "Ninguém sabe por que a biblioteca fechou as portas tão cedo no inverno."],
    "nld": ["De kinderen liepen langs de rivier en telden de boten bij de oude brug.", "Gisteren kochten wij vers brood en kaas op de markt voordat de regen begon.", "Niemand weet waarom de bibliotheek in de winter zo vroeg haar deuren sloot."],
    "swe": ["Barnen gick längs floden och räknade båtarna vid den gamla bron.", "Igår köpte vi färskt bröd och ost på torget innan regnet började.", "Ingen vet varför biblioteket stängde sina dörrar så tidigt på vintern."],
    "pol": ["Dzieci szły wzdłuż rzeki i liczyły łodzie przy starym moście.", "Wczoraj kupiliśmy na targu świeży chleb i ser, zanim zaczął padać deszcz.", "Nikt nie wie, dlaczego biblioteka zimą tak wcześnie zamknęła drzwi."],
    "tur": ["Çocuklar nehir boyunca yürüyor ve eski köprünün yanındaki tekneleri sayıyordu.", "Dün yağmur başlamadan önce pazardan taze ekmek ve peynir aldık.", "Kütüphanenin kışın neden bu kadar erken kapandığını kimse bilmiyor."],
    "rus": ["Дети шли вдоль реки и считали лодки у старого моста.", "Вчера мы купили на рынке свежий хлеб и сыр, пока не начался дождь.", "Никто не знает, почему библиотека зимой так рано закрыла двери."],
    "ell": ["Τα παιδιά περπατούσαν δίπλα στο ποτάμι και μετρούσαν τις βάρκες κοντά στην παλιά γέφυρα.", "Χθες αγοράσαμε φρέσκο ψωμί και τυρί στην αγορά πριν αρχίσει η βροχή.", "Κανείς δεν ξέρει γιατί η βιβλιοθήκη έκλεισε τόσο νωρίς τον χειμώνα."],
}
detector = LanguageDetectorBuilder.from_all_languages().build()


def run(words, n_chars):
    text = ""
    for word in words:
        if len(text) >= n_chars:
            break
        text = f"{text} {word}".strip()
    return text if len(text) >= n_chars else None


rows = []
for n_chars in (10, 20, 40, 70):
    for language, sentences in S.items():
        for words in map(str.split, sentences):
            for text in filter(None, (run(words[start:], n_chars) for start in (0, len(words) // 3))):
                found = detector.detect_language_of(text)
                code = found.iso_code_639_3.name.lower() if found else ""
                rows.append({"n_chars": n_chars, "language": language, "text": text, "lingua": code})
print(json.dumps({"made_with": f"lingua {version('lingua-language-detector')}", "texts": rows}, ensure_ascii=False, indent=0))
