// The colours of stems and of spectrograms. Those of the rest are in style.css.

const KNOWN: Record<string, number> = { vocals: 0, lead: 0, speech: 0, backing: 1, instrumental: 3, drums: 2, kick: 2, bass: 4, guitar: 5, piano: 6, other: 3, restored: 3, effects: 5, music: 6 };
const COLOURS = 8;

/** The number of a stem's colour: the same for a name everywhere, and different for neighbours where it is free to choose. */
export function colourOf(name: string, index: number): number {
  return KNOWN[name.toLowerCase()] ?? (index + 3) % COLOURS;
}

const DARK = [[16, 17, 24], [48, 28, 92], [124, 44, 128], [214, 84, 96], [250, 168, 82], [252, 250, 190]];
const LIGHT = [[248, 248, 252], [208, 206, 240], [140, 130, 222], [92, 62, 178], [54, 24, 110], [20, 6, 44]];
const made = new Map<boolean, Uint32Array>();

/** 256 colours as the pixels of a canvas, from silence to the loudest. */
export function gradient(dark: boolean): Uint32Array {
  const known = made.get(dark);
  if (known) return known;
  const stops = dark ? DARK : LIGHT;
  const colours = Uint32Array.from({ length: 256 }, (_, value) => {
    const place = (value / 255) * (stops.length - 1);
    const at = Math.min(Math.floor(place), stops.length - 2);
    const [r, g, b] = stops[at]!.map((part, index) => Math.round(part + (stops[at + 1]![index]! - part) * (place - at)));
    return (255 << 24) | (b! << 16) | (g! << 8) | r!;
  });
  made.set(dark, colours);
  return colours;
}
