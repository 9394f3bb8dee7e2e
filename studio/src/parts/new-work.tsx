// New work: songs, what is to be done with them in words, by which model, and how.
import { computed, signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { AIMS, type Aim, type Choice, firstChoice, moreAims, others, recipeChoice, recommended, requestFor } from "../choices";
import { isSong } from "../files";
import { aimId, openRecipes, ownRecipe } from "../preparing";
import { addSongs, attempt, models, recipes, say, schema, sendAgain, type Song, songs, startJobs, takeBack } from "../state";
import { fieldsOf } from "../options";
import { clock, count, size, titled } from "../wording";
import { Bar, IconButton, Wrong } from "./common";
import { Icon } from "./icons";
import { ChoiceFacts } from "./models";
import { OptionFields, optionValues, typed } from "./option-fields";

const chosenName = signal<string | null>(null);
const text = signal("");
const starting = signal(false);
const allAims = signal(false);

const aims = computed((): Aim[] => {
  const own = ownRecipe.value;
  const recipe: Aim[] = own ? [{ id: "recipe", title: titled(own.name), about: own.document ? "Your recipe" : "A recipe", recipes: [own.name] }] : [];
  return [...recipe, ...AIMS, ...moreAims(models.value.purposes)];
});
const shownAims = computed(() => aims.value.filter((one) => allAims.value || one.id === "recipe" || AIMS.includes(one) || one.id === aimId.value));
const aim = computed(() => aims.value.find((one) => one.id === aimId.value) ?? aims.value[0]!);
const best = computed(() => {
  const own = ownRecipe.value;
  if (aim.value.id === "recipe" && own?.document) {
    const base = recipes.value.find((one) => one.name === own.name);
    return [base ? recipeChoice(base) : recipeChoice({ name: own.name, description: "", steps: [], stems: [], models: [], installed: true, commercial: false })];
  }
  return recommended(aim.value, models.value, recipes.value);
});
const more = computed(() => others(aim.value, models.value));
const choice = computed((): Choice | null => [...best.value, ...more.value].find((one) => one.name === chosenName.value) ?? firstChoice(best.value) ?? more.value[0] ?? null);

async function start(): Promise<void> {
  if (!choice.value || starting.value) return;
  const fields = fieldsOf(schema.value, choice.value.family);
  const texts = text.value.split(",").map((one) => one.trim()).filter(Boolean);
  const request = requestFor(aim.value, choice.value, texts, optionValues(fields).values);
  if (aim.value.id === "recipe" && ownRecipe.value?.document) request["recipe"] = ownRecipe.value.document;
  starting.value = true;
  await startJobs(request);
  starting.value = false;
}

export function NewWork() {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const take = (input: HTMLInputElement) => {
    const all = [...(input.files ?? [])];
    const found = all.length > 1 ? all.filter(isSong) : all;
    if (all.length && !found.length) say("There is no song in this folder.");
    addSongs(found);
    input.value = "";
  };
  return (
    <section class="card new-work" aria-labelledby="new-title">
      <h2 id="new-title">New</h2>
      <div class={`drop ${songs.value.length ? "small" : ""}`}>
        <Icon name="add" />
        <p>Drop songs or folders, or</p>
        <div class="row centre">
          <button type="button" onClick={() => files.current?.click()}>
            Choose songs
          </button>
          <button type="button" class="plain" onClick={() => folder.current?.click()}>
            a folder
          </button>
        </div>
        <input ref={files} type="file" multiple hidden accept="audio/*,video/*,.flac,.opus,.mka,.aiff,.wv,.ape" aria-label="Songs" onChange={(event) => take(event.currentTarget)} />
        <input ref={folder} type="file" hidden aria-label="Folder of songs" {...{ webkitdirectory: true }} onChange={(event) => take(event.currentTarget)} />
      </div>
      {songs.value.length > 0 && <Preparation />}
    </section>
  );
}

function Preparation() {
  const there = songs.value.filter((song) => song.upload).length;
  const coming = songs.value.some((song) => !song.upload && !song.trouble);
  const now = choice.value;
  const fields = now ? fieldsOf(schema.value, now.family) : [];
  const wrong = Object.keys(optionValues(fields).errors).length > 0;
  const wordless = aim.value.text && !text.value.trim();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void attempt(start);
      }}
    >
      <ul class="songs" aria-label="Songs to separate">
        {songs.value.map((song) => (
          <SongRow key={song.key} song={song} />
        ))}
      </ul>
      <fieldset class="aims">
        <legend>What to do</legend>
        <div class="aim-list">
          {shownAims.value.map((one) => (
            <label key={one.id} class="aim">
              <input
                type="radio"
                name="aim"
                value={one.id}
                checked={one.id === aim.value.id}
                onChange={() => {
                  aimId.value = one.id;
                  chosenName.value = null;
                }}
              />
              <span>{one.title}</span>
            </label>
          ))}
          {shownAims.value.length < aims.value.length && (
            <button type="button" class="plain" onClick={() => (allAims.value = true)}>
              {aims.value.length - shownAims.value.length} more
            </button>
          )}
        </div>
        <p class="hint" aria-live="polite">
          {aim.value.about}.
        </p>
      </fieldset>
      {aim.value.text && (
        <label class="field">
          <span>Sounds, separated by commas</span>
          <input type="text" value={text.value} placeholder="a dog barking, rain" onInput={(event) => (text.value = event.currentTarget.value)} />
        </label>
      )}
      <fieldset class="choices">
        <legend>By which model</legend>
        {best.value.map((one) => (
          <ChoiceRow key={one.name} choice={one} />
        ))}
        {more.value.length > 0 && (
          <details open={more.value.some((one) => one === now)}>
            <summary>{count(more.value.length, "more model")}</summary>
            {more.value.map((one) => (
              <ChoiceRow key={one.name} choice={one} />
            ))}
          </details>
        )}
        {!best.value.length && !more.value.length && <p class="muted">No model of the list does this.</p>}
      </fieldset>
      {now?.kind === "recipe" && (
        <button type="button" class="plain" onClick={() => openRecipes(now.name)}>
          <Icon name="graph" /> See the recipe
        </button>
      )}
      {fields.length > 0 && (
        <details class="options">
          <summary>Options{Object.keys(typed.value).length ? ` (${Object.keys(typed.value).length} set)` : ""}</summary>
          <OptionFields fields={fields} />
        </details>
      )}
      <div class="go">
        <button type="submit" class="primary" disabled={!there || !now || wrong || wordless || starting.value}>
          {there ? `Separate ${count(there, "song")}` : coming ? "Sending…" : "Separate"}
        </button>
        {wordless && <p class="hint">Say first which sounds you want.</p>}
        {wrong && <p class="error">An option is not right yet.</p>}
        {there > 0 && coming && <p class="hint">The songs that are still being sent stay here.</p>}
      </div>
    </form>
  );
}

const SongRow = ({ song }: { song: Song }) => (
  <li>
    <div class="song-line">
      <span class="song-name" title={song.file.name}>
        {song.file.name}
      </span>
      <span class="muted">{song.upload?.duration_s ? clock(song.upload.duration_s) : size(song.file.size)}</span>
      {song.trouble && <IconButton icon="again" label={`Send ${song.file.name} again`} onClick={() => sendAgain(song)} />}
      <IconButton icon="close" label={`Take ${song.file.name} back`} onClick={() => takeBack(song)} />
    </div>
    {!song.upload && !song.trouble && <Bar share={song.share} label={`Sending ${song.file.name}`} />}
    {song.trouble && <Wrong trouble={song.trouble} />}
  </li>
);

const TIERS = { fast: "Fast", good: "Good", best: "Best" };

const ChoiceRow = ({ choice: one }: { choice: Choice }) => (
  <label class="choice">
    <input type="radio" name="model" value={one.name} checked={one.name === choice.value?.name} onChange={() => (chosenName.value = one.name)} />
    <span>
      <span class="row spread">
        <strong>{one.name}</strong>
        {(one.tier || one.kind === "recipe") && <em class="tier">{one.tier ? TIERS[one.tier] : "Recipe"}</em>}
      </span>
      <small>{one.about}</small>
      <ChoiceFacts choice={one} />
    </span>
  </label>
);
