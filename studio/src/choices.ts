// What can be done with a song, in words, and the request that does it.
import type { Job, Model, Models, Recipe, Tier } from "./server/types";

export interface Aim {
  id: string;
  title: string;
  about: string;
  purpose?: string; // of models
  recipes?: string[]; // that do it, too
  both?: string; // the stem whose rest is wanted as well
  text?: boolean; // whether it needs a description of the sounds
}

export const AIMS: readonly Aim[] = [
  { id: "vocals", title: "Vocals and instrumental", about: "The singing, and the music without it", purpose: "vocals", both: "vocals" },
  { id: "stems", title: "Four stems", about: "Vocals, drums, bass and the rest", purpose: "stems" },
  { id: "six", title: "Six stems", about: "With guitar and piano apart", recipes: ["six_stems"] },
  { id: "karaoke", title: "Karaoke", about: "Without the lead voice, backing vocals kept", purpose: "karaoke", recipes: ["karaoke", "lead_and_backing"] },
  { id: "drumkit", title: "Drum kit", about: "Kick, snare, toms, hi-hat and cymbals", purpose: "drumkit", recipes: ["drum_kit"] },
  { id: "restore", title: "Restore", about: "Put back what MP3 and the like took away", purpose: "restore" },
  { id: "dereverb", title: "Take reverb away", about: "Dry the sound of rooms and echo", purpose: "dereverb" },
  { id: "denoise", title: "Take noise away", about: "Hiss, hum and rustling", purpose: "denoise" },
  { id: "film", title: "Speech, music, effects", about: "Of films, series and podcasts", purpose: "film", recipes: ["dialogue"] },
  { id: "anything", title: "By a text", about: "Any sound that you can describe", purpose: "anything", text: true },
];

/** Aims for the purposes of the server that have none of their own above. */
export function moreAims(purposes: Record<string, string>): Aim[] {
  const known = new Set(AIMS.map((aim) => aim.purpose));
  const title = (purpose: string) => purpose.replace(/^./, (letter) => letter.toUpperCase());
  return Object.entries(purposes)
    .filter(([purpose]) => !known.has(purpose))
    .map(([purpose, about]) => ({ id: purpose, title: title(purpose), about: about.replace(/^./, (letter) => letter.toUpperCase()), purpose }));
}

export interface Choice {
  kind: "model" | "recipe";
  name: string;
  about: string;
  tier: Tier | null;
  stems: string[];
  size: number | null; // of what there is to download, or of the model
  license: string;
  commercial: boolean | null;
  installed: boolean;
  family: string; // whose options it has
  speed: string | null; // as far as its kind and size tell
}

/** How fast it was here, in the latest job that it has done, as a multiple of the song's own time. */
export function speedHere({ kind, name }: Choice, jobs: Iterable<Job>): number | null {
  const done = [...jobs].filter((job) => job.state === "done" && job.request[kind] === name && typeof job.settings?.["speed"] === "number");
  const latest = done.sort((a, b) => (b.ended ?? 0) - (a.ended ?? 0))[0];
  return latest ? (latest.settings!["speed"] as number) : null;
}

const TIERS: readonly (Tier | null)[] = [null, "fast", "good", "best"];

export function modelChoice(model: Model, purpose?: string): Choice {
  return {
    kind: "model",
    name: model.name,
    about: model.description,
    tier: (purpose && model.recommended?.[purpose]) || null,
    stems: model.stems,
    size: model.size_bytes,
    license: model.license ?? "licence not stated",
    commercial: model.commercial_use ?? null,
    installed: model.installed,
    family: model.family,
    speed: model.speed ?? null,
  };
}

export function recipeChoice(recipe: Recipe): Choice {
  const sizes = recipe.models.map((model) => model.size_bytes);
  const licenses = [...new Set(recipe.models.map((model) => model.license ?? "licence not stated"))];
  return {
    kind: "recipe",
    name: recipe.name,
    about: recipe.description,
    tier: null,
    stems: recipe.stems,
    size: sizes.some((size) => size === null) ? null : sizes.reduce<number>((sum, size) => sum + size!, 0),
    license: licenses.join(", "),
    commercial: recipe.commercial,
    installed: recipe.installed,
    family: "recipe",
    speed: null,
  };
}

/** What to show first for an aim: its recipes, what is installed, and what is recommended, the quick ones before the others. */
export function recommended(aim: Aim, all: Models, recipes: readonly Recipe[]): Choice[] {
  const cooked = (aim.recipes ?? []).flatMap((name) => recipes.find((recipe) => recipe.name === name) ?? []).map(recipeChoice);
  const suitable = choicesFor(aim, all).filter((choice) => choice.installed || choice.tier);
  return [...cooked, ...suitable.sort((a, b) => TIERS.indexOf(a.tier) - TIERS.indexOf(b.tier))];
}

/** All others for it. */
export const others = (aim: Aim, all: Models): Choice[] => choicesFor(aim, all).filter((choice) => !choice.installed && !choice.tier);

const choicesFor = ({ purpose }: Aim, { models }: Models): Choice[] => models.filter((model) => purpose && model.purposes.includes(purpose)).map((model) => modelChoice(model, purpose));

/** The one to begin with: installed if there is one, or else the middle of the recommended. */
export function firstChoice(choices: readonly Choice[]): Choice | null {
  return choices.findLast((choice) => choice.installed) ?? choices.find((choice) => choice.tier === "good") ?? choices[0] ?? null;
}

const MOVABLE = { start_at: 0 }; // so that the work can go where the listener goes

/** The fields of `separate` for a choice; `options` are the user's own and come last. */
export function requestFor(aim: Aim, choice: Choice, texts: readonly string[], options: Record<string, unknown>): Record<string, unknown> {
  if (choice.kind === "recipe") return { recipe: choice.name, ...MOVABLE, ...options };
  const request: Record<string, unknown> = { model: choice.name, ...MOVABLE };
  const stems = choice.stems.map((stem) => stem.toLowerCase());
  const alone = aim.both && stems.includes(aim.both) && !stems.includes("instrumental");
  if (alone && choice.family === "networks" && stems.length === 1) request["extract_instrumental"] = true;
  else if (alone) request["two_stems"] = choice.stems[stems.indexOf(aim.both!)];
  if (choice.family === "audiosep" && texts.length) request["texts"] = texts;
  return { ...request, ...options };
}
