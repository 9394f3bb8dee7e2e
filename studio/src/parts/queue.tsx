// The queue: what runs, what waits, and what has ended.
import { cancel, choose, hasEnded, isDownload, listed, move, queued, retry } from "../state";
import type { Job } from "../server/types";
import { size, span } from "../wording";
import { Bar, IconButton, Wrong } from "./common";
import { Icon } from "./icons";

export function Queue({ shown }: { shown: string | null }) {
  if (!listed.value.length) return null;
  return (
    <section class="card queue" aria-labelledby="queue-title">
      <h2 id="queue-title">Queue</h2>
      <ol>
        {listed.value.map((job) => (
          <Row key={job.id} job={job} shown={job.id === shown} />
        ))}
      </ol>
    </section>
  );
}

/** What a job does, in a few words. */
export function madeBy(job: Job): string {
  const recipe = job.request["recipe"];
  const name = (typeof recipe === "string" ? recipe : recipe ? "your recipe" : null) ?? job.request["model"] ?? job.settings?.["model"];
  return typeof name === "string" ? name : "";
}

export function standing(job: Job): string {
  switch (job.state) {
    case "running":
      return [job.stage === "separate" || !job.stage ? "" : job.stage.replaceAll("_", " "), `${Math.floor(job.percent)} %`, job.eta ? `${span(job.eta)} left` : ""].filter(Boolean).join(" · ");
    case "queued":
      return job.position === 0 ? "next" : `waits, ${(job.position ?? 0) + 1}.`;
    case "done":
      return [job.size_bytes && !isDownload(job) ? size(job.size_bytes) : "", job.started && job.ended ? `took ${span(job.ended - job.started)}` : ""].filter(Boolean).join(" · ") || "done";
    default:
      return job.state;
  }
}

function Row({ job, shown }: { job: Job; shown: boolean }) {
  const download = isDownload(job);
  const place = queued.value.indexOf(job);
  const show = () => {
    choose(job.id);
    if (matchMedia("(max-width: 899px)").matches) document.getElementById("stage")?.scrollIntoView();
  };
  return (
    <li class={`job ${job.state} ${shown ? "shown" : ""}`}>
      <div class="job-line">
        {download ? (
          <span class="job-title">
            <Icon name="save" /> {job.title}
          </span>
        ) : (
          <button type="button" class="job-title" aria-current={shown ? "true" : undefined} onClick={show}>
            {job.title}
          </button>
        )}
        <span class="job-actions">
          {job.state === "queued" && queued.value.length > 1 && (
            <>
              <IconButton icon="up" label={`Move ${job.title} up`} disabled={place === 0} onClick={() => void move(job, place - 1)} />
              <IconButton icon="down" label={`Move ${job.title} down`} disabled={place === queued.value.length - 1} onClick={() => void move(job, place + 1)} />
            </>
          )}
          {(job.state === "failed" || job.state === "cancelled") && <IconButton icon="again" label={`Try ${job.title} again`} onClick={() => void retry(job)} />}
          <IconButton icon="close" label={`${hasEnded(job) ? "Remove" : "Cancel"} ${job.title}`} onClick={() => void cancel(job)} />
        </span>
      </div>
      <p class="job-note">
        {!download && <span>{madeBy(job)}</span>}
        <span>{standing(job)}</span>
      </p>
      {job.state === "running" && <Bar share={job.percent / 100} label={`Progress of ${job.title}`} />}
      {job.state === "failed" && job.error && <Wrong trouble={job.error} />}
    </li>
  );
}
