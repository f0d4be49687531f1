"""What people type: synonyms of every style and mood, sentences around them, and words that must do nothing.

Must not know networks. The lists stand in `words.toml` beside this file.
"""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))
STYLES: dict[str, list[str]] = WORDS["styles"]
MOODS: dict[str, list[str]] = WORDS["moods"]
CONTENT: list[str] = WORDS["things"]
PRAISE: list[str] = WORDS["praise"]
AROUND: list[str] = WORDS["sentences"]
UNSEEN_AROUND: list[str] = WORDS["unseen_sentences"]
KNOWN = {
    word
    for table in (STYLES, MOODS)
    for phrases in table.values()
    for phrase in phrases
    for word in phrase.lower().split()
}


def typo(text: str, rng: random.Random) -> str:
    """Drop, swap or add one letter."""
    at = rng.randrange(len(text)) if text else 0
    kind = rng.random()
    if kind < 0.4:
        return text[:at] + text[at + 1 :]
    if kind < 0.7:
        return text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
    return text[:at] + rng.choice("abcdefghijklmnopqrstuvwxyz") + text[at:]


def decorate(text: str, rng: random.Random) -> str:
    """The same words as people really type them: with punctuation, possessives, brackets, accents."""
    words = text.split(" ")
    for _ in range(rng.randint(1, 3)):
        at, kind = rng.randrange(len(words)), rng.random()
        if kind < 0.25 and words[at].isalpha():
            words[at] += rng.choice(["'s", "’s", "s'"])
        elif kind < 0.5:
            words[at] += rng.choice([".", "!", "!!", "?", ";", ":", "...", " -", ","])
        elif kind < 0.6:
            words[at] = rng.choice(["({})", '"{}"', "[{}]", "'{}'", "*{}*"]).format(words[at])
        elif kind < 0.75:
            words[at] = words[at].translate(str.maketrans("aeiouc", rng.choice(["áéíóúç", "äëïöüc", "àèìòùç"])))
        elif kind < 0.9:
            words.insert(
                at,
                rng.choice(
                    ["it's", "isn't", "I'm", "don't", "that's", "we're", "you", "please", "hello", "so", "very"]
                ),
            )
        else:
            words.insert(
                at, rng.choice(["日本", "été", "für", "niño", "über", "кот", "🙂", "&", "/", "+", "#1", "2024"])
            )
    return " ".join(words)


def meaningless(rng: random.Random, dictionary: list[str]) -> str:
    """Words with no style in them: dictionary words, things, or plain letters."""
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(CONTENT) + (f", {rng.choice(PRAISE)}" if rng.random() < 0.4 else "")
    if kind < 0.9:
        return " ".join(rng.choices(dictionary, k=rng.randint(1, 6)))
    return " ".join(
        "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=rng.randint(2, 9)))
        for _ in range(rng.randint(1, 3))
    )


def prompt(style: str, mood: str, rng: random.Random, dictionary: list[str]) -> str:
    """A random prompt that asks for this style and mood ('' for none)."""
    mood_text = ("" if not mood else mood if rng.random() < 0.3 else rng.choice(MOODS[mood])) or ""
    if style == "photo":
        kind = rng.random()
        text = "" if kind < 0.3 else meaningless(rng, dictionary) if kind < 0.7 else None
        if mood_text and text == "" and rng.random() < 0.4:
            text = f"{rng.choice(CONTENT)}"
    else:
        text = None
    if text is None:
        word = style if rng.random() < 0.3 else rng.choice(STYLES[style])
        if rng.random() < 0.06:
            word = typo(word, rng)
        filler = " ".join(rng.choices(dictionary, k=rng.randint(1, 4)))
        text = rng.choice(AROUND).format(
            s=word, c=rng.choice(CONTENT) if rng.random() < 0.6 else filler, p=rng.choice(PRAISE), w=filler
        )
    if mood_text:
        text = mood_text if not text else f"{text}, {mood_text}" if rng.random() < 0.7 else f"{mood_text}, {text}"
    return text.upper() if rng.random() < 0.02 else text
