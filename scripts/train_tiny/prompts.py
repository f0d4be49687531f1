"""What people type: synonyms of every style and mood, sentences around them, and words that must do nothing."""

from __future__ import annotations

import random

STYLE_WORDS: dict[str, str] = {
    "photo": "photo, photograph, photorealistic, realistic, natural, real life, raw photo, camera photo, original, unchanged, normal, dslr, 4k photo",
    "oil painting": "oil painting, oil on canvas, oil paint, impasto, thick brush strokes, classical painting, renaissance painting, rembrandt, "
    "baroque painting, old master, acrylic painting, painting, painted, painterly, palette knife, leonardo da vinci, vermeer, caravaggio",
    "impressionist": "impressionist, impressionism, monet, claude monet, renoir, impressionist painting, water lilies, degas, plein air, soft dabs of paint, "
    "pastel painting, pissarro, pointillism, seurat",
    "van gogh": "van gogh, vincent van gogh, starry night, post-impressionist, swirling brush strokes, swirls, sunflowers by van gogh, expressionist, munch, the scream",
    "watercolour": "watercolour, watercolor, water colour, aquarelle, watercolour painting, watercolor painting, wash painting, soft watercolor, wet paint on paper, "
    "gouache, storybook illustration, children's book",
    "ukiyo-e": "ukiyo-e, ukiyoe, japanese woodblock print, woodblock, hokusai, hiroshige, the great wave, edo period, japanese print, japanese art, woodcut print, kanagawa",
    "pencil sketch": "pencil sketch, sketch, pencil, pencil drawing, drawing, graphite, charcoal, charcoal drawing, hand drawn, line drawing, doodle, line art, "
    "sketchbook, pen drawing, black and white drawing",
    "engraving": "engraving, etching, copperplate, banknote, linocut, lino print, woodcut, crosshatching, dürer, durer, gustave dore, old book illustration, ink lines, hatching, scratchboard",
    "comic": "comic, comic book, comics, graphic novel, marvel, dc comics, superhero comic, bold outlines, ink outlines, comic strip, spider-verse, borderlands, tintin",
    "anime": "anime, manga, ghibli, studio ghibli, cel shaded, cel shading, cartoon, animated film, japanese animation, disney, pixar, toon, makoto shinkai, animation, simpsons",
    "pop art": "pop art, andy warhol, warhol, lichtenstein, roy lichtenstein, halftone, ben-day dots, screen print, silkscreen, polka dots, print dots, risograph, duotone poster",
    "pixel art": "pixel art, 8-bit, 8 bit, 16-bit, 16 bit, pixel, pixels, pixelated, retro game, video game sprite, nes, snes, arcade game, minecraft, game boy, low resolution",
    "toy bricks": "toy bricks, lego, lego bricks, bricks, building blocks, plastic bricks, made of lego, brick mosaic, toy blocks, studs",
    "cross-stitch": "cross-stitch, cross stitch, embroidery, embroidered, needlework, knitted, knitting, stitched, tapestry, wool, yarn, fabric, felt, quilt",
    "stained glass": "stained glass, stained glass window, mosaic, church window, tiffany glass, leaded glass, coloured glass, cathedral window, tiles, roman mosaic, gaudi, voronoi",
    "neon": "neon, neon lights, neon glow, neon sign, glowing lines, glowing edges, tron, laser lines, light painting, fluorescent, electric, glow in the dark, rave",
    "cyberpunk": "cyberpunk, blade runner, futuristic city, cyber, sci-fi, science fiction, night city, dystopian, hologram, akira, ghost in the shell, tokyo at night, robot future",
    "vaporwave": "vaporwave, synthwave, retrowave, 80s, eighties, pastel, outrun, lo-fi, lofi, aesthetic, miami, dreamy pastel, bubblegum, unicorn, cotton candy",
    "blueprint": "blueprint, blue print, technical drawing, cyanotype, architect plan, engineering drawing, schematic, white lines on blue, construction plan, patent drawing, cad drawing",
    "chalkboard": "chalkboard, blackboard, chalk, chalk drawing, chalk on blackboard, school board, chalk art, white chalk, crayon on black paper, street chalk",
    "thermal": "thermal, thermal camera, infrared, heat map, heatmap, thermal vision, predator vision, heat vision, thermography, flir, hot, fire, lava",
    "matrix": "matrix, the matrix, matrix code, ascii, ascii art, green code, hacker, terminal, digital rain, code rain, computer text, typewriter art, crt terminal",
    "gold": "gold, golden statue, gold statue, bronze, bronze statue, metal, metallic, statue, sculpture, relief, brass, made of gold, engraved metal, trophy, coin",
}
MOOD_WORDS: dict[str, str] = {
    "golden hour": "golden hour, warm, warm light, sunset, sunrise, warm colors, orange light, summer, autumn, cosy, candlelight, warm tones, sunny, evening sun",
    "cold": "cold, cold blue tones, cool tones, icy, winter, ice, frozen, blue tint, arctic, underwater, snow, cold light, blue hour, frosty",
    "night": "night, at night, dark, moonlight, midnight, dark and moody, in the dark, gloomy, nighttime, low light, spooky, gothic",
    "black and white": "black and white, monochrome, grayscale, greyscale, noir, film noir, bw, b&w, no color, colorless, desaturated",
    "sepia": "sepia, old photograph, vintage, antique, 1900s, victorian, retro photo, western, daguerreotype, faded, nostalgic, old photo",
    "pink": "pink, magenta, purple, violet, rose, pink tones, purple haze, barbie, romantic, lavender, candy colors",
}
CONTENT = (
    "a person, a man, a woman, a portrait, a face, my face, me, a girl, a boy, a cat, a dog, a bird, an animal, a landscape, a mountain, a house, a castle, "
    "a city street, a tree, flowers, a car, a room, the sea, a lake, a forest, the sky, food, a child, my desk, a garden, people, a horse, a boat, a cup of coffee, "
    "someone smiling, a friend, a king, a queen, a wizard, an astronaut, a dragon, a bicycle, a guitar, a building, a village, a field, a sunflower, an apple"
).split(", ")
PRAISE = (
    "beautiful, detailed, highly detailed, masterpiece, simple, elegant, trending on artstation, best quality, vivid, fantasy, epic, sharp focus, "
    "intricate, cinematic, award winning, high quality, stunning, cute, professional, nice"
).split(", ")
AROUND = (
    "{s}", "{s}", "{s}", "{s} of {c}", "{c}, {s}", "{c} in the style of {s}", "{s} style", "{c}, {s} style", "{p} {s}", "a {s}", "an {s}", "{s}, {p}",
    "in {s} style", "{s} of {c}, {p}", "{c} as {s}", "{c} by {s}", "style of {s}", "{s} art", "{s} {w}", "{w} {s}", "{c}, {p}, {s}", "{s} look", "turn it into {s}",
    "{c} made of {s}", "like {s}",
)  # fmt: skip
# Never trained: evaluation measures how far unseen sentences move the picture.
UNSEEN_AROUND = (
    "please make this {s}", "I want to look like a {s}", "{s} please", "could you paint me as {s}?", "this picture as {s}", "{s} version of my room",
    "everything in {s}", "{s}!", "a really good {s} of a teacher", "{s} with a window behind", "my webcam as {s}", "show {s} now", "convert to {s}",
    "the best {s} ever", "{s} for a poster", "today: {s}", "{s} (portrait)", "some kind of {s}", "{s}, please, of my friends", "a funny {s}",
)  # fmt: skip


def words_of(table: dict[str, str]) -> dict[str, list[str]]:
    return {name: text.split(", ") for name, text in table.items()}


STYLES, MOODS = words_of(STYLE_WORDS), words_of(MOOD_WORDS)
KNOWN = {word for table in (STYLES, MOODS) for phrases in table.values() for phrase in phrases for word in phrase.lower().split()}


def typo(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text)) if text else 0
    kind = rng.random()
    if kind < 0.4:
        return text[:at] + text[at + 1 :]
    if kind < 0.7:
        return text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
    return text[:at] + rng.choice("abcdefghijklmnopqrstuvwxyz") + text[at:]


def meaningless(rng: random.Random, dictionary: list[str]) -> str:
    """Words with no style in them: dictionary words, things, or plain letters."""
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(CONTENT) + (f", {rng.choice(PRAISE)}" if rng.random() < 0.4 else "")
    if kind < 0.9:
        return " ".join(rng.choices(dictionary, k=rng.randint(1, 6)))
    return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=rng.randint(2, 9))) for _ in range(rng.randint(1, 3)))


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
        text = rng.choice(AROUND).format(s=word, c=rng.choice(CONTENT) if rng.random() < 0.6 else filler, p=rng.choice(PRAISE), w=filler)
    if mood_text:
        text = mood_text if not text else f"{text}, {mood_text}" if rng.random() < 0.7 else f"{mood_text}, {text}"
    return text.upper() if rng.random() < 0.02 else text
