// All models, with what there is to know before one is downloaded; and the row of a choice, which others show, too.
import { useState } from "preact/hooks";
import { type Choice, modelChoice, speedHere } from "../choices";
import { attempt, isDownload, jobs, models, startDownload } from "../state";
import { size, words } from "../wording";
import { Bar, Dialog } from "./common";
import { Icon } from "./icons";

const SHOWN = 60;

/** The download of a model that is under way. */
const downloadOf = (name: string) =>
  [...jobs.value.values()].find((job) => isDownload(job) && job.request["model"] === name && (job.state === "running" || job.state === "queued"));

/** Size, licence, and whether it is there. */
export function ChoiceFacts({ choice }: { choice: Choice }) {
  const download = choice.kind === "model" ? downloadOf(choice.name) : undefined;
  const speed = speedHere(choice, jobs.value.values());
  return (
    <span class="choice-facts">
      <span>{size(choice.size)}</span>
      {speed ? (
        <span title="In its latest job on this machine, against the time that the song plays">{speed < 10 ? speed.toFixed(1) : Math.round(speed)} × here</span>
      ) : (
        choice.speed && <span title="By its kind and size; how fast it is here shows after its first job">{choice.speed}</span>
      )}
      <span class={choice.commercial ? "" : "careful"} title={choice.commercial ? "Commercial use is allowed." : "Commercial use is not allowed, or nobody knows."}>
        {choice.license}
      </span>
      {choice.installed ? (
        <span class="there">
          <Icon name="check" />
          installed
        </span>
      ) : download ? (
        <Bar share={download.percent / 100} label={`Download of ${choice.name}`} />
      ) : (
        <span>to be downloaded</span>
      )}
    </span>
  );
}

export function ModelsWindow({ close }: { close: () => void }) {
  const [filter, setFilter] = useState("");
  const [purpose, setPurpose] = useState("");
  const [installed, setInstalled] = useState(false);
  const asked = filter.toLowerCase().trim();
  const found = models.value.models.filter(
    (model) =>
      (!installed || model.installed) && (!purpose || model.purposes.includes(purpose)) && [model.name, model.description, model.author ?? "", ...model.stems].join(" ").toLowerCase().includes(asked),
  );
  found.sort((a, b) => Number(b.installed) - Number(a.installed));
  return (
    <Dialog title="Models" close={close} wide>
      <div class="row filters">
        <input type="search" placeholder="Name, stem or author" aria-label="Search models" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <select aria-label="Purpose" value={purpose} onChange={(event) => setPurpose(event.currentTarget.value)}>
          <option value="">for anything</option>
          {Object.entries(models.value.purposes).map(([name, about]) => (
            <option key={name} value={name}>
              {name}: {about}
            </option>
          ))}
        </select>
        <label class="check">
          <input type="checkbox" checked={installed} onChange={(event) => setInstalled(event.currentTarget.checked)} />
          installed only
        </label>
      </div>
      <p class="muted" role="status">
        {found.length} of {models.value.models.length} models{found.length > SHOWN ? `, the first ${SHOWN} shown` : ""}
      </p>
      <ul class="model-list">
        {found.slice(0, SHOWN).map((model) => (
          <li key={model.name}>
            <div>
              <strong>{model.name}</strong>
              <p>{model.description}</p>
              <p class="muted">{model.stems.map(words).join(", ")}</p>
              <ChoiceFacts choice={modelChoice(model)} />
            </div>
            {!model.installed && model.downloadable !== false && (
              <button type="button" disabled={downloadOf(model.name) !== undefined} onClick={() => void attempt(() => startDownload(model.name))} aria-label={`Download ${model.name}`}>
                <Icon name="save" />
                Download
              </button>
            )}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
