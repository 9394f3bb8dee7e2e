// Export: chosen stems as files, or one file of what the faders say.
import { useState } from "preact/hooks";
import type { Player } from "../audio/player";
import { gains } from "../audio/supply";
import { jobPath } from "../server/client";
import type { Job } from "../server/types";
import { status } from "../state";
import { wrongIn } from "../names";
import { count, titled } from "../wording";
import { Dialog } from "./common";
import { Icon } from "./icons";

export interface Wish {
  stems?: string[];
  mix?: string[];
  format: string;
  sample: string;
  zip?: boolean;
  names?: string; // a template
}

const SAMPLES: Record<string, string> = { PCM_16: "16 bit", PCM_24: "24 bit", PCM_32: "32 bit", FLOAT: "32 bit float" };

export function exportAddress(job: Job, { stems, mix, format, sample, zip, names }: Wish): string {
  const query = new URLSearchParams({ ...(stems && { stems: stems.join(",") }), ...(mix && { mix: mix.join(",") }), format, ...(sample && { sample }), ...(zip && { zip: "1" }), ...(names?.trim() && { name_template: names.trim() }) });
  return `${jobPath(job.id, "export")}?${query}`;
}

/** The faders as the server takes them: `vocals:0.8:-0.2`. */
export function faders(player: Player): string[] {
  const tracks = player.tracks.map((track) => ({ name: track.name, solo: track.solo.value, mute: track.mute.value, volume: track.volume.value, pan: track.pan.value }));
  const heard = gains(tracks, false);
  return tracks.filter(({ name }, index) => name !== "mix" && heard[index]![0] + heard[index]![1] > 0).map(({ name, volume, pan }) => `${name}:${volume}:${pan}`);
}

export function ExportWindow({ job, player, close }: { job: Job; player: Player; close: () => void }) {
  const types = status.value?.formats ?? { flac: ["PCM_16", "PCM_24"] };
  const formats = Object.keys(types);
  const names = job.stems.map((stem) => stem.name);
  const [what, setWhat] = useState<"stems" | "mix">("stems");
  const [chosen, setChosen] = useState<readonly string[]>(names);
  const [format, setFormat] = useState(() => (typeof job.request["format"] === "string" && formats.includes(job.request["format"]) ? job.request["format"] : "flac"));
  const [sample, setSample] = useState("PCM_24");
  const [template, setTemplate] = useState("");
  const samples = types[format] ?? [];
  const mix = faders(player);
  const used = samples.includes(sample) ? sample : (samples[0] ?? "");
  const several = what === "stems" && chosen.length > 1;
  const wrong = wrongIn(template, several);
  const enough = (what === "stems" ? chosen.length > 0 : mix.length > 0) && !wrong;
  const wish: Wish = what === "stems" ? { stems: names.filter((name) => chosen.includes(name)), format, sample: used, zip: several, names: template } : { mix, format, sample: used, names: template };
  const address = exportAddress(job, wish);
  return (
    <Dialog title="Export" close={close}>
      <div class="segments full" role="group" aria-label="What to export">
        <button type="button" aria-pressed={what === "stems"} onClick={() => setWhat("stems")}>
          Stems
        </button>
        <button type="button" aria-pressed={what === "mix"} onClick={() => setWhat("mix")}>
          One file, as the faders are
        </button>
      </div>
      {what === "stems" ? (
        <fieldset class="checks">
          <legend>Which stems</legend>
          {names.map((name) => (
            <label key={name} class="check">
              <input type="checkbox" checked={chosen.includes(name)} onChange={(event) => setChosen(event.currentTarget.checked ? [...chosen, name] : chosen.filter((one) => one !== name))} />
              {titled(name)}
            </label>
          ))}
        </fieldset>
      ) : (
        <p class="muted">{mix.length ? `${count(mix.length, "stem")} with volume and pan as set: ${mix.map((one) => titled(one.split(":")[0]!)).join(", ")}.` : "All stems are muted."}</p>
      )}
      <div class="row fields">
        <label class="field">
          <span>Format</span>
          <select value={format} onChange={(event) => setFormat(event.currentTarget.value)}>
            {formats.map((one) => (
              <option key={one} value={one}>
                {one.toUpperCase()}
              </option>
            ))}
          </select>
        </label>
        {samples.length > 0 && (
          <label class="field">
            <span>Samples</span>
            <select value={used} onChange={(event) => setSample(event.currentTarget.value)}>
              {samples.map((one) => (
                <option key={one} value={one}>
                  {SAMPLES[one] ?? one}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <label class="field">
        <span>Names of the files</span>
        <input type="text" value={template} placeholder="{track} - {stem}" aria-invalid={wrong ? true : undefined} aria-describedby="names-about" onInput={(event) => setTemplate(event.currentTarget.value)} />
      </label>
      <p id="names-about" class={wrong ? "error" : "hint"} role="status">
        {wrong ?? "With {track}, {stem} and {model}. Left empty, they are those of the stems."}
      </p>
      <div class="row end">
        {enough ? (
          <a class="button primary" href={address} download onClick={() => window.setTimeout(close)}>
            <Icon name="save" /> {several ? `Save ${count(chosen.length, "stem")} as ZIP` : "Save"}
          </a>
        ) : (
          <button type="button" class="primary" disabled>
            Save
          </button>
        )}
      </div>
    </Dialog>
  );
}
